"""A run over all classes, and one over data without anomalies."""

import numpy as np
import pytest
from PIL import Image

from omasgan.errors import UserError
from omasgan.evaluation.objective import nested
from omasgan.evaluation.scores import ScoreTable
from tests.pipeline.running import read


def test_all_classes_in_turn(start, no_pictures, zoo, steps, capsys):
    folder = start(*zoo)
    folders = {path.parent for path in folder.rglob("metrics.json")}
    assert len(folders) == 3
    summary = read(folder, "summary.json")
    assert list(summary["runs"]) == ["a b", "a_b", "äöü"]
    for key, mean in summary["mean"].items():
        aurocs = [metrics[key] for metrics in summary["runs"].values()]
        assert mean == pytest.approx(sum(aurocs) / 3)
    labels = [tuple(ScoreTable.load(path / "scores.npz").label) for path in folders]
    assert len(set(labels)) == 3, "each run has its own class"
    assert np.sum(labels, axis=0).tolist() == [1] * 90
    Image.open(folder / "comparison.png").verify()
    table = (folder / "table.txt").read_text()
    assert table in capsys.readouterr().out
    for name in ("abnormal", "a b", "a_b", "äöü", "mean"):
        assert f"\n{name}" in f"\n{table}"

    steps.clear()
    with pytest.raises(UserError, match=rf"holds a run for each class.*score.run={folder}/abnormal_"):
        start("task=score", f"score.run={folder}", f"score.input={folder}")
    alone = start(*zoo, "protocol.abnormal_class='a b'")
    assert alone in folders
    assert read(alone)["metrics"] == summary["runs"]["a b"]
    assert not steps, "it is the run that is there"
    start(*zoo)
    assert not steps


def test_a_table_of_runs_with_and_without_baselines_has_what_all_of_them_have(start, no_pictures, zoo):
    start(*zoo, "protocol.abnormal_class='a b'", "detector=fgan", "baselines=cheap")
    folder = start(*zoo, "detector=fgan")
    assert read(folder, "summary.json")["mean"].keys() == {"test/auroc/task1"}
    assert len(nested(read(folder, "summary.json")["runs"]["a b"])) == 5


@pytest.mark.parametrize(("columns", "pictures"), [(3, {"loss_curves"}), (2, {"loss_curves", "plane"})])
def test_a_set_without_anomalies_has_scores_and_no_metrics(start, tmp_path, capsys, columns, pictures):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "normal.npz", x_train=rng.normal(size=(64, columns)), x_test=rng.normal(size=(20, columns)))
    data = ("dataset=arrays", "protocol=novelty", f"dataset.path={tmp_path}/normal.npz", "architecture=mlp")
    folder = start(*data)
    table = ScoreTable.load(folder / "scores.npz")
    assert not table.label.any()
    assert np.isfinite(table.terms["full"]).all()
    assert read(folder)["metrics"] == {}
    assert read(folder)["objective"] == {"split": "test", "abnormal": [], "n_normal": 20, "n_abnormal": 0}
    assert {path.stem for path in (folder / "plots").iterdir()} == pictures
    assert "no metrics" in capsys.readouterr().out
    assert start(*data) == folder, "and it is finished"


def test_training_on_every_class_when_the_test_has_no_other(start, no_pictures, tmp_path):
    assert read(start("dataset=digits", "protocol=novelty"))["metrics"] == {}
