"""A whole run: what it writes, when, and how a finished one is read back."""

import json
import logging
import shutil
import time

import numpy as np
import pytest
from PIL import Image

from omasgan.detectors.baselines import Baseline
from omasgan.errors import UserError
from omasgan.evaluation import plots
from omasgan.evaluation.scores import ScoreTable, metrics_of
from omasgan.pipeline import build
from omasgan.runs import folder as runs
from tests.pipeline.running import DIGITS, TOY, metrics, read

TERMS = ["task1", "task3", "j", "divergence", "full"]
STAGES = ("task1", "task2", "task3", "j")


@pytest.mark.parametrize(
    ("data", "picture", "classes"),
    [
        ((*DIGITS, "baselines=cheap", "augmentation=flip"), "samples", "0123456789"),
        (TOY, "plane", ["large", "middle", "small", "background"]),
    ],
    ids=["digits", "toy_blobs"],
)
def test_a_whole_run(start, capsys, data, picture, classes):
    folder = start(*data)
    pictures = {"score_histograms", "roc_curves", "pr_curves", "loss_curves", picture}
    assert {path.name for path in (folder / "plots").iterdir()} == {f"{name}.png" for name in pictures}
    for path in (folder / "plots").iterdir():
        Image.open(path).verify()

    record = read(folder, "run.json")
    assert {"identity", "seed", "omasgan", "torch", "commit", "command"} <= record.keys()
    assert record["choices"]["detector"] == "omasgan"
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert set(STAGES) <= {row["stage"] for row in rows}
    for stage in STAGES:
        assert [row["step"] for row in rows if row["stage"] == stage] == [1, 4]

    table = ScoreTable.load(folder / "scores.npz")
    baselines = ["nearest_neighbour", "pca", "mahalanobis", "isolation_forest"] if "baselines=cheap" in data else []
    assert list(table.terms) == [*TERMS, *baselines]
    assert list(table.class_names) == list(classes)
    abnormal = "3" if "dataset=digits" in data else "background"
    assert np.array_equal(table.label, table.class_index == list(classes).index(abnormal))
    assert np.array_equal(table.index, np.arange(len(table)))
    assert len(table) == (602 if baselines else 100)

    assert metrics(folder) == metrics_of(table, seed=0), "the metrics are those of the scores on the disk"
    assert read(folder)["metrics"]["test/auroc/full"] == metrics(folder)["full"]["auroc"]
    n = int(table.label.sum())
    expected = {"split": "test", "abnormal": [abnormal], "n_normal": len(table) - n, "n_abnormal": n}
    assert read(folder)["objective"] == expected
    assert read(folder)["seconds"].keys() == {"fit", "score", "baselines"}
    assert not (folder / "failed.json").exists()
    assert not (folder / "wandb").exists()
    output = capsys.readouterr().out
    assert "full" in output
    assert str(folder) in output


def test_a_detector_of_one_term_is_called_by_its_name(start, no_pictures):
    folder = start(*TOY, "detector=pca", "baselines=cheap")
    assert list(metrics(folder)) == ["pca", "nearest_neighbour", "mahalanobis", "isolation_forest"]


def test_a_baseline_of_the_detectors_name_does_not_take_its_place(start, no_pictures, tmp_path):
    detector = ("detector=nearest_neighbour", "detector.neighbours=25")
    beside, alone = (
        start(*TOY, *detector, f"baselines={baselines}", f"runs={tmp_path}/{baselines}")
        for baselines in ("cheap", "none")
    )
    scores = [ScoreTable.load(folder / "scores.npz").terms["nearest_neighbour"] for folder in (beside, alone)]
    assert np.array_equal(*scores)


@pytest.mark.parametrize("logger", ["wandb", "none"])
def test_weights_and_biases_offline_and_off(start, no_pictures, logger):
    folder = start(*TOY, f"logger={logger}")
    assert (folder / "metrics.json").exists()
    copies = list(folder.glob("wandb/offline-run-*/run-*.wandb"))
    if logger == "none":
        assert not (folder / "wandb").exists()
        assert not (folder / "wandb_id").exists()
    else:
        (copy,) = copies
        assert (folder / "wandb_id").read_text() in copy.name
        for _ in range(300):  # W&B's own process writes the rest a moment after the run has ended
            if copy.stat().st_size > 1000:
                return
            time.sleep(0.1)
        pytest.fail("W&B's copy is empty")


