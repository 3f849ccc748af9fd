"""A run reuses the stages that a finished one has trained alike."""

import json
import shutil
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import yaml
from omegaconf import OmegaConf

from omasgan.configuration.checks import check
from omasgan.evaluation.scores import ScoreTable
from omasgan.method.settings import Inference
from omasgan.runs import reuse
from tests.sweeps.tiny import TINY, TOY

pytestmark = pytest.mark.usefixtures("no_pictures")


def reused_stages(folder):
    return json.loads((folder / "run.json").read_text()).get("reused_stages", [])


CHANGES = {
    "seed=1": [],
    "precision=float32": [],
    "architecture.depth=2": [],
    "boundary.mu=0.3": ["task1"],
    "ablation=no_retraining": ["task1", "task2"],
    "inference.delta=0.4": ["task1", "task2", "task3"],
    "inference.j_scale=probability": ["task1", "task2", "task3", "j"],
}


def test_stages_are_reused_as_far_as_they_are_alike(command, tmp_path):
    assert command(*TOY, f"runs={tmp_path}").code == 0
    for change, stages in CHANGES.items():
        before = set(tmp_path.rglob("metrics.json"))
        assert command(*TOY, f"runs={tmp_path}", change).code == 0
        (new,) = set(tmp_path.rglob("metrics.json")) - before
        assert [stage for stage in reused_stages(new.parent) if stage != "representation"] == stages, change


@pytest.mark.parametrize("change", ["boundary.mu=0.3", "inference.delta=0.4", "inference.lambda_=3.5"])
def test_a_run_that_reused_stages_scores_as_one_that_trained_all(command, tmp_path, change):
    def run(top, *arguments):
        assert command(*TOY, f"runs={tmp_path / top}", *arguments).code == 0
        return {path.parent.parent.name: path.parent for path in (tmp_path / top).rglob("metrics.json")}

    ((name, alone),) = run("alone", change).items()
    (source,) = run("both").values()
    both = run("both", change)
    assert len(both) == 2
    reused = both[name]
    assert json.loads((reused / "run.json").read_text())["reused_from"] == str(source)
    assert reused_stages(reused)
    assert not reused_stages(alone)
    one, other = (ScoreTable.load(folder / "scores.npz") for folder in (alone, reused))
    assert one.terms.keys() == other.terms.keys()
    assert all(np.array_equal(one.terms[name], other.terms[name]) for name in one.terms)
    lines = [[json.loads(line) for line in (f / "metrics.jsonl").read_text().splitlines()] for f in (alone, reused)]
    assert [(row["stage"], row["step"]) for row in lines[0]] == [(row["stage"], row["step"]) for row in lines[1]]


def test_a_stage_of_another_detector_is_reused_only_with_all_settings_of_training(command, tmp_path):
    vae = (*TOY, f"runs={tmp_path}", "detector=vae", "architecture=mlp", "architecture.width=8")
    assert command(*vae).code == 0
    for change, copied in (("architecture.depth=2", False), ("inference.lambda_=3.5", True)):
        before = set(tmp_path.rglob("run.json"))
        assert command(*vae, change).code == 0
        (new,) = set(tmp_path.rglob("run.json")) - before
        source = json.loads(new.read_text()).get("reused_from")
        assert (source is not None) == copied, change


def test_a_run_on_other_data_reuses_nothing(command, tmp_path):
    data = {"x_train": np.arange(80.0).reshape(40, 2) % 7, "x_test": np.arange(20.0).reshape(10, 2) % 7}
    arrays = (*TINY, "dataset=arrays", f"dataset.path={tmp_path}/data.npz", "protocol=novelty")
    np.savez(tmp_path / "data.npz", **data)
    assert command(*arrays, f"runs={tmp_path}/runs").code == 0
    for number, stages in ((2, ["representation", "task1", "task2", "task3", "j"]), (3, [])):
        if not stages:
            np.savez(tmp_path / "data.npz", **{**data, "x_train": data["x_train"] + 1})
        assert command(*arrays, f"runs={tmp_path}/runs", f"inference.lambda_={number}").code == 0
        (new,) = (p.parent for p in tmp_path.rglob("run.json") if number == read_config(p)["inference"]["lambda_"])
        assert reused_stages(new) == stages


def read_config(record):
    return yaml.safe_load((record.parent / "config.yaml").read_text())


def test_a_damaged_run_is_not_reused(tmp_path):
    place = tmp_path / "set" / "omasgan-00000000" / "seed_0"
    other = tmp_path / "set" / "omasgan-11111111" / "seed_0"
    for folder in (place, other):
        folder.mkdir(parents=True)
    (other / "metrics.json").write_text("{}")
    (other / "checkpoints").mkdir()
    (other / "checkpoints" / "task1.pt").write_bytes(b"")
    config = {"boundary": {"mu": 1}, "inference": {"lambda_": 1.0, "delta": 0.5}}
    (other / "config.yaml").write_text(yaml.safe_dump(config))
    record = dict.fromkeys(reuse.ALIKE, "as here")
    (other / "run.json").write_text(json.dumps(record))

    def find(place=place, config=config):
        return reuse.find(place, "00000000", config, record)

    assert find().folder == other
    for key in reuse.ALIKE:
        (other / "run.json").write_text(json.dumps({**record, key: "another"}))
        assert find() is None, key
    (other / "run.json").write_text("{")
    assert find() is None
    (other / "run.json").write_text(json.dumps(record))
    (other / "checkpoints" / "contrastive.pt").write_bytes(b"")
    assert find(config={**config, "representation": {"features": 3}}) is None, "nothing is alike"
    (other / "config.yaml").write_text("boundary: [")
    assert find() is None
    shutil.rmtree(other)
    assert find() is None
    assert find(Path("/elsewhere")) is None


def alike(one, other):
    """The stages that two configurations train alike."""
    determined = [reuse.training(config) for config in (one, other)]
    return [stage for stage in determined[0] if determined[0][stage] == determined[1][stage]]


@pytest.mark.parametrize("name", [field.name for field in fields(Inference)])
def test_j_is_reused_where_a_setting_only_enters_the_score(composed, name):
    def config(value):
        cfg = composed()
        cfg.inference[name] = value
        return OmegaConf.to_container(cfg, resolve=True)

    training = ["delta", "j_features", "r1", "blur", "negatives", "mixing_min", "mixing_max"]
    training += ["memory_bank", "memory_bank_size"]
    expected = ["representation", "task1", "task2", "task3", *([] if name in training else ["j"])]
    assert alike(config(0.25), config(0.5)) == expected


def test_nothing_is_reused_where_the_parts_are_in_another_order(composed):
    orders = [check(composed(f"representation=[{parts}]")) for parts in ("visual_words,pca", "pca,visual_words")]
    assert alike(*orders) == []
    assert alike(orders[0], check(composed("representation=[visual_words,pca]"))) == list(reuse.training(orders[0]))
