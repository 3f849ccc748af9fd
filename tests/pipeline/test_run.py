import csv
import json
import logging
import shutil
import time
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image

from omasgan.data.dataset import Samples
from omasgan.detectors.baselines import Baseline
from omasgan.detectors.omasgan import OMASGAN
from omasgan.errors import UserError
from omasgan.evaluation import plots
from omasgan.evaluation.scores import ScoreTable, metrics_of
from omasgan.files import make_folder
from omasgan.pipeline import build
from omasgan.pipeline import run as pipeline
from omasgan.representations.base import Pixels
from omasgan.runs import folder as runs
from omasgan.training.stage import Stage, Workspace, descend

DIGITS = ("dataset=digits", "protocol.abnormal_class=3")
TOY = ("dataset=toy_blobs", "protocol=novelty", "architecture=mlp", "dataset.train_size=200", "dataset.test_size=100")
TERMS = ["task1", "task3", "j", "divergence", "full"]
STAGES = ("task1", "task2", "task3", "j")


@pytest.fixture
def no_pictures(monkeypatch):
    """They take ten times as long as the run that they show."""
    monkeypatch.setattr(pipeline, "_draw", lambda job, *_: make_folder(job.folder / "plots"))


@pytest.fixture
def steps(monkeypatch):
    """The steps that were done, by stage."""
    done = {}
    plain = Stage.__iter__

    def counted(self):
        for step in plain(self):
            done.setdefault(self.name, []).append(step)
            yield step

    monkeypatch.setattr(Stage, "__iter__", counted)
    return done


def read(folder, name="metrics.json"):
    return json.loads((folder / name).read_text())


def check_equal_scores(one, other):
    tables = [ScoreTable.load(folder / "scores.npz") for folder in (one, other)]
    assert tables[0].terms.keys() == tables[1].terms.keys()
    for name, scores in tables[0].terms.items():
        assert np.array_equal(scores, tables[1].terms[name]), name


# A whole run


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

    metrics = read(folder)
    assert metrics["metrics"] == metrics_of(table, seed=0), "the metrics are those of the scores on the disk"
    assert metrics["seconds"].keys() == {"fit", "score", "baselines"}
    assert not (folder / "failed.json").exists()
    assert not (folder / "wandb").exists()
    output = capsys.readouterr().out
    assert "full" in output
    assert str(folder) in output


def test_a_detector_of_one_term_is_called_by_its_name(start, no_pictures):
    folder = start(*TOY, "detector=pca", "baselines=cheap")
    assert list(read(folder)["metrics"]) == ["pca", "nearest_neighbour", "mahalanobis", "isolation_forest"]


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
    mirrors = list(folder.glob("wandb/offline-run-*/run-*.wandb"))
    if logger == "none":
        assert not (folder / "wandb").exists()
        assert not (folder / "wandb_id").exists()
    else:
        (mirror,) = mirrors
        assert (folder / "wandb_id").read_text() in mirror.name
        for _ in range(300):  # W&B's own process writes the rest a moment after the run has ended
            if mirror.stat().st_size > 1000:
                return
            time.sleep(0.1)
        pytest.fail("W&B's copy is empty")


# What is written when


