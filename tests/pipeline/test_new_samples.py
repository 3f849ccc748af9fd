"""task=score: a finished run scores new samples."""

import csv
import io
import json

import numpy as np
import pytest
import torch
from PIL import Image

from omasgan.commands.score import at_most
from omasgan.errors import UserError
from omasgan.evaluation.scores import ScoreTable
from omasgan.pipeline import build
from tests.pipeline.running import DIGITS, TOY


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def check_scores(rows, table, names):
    """The CSV against the run's own scores of the same samples."""
    assert [row["file"] for row in rows] == names
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
    assert "602 scores, higher is more anomalous, " in capsys.readouterr().out

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
    assert [row["file"] for row in rows] == list(table.names)
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
    names = [row["file"] for row in rows_of(tmp_path / "scores.csv")]
    assert names == [f"{i // 6}/{i:02}.png" for i in range(11)]
    assert "1 of 12 images can't be read: 11.png; they are left out" in caplog.text


def test_a_baseline_scores_new_samples_too(start, no_pictures, tmp_path):
    folder = start(*TOY, "detector=nearest_neighbour")
    np.save(tmp_path / "far.npy", np.array([[0.0, 1.0], [50.0, 50.0]]))
    start("task=score", f"score.run={folder}", f"score.input={tmp_path}/far.npy", f"score.output={tmp_path}/s.csv")
    near, far = rows_of(tmp_path / "s.csv")
    assert float(far["percentile"]) == 1 > float(near["percentile"])


def image_files(folder, n, size=48):
    """Stripes with noise, as files 00.png, 01.png, ..."""
    rng = np.random.default_rng(n)
    folder.mkdir(parents=True)
    for i in range(n):
        shade = 128 + 60 * np.sin(np.arange(size) / 2 + rng.uniform(0, 6)) + rng.normal(0, 8, (size, size))
        Image.fromarray(shade.clip(0, 255).astype(np.uint8)).save(folder / f"{i:02}.png")


@pytest.fixture(scope="module")
def on_patches(tmp_path_factory):
    """Images, and a run on their patches; train/good, test/good and test/spot with masks, as in MVTec AD."""
    top = tmp_path_factory.mktemp("patches")
    image_files(top / "photos" / "train" / "good", 30)
    image_files(top / "photos" / "test" / "good", 12)
    image_files(top / "photos" / "test" / "spot", 4)
    (top / "photos" / "ground_truth" / "spot").mkdir(parents=True)
    for i in range(4):
        path = top / "photos" / "test" / "spot" / f"{i:02}.png"
        image, mask = np.array(Image.open(path)), np.zeros((48, 48), dtype=np.uint8)
        image[10:20, 20:30], mask[10:20, 20:30] = 0, 255
        Image.fromarray(image).save(path)
        Image.fromarray(mask).save(top / "photos" / "ground_truth" / "spot" / f"{i:02}_mask.png")
    return top


PATCHES = (
    *("experiment=image_folder", "representation=pixel_patches", "representation.pixel_patches.size=48"),
    *("dataset.size=48", "budget=smoke", "boundary.N=32", "boundary.Q=64", "representation.pixel_patches.drawn=500"),
)


