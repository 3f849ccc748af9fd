"""The Bayesian search, with a method whose best setting is known in the place of training."""

import math
import re

import pytest
from filelock import FileLock

from omasgan.errors import UserError
from omasgan.pipeline import run as pipeline
from omasgan.pipeline import summary
from omasgan.runs.search_journal import load_study
from omasgan.sweeps.criterion import criterion
from omasgan.sweeps.trial import GIVEN_UP, Trial, check_protocol, open_trial
from omasgan.text import figures

pytestmark = pytest.mark.usefixtures("no_pictures")

optuna = pytest.importorskip("optuna")

BEST = 0.03
BASE = ("sweep=search", "logger=none", "device=cpu", "budget=smoke", "boundary.nu=0.1", "retraining.beta=0.7")


@pytest.fixture
def seen(monkeypatch):
    """The protocols of all runs; a run's AUROC falls with the distance of mu from the best one, in powers of ten."""
    protocols = []

    def run(job, dataset, protocol):
        protocols.append(protocol)
        mu = job.config["boundary"]["mu"]
        full = max(0.0, 0.9 - 0.3 * abs(math.log10(mu / BEST)))
        return {"task1": {"auroc": 0.1}, "full": {"auroc": full}, "distance": {"auroc": 1 - full, "fpr95": full}}

    monkeypatch.setattr(pipeline, "run", run)
    monkeypatch.setattr(summary, "write", lambda *_: None)
    return protocols


@pytest.fixture
def start(command, tmp_path):
    def do(*arguments, trials=10, startup=3):
        options = (f"hydra.sweeper.trials={trials}", f"hydra.sweeper.startup_trials={startup}")
        return command(*BASE, f"runs={tmp_path}", *options, *arguments)

    return do


def study(tmp_path):
    (journal,) = tmp_path.glob("search/*.journal")
    return load_study(journal)


def test_it_finds_what_is_best_and_gives_up_what_is_hopeless(start, seen, tmp_path):
    outcome = start()
    assert outcome.code == 0
    trials = study(tmp_path).trials
    assert len(trials) == 10
    whole = [trial for trial in trials if GIVEN_UP not in trial.user_attrs]
    assert 0 < len(whole) < len(trials)
    best = max(whole, key=lambda trial: trial.value)
    assert abs(math.log10(best.params["boundary.mu"] / BEST)) < 0.5
    assert outcome.errors[-1].endswith(f"best {figures(best.value)}, 0 failed")
    assert all(trial.value <= best.value for trial in trials)
    assert f"objective: mean {criterion(None, 'pseudo_loo')}" in outcome.output
    assert outcome.output.count("pruned after") == len(trials) - len(whole)
    assert len(seen) < 9 * len(trials), "what is given up is not run to its end"


def test_it_never_sees_the_class_that_is_reported(start, seen):
    start(trials=2)
    assert len(seen) == 18
    assert {str(protocol.abnormal_class) for protocol in seen} == {"0"}
    assert {str(protocol.pseudo_class) for protocol in seen} == set("123456789")


@pytest.mark.parametrize("protocol", ["loo", "occ", "novelty", "cross_dataset"])
def test_a_protocol_that_opens_the_test_split_is_refused(protocol):
    with pytest.raises(UserError, match=f"protocol is '{protocol}': a search must not see .* protocol=pseudo_loo"):
        check_protocol(protocol)
    with pytest.raises(UserError, match="a search must not see"):
        open_trial({"trial": 0, "journal": "nowhere", "study": "x"}, protocol)


def test_the_same_command_goes_on_and_a_larger_number_widens_it(start, seen, tmp_path):
    start(trials=3)
    first = [trial.params for trial in study(tmp_path).trials]
    again = start(trials=3)
    assert any("3 of 3 trials done before" in line for line in again.errors)
    assert len(study(tmp_path).trials) == 3
    start("hydra/launcher=basic", trials=6)
    trials = [trial.params for trial in study(tmp_path).trials]
    assert trials[:3] == first
    assert len({str(params) for params in trials}) == 6, "nothing is drawn twice"


def test_another_experiment_or_another_space_is_another_study(start, seen, tmp_path):
    start(trials=1)
    start("seed=1", trials=1)
    start("protocol.abnormal_class=3", trials=1)
    start("boundary.N=64", trials=1)
    start("boundary.mu=interval(0.01,0.02)", trials=1)
    assert len(list(tmp_path.glob("search/*.journal"))) == 5


def test_a_trial_that_a_killed_search_left_is_begun_again(start, seen, tmp_path):
    start(trials=1)
    left = study(tmp_path)
    space = {"boundary.mu": optuna.distributions.FloatDistribution(0.001, 0.5, log=True)}
    params = left.ask(space).params
    outcome = start(trials=2)
    trials = study(tmp_path).trials
    assert [trial.params for trial in trials if trial.value is not None][1:] == [params]
    assert re.search(rf"^ *1 +{params['boundary.mu']:.4g} +- +interrupted$", outcome.output, re.M)


def test_a_trial_that_fails_stops_no_other(start, seen, tmp_path, monkeypatch):
    plain = pipeline.run

    def fails(job, *rest):
        if len(seen) == 0:
            seen.append(rest[1])
            raise UserError("it diverged")
        return plain(job, *rest)

    monkeypatch.setattr(pipeline, "run", fails)
    outcome = start(trials=3)
    assert outcome.code == 1
    assert "failed: it diverged" in outcome.errors
    assert re.match("omasgan: 1 trials failed", outcome.errors[-1])
    assert sum(trial.value is not None for trial in study(tmp_path).trials) == 2
    assert start(trials=3).code == 0
    assert sum(trial.value is not None for trial in study(tmp_path).trials) == 3


