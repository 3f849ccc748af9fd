"""Whatever a user gets wrong ends in one line that says what was given, what is allowed and how to mend it."""

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from PIL import Image

from omasgan.errors import UserError
from omasgan.evaluation.scores import ScoreTable

pytestmark = pytest.mark.usefixtures("no_pictures")

TINY = (
    "representation=pixels",
    "inference.j_features=sample",
    "budget=smoke",
    "baselines=none",
    "logger=none",
    "device=cpu",
)
ONE_CLASS = "protocol.abnormal_class=3"


def check_line(outcome, *fragments):
    """One line on standard error, without a traceback, that holds each fragment (a regular expression)."""
    assert outcome.code in (1, 2)
    (line,) = outcome.errors
    assert line.startswith("omasgan: ")
    assert "Traceback" not in line
    for fragment in fragments:
        assert re.search(fragment, line), f"no {fragment!r} in {line!r}"


def check_whole(folder):
    """Nothing below the folder is half-written, and no run claims to be finished."""
    for path in folder.rglob("*"):
        assert not path.name.endswith(".tmp")
        assert path.name != "metrics.json"
        if path.suffix == ".json":
            json.loads(path.read_text())
        elif path.suffix == ".jsonl":
            assert all(json.loads(line) for line in path.read_text().splitlines())
        elif path.suffix == ".npz":
            ScoreTable.load(path)
        elif path.suffix == ".pt":
            torch.load(path, weights_only=True)


@pytest.fixture
def runs(tmp_path):
    return tmp_path / "runs"


# The configuration


