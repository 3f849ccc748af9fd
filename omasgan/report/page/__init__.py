"""The page: one HTML file that holds its data, its pictures and its plotting library, and asks nothing of a network.

`content` says what the page shows, `embedded_pictures` embeds the pictures of runs and `sample_sheets` those of test
samples, and `document` joins page.html, page.css, the files of script/, the plotting library and the content.
"""

from omasgan.report.page.content import data
from omasgan.report.page.document import content_of, render
from omasgan.report.page.embedded_pictures import Pictures, Sheet, pictures
from omasgan.report.page.sample_sheets import Images, sheets

__all__ = ["Images", "Pictures", "Sheet", "content_of", "data", "pictures", "render", "sheets"]
