"""task=list and task=clean, as a user sees them."""

import json
import re
import sys

import pytest

from omasgan.runs.lock import locked

pytestmark = pytest.mark.usefixtures("no_pictures")

METRICS = {"metrics": {"task1": {"auroc": 0.6}, "full": {"auroc": 0.75}}}


@pytest.fixture
def top(tmp_path):
    """A folder with one run in every state."""
    folder = tmp_path / "runs"
    for name in ("done", "failed", "interrupted", "running"):
        (folder / "set" / name / "checkpoints").mkdir(parents=True)
        (folder / "set" / name / "run.json").write_text("{}")
    (folder / "set" / "done" / "metrics.json").write_text(json.dumps(METRICS))
    (folder / "set" / "failed" / "failed.json").write_text(json.dumps({"error": "mu is\n-1"}))
    with locked(folder / "set" / "running"):
        yield folder


def names(top):
    return sorted(path.parent.name for path in top.rglob("run.json"))


def test_list_shows_every_run_with_state_score_age_and_reason(command, top):
    outcome = command("task=list", f"runs={top}")
    assert (outcome.code, outcome.errors) == (0, [])
    rows = {line.split()[0]: line for line in outcome.output.splitlines()}
    assert re.fullmatch(r"set/done +done +test/auroc/full +\.750 +\d+ s", rows["set/done"])
    assert re.fullmatch(r"set/failed +failed +- +- +\d+ s +mu is -1", rows["set/failed"])
    assert re.fullmatch(r"set/interrupted +interrupted +- +- +\d+ s", rows["set/interrupted"])
    assert re.fullmatch(r"set/running +running +- +- +\d+ s +process \d+@.*", rows["set/running"])
    assert outcome.output.splitlines()[-1] == f"4 runs in {top}: 1 done, 1 running, 1 failed, 1 interrupted"


@pytest.fixture(scope="module")
def swept(tmp_path_factory, fake):
    """Two finished runs with mu = 0.1 and 1, a failed one with mu = 1, and one with another seed."""
    top = tmp_path_factory.mktemp("swept")
    fake.write(top, 0, 0, mu=0.1)
    fake.write(top, 0, 0, mu=1.0)
    fake.write(top, 0, 1, "failed", mu=1.0)
    fake.write(top, 1, 1, mu=0.1)
    return top


def listed(outcome):
    assert (outcome.code, outcome.errors) == (0, [])
    return [line for line in outcome.output.splitlines() if "mu=" in line and "left out" not in line]


def test_list_shows_what_differs_and_says_how_many_it_left_out(command, swept):
    assert len(listed(command("task=list", f"runs={swept}"))) == 4
    outcome = command("task=list", f"runs={swept}", "list.where=mu>0.5, state=done", "list.limit=3")
    (line,) = listed(outcome)
    assert "mu=1.0" in line
    assert outcome.output.splitlines()[-1].endswith("; list.where=mu>0.5, state=done left out 3")
    outcome = command("task=list", f"runs={swept}", "list.where=seed!=1", "list.limit=1")
    assert outcome.output.splitlines()[-1].endswith("list.where=seed!=1 left out 2; list.limit=1 left out 1")


def test_list_sorts_the_best_first_and_runs_without_the_figure_last(command, swept):
    lines = listed(command("task=list", f"runs={swept}", "list.sort=test/auroc/full"))
    values = [re.search(r"test/auroc/full +(\S+)", line) for line in lines]
    assert [value is None for value in values] == [False, False, False, True]
    numbers = [float(value[1]) for value in values[:3]]
    assert numbers == sorted(numbers, reverse=True)
    lines = listed(command("task=list", f"runs={swept}", "list.sort=mu"))
    assert ["mu=0.1" in line for line in lines] == [True, True, False, False]


@pytest.mark.parametrize(
    ("argument", "told"),
    [
        ("list.where=mu", "'mu' is no condition"),
        ("list.where=mv>1", "no run has a setting or figure 'mv'"),
        ("list.where=mu>big", "which is no number"),
        ("list.sort=mv", "no run has a setting or figure 'mv'"),
        ("list.limit=0", "list.limit is 0: give 1 or more"),
    ],
)
def test_what_list_cannot_choose_by_is_one_line(command, swept, argument, told):
    outcome = command("task=list", f"runs={swept}", argument)
    assert outcome.code == 1
    (line,) = outcome.errors
    assert told in line


def test_list_of_nothing(command, tmp_path):
    outcome = command("task=list", f"runs={tmp_path}")
    assert (outcome.code, outcome.output) == (0, f"no runs in {tmp_path}\n")


def test_clean_refuses_where_nobody_can_be_asked(command, top):
    outcome = command("task=clean", f"runs={top}")
    assert outcome.code == 1
    assert outcome.errors == [
        "omasgan: task=clean asks before it removes runs, and there is no terminal to answer in: set clean.yes=true"
    ]
    assert len(names(top)) == 4


@pytest.mark.parametrize(
    ("arguments", "left"),
    [
        (["clean.yes=true"], ["done", "failed", "running"]),
        (["clean.yes=true", "clean.failed=true"], ["done", "running"]),
    ],
)
def test_clean_removes_what_came_to_nothing_and_nothing_else(command, top, arguments, left):
    outcome = command("task=clean", f"runs={top}", *arguments)
    assert outcome.code == 0
    assert names(top) == left
    assert {path.name for path in (top / "set").iterdir()} == set(left)
    assert "nothing to remove" in command("task=clean", f"runs={top}", *arguments).output


@pytest.mark.parametrize(("answer", "left"), [("YES", 3), ("", 4), (EOFError, 4)])
def test_clean_asks(command, top, monkeypatch, answer, left):
    asked = []

    def reply(question):
        asked.append(question)
        if answer is EOFError:
            raise EOFError
        return answer

    monkeypatch.setattr("builtins.input", reply)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    assert command("task=clean", f"runs={top}").code == 0
    assert asked == ["remove these 1 runs for good? [y/N] "]
    assert len(names(top)) == left


def test_clean_leaves_a_run_that_was_taken_up_while_it_asked(command, top, monkeypatch):
    with locked(top / "set" / "interrupted"):
        pass
    taken = locked(top / "set" / "interrupted")
    monkeypatch.setattr("builtins.input", lambda _: taken.__enter__() or "y")
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    outcome = command("task=clean", f"runs={top}")
    taken.__exit__(None, None, None)
    assert "removed 0 of 1 runs: the others were resumed" in outcome.output
    assert len(names(top)) == 4


def test_clean_removes_a_failed_job_but_not_the_finished_runs_of_its_classes(command, tmp_path):
    job = tmp_path / "set" / "seed_0"
    for name in ("abnormal_0", "abnormal_1"):
        (job / name).mkdir(parents=True)
        (job / name / "run.json").write_text("{}")
    (job / "abnormal_0" / "metrics.json").write_text(json.dumps(METRICS))
    (job / "failed.json").write_text("{}")
    assert command("task=clean", f"runs={tmp_path}", "clean.yes=true", "clean.failed=true").code == 0
    assert sorted(path.name for path in job.iterdir()) == ["abnormal_0"]


def test_the_folders_above_go_too_when_they_are_empty(command, tmp_path):
    (tmp_path / "runs" / "a" / "b").mkdir(parents=True)
    (tmp_path / "runs" / "a" / "b" / "run.json").write_text("{}")
    command("task=clean", f"runs={tmp_path / 'runs'}", "clean.yes=true")
    assert list((tmp_path / "runs").iterdir()) == []
