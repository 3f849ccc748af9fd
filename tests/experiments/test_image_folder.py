"""The tables of the study on folders of images follow from its record."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def test_the_readme_has_the_tables_of_the_record(script):
    table = script("image_folder/table.py")
    study = Path(table.__file__).parent
    with np.load(study / "record.npz") as file:
        record = dict(file)
    assert table.markdown(record) in (study / "README.md").read_text(encoding="utf-8")
    classes, scores = record["tiles|pixel_patches|0|class"], record["tiles|pixel_patches|0|full"]
    good, scratch = scores[classes == "good"], scores[classes == "scratch"]
    by_pairs = (scratch[:, None] > good).mean() + (scratch[:, None] == good).mean() / 2
    assert table.aurocs(record, "tiles|pixel_patches|0")["full"]["scratch"] == pytest.approx(by_pairs)


def test_the_tiles_are_cut_as_said(script, tmp_path):
    pytest.importorskip("skimage", reason="scikit-image is not installed")
    script("image_folder/tiles.py").main(tmp_path)
    assert len(list((tmp_path / "train" / "good").iterdir())) == 300
    assert {path.name: len(list(path.iterdir())) for path in (tmp_path / "test").iterdir()} == {
        **dict.fromkeys(("good", "scratch", "grass", "brick"), 60),
        **{"blank": 4, "blurred": 8, "overexposed": 8},
    }
    with Image.open(tmp_path / "test" / "scratch" / "000.png") as picture:
        assert picture.size == (128, 128)