def test_scores_are_written_before_the_metrics(start, no_pictures, monkeypatch, tmp_path):
    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "metrics_of", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            start(*TOY)
    (killed,) = (path.parent for path in tmp_path.rglob("scores.npz"))
    assert not (killed / "metrics.json").exists()
    kept = ScoreTable.load(killed / "scores.npz")
    assert not (killed / "failed.json").exists(), "it was stopped, it did not fail"
    assert start(*TOY) == killed
    assert read(killed)["metrics"] == metrics_of(kept, seed=0)


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
    assert after.terms.keys() == before.terms.keys() | {"pca"} == read(folder)["metrics"].keys(), "none is lost"
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
    assert "pca" in read(start(*TOY, "baselines=cheap"))["metrics"]


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
    data = (*data, "architecture=mlp", "inference=default", "inference.j_features=sample")
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
        patch.setattr(pipeline, "metrics_of", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
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


def test_too_few_normals_are_refused_before_anything_is_learned(start, no_pictures, steps):
    with pytest.raises(UserError, match=r"memory_bank_size takes 10 at most: .* more than 10"):
        start(
            *DIGITS,
            "representation=autoencoder",
            "architecture=mlp",
            "inference=default",
            "inference.memory_bank_size=10",
        )
    assert not steps


# Stopping and going on


class Power(KeyboardInterrupt):
    """The plug is pulled."""


@pytest.fixture(scope="module")
def undisturbed():
    """The folder and the stages of a finished run, by its data."""
    return {}


STOPS = [
    *[(TOY, stage, 3) for stage in ("task1", "critic", "task2", "task3", "j")],
    *[(TOY, stage, 0) for stage in ("task2", "task3", "j")],
    *[(DIGITS, stage, 3) for stage in ("task1", "task2", "j")],
]


@pytest.mark.parametrize(
    ("data", "stage", "step"), STOPS, ids=[f"{data[0][8:]}-{stage}-{step}" for data, stage, step in STOPS]
)
def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been(
    start, no_pictures, steps, monkeypatch, undisturbed, data, stage, step
):
    monkeypatch.setattr(build, "Workspace", partial(Workspace, checkpoint_every=2, record_every=1))
    if data not in undisturbed:
        undisturbed[data] = start(*data), list(steps)
    whole, order = undisturbed[data]
    if stage not in order:
        pytest.skip(f"this configuration has no stage {stage}")

    plain = descend
    steps.clear()

    def pull(loss, optimiser):
        if steps.get(stage, [])[-1:] == [step]:
            raise Power
        plain(loss, optimiser)

    stopped = (*data, "hydra.run.dir=${runs}/stopped")
    with monkeypatch.context() as patch:
        for module in ("task1", "task2", "task3", "anomaly_discriminator"):
            patch.setattr(f"omasgan.method.{module}.descend", pull)
        with pytest.raises(Power):
            start(*stopped)
    steps.clear()
    folder = start(*stopped)

    check_equal_scores(whole, folder)
    rows = [[json.loads(line) for line in (at / "metrics.jsonl").read_text().splitlines()] for at in (whole, folder)]
    for row in (*rows[0], *rows[1]):
        del row["time"]
    assert rows[0] == rows[1], "each step once, with the same values"
    place = order.index(stage)
    assert not set(order[:place]) & steps.keys(), "a finished stage is not done again"
    assert steps[stage] == list(range(step - step % 2, 4)), "from the last checkpoint"
    for later in order[place + 1 :]:
        assert steps[later] == [0, 1, 2, 3]


# What may be seen of the data


class Sealed(Samples):
    """Samples that must not be seen yet."""

    opened = False

    @property
    def x(self):
        assert type(self).opened, "a test sample is seen before training ended"
        return self._x

    @x.setter
    def x(self, value):
        object.__setattr__(self, "_x", value)


def test_no_abnormal_sample_and_no_test_sample_reaches_training(start, no_pictures, monkeypatch):
    whole = build.dataset
    WHITE = 255

    def guarded(config):
        dataset = whole(config)
        x = dataset.train.x.clone()
        x[dataset.train.y == 3] = WHITE
        return replace(dataset, train=Samples(x, dataset.train.y), test=Sealed(dataset.test.x, dataset.test.y))

    seen = []

    def watched(kind):
        plain = kind.fit

        def fit(self, train):
            assert train.dtype == torch.uint8
            seen.append(type(self).__name__)
            white = (train == WHITE).flatten(1).all(dim=1)
            assert not white.any(), "an abnormal sample is trained on"
            plain(self, train)
            Sealed.opened = True

        monkeypatch.setattr(kind, "fit", fit)

    watched(OMASGAN)
    watched(Baseline)
    monkeypatch.setattr(build, "dataset", guarded)
    monkeypatch.setattr(Sealed, "opened", False)
    start(*DIGITS, "baselines=cheap")
    assert seen == ["OMASGAN", "NearestNeighbour", "PCA", "Mahalanobis", "IsolationForest"]


# Many classes, or none


@pytest.fixture
def zoo(tmp_path):
    """Three classes of rows, two of which have names that make one folder name."""
    rng = np.random.default_rng(0)
    y = np.array(["a b", "a_b", "äöü"]).repeat(30)
    x = rng.normal(size=(90, 2)) + np.arange(3).repeat(30)[:, None]
    np.savez(tmp_path / "zoo.npz", x_train=x, y_train=y, x_test=x + 0.1, y_test=y)
    return "dataset=arrays", f"dataset.path={tmp_path}/zoo.npz", "architecture=mlp"


def test_all_classes_in_turn(start, no_pictures, zoo, steps, capsys):
    folder = start(*zoo)
    folders = {path.parent for path in folder.rglob("metrics.json")}
    assert len(folders) == 3
    summary = read(folder, "summary.json")
    assert list(summary["runs"]) == ["a b", "a_b", "äöü"]
    for term, mean in summary["mean"].items():
        aurocs = [metrics[term]["auroc"] for metrics in summary["runs"].values()]
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
    assert read(folder, "summary.json")["mean"].keys() == {"task1"}
    assert len(read(folder, "summary.json")["runs"]["a b"]) == 5


def test_a_baseline_of_other_settings_does_not_meet_the_checkpoint_of_the_last(start, no_pictures):
    def baseline(**settings):
        more = [f"baselines.nearest_autoencoder.representation.{key}={value}" for key, value in settings.items()]
        folder = start(*DIGITS, "baselines=all", "~baselines.nearest_embedding", *more)
        return folder, ScoreTable.load(folder / "scores.npz").terms["nearest_autoencoder"]

    folder, plain = baseline()
    assert baseline(lr=0.005)[0] == folder
    assert not np.array_equal(baseline(lr=0.005)[1], plain)
    assert np.array_equal(baseline()[1], plain)


@pytest.mark.parametrize("setting", ["lr=0.005", "architecture.latent=7"])
def test_a_baseline_learns_its_own_codes_where_the_method_learns_them_otherwise(start, no_pictures, setting):
    embeddings = (*DIGITS, "representation=autoencoder", "architecture=mlp", "inference=default")
    baselines = ("baselines=all", f"representation.{setting}")
    tables = [
        ScoreTable.load(start(*embeddings, *more) / "scores.npz").terms for more in (baselines, ["baselines=all"])
    ]
    other, plain = (table["nearest_autoencoder"] for table in tables)
    assert np.array_equal(other, plain), "the baseline is the same whatever the method's embeddings are"
    assert np.array_equal(tables[1]["nearest_embedding"], plain), "and what is learned alike is learned once"
    assert not np.array_equal(tables[0]["nearest_embedding"], plain)


def test_codes_are_computed_once_for_all_detectors_that_use_them(start, no_pictures, monkeypatch):
    encoded, plain = [], Pixels.encode
    monkeypatch.setattr(Pixels, "encode", lambda self, x: encoded.append(len(x)) or plain(self, x))
    start(*DIGITS, "baselines=none", "+detector@baselines.nearest_embedding=nearest_embedding")
    assert len(encoded) == 2, "training and test samples, once each"


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
    assert {path.stem for path in (folder / "plots").iterdir()} == pictures
    assert "no metrics" in capsys.readouterr().out
    assert start(*data) == folder, "and it is finished"


def test_training_on_every_class_when_the_test_has_no_other(start, no_pictures, tmp_path):
    assert read(start("dataset=digits", "protocol=novelty"))["metrics"] == {}


# New samples


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def check_scores(rows, table, names):
    """The CSV against the run's own scores of the same samples."""
    assert [row["name"] for row in rows] == names
    assert [float(row["score"]) for row in rows] == table.terms["full"].tolist()
    normal = table.terms["full"][~table.label]
    for row, score in zip(rows, table.terms["full"], strict=True):
        assert float(row["above"]) == pytest.approx((normal < score).mean(), abs=1e-6)


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
    start(*score, "seed=7", "budget=paper", "divergence=kl", "threads=1")
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
    assert rows_of(tmp_path / "7.csv") == [rows[7]]


def test_a_baseline_scores_new_samples_too(start, no_pictures, tmp_path):
    folder = start(*TOY, "detector=nearest_neighbour")
    np.save(tmp_path / "far.npy", np.array([[0.0, 1.0], [50.0, 50.0]]))
    start("task=score", f"score.run={folder}", f"score.input={tmp_path}/far.npy", f"score.output={tmp_path}/s.csv")
    near, far = rows_of(tmp_path / "s.csv")
    assert float(far["above"]) == 1 > float(near["above"])


def test_fgan_is_task_1_of_omasgan(start, no_pictures):
    full, base = start(*TOY), start(*TOY, "detector=fgan")
    tables = [ScoreTable.load(folder / "scores.npz").terms["task1"] for folder in (full, base)]
    assert np.array_equal(*tables)
