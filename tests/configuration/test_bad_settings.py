"""A wrong setting ends in one line that says what was given, what is allowed and how to mend it."""

import json
import re

import pytest

from omasgan.errors import UserError
from tests.configuration.mistakes import ONE_CLASS, TINY, check_line

pytestmark = pytest.mark.usefixtures("no_pictures")


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
        (["test_samples=1"], ["test_samples is 1", "at least 2"]),
        (["score.run=[1]"], [r"score.run is \[1\]", "text or null is expected"]),
        (["boundary.mu=-1"], ["boundary.mu is -1", "at least 0"]),
        (["inference.delta=1.5"], ["inference.delta is 1.5", "at least 0 and at most 1"]),
        (
            ["inference.mixing_min=0.5", "inference.mixing_max=0.2"],
            ["mixing_min is 0.5", "mixing_max 0.2", "must be at most mixing_max"],
        ),
        (["representation=[]"], ["representation has no part", r"as representation=\[visual_words,pca\]"]),
        (
            ["representation=[pca,contrstive]"],
            ["no representation 'contrstive'", "did you mean 'contrastive'", "pixels"],
        ),
        (["representation=[visual_words,pca]", "representation.pca.componens=3"], ["did you mean .*pca.components'"]),
        (["representation.pca.components=3"], ["no setting 'representation.pca'", "representation has pixels"]),
        (["+representation.pixels.x=3"], ["no setting 'representation.pixels.x'", "takes no setting"]),
        (["+representation.foo=1"], ["representation.foo is 1", "_target_"]),
        (["boundary.Q=0"], ["boundary.Q is 0", "at least 1"]),
        (["baselines=all", "baselines.pca.variance=7"], ["baselines.pca.variance is 7", "above 0 and at most 1"]),
        (["seed=-1"], ["seed is -1", "at least 0"]),
        (["precision=double"], ["precision is 'double'", "float32"]),
        (["task=train"], ["task is 'train'", "choose one of run, plan, score"]),
        (["logger=wandb", "logger.wandb.mode=onlin"], ["logger.wandb.mode is 'onlin'", "did you mean 'online'"]),
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
