"""Sweeps in processes of their own that are killed, whole and in parts."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest

from omasgan.evaluation.scores import ScoreTable
from omasgan.runs import folder as runs
from omasgan.runs.folder import State
from omasgan.runs.lock import owner

TOY = (
    *("experiment=rows", "dataset=toy_blobs", "dataset.train_size=200", "dataset.test_size=100"),
    *("architecture.width=8", "budget=smoke", "logger=none", "baselines=none", "precision=float32", "device=cpu"),
    *("threads=1", "hydra/launcher=pool", "hydra.launcher.jobs=2"),
)
ENDLESS = "budget.task3=100000"
"""So that a job is there to be killed."""


@contextmanager
def sweep(top, *arguments):
    """A sweep in a process group of its own, as a terminal makes one."""
    command = [sys.executable, "-m", "omasgan", *TOY, f"runs={top}", "-m", *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HYDRA_FULL_ERROR": "0"}
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "env": environment}
    with subprocess.Popen(command, start_new_session=True, **streams) as process:
        try:
            yield process
        finally:
            process.kill()


def finish(top, *arguments):
    """Run a sweep to its end; its exit code and what it said."""
    with sweep(top, *arguments) as process:
        output, _ = process.communicate(timeout=3600)
    return process.returncode, output


def working(top):
    """The process of each job that is running, by its folder."""
    found = {}
    for folder in runs.find(top):
        if runs.state(folder) == State.RUNNING:
            with suppress(ValueError):
                pid = int(owner(folder).split("@")[0])
                if b"forkserver" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    found[folder] = pid
    return found


def wait_for(condition, seconds=120):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if result := condition():
            return result
        time.sleep(0.05)
    raise AssertionError("it did not come to that")


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] != "Z"
    except OSError:
        return False


@pytest.mark.heavy
def test_a_job_that_is_killed_takes_no_other_with_it_and_is_resumed(tmp_path):
    with sweep(tmp_path, "seed=0,1,2", "budget.task1=400") as process:
        victim, pid = next(iter(wait_for(lambda: working(tmp_path)).items()))
        os.kill(pid, signal.SIGKILL)
        output, _ = process.communicate(timeout=300)
    assert process.returncode == 1
    assert re.search(r"died: \S+: its process ended with SIGKILL", output)
    assert "3 jobs: 2 done, 0 skipped, 0 failed, 1 interrupted" in output
    assert runs.state(victim) == State.INTERRUPTED

    code, output = finish(tmp_path, "seed=0,1,2", "budget.task1=400")
    assert code == 0
    assert "3 jobs: 2 finished, 1 to resume, 0 to retry, 0 new" in output
    assert "3 jobs: 1 done, 2 skipped, 0 failed, 0 interrupted" in output


@pytest.mark.slow
def test_two_sweeps_at_once_share_the_jobs(tmp_path):
    arguments = ("seed=0,1,2,3", "hydra.launcher.jobs=1")
    with sweep(tmp_path, *arguments) as one, sweep(tmp_path, *arguments) as other:
        outputs = [process.communicate(timeout=300)[0] for process in (one, other)]
    assert [one.returncode, other.returncode] == [0, 0], outputs
    assert len(results(tmp_path)) == 4
    counts = [
        re.search(r"4 jobs: (\d) done, (\d) skipped,.*?(?:, (\d) elsewhere)?$", output, re.M) for output in outputs
    ]
    each = [[int(number or 0) for number in found.groups()] for found in counts]
    assert all(sum(numbers) == 4 for numbers in each)
    assert sum(done for done, _, _ in each) == 4, "each job is counted as done by the one that ran it"
    assert all(int(number) <= 1 for output in outputs for number in re.findall(r"running (\d)", output))
    for folder in results(tmp_path).values():
        rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
        assert len({(row["stage"], row["step"]) for row in rows}) == len(rows), "a step was done twice"
    assert not list(tmp_path.rglob("failed.json"))


@pytest.mark.heavy
@pytest.mark.parametrize("how", ["Ctrl-C", "SIGKILL", pytest.param("SIGTERM", marks=pytest.mark.slow)])
def test_the_jobs_end_with_the_sweep_however_it_ends(tmp_path, how):
    with sweep(tmp_path, "seed=0,1,2", ENDLESS) as process:
        pids = list(wait_for(lambda: len(found := working(tmp_path)) == 2 and found).values())
        if how == "Ctrl-C":
            os.killpg(process.pid, signal.SIGINT)
        else:
            process.send_signal(getattr(signal, how))
        output, _ = process.communicate(timeout=30)
    wait_for(lambda: not any(map(alive, pids)), seconds=10)
    states = [runs.state(folder) for folder in runs.find(tmp_path)]
    assert states == [State.INTERRUPTED] * 2, "and free for the next"
    if how == "Ctrl-C":
        assert process.returncode == 130
        assert "3 jobs: 0 done, 0 skipped, 0 failed, 2 interrupted, 1 not begun" in output
        assert f"omasgan: interrupted; continue with: omasgan -m {TOY[0]}" in output.splitlines()[-1]
        assert output.splitlines()[-1].endswith(f"seed=0,1,2 {ENDLESS}")
        assert "Traceback" not in output


def results(top):
    return {path.parent.relative_to(top): path.parent for path in top.rglob("metrics.json")}


SOAK_JOBS = 60
SOAK_KILLS = 5


@pytest.mark.slow
def test_a_sweep_that_is_killed_again_and_again_ends_as_if_it_had_not_been(tmp_path):
    seeds = f"seed=range({SOAK_JOBS})"
    undisturbed, disturbed = tmp_path / "undisturbed", tmp_path / "disturbed"
    code, output = finish(undisturbed, seeds)
    assert code == 0, output
    assert len(results(undisturbed)) == SOAK_JOBS

    dice = random.Random(0)
    killed_jobs = 0
    for _ in range(SOAK_KILLS):
        before = len(results(disturbed))
        aim = before + dice.randint(4, 9)
        moments = sorted(dice.sample(range(before, aim), 3))  # a job is killed at each, by the number of results
        with sweep(disturbed, seeds) as process:
            while process.poll() is None and len(results(disturbed)) < aim:
                time.sleep(dice.uniform(0, 0.5))
                found = working(disturbed)
                if found and moments and len(results(disturbed)) >= moments[0]:
                    with suppress(ProcessLookupError):
                        os.kill(dice.choice(sorted(found.values())), signal.SIGKILL)
                    moments.pop(0)
                    killed_jobs += 1
            assert process.poll() is None, "it ended before it was killed"
            process.kill()
            process.communicate()
    assert killed_jobs >= 2 * SOAK_KILLS
    code, output = finish(disturbed, seeds)
    assert code == 0, output
    resumed = int(re.search(r"(\d+) to resume", output)[1])
    assert resumed > 0, "it was killed in the middle of jobs"

    expected, found = results(undisturbed), results(disturbed)
    assert found.keys() == expected.keys()
    for name, folder in expected.items():
        one, other = (ScoreTable.load(place / "scores.npz") for place in (folder, found[name]))
        assert one.terms.keys() == other.terms.keys()
        assert all(np.array_equal(one.terms[term], other.terms[term]) for term in one.terms), name
        assert runs.read(folder / "metrics.json")["metrics"] == runs.read(found[name] / "metrics.json")["metrics"]
    print(f"{killed_jobs} jobs and {SOAK_KILLS} sweeps were killed; {resumed} jobs were resumed in the last round")