@pytest.mark.parametrize(
    ("arguments", "fragments"),
    [
        (["dataset=digit"], ["no dataset 'digit'", "did you mean 'digits'", "toy_moons"]),
        (["dataset@abnormal_dataset=kmnst", "protocol=cross_dataset"], ["'kmnst'", "did you mean 'kmnist'"]),
        (["+dataset=foo"], ["no dataset 'foo'", "choose one of .*digits"]),
        (["+experiment=quickstart"], [r"experiment=\.\.\. without a \+"]),
        (["datset=digits"], ["no setting 'datset'", "did you mean 'dataset'", "top level has .*detector"]),
        (["boundry.mu=1"], ["no setting 'boundry'", "did you mean 'boundary'"]),
        (["boundary.muu=1"], ["no setting 'boundary.muu'", "did you mean 'boundary.mu'", "boundary has .*nu"]),
        (["mu=1"], ["no setting 'mu'", "did you mean 'boundary.mu'"]),
        (["dataset=arrays", "dataset.pathh=x"], ["'dataset.pathh'", "did you mean 'dataset.path'", "test_path"]),
        (["divergence.tau=1"], ["no setting 'divergence.tau'", "divergence has no setting"]),
        (["detector.boundary.mu=3"], ["'detector.boundary'", "did you mean 'boundary'"]),
        (["dataset={a:1}"], ["no setting 'dataset.a'"]),
        (["~boundary.muu"], ["'boundary.muu' to delete"]),
        (["~boundary"], [r"boundary is not set: give it as boundary=\.\.\."]),
        (["+typo=1"], ["no setting 'typo'", "choose .*dataset"]),
        (["+boundary.muu=1"], ["no setting 'boundary.muu'", "did you mean 'mu'", "it takes .*nu"]),
        (["+baselines.foo=1"], ["baselines.foo is 1", "_target_"]),
        (["abnormal_dataset=svhn"], ["abnormal_dataset is 'svhn'", "dataset@abnormal_dataset=svhn"]),
        (["abnormal_dataset={a:1}"], ["abnormal_dataset is", "_target_"]),
        (["representation=autoencoder", "budget.task1=-3"], [" budget.task1 is -3", "at least 0"]),
        (["dataset._target_=omasgan.nowhere"], ["dataset._target_ is 'omasgan.nowhere'", "no such class"]),
        (["dataset._target_=omasgan.data"], ["class or function is expected"]),
        (["boundary.mu=abc"], ["boundary.mu is 'abc'", "a number is expected"]),
        (["boundary.mu=nan"], ["boundary.mu is nan", "a number is expected"]),
        (["budget.batch=three"], ["budget.batch is 'three'", "a whole number is expected"]),
        (["boundary.critic=frozn"], ["boundary.critic is 'frozn'", "choose one of", "did you mean 'frozen'"]),
        (["seed=one"], ["seed is 'one'", "a whole number is expected"]),
        (["seed=null"], ["seed is None", "a whole number is expected"]),
        (["threads=1.5"], ["threads is 1.5", "a whole number or null is expected"]),
        (["score.run=[1]"], [r"score.run is \[1\]", "text or null is expected"]),
        (["boundary.mu=-1"], ["boundary.mu is -1", "at least 0"]),
        (["inference.delta=1.5"], ["inference.delta is 1.5", "at least 0 and at most 1"]),
        (["inference.mixing_min=0.5", "inference.mixing_max=0.2"], ["mixing_min is 0.5", "mixing_max 0.2", "smaller"]),
        (["boundary.Q=0"], ["boundary.Q is 0", "at least 1"]),
        (["baselines=all", "baselines.pca.variance=7"], ["baselines.pca.variance is 7", "above 0 and at most 1"]),
        (["seed=-1"], ["seed is -1", "at least 0"]),
        (["precision=double"], ["precision is 'double'", "float32"]),
        (["task=train"], ["task is 'train'", "choose one of run, score"]),
        (["logger=wandb", "logger.wandb.mode=onlin"], ["logger.wandb.mode is 'onlin'", "did you mean 'online'"]),
        (["logger=[csv,wand]"], ["no logger 'wand'", "did you mean 'wandb'", "choose one of csv, none, tensorboard"]),
        (["logger=[csv,wandb]", "logger.project=x"], ["'logger.project'", "did you mean 'logger.wandb.project'"]),
        (["logger.log_every=3"], ["'logger.log_every'", "did you mean 'log_every'"]),
        (["+logger.foo=1"], ["logger.foo is 1", "_target_"]),
        (["debug=stp"], ["no debug 'stp'", "did you mean 'step'", "anomaly, overfit, profile, step"]),
        (["debug.overfit=maybe"], ["debug.overfit is 'maybe'", "true or false is expected"]),
        (["log_every=0"], ["log_every is 0", "at least 1"]),
        (["boundary.mu=${nowhere}"], ["boundary.mu", "'nowhere'"]),
        (["runs=${nowhere}"], ["'nowhere' not found"]),
        (["boundary.mu=1,2"], ["boundary.mu=1,2", "add -m"]),
        (["boundary.mu=[1"], [r"'boundary.mu=\[1' is not a valid override", "key=value"]),
        (["a b"], ["'a b' is not a valid override", "key=value"]),
        (["dataset=null"], ["group=option"]),
        (["optimisation=[3]"], ["group=option"]),
        (["dataset=image_folder"], [r"dataset.root is not set: give it as dataset.root=\.\.\."]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_wrong_configuration(command, runs, arguments, fragments):
    check_line(command(*TINY, f"runs={runs}", *arguments), *fragments)
    assert not list(runs.rglob("*")), "nothing is left of a run that could not start"


def test_a_wrong_sweep(command, runs):
    check_line(command(f"runs={runs}", "seed=0", "-m", "dataset=digit,digits"), "no dataset 'digit'")
    check_line(command("-m", f"runs={runs}", "seed=0,1", "boundary.muu=1"), "no setting 'boundary.muu'")
    assert not list(runs.rglob("run.json"))


def test_tracebacks_on_demand(command):
    with pytest.raises(UserError, match=r"boundary\.mu is -1"):
        command("boundary.mu=-1", full_error="1")


def test_a_fault_of_the_program_shows_its_traceback(command, monkeypatch, runs):
    def broken(*_):
        raise AttributeError("a fault")

    monkeypatch.setattr("omasgan.pipeline.build.protocol", broken)
    with pytest.raises(AttributeError, match="a fault"):
        command(f"runs={runs}", ONE_CLASS)


def test_a_sweep_tells_each_failure_and_goes_on(command, runs):
    mu = "boundary.mu=-1,-2,0.1"
    outcome = command(f"runs={runs}", "dataset=toy_blobs", "protocol=novelty", *TINY, "-m", mu)
    assert outcome.code == 1
    assert "Traceback" not in " ".join(outcome.errors)
    for value in ("-1", "-2"):
        assert f"failed: boundary.mu is {value}: it must be at least 0" in outcome.errors
    assert re.match("omasgan: 2 of 3 jobs did not finish .*run.log and failed.json", outcome.errors[-1])
    assert len(list(runs.rglob("metrics.json"))) == 1
    for failed in runs.rglob("failed.json"):
        assert re.match("boundary.mu is -.: it must be at least 0", json.loads(failed.read_text())["error"])
        assert "Traceback" in (failed.parent / "run.log").read_text()
    assert len(list(runs.rglob("failed.json"))) == 2


# Data, protocol and networks that do not fit


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """Good data and damaged data of every kind."""
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    rows = {"x_train": rng.normal(size=(64, 3)), "x_test": rng.normal(size=(20, 3))}
    np.savez(folder / "rows.npz", **rows, y_test=np.arange(20) % 2)
    np.savez(folder / "few.npz", x_train=rows["x_train"][:10], x_test=rows["x_test"])
    np.save(folder / "more.npy", rng.normal(size=(5, 3)))
    np.save(folder / "wide.npy", rng.normal(size=(5, 4)))
    np.save(folder / "two.npy", rng.normal(size=(5, 2)))
    np.savez(folder / "gap.npz", **rows, y_train=np.zeros(64, int), y_test=np.arange(20) % 3)
    np.save(folder / "pickle.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    (folder / "cut.npz").write_bytes((folder / "rows.npz").read_bytes()[:300])
    (folder / "empty.npz").touch()
    for name in ("images", "damaged"):
        (folder / name).mkdir()
        for i in range(20):
            Image.fromarray(rng.integers(0, 256, (8, 8), dtype=np.uint8)).save(folder / name / f"{i:02}.png")
    damaged = folder / "damaged" / "07.png"
    damaged.write_bytes(damaged.read_bytes()[:40])
    (folder / "nothing").mkdir()
    (folder / "mnist" / "raw").mkdir(parents=True)
    for name in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        (folder / "mnist" / "raw" / f"{name}-ubyte").write_bytes(b"\0\0\x08\x03\0\0")
    return folder


ROWS = ("dataset=arrays", "protocol=novelty", "dataset.path={data}/rows.npz")
FEW = ("inference=default", "dataset.path={data}/few.npz")
IMAGES = ("dataset=image_folder", "protocol=novelty", "dataset.root={data}/images", "dataset.size=8", "budget.batch=8")


@pytest.mark.parametrize(
    ("arguments", "fragments"),
    [
        (["protocol.abnormal_class=cat"], ["abnormal_class=cat", "no such class", "0, 1, 2", "all"]),
        (["protocol.abnormal_class=10"], ["abnormal_class=10", r"indices 0\.\.9"]),
        (["protocol=occ", "protocol.normal_class=-1"], ["normal_class=-1", "no such class"]),
        (
            ["dataset=arrays", "dataset.path={data}/gap.npz", ONE_CLASS[:-1] + "0"],
            ["no training samples", "class 1, 2"],
        ),
        (["dataset=arrays", "dataset.path={data}/gap.npz", "protocol=occ", "protocol.normal_class=2"], ["class 2"]),
        ([*ROWS, "architecture=dcgan"], ["architecture=dcgan is for images", "rows of 3", "use architecture=mlp"]),
        ([*ROWS, "architecture=resnet"], ["architecture=resnet is for images", "use architecture=mlp"]),
        ([*ROWS, "representation=autoencoder"], ["dcgan is for images", "rows of 3", "representation=pixels"]),
        ([*ROWS, "representation=photographs"], ["patches are for images", "representation=pixels"]),
        ([*ROWS, "representation=contrastive"], ["contrastive embeddings are for images", "representation=pixels"]),
        ([*ROWS, "representation=turns"], ["turned copies are for images", "representation=pixels"]),
        ([*ROWS, *FEW, "architecture=mlp"], ["10 training normals", "more than 10", "j_features=sample"]),
        ([*ROWS, "augmentation=flip"], ["for images, the data are rows", "use augmentation=none"]),
        ([*ROWS, "augmentation=flip_colour"], ["use augmentation=none"]),
        ([*IMAGES, "architecture=dcgan", "dataset.size=9"], ["9 x 9", "8, 16", "dataset.size"]),
        ([*ROWS, "divergence=kl_wasserstein", "divergence.tau=0"], ["divergence.tau is 0", "above 0"]),
        (["dataset=toy_blobs", "protocol=novelty", "dataset.noise=-1"], ["noise=-1", "above 0"]),
        (["protocol=cross_dataset", "dataset@abnormal_dataset=toy_blobs"], [r"\(1, 8, 8\)", r"\(2,\)", "alike"]),
        ([*ROWS, "dataset.path={data}/nowhere.npz"], ["nowhere.npz is not a file"]),
        ([*ROWS, "dataset.path={data}"], ["is not a file"]),
        ([*ROWS, "dataset.path={data}/cut.npz"], ["cut.npz can't be read", "damaged", "numpy.save"]),
        ([*ROWS, "dataset.path={data}/empty.npz"], ["empty.npz can't be read"]),
        ([*ROWS, "dataset.path={data}/pickle.npy"], ["pickle.npy", "pickled objects, which are never loaded"]),
        ([*ROWS, "dataset.path={data}/more.npy", "dataset.test_path={data}/wide.npy"], [r"\(3,\)", r"\(4,\)", "alike"]),
        ([*IMAGES, "dataset.root={data}/nowhere"], ["nowhere is not a folder"]),
        ([*IMAGES, "dataset.root={data}/nothing"], ["holds no images", ".png"]),
        ([*IMAGES, "dataset.root={data}/damaged"], ["07.png can't be read as an image", "replace or remove it"]),
        ([*IMAGES, "dataset.size=0"], ["size=0", "at least 1"]),
        (["dataset=mnist", "data={data}", ONE_CLASS], ["train-images-idx3-ubyte is not an IDX file", "replace it"]),
        ([*ROWS, "device=cuda:99"], ["device is 'cuda:99'", "use auto, cpu or cuda:N"]),
        ([*ROWS, "device=gpu"], ["device is 'gpu'", "use auto, cpu or cuda:N"]),
        ([*ROWS, "device=meta"], ["device is 'meta'", "use auto, cpu or cuda:N"]),
        ([*ROWS, "optimisation.lr_generator=1e30"], ["diverged at step", "lower optimisation.lr_generator"]),
        ([*ROWS, "boundary.Q=1000000000000"], ["out of memory", "boundary.Q"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_does_not_fit(command, runs, data, arguments, fragments):
    outcome = command(*TINY, f"runs={runs}", *(argument.format(data=data) for argument in arguments))
    check_line(outcome, *fragments)
    check_whole(runs)
    for folder in runs.rglob("run.json"):
        assert (folder.parent / "failed.json").is_file()


# Folders and disks


TOY = (*TINY, "dataset=toy_blobs", "protocol=novelty", "dataset.train_size=200", "dataset.test_size=100")


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
    for size, what in ((10, "config.yaml"), (4000, "checkpoints/task1.pt"), (100_000, "checkpoints/task1.pt")):
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


# A finished run, and what becomes of it


@pytest.fixture(scope="session")
def process():
    """Runs a command line in a process of its own; `watch` is given each line of standard error as it comes."""

    def run(*arguments, watch=lambda process, line: None):
        command = [sys.executable, "-m", "omasgan", *map(str, arguments)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "HYDRA_FULL_ERROR": "0"}
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        ) as child:
            errors = []
            for line in child.stderr:
                errors.append(line)
                watch(child, line)
            output = child.stdout.read()
        return child.returncode, output, "".join(errors)

    return run


@pytest.fixture(scope="session")
def finished(process, tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished") / "run"
    return folder, process(*TOY, f"hydra.run.dir={folder}")


@pytest.fixture
def copy(finished, runs):
    return shutil.copytree(finished[0], runs)


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != "run.log"}


def test_a_run_prints_its_table_and_nothing_else(finished, without_progress):
    folder, (code, output, errors) = finished
    assert (code, without_progress(errors)) == (0, [])
    assert "full" in output.splitlines()[0]
    assert str(folder) in output.splitlines()[-1]
    assert (folder / "metrics.json").is_file()


@pytest.mark.parametrize(
    ("other", "told"),
    [("boundary.mu=3", "identity"), ("seed=1", "seed 0, not 1"), ("ablation=no_distance", "identity")],
)
def test_a_folder_of_another_configuration_is_left_alone(command, copy, other, told):
    before = contents(copy)
    outcome = command(*TOY, f"hydra.run.dir={copy}", other)
    check_line(outcome, f"{copy} holds a run of another configuration", told, "hydra.run.dir")
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
    "another format": (changed(lambda content: content.update(format=0)), "has format 0, this version"),
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


SCORE = ("task=score", "score.run={run}", "score.input={data}/two.npy", "score.output={run}/scores.csv")


@pytest.mark.parametrize(
    ("arguments", "fragments"),
    [
        (["task=score"], ["needs score.run", "score.input=<what to score>"]),
        (["task=score", "score.run={run}"], ["needs score.input"]),
        ([*SCORE, "score.run={run}/nowhere"], ["nowhere is not the folder of a finished run", "metrics.json"]),
        ([*SCORE, "score.run={run}/plots"], ["plots is not the folder of a finished run"]),
        (
            [*SCORE, "score.input={data}/nowhere"],
            ["score.input=.*nowhere does not exist", "give images, or an .npy or .csv"],
        ),
        ([*SCORE, "score.input={data}/images"], ["is a folder", r"samples \(2,\)", "give an array"]),
        ([*SCORE, "score.input={data}/images/07.png"], ["is an image", r"samples \(2,\)", "give an array"]),
        ([*SCORE, "score.input={data}/rows.npz"], ["rows.npz is an .npz, which holds several arrays", "give an .npy"]),
        ([*SCORE, "score.input={data}/wide.npy"], [r"has samples \(4,\)", r"is on \(2,\)"]),
        ([*SCORE, "score.input={data}/pickle.npy"], ["pickle.npy can't be read"]),
        ([*SCORE, "score.output={run}/nowhere/scores.csv"], ["cannot write .*nowhere/scores.csv"]),
        ([*SCORE, "score.output={run}/plots"], ["cannot write .*plots"]),
        ([*SCORE, "device=gpu"], ["device is 'gpu'"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_scoring_with_a_mistake(command, data, copy, arguments, fragments):
    before = contents(copy)
    outcome = command(f"runs={copy.parent}/none", *(part.format(run=copy, data=data) for part in arguments))
    check_line(outcome, *fragments)
    assert contents(copy) == before


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.yaml", ""),
        ("config.yaml", "a: ["),
        ("config.yaml", "a: 1"),
        ("config.yaml", "- a"),
        ("detector.pt", ""),
        ("detector.pt", "hello"),
    ],
)
def test_scoring_with_a_damaged_run(command, data, copy, name, content):
    (copy / name).write_text(content)
    outcome = command(f"runs={copy.parent}/none", *(part.format(run=copy, data=data) for part in SCORE))
    check_line(outcome, f"{copy}/{name}")
    assert not (copy / "scores.csv").exists()


# In a process of its own


def test_a_wrong_key_in_a_process_of_its_own(process, runs):
    code, output, errors = process("boundary.muu=1", f"runs={runs}")
    assert (code, output) == (1, "")
    assert re.fullmatch(r"omasgan: there is no setting 'boundary.muu'[^\n]*\n", errors)


def test_ctrl_c_and_on(process, command, runs, without_progress):
    def interrupt(child, line):
        if line.startswith("task1 6"):
            child.send_signal(signal.SIGINT)

    same = (*TOY, f"runs={runs}", "budget.task1=1200")
    code, output, errors = process(*same, watch=interrupt)
    assert (code, output) == (1, "")
    assert without_progress(errors) == ["omasgan: interrupted; the same command continues from the last checkpoint"]
    check_whole(runs)

    (log,) = runs.rglob("run.log")
    told = len(log.read_text())
    assert command(*same).code == 0
    first = re.search(r"task1 (\d+)/1200", log.read_text()[told:])
    assert 500 < int(first[1]) < 1200, "from the checkpoint at step 500"
    (record,) = runs.rglob("metrics.jsonl")
    steps = [row["step"] for row in map(json.loads, record.read_text().splitlines()) if row["stage"] == "task1"]
    assert steps == sorted(set(steps)), "no step is recorded twice"
    assert steps[-1] == 1200
