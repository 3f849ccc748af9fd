"""task=score: a finished run scores new samples."""

import csv

import numpy as np
import pytest
from PIL import Image

from omasgan.errors import UserError
from omasgan.evaluation.scores import ScoreTable
from omasgan.pipeline import build
from tests.pipeline.running import DIGITS, TOY


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def check_scores(rows, table, names):
    """The CSV against the run's own scores of the same samples."""
    assert [row["name"] for row in rows] == names
    assert [float(row["score"]) for row in rows] == table.terms["full"].tolist()
    normal = table.terms["full"][~table.label]
    for row, score in zip(rows, table.terms["full"], strict=True):
        assert float(row["percentile"]) == pytest.approx((normal < score).mean(), abs=1e-6)


def test_scoring_reproduces_the_scores_of_the_run(start, no_pictures, tmp_path, capsys):
    digits = start(*DIGITS)
    test = build.dataset({"dataset": {"_target_": "omasgan.data.digits.digits"}, "abnormal_dataset": None}).test
    np.save(tmp_path / "test.npy", test.x.numpy())
    output = tmp_path / "scores.csv"
    score = ("task=score", f"score.run={digits}", f"score.input={tmp_path}/test.npy", f"score.output={output}")
    start(*score)
    table = ScoreTable.load(digits / "scores.npz")
    check_scores(rows_of(output), table, [str(i) for i in range(len(table))])
    assert f"602 scores, higher is more anomalous: {output}" in capsys.readouterr().out

    first = output.read_bytes()
    (digits / "checkpoints" / "task1.pt").unlink()
    with pytest.raises(UserError, match=r"scores.csv exists: .* score.overwrite=true"):
        start(*score)
    assert output.read_bytes() == first
    start(*score, "score.overwrite=true", "seed=7", "budget=paper", "divergence=kl", "threads=1")
    assert output.read_bytes() == first, "the run's own configuration counts, and its detector alone"


def test_scoring_a_folder_of_images(start, no_pictures, tmp_path):
    rng = np.random.default_rng(0)
    for part in ("train", "test"):
        (tmp_path / part).mkdir()
        for i in range(20):
            shade = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(shade).save(tmp_path / part / f"{i:02}.png")
    folder = start(
        *("dataset=image_folder", f"dataset.root={tmp_path}/train", f"dataset.test_root={tmp_path}/test"),
        *("dataset.size=8", "protocol=novelty", "budget.batch=8", "detector=fgan"),
    )
    table = ScoreTable.load(folder / "scores.npz")
    assert list(table.names) == [f"{i:02}.png" for i in range(20)]
    start("task=score", f"score.run={folder}", f"score.input={tmp_path}/test", f"score.output={tmp_path}/scores.csv")
    rows = rows_of(tmp_path / "scores.csv")
    assert [row["name"] for row in rows] == list(table.names)
    assert [float(row["score"]) for row in rows] == table.terms["task1"].tolist()
    start("task=score", f"score.run={folder}", f"score.input={tmp_path}/test/07.png", f"score.output={tmp_path}/7.csv")
    (alone,) = rows_of(tmp_path / "7.csv")
    assert float(alone.pop("score")) == pytest.approx(float(rows[7].pop("score")), rel=1e-6), "but for rounding"
    assert alone == rows[7]


def test_photographs_in_folders_below_are_scored_and_damaged_ones_named(start, no_pictures, tmp_path, caplog):
    rng = np.random.default_rng(0)
    for place in [f"train/{i:02}" for i in range(20)] + [f"new/{i // 6}/{i:02}" for i in range(12)]:
        path = tmp_path / f"{place}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(path)
    (tmp_path / "new" / "._00.png").write_bytes(b"what macOS writes beside 00.png")
    (tmp_path / "new" / "1" / "11.png").write_bytes(b"cut off")
    folder = start(
        *("dataset=image_folder", f"dataset.root={tmp_path}/train", "dataset.size=8", "protocol=novelty"),
        *("budget.batch=8", "detector=fgan"),
    )
    start("task=score", f"score.run={folder}", f"score.input={tmp_path}/new", f"score.output={tmp_path}/scores.csv")
    names = [row["name"] for row in rows_of(tmp_path / "scores.csv")]
    assert names == [f"{i // 6}/{i:02}.png" for i in range(11)]
    assert "1 of 12 images can't be read: 11.png; they are left out" in caplog.text


def test_a_baseline_scores_new_samples_too(start, no_pictures, tmp_path):
    folder = start(*TOY, "detector=nearest_neighbour")
    np.save(tmp_path / "far.npy", np.array([[0.0, 1.0], [50.0, 50.0]]))
    start("task=score", f"score.run={folder}", f"score.input={tmp_path}/far.npy", f"score.output={tmp_path}/s.csv")
    near, far = rows_of(tmp_path / "s.csv")
    assert float(far["percentile"]) == 1 > float(near["percentile"])
