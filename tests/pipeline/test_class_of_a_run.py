"""A class has one run, however it is given; several classes can be left out together."""

import json

import numpy as np
import pytest
import yaml
from PIL import Image

from omasgan.errors import UserError
from tests.pipeline.running import read


def test_a_class_by_name_and_by_index_is_one_run(start, no_pictures, steps, zoo):
    folder = start(*zoo, "protocol.abnormal_class=2")
    assert read(folder, "run.json")["class"] == "äöü"
    assert yaml.safe_load((folder / "config.yaml").read_text())["protocol"]["abnormal_class"] == "äöü"
    old = folder.rename(folder.with_name("abnormal_2"))  # as an earlier version would have called and recorded it
    (old / "run.json").write_text(json.dumps({**read(old, "run.json"), "class": "2"}))
    steps.clear()
    for form in ("2", "'äöü'", "[2,'äöü']"):
        assert start(*zoo, f"protocol.abnormal_class={form}") == old
    assert not steps, "it is the run that is there"
    whole = start(*zoo)
    assert {path.name for path in whole.iterdir() if path.is_dir()} >= {"abnormal_2"}
    assert len(list(whole.rglob("run.json"))) == 3, "the class is not trained again under its name"


def test_classes_left_out_together(start, no_pictures, capsys, zoo):
    folder = start(*zoo, "protocol.abnormal_class=['äöü',0]")
    assert folder == start(*zoo, "protocol.abnormal_class=['a b','äöü']")
    assert folder.name.startswith("abnormal_a_b-")
    assert read(folder)["objective"] == {
        "split": "test",
        "abnormal": ["a b", "äöü"],
        "n_normal": 30,
        "n_abnormal": 60,
    }
    assert "a b+äöü" in capsys.readouterr().out
    pseudo = start("dataset=digits", "protocol=pseudo_loo", "protocol.abnormal_class=[1,4]", "baselines=none")
    assert pseudo.name == "abnormal_1+4"
    assert read(pseudo)["objective"]["split"] == "pseudo"
    assert read(pseudo)["objective"]["abnormal"] == ["6", "9"]


def test_the_name_of_a_protocol_says_which_split_its_figures_are_on(start, no_pictures, zoo, tmp_path):
    disguised = "protocol._target_=omasgan.data.protocols.PseudoLeaveOneOut"
    with pytest.raises(UserError, match=r"protocol=loo tests samples of the train split.*begins with pseudo"):
        start(*zoo, disguised, "protocol.abnormal_class=a_b")
    assert not list(tmp_path.rglob("run.json"))


def test_class_folders_with_names_that_yaml_takes_for_something_else(start, no_pictures, tmp_path):
    """A name in quotes is a name; of 2021_05, Hydra makes the number 202105; 'all' is taken."""
    random = np.random.default_rng(0)
    for part in ("train", "test"):
        for name in ("true", "null", "2021_05"):
            (tmp_path / "photos" / part / name).mkdir(parents=True)
            for i in range(12):
                image = Image.fromarray(random.integers(0, 256, (8, 8), dtype=np.uint8))
                image.save(tmp_path / "photos" / part / name / f"{i}.png")
    words = ("dataset=image_folder", f"dataset.root={tmp_path}/photos", "dataset.size=8", "detector=fgan")
    for given, name in (('"true"', "true"), ('"null"', "null"), ("2021_05", "2021_05")):
        folder = start(*words, "protocol=loo", f"protocol.abnormal_class={given}", "budget.batch=8")
        assert folder.name == f"abnormal_{name}" or (folder.parent / f"abnormal_{name}").is_dir()
    (tmp_path / "photos" / "train" / "true").rename(tmp_path / "photos" / "train" / "all")
    with pytest.raises(UserError, match="has a class 'all', which stands for every class in turn: rename it"):
        start(*words, "protocol=loo", "protocol.abnormal_class=all")
