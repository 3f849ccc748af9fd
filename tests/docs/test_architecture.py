"""The pictures of docs/architecture.md are what the code is."""

import re

import pytest

from tests.docs.conftest import ROOT
from tests.test_structure import LOOSE, PACKAGES, imported

PICTURE = ROOT / "docs" / "pictures" / "packages.svg"
ARROWS = set(re.findall(r'<path id="(\w+)-(\w+)"', PICTURE.read_text(encoding="utf-8")))
AGAIN = "draw it again: python docs/scripts/architecture.py"


def reached(package, edges):
    """All packages that a way along the edges leads to."""
    found, left = set(), {package}
    while left:
        left = {lower for upper, lower in edges if upper in left} - found
        found |= left
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_the_arrows_are_the_imports(package):
    names = {name.split(".")[1] for name in imported(package) if name.startswith("omasgan.")}
    real = names - LOOSE - {package, "__version__"}
    drawn = {lower for upper, lower in ARROWS if upper == package}
    assert drawn <= real, AGAIN
    assert real <= reached(package, ARROWS), AGAIN


def test_no_arrow_says_what_others_say():
    for arrow in ARROWS:
        assert arrow[1] not in reached(arrow[0], ARROWS - {arrow})


def test_every_package_has_a_box():
    boxes = set(re.findall(r"<text[^>]*>(\w+)</text>", PICTURE.read_text(encoding="utf-8")))
    assert boxes == set(PACKAGES), AGAIN


def test_both_pictures_are_what_the_script_draws(docs_script):
    script = docs_script("architecture")
    assert PICTURE.read_text(encoding="utf-8") == script.packages_picture(), AGAIN
    assert (PICTURE.parent / "sample.svg").read_text(encoding="utf-8") == script.sample_picture(), AGAIN


def test_every_step_of_a_sample_has_an_arrow(docs_script):
    script = docs_script("architecture")
    steps = list(script.SAMPLE)
    arrows = set(script.SAMPLE_ARROWS)
    assert {name for arrow in arrows for name in arrow} == set(steps)
    assert reached("file", arrows) == set(steps) - {"file"}
    assert all("report" in reached(step, arrows) for step in steps if step != "report")
