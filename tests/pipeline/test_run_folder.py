"""A run's folder belongs to one configuration and to its data; what fails in it says why."""

import numpy as np
import pytest
from PIL import Image

from omasgan.errors import UserError
from tests.pipeline.running import TOY, read


@pytest.fixture
def photos(tmp_path):
    """A folder of images in two classes, trained and tested on."""
    rng = np.random.default_rng(0)
    for part in ("train/cat", "test/cat", "test/dog"):
        (tmp_path / "photos" / part).mkdir(parents=True)
        for number in range(16):
            image = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
            image.save(tmp_path / "photos" / part / f"{number}.png")
    return tmp_path / "photos"


@pytest.mark.parametrize(
    ("part", "change"), [("train", "added"), ("train", "changed"), ("test", "changed"), ("test", "removed")]
)
def test_a_finished_run_belongs_to_its_data(start, no_pictures, photos, part, change):
    data = ("dataset=image_folder", "protocol=novelty", f"dataset.root={photos}", "dataset.size=8")
    data = (*data, "architecture=mlp")
    folder = start(*data)
    assert start(*data) == folder
    image = photos / part / "cat" / "15.png"
    if change == "added":
        (photos / part / "cat" / "16.png").write_bytes(image.read_bytes())
    elif change == "changed":
        Image.new("RGB", (8, 8)).save(image)
    else:
        image.unlink()
    role = {"train": "training", "test": "test"}[part]
    for baselines in ("none", "cheap"):
        with pytest.raises(UserError, match=rf"{folder} holds a run of other {role} data.*delete it, .*runs="):
            start(*data, f"baselines={baselines}")


def test_an_interrupted_run_does_not_go_on_with_other_data(start, no_pictures, zoo, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("omasgan.pipeline.score.metrics_of", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            start(*zoo, "protocol.abnormal_class=a_b")
    arrays = dict(np.load(tmp_path / "zoo.npz"))
    arrays["x_train"][0] += 1e-3
    np.savez(tmp_path / "zoo.npz", **arrays)
    with pytest.raises(UserError, match="other training data"):
        start(*zoo, "protocol.abnormal_class=a_b")


def test_a_crash_leaves_its_reason_and_a_success_removes_it(start, no_pictures, monkeypatch, tmp_path):
    with monkeypatch.context() as patch:
        patch.setattr("omasgan.method.task3.train", lambda *_: [][0])
        with pytest.raises(IndexError):
            start(*TOY)
    (reason,) = tmp_path.rglob("failed.json")
    assert "list index out of range" in read(reason.parent, "failed.json")["error"]
    assert "Traceback" in read(reason.parent, "failed.json")["traceback"]
    assert start(*TOY) == reason.parent
    assert not reason.exists()
