"""A folder or a disk that takes no run, and a folder that holds another one, are told in one line."""

import json
import os
import resource
from contextlib import contextmanager

import pytest
import torch

from tests.configuration.mistakes import TINY, TOY, check_line, check_whole, contents

pytestmark = pytest.mark.usefixtures("no_pictures")


@contextmanager
def disk_of(size):
    """No file may grow beyond so many bytes: what a full disk does, which a test cannot fill."""
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)


def test_a_full_disk(command, runs):
    wide = (*TOY, f"runs={runs}", "architecture.width=64")
    for size, what in ((10, "config.yaml"), (6000, "checkpoints/task1.pt"), (100_000, "checkpoints/task1.pt")):
        with disk_of(size):
            check_line(command(*wide), f"cannot write {runs}/.*{what}", "too large", "make room")
        check_whole(runs)
    assert command(*wide).code == 0, "and with room it goes on"
    assert not list(runs.rglob("failed.json"))


def test_a_full_disk_that_stops_the_log(command, runs):
    with disk_of(10):
        check_line(command(*TINY, f"runs={runs}"), "cannot write")


@pytest.mark.parametrize("below", ["", "/deeper"])
def test_a_file_in_place_of_the_folder(command, tmp_path, below):
    (tmp_path / "file").write_text("mine")
    for key in ("runs", "hydra.run.dir"):
        check_line(command(*TOY, f"{key}={tmp_path}/file{below}"), f"{tmp_path}/file", "choose another path")
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder(command, runs):
    runs.mkdir(mode=0o500)
    check_line(command(*TOY, f"runs={runs}"), "Permission denied")


@pytest.mark.parametrize("taken", ["checkpoints", "plots"])
def test_a_file_in_place_of_a_part(command, runs, taken):
    runs.mkdir()
    (runs / taken).write_text("mine")
    check_line(command(*TOY, f"hydra.run.dir={runs}"), f"cannot write {runs}/{taken}", "choose a folder")
    check_whole(runs)
    (runs / taken).unlink()
    assert command(*TOY, f"hydra.run.dir={runs}").code == 0


@pytest.mark.parametrize("taken", ["config.yaml", "run.json", "metrics.jsonl", "detector.pt", "scores.npz"])
def test_a_folder_in_place_of_a_part(command, runs, taken):
    (runs / taken).mkdir(parents=True)
    check_line(command(*TOY, f"hydra.run.dir={runs}"), f"{runs}/{taken}")
    assert not (runs / "metrics.json").exists()


@pytest.mark.parametrize(
    ("other", "told"),
    [("boundary.mu=3", "identity"), ("seed=1", "seed 0, not 1"), ("ablation=no_distance", "identity")],
)
def test_a_folder_of_another_configuration_is_left_alone(command, copy, other, told):
    before = contents(copy)
    outcome = command(*TOY, f"hydra.run.dir={copy}", other)
    check_line(outcome, f"{copy} holds a run with other settings", told, "hydra.run.dir")
    assert contents(copy) == before


def test_a_folder_of_another_class_is_left_alone(command, runs):
    digits = (*TINY, f"hydra.run.dir={runs}")
    assert command(*digits, "protocol.abnormal_class=3").code == 0
    check_line(command(*digits, "protocol.abnormal_class=4"), "class 3, not 4")


@pytest.mark.parametrize("name", ["run.json", "metrics.json"])
@pytest.mark.parametrize("content", ["{", "[]", "{}"])
def test_a_damaged_record(command, copy, name, content):
    (copy / name).write_text(content)
    check_line(command(*TOY, f"hydra.run.dir={copy}"), f"{copy}/{name} is damaged", "delete")


def cut(share):
    def damage(path):
        content = path.read_bytes()
        path.write_bytes(content[: int(share * len(content))])

    return damage


def changed(change):
    def damage(path):
        content = torch.load(path, weights_only=True)
        change(content)
        torch.save(content, path)

    return damage


DAMAGES = {
    "empty": (cut(0), "cannot be read"),
    "cut short": (cut(0.01), "cannot be read"),
    "cut in half": (cut(0.5), "cannot be read"),
    "cut at the end": (cut(0.999), "cannot be read"),
    "a text": (lambda path: path.write_text("hello"), "cannot be read"),
    "another program's": (lambda path: torch.save({"weights": torch.ones(3)}, path), "is not a checkpoint of omasgan"),
    "another format": (
        changed(lambda content: content.update(format=0)),
        "has format 0, this version of omasgan reads",
    ),
    "another stage": (changed(lambda content: content.update(kind="j")), "holds 'j', not 'task1'"),
    "another architecture": (
        changed(lambda content: content["state"]["D"].update({"0.1.weight": torch.ones(5, 2)})),
        r"does not fit 'D' of this configuration \(size mismatch",
    ),
    "without a network": (changed(lambda content: content["state"].pop("D")), "does not fit 'D'"),
}


@pytest.mark.parametrize(("damage", "told"), DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_checkpoint(command, copy, damage, told):
    (copy / "metrics.json").unlink()
    path = copy / "checkpoints" / "task1.pt"
    damage(path)
    before = path.read_bytes()
    check_line(command(*TOY, f"hydra.run.dir={copy}"), f"{path} ", told, "delete")
    assert path.read_bytes() == before
    assert not (copy / "metrics.json").exists()


def test_without_its_damaged_checkpoint_a_run_is_made_again(command, copy):
    whole = json.loads((copy / "metrics.json").read_text())["metrics"]
    (copy / "metrics.json").unlink()
    (copy / "checkpoints" / "task1.pt").unlink()
    assert command(*TOY, f"hydra.run.dir={copy}").code == 0
    assert json.loads((copy / "metrics.json").read_text())["metrics"] == whole
