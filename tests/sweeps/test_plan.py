"""task=plan: what a command would do, and how long that takes."""

import itertools
import re

import pytest

from omasgan.configuration.classes import number_of_runs
from omasgan.runs.folder import find
from omasgan.sweeps.plan import Work, time_line
from tests.sweeps.made_up import made_up

pytestmark = pytest.mark.usefixtures("no_pictures")

QUICK = ("experiment=quickstart", "budget=smoke", "logger=none", "device=cpu", "baselines=none")


def test_a_plan_tells_jobs_states_and_time_and_does_nothing(command, tmp_path, monkeypatch):
    made_up(monkeypatch, lambda _: 0)  # a run of it takes 61 s
    top = tmp_path / "runs"
    sweep = ("-m", *QUICK, f"runs={top}", "boundary.mu=1,0.1")
    plan = command(*sweep, "task=plan")
    assert plan.code == 0
    assert "2 jobs: 0 finished, 0 to resume, 0 to retry, 2 new\n" in plan.output
    assert "not known, because no run of digits with omasgan with this budget is finished" in plan.output
    assert not top.exists()

    command("-m", *QUICK, f"runs={top}", "boundary.mu=1")
    before = sorted(tmp_path.rglob("*"))
    plan = command(*sweep, "task=plan")
    assert re.search(r"^boundary.mu=1 +finished +\S+omasgan-", plan.output, re.M)
    assert re.search(r"^boundary.mu=0.1 +new ", plan.output, re.M)
    assert (
        "estimated time: 10 min for 10 runs (training and scoring, median of 10 runs with the same budget)"
        in plan.output
    )
    other = command(*sweep, "task=plan", "budget.task1=5")
    assert "2 new\nestimated time: not known" in other.output, "another budget takes another time"

    one = command(*QUICK, f"runs={top}", "boundary.mu=1", "task=plan")
    assert "1 jobs: 1 finished" in one.output
    assert one.output.endswith("nothing is left to do\n")
    search = command("sweep=search", *QUICK, f"runs={top}", "task=plan")
    assert "0 of 40 trials are done, 40 are left, in " in search.output
    assert "estimated time: at most 6 h for 360 runs" in search.output
    assert sorted(tmp_path.rglob("*")) == before, "a plan writes nothing"

    for folder in itertools.islice(find(top), 3):
        (folder / "metrics.json").unlink()
    plan = command(*QUICK, f"runs={top}", "boundary.mu=1", "task=plan")
    assert "1 to resume" in plan.output
    assert "estimated time: 3 min for 3 runs" in plan.output


def test_jobs_at_a_time_share_the_time(tmp_path, fake):
    fake.write(tmp_path, 0)  # it takes 10 s
    like = ("mnist", "omasgan", '{"_target_": "omasgan.training.settings.Budget", "batch": 128.0, "task1": 2000.0}')
    works = [Work(12, like)] * 4
    assert time_line(works, tmp_path, 1).startswith("estimated time: 8 min for 48 runs (")
    assert time_line(works, tmp_path, 2).startswith("estimated time: 4 min for 48 runs, 2 jobs at a time (")
    assert "number of classes is known only once the data are loaded" in time_line([Work(None, like)], tmp_path, 1)


@pytest.mark.parametrize(
    ("protocol", "runs"),
    [
        ({"abnormal_class": "all"}, 10),
        ({"abnormal_class": 3}, 1),
        ({"abnormal_class": [1, 4]}, 1),
        ({"normal_class": "all"}, 10),
        ({"abnormal_class": 3, "pseudo_class": "all"}, 9),
        ({"abnormal_class": "all", "pseudo_class": "all"}, 90),
        ({}, 1),
    ],
)
def test_the_number_of_runs_of_a_job(protocol, runs):
    assert number_of_runs(protocol, 10) == runs
    assert number_of_runs(protocol, 0) == (runs if runs == 1 else None)
