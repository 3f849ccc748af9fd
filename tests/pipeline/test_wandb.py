"""What W&B holds of a sweep of two runs, the second of which reuses stages of the first; as its own reader reads it."""

import json
import re

from PIL import Image

from tests.wandb_reader import records

ARGUMENTS = (
    *("-m", "experiment=quickstart", "budget=smoke", "boundary.mu=0.02,0.08", "seed=0", "log_every=1", "threads=1"),
    *("protocol.abnormal_class=3", "baselines=none", "device=cpu", "logger.wandb.project=mine"),
)
VARIABLES = {"WANDB_PROJECT": "theirs", "WANDB_TAGS": "paper, draft", "WANDB_NOTES": "", "WANDB_ENTITY": "team"}


def leaves(node, key=""):
    for name, child in node.items():
        if isinstance(child, dict):
            yield from leaves(child, f"{key}{name}.")
        else:
            yield key + name, child


def test_a_sweep_in_wandb(command, tmp_path, monkeypatch):
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    for name in ("DATA", "CACHE"):
        monkeypatch.delenv(f"WANDB_{name}_DIR")
    outcome = command(*ARGUMENTS, f"runs={tmp_path}/runs")
    assert outcome.code == 0
    paths = sorted(tmp_path.rglob("offline-run-*/*.wandb"), key=lambda path: path.stat().st_mtime)
    first, second = map(records, paths)
    check_listing(first, second)
    check_configuration(second)
    for seen, path in ((first, paths[0]), (second, paths[1])):
        folder = path.parents[2]
        check_history(seen, folder)
        check_pictures(seen, path.parent)
    group = json.loads((paths[0].parents[2] / "run.json").read_text())["group"]
    assert group == first["run"][0]["run_group"], "by which task=dashboard finds the runs of a sweep"
    assert len({(path.parents[2] / "wandb_id").read_text() for path in paths}) == 2


def check_listing(first, second):
    runs = [seen["run"][0] for seen in (first, second)]
    assert [run["display_name"] for run in runs] == [f"mu={mu} abnormal_3 seed_0" for mu in ("0.02", "0.08")]
    assert len({run["run_group"] for run in runs}) == 1
    assert runs[0]["run_group"].startswith("digits_loo_over_mu-")
    assert {(run["job_type"], run["project"], run["entity"]) for run in runs} == {("omasgan", "mine", "team")}
    assert {"paper", "draft", "digits", "mu=0.08", "abnormal_3"} <= set(runs[1]["tags"])
    assert "notes" not in runs[0], "the variable wins over the default, also where it is empty"


def check_configuration(seen):
    config = seen["run"][0]["config"]["update"]
    flat = dict(leaves(config))
    assert all(isinstance(value, str | int | float | bool | None) for value in flat.values()), "W&B can filter by it"
    expected = {
        "boundary.mu": 0.08,
        "protocol.abnormal_class": "3",
        "choices.dataset": "digits",
        "choices.ablation": "none",
        "split": "test",
        "class": "3",
        "logger.wandb.project": "mine",
        "logger.wandb.entity": "team",
        "wandb_variables": "WANDB_ENTITY, WANDB_TAGS, WANDB_NOTES",
        "reused_stages": "representation, task1",
    }
    assert flat.items() >= expected.items()
    assert {"commit", "dirty", "torch", "seed"} <= flat.keys()
    assert "detector.boundary.mu" not in flat, "a copy"
    assert "omasgan-" in flat["reused_from"]


def check_history(seen, folder):
    """W&B has every step of every stage of the record, also of stages that another run has trained."""
    recorded = {}
    for line in (folder / "metrics.jsonl").read_text().splitlines():
        row = json.loads(line)
        recorded.setdefault(row["stage"], []).append(row["step"])
    rows = [row["item"] for row in seen["history"]]
    assert {"task1", "task2", "task3", "j"} <= recorded.keys()
    for stage, steps in recorded.items():
        assert [row[f"{stage}/step"] for row in rows if f"{stage}/step" in row] == steps
    keys = {key for row in rows for key in row} | {key for part in seen["summary"] for key in part["update"]}
    assert [key for key in keys if not re.fullmatch(r"[\w./=+-]+", key)] == []
    assert {"task3/loss/G_prime", "test/auroc/full", "test/auprc/task1"} <= keys


def check_pictures(seen, copies):
    """Pictures and tables lie in W&B's own folder."""
    rows = [row["item"] for row in seen["history"]]
    places = {key.removesuffix(".path"): place for row in rows for key, place in row.items() if key.endswith(".path")}
    assert {"hardest_samples", "ablation"} <= places.keys()
    for place in places.values():
        assert (copies / "files" / place).is_file()
    table = json.loads((copies / "files" / places["hardest_samples"]).read_text())
    assert table["columns"][:4] == ["sample", "class", "abnormal", "task1"]
    assert table["columns"][-1] == "picture"
    assert {row[2] for row in table["data"]} == {True, False}
    assert len(table["data"]) == 60
    assert len(list(copies.glob("files/media/images/hardest_samples_pictures_*.png"))) > 50
    assert [row["hardest_samples_pictures.count"] for row in rows if "hardest_samples_pictures.count" in row] == [60]
    (artifact,) = (each for each in seen["artifact"] if each["name"].endswith("-hardest_samples"))
    pictures = [entry["local_path"] for entry in artifact["manifest"]["contents"] if entry["path"].endswith(".png")]
    assert len(pictures) > 50, "two samples may have the same pixels"
    assert all(picture.startswith(str(copies.parent)) for picture in pictures)
    with Image.open(pictures[0]) as picture:
        assert picture.size == (64, 64)