@pytest.mark.usefixtures("pictures")
def test_a_folder_with_masks_gets_pixel_metrics_maps_and_p_values(start, on_patches, tmp_path, monkeypatch, capsys):
    folder = start(*PATCHES, f"dataset.root={on_patches}/photos")
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["localisation"]["images"] == 16
    assert metrics["localisation"]["pixel_auroc"] > 0.9
    assert (folder / "plots" / "maps.png").stat().st_size > 10_000

    output = tmp_path / "scores.csv"
    score = ("task=score", f"score.run={folder}", f"score.output={output}")
    start(*score, f"score.input={on_patches}/photos/test", "score.maps=true", "score.alpha=0.1")
    rows = rows_of(output)
    table = ScoreTable.load(folder / "scores.npz")
    assert [row["file"] for row in rows] == [f"good/{i:02}.png" for i in range(12)] + [
        f"spot/{i:02}.png" for i in range(4)
    ]
    normal = table.terms["full"][~table.label]
    for row in rows:
        p_value = (1 + (normal >= float(row["score"])).sum()) / 13
        assert float(row["p_value"]) == pytest.approx(p_value)
        assert row["anomalous"] == str(p_value <= 0.1)
    assert [row["anomalous"] for row in rows[12:]] == ["True"] * 4
    for row in rows:
        with Image.open(tmp_path / "scores_maps" / row["file"]) as picture:
            assert picture.size == (48, 48)
    assert (tmp_path / "scores_maps.png").is_file()

    with pytest.raises(UserError, match=r"scores.csv exists: .* score.overwrite=true"):
        start(*score, f"score.input={on_patches}/photos/test", "score.maps=true")
    output.unlink()
    with pytest.raises(UserError, match=r"scores_maps exists: .* score.overwrite=true"):
        start(*score, f"score.input={on_patches}/photos/test", "score.maps=true")
    assert not output.exists()

    start(*score, f"score.input={on_patches}/photos/test/s*/*.png")
    by_pattern = rows_of(output)
    assert [row["score"] for row in by_pattern] == [row["score"] for row in rows[12:]]
    files = "\n".join(row["file"] for row in by_pattern)
    monkeypatch.setattr("sys.stdin", io.StringIO(files + "\n\n"))
    start(*score, "score.input=-", "score.overwrite=true")
    assert rows_of(output) == by_pattern

    with pytest.raises(UserError, match=r"new/\*.jpg matches no image"):
        start(*score, f"score.input={tmp_path}/new/*.jpg", "score.overwrite=true")
    with pytest.raises(UserError, match=r"score\.alpha is 2"):
        start(*score, f"score.input={on_patches}/photos/test", "score.overwrite=true", "score.alpha=2")


def test_maps_of_a_run_without_patches_are_refused(start, no_pictures, tmp_path):
    folder = start(*TOY, "detector=nearest_neighbour")
    np.save(tmp_path / "far.npy", np.array([[0.0, 1.0], [50.0, 50.0]]))
    with pytest.raises(UserError, match="has no anomaly maps: train it with representation=pretrained_patches"):
        start(
            *("task=score", f"score.run={folder}", f"score.input={tmp_path}/far.npy"),
            *(f"score.output={tmp_path}/s.csv", "score.maps=true"),
        )
    assert not (tmp_path / "s.csv").exists()


def test_the_false_discovery_rate_is_below_alpha():
    """Of 200 simulated sets with 5 anomalies in 50, the mean share of normal samples among those called anomalous."""
    rng = np.random.default_rng(0)
    shares = []
    for _ in range(200):
        p_values = torch.from_numpy(np.r_[rng.uniform(0, 1, 45), rng.uniform(0, 1e-4, 5)])
        called = at_most(p_values, 0.2, false_discovery_rate=True)
        shares.append(float(called[:45].sum() / called.sum().clamp_min(1)))
        assert called[45:].all()
    assert np.mean(shares) < 0.2
    assert at_most(torch.tensor([0.3, 0.6]), 0.2, false_discovery_rate=True).tolist() == [False, False]


def test_p_values_of_new_normal_samples_are_at_most_alpha_as_often_as_alpha_says():
    """Conformal p-values: exact for exchangeable scores, whatever their distribution."""
    rng = np.random.default_rng(0)
    scores = rng.exponential(size=(4000, 20))  # 19 calibration scores and a new one
    p_values = (1 + (scores[:, :19] >= scores[:, 19:]).sum(axis=1)) / 20
    for alpha in (0.05, 0.2, 0.5):
        assert np.mean(p_values <= alpha + 1e-9) == pytest.approx(alpha, abs=0.03)