def test_ctrl_c_shows_the_trials_with_their_values_and_what_waits_is_told(start, seen, tmp_path, monkeypatch):
    plain, began = pipeline.run, []

    def run(job, *rest):
        began.append(job)
        if len(began) == 12:
            raise KeyboardInterrupt
        return plain(job, *rest)

    monkeypatch.setattr(pipeline, "run", run)
    outcome = start(trials=4)
    assert outcome.code == 130
    params = study(tmp_path).trials[1].params
    interrupted = rf"^ *1 +{params['boundary.mu']:.4g} +- +interrupted$"
    assert re.search(interrupted, outcome.output, re.M)
    assert outcome.errors[-1].startswith("omasgan: interrupted; continue with: omasgan sweep=search ")
    again = start(trials=1)
    assert re.search(interrupted, again.output, re.M)
    assert re.search(rf"^ *2 +{params['boundary.mu']:.4g} +- +to be begun$", again.output, re.M)


@pytest.mark.parametrize(
    ("fixed", "fragment"),
    [
        ("boundary.N=-5", "boundary.N is -5: it must be at least"),
        ("sweep.objective=pseudo/aurok/full", "sweep.objective is 'pseudo/aurok/full': .*did you mean 'auroc'"),
        ("sweep.objective=test/auroc/full", "sweep.objective is 'test/auroc/full', .* give pseudo/auroc/full"),
        ("sweep.objective=full", "sweep.objective: 'full' is not the name of a figure"),
    ],
)
def test_a_fixed_setting_that_is_not_allowed_is_told_once_before_the_first_trial(
    start, seen, tmp_path, fixed, fragment
):
    outcome = start(fixed)
    assert outcome.code == 1
    assert re.search(f"omasgan: {fragment}", outcome.errors[-1]), outcome.errors
    assert len(outcome.errors) == 1
    assert not list(tmp_path.rglob("*.journal"))


def test_a_range_that_is_allowed_in_part_is_searched(start, seen):
    outcome = start("boundary.mu=interval(-1,0.1)", trials=1)
    assert not any(line.startswith("omasgan: boundary.mu is") for line in outcome.errors)


def test_an_error_of_all_trials_ends_the_search(start, monkeypatch):
    def fails(*_):
        raise UserError("class 3 has no samples")

    monkeypatch.setattr(pipeline, "run", fails)
    outcome = start(trials=40)
    assert outcome.errors[-1] == "omasgan: all 3 trials failed with the same error: class 3 has no samples"


@pytest.mark.parametrize(("objective", "best"), [("pseudo/auroc/distance", max), ("pseudo/fpr95/distance", min)])
def test_another_term_and_a_metric_to_be_minimised(start, seen, tmp_path, objective, best):
    outcome = start(f"sweep.objective={objective}", trials=3, startup=3)
    trials = study(tmp_path).trials
    assert study(tmp_path).best_value == best(trial.value for trial in trials)
    nearest = min(trials, key=lambda trial: abs(math.log10(trial.params["boundary.mu"] / BEST)))
    assert nearest.value != study(tmp_path).best_value, "the best mu for full is the worst for these"
    assert "of distance on pseudo-anomalies" in outcome.output


def test_a_term_that_no_run_has(start, seen):
    outcome = start("sweep.objective=pseudo/auroc/distanc", trials=3)
    assert "choose one of the terms task1, full, distance" in outcome.errors[-1]


def test_a_trial_is_not_pruned_after_its_last_class(tmp_path):
    study = optuna.create_study(pruner=optuna.pruners.ThresholdPruner(lower=1))
    assert not Trial(study.ask()).hopeless(1, 1, 0.1), "nothing is left to be pruned"
    assert not Trial(study.ask()).hopeless(9, 9, 0.1)
    assert Trial(study.ask()).hopeless(8, 9, 0.1)


def test_two_searches_at_once_are_refused(start, seen, tmp_path):
    start(trials=1)
    (journal,) = tmp_path.glob("search/*.journal")
    with FileLock(journal.with_suffix(".lock")):
        outcome = start(trials=2)
    assert re.match("omasgan: another process searches with .*wait for it", outcome.errors[-1])


def test_what_can_be_searched(start, seen, tmp_path):
    space = ["boundary.mu=tag(log,interval(0.01,0.1))", "boundary.critic=noise_contrastive,cotrained"]
    start(*space, "architecture.depth=range(1,4)", "budget.batch=int(interval(16,32))", trials=6)
    for trial in study(tmp_path).trials:
        assert 0.01 <= trial.params["boundary.mu"] <= 0.1
        assert trial.params["boundary.critic"] in ("noise_contrastive", "cotrained")
        assert trial.params["architecture.depth"] in ("1", "2", "3")
        assert isinstance(trial.params["budget.batch"], int)
        assert 16 <= trial.params["budget.batch"] <= 32


def test_a_trial_is_the_job_of_its_number_also_in_a_continued_search(start, seen, tmp_path):
    place = "hydra.sweep.subdir=job_${hydra.job.num}"
    start(place, "boundary.mu=choice(0.01,0.1)", trials=1)
    assert start(place, "boundary.mu=choice(0.01,0.1)", trials=3).code == 0
    assert sorted(path.name for path in tmp_path.glob("job_*")) == ["job_0", "job_1", "job_2"]