def test_scores_are_written_before_the_metrics(start, no_pictures, monkeypatch, tmp_path):
    with monkeypatch.context() as patch:
        patch.setattr("omasgan.pipeline.score.metrics_of", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            start(*TOY)
    (killed,) = (path.parent for path in tmp_path.rglob("scores.npz"))
    assert not (killed / "metrics.json").exists()
    kept = ScoreTable.load(killed / "scores.npz")
    assert not (killed / "failed.json").exists(), "it was stopped, it did not fail"
    assert start(*TOY) == killed
    assert metrics(killed) == metrics_of(kept, seed=0)


def test_the_metrics_are_the_last_thing_to_appear(start, monkeypatch, tmp_path):
    def refuse(figure, path):
        raise UserError("no picture")

    monkeypatch.setattr(plots, "save", refuse)
    with pytest.raises(UserError, match="no picture"):
        start(*TOY)
    (failed,) = tmp_path.rglob("failed.json")
    assert (failed.parent / "scores.npz").exists()
    assert not (failed.parent / "metrics.json").exists()


def test_a_finished_run_is_read_back(start, no_pictures, monkeypatch, capsys, caplog):
    folder = start(*TOY)
    first = capsys.readouterr().out
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    monkeypatch.setattr(build, "detector", lambda *_: pytest.fail("it is made again"))
    with caplog.at_level(logging.INFO):
        assert start(*TOY, "device=cpu", "log_every=3") == folder
    assert f"already finished: {folder}" in caplog.text
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    assert first.splitlines()[:3] == capsys.readouterr().out.splitlines()[:3], "the same table"


def test_a_finished_run_is_compared_to_baselines_that_it_lacks(start, no_pictures, steps, caplog):
    folder = start(*TOY, "baselines=cheap", "~baselines.pca")
    seconds = read(folder)["seconds"]
    everything = ("baselines=cheap", "baselines.nearest_neighbour.neighbours=7", "~baselines.mahalanobis")
    before = ScoreTable.load(folder / "scores.npz")
    steps.clear()
    shutil.rmtree(folder / "checkpoints")
    with caplog.at_level(logging.INFO):
        assert start(*TOY, *everything) == folder
    assert caplog.text.count("already finished except for nearest_neighbour, pca") == 1
    after = ScoreTable.load(folder / "scores.npz")
    assert not steps, "nothing is trained again"
    assert after.terms.keys() == before.terms.keys() | {"pca"} == metrics(folder).keys(), "none is lost"
    assert read(folder)["seconds"] == {**seconds, "baselines": read(folder)["seconds"]["baselines"]}
    changed = [name for name in before.terms if not np.array_equal(before.terms[name], after.terms[name])]
    assert changed == ["nearest_neighbour"]

    caplog.clear()
    with caplog.at_level(logging.INFO):
        start(*TOY, "baselines=none")
        start(*TOY, *everything)
    assert "but for" not in caplog.text, "it has them, and more"


def test_a_baseline_that_fails_leaves_the_finished_run_as_it_was(start, no_pictures, monkeypatch):
    folder = start(*TOY)
    before = {name: (folder / name).read_bytes() for name in ("metrics.json", "scores.npz", "config.yaml", "run.json")}
    with monkeypatch.context() as patch:
        patch.setattr(Baseline, "fit", lambda *_: [][0])
        with pytest.raises(IndexError):
            start(*TOY, "baselines=cheap")
    assert {name: (folder / name).read_bytes() for name in before} == before
    assert runs.state(folder) == runs.State.DONE
    assert "pca" in metrics(start(*TOY, "baselines=cheap"))


def test_samples_that_are_all_alike_are_refused_and_large_batches_said(start, no_pictures, tmp_path, caplog):
    rows = np.random.default_rng(0).normal(size=(20, 3))
    np.save(tmp_path / "same.npy", np.ones((20, 3)))
    np.save(tmp_path / "rows.npy", rows)
    words = ("experiment=rows", f"dataset.test_path={tmp_path}/rows.npy", "detector=fgan", "budget=smoke")
    with pytest.raises(UserError, match="all 20 normal training samples are alike, and nothing can be learned"):
        start(*words, f"dataset.path={tmp_path}/same.npy")
    start(*words, f"dataset.path={tmp_path}/rows.npy")
    assert "budget.batch is 32, but there are 20 normal training samples" in caplog.text
