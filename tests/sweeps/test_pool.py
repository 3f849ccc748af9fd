"""The launcher `pool` with jobs that need no data: what one does never touches another."""

import os
import signal
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from hydra import compose, initialize_config_dir, version
from hydra.core.utils import JobStatus

from omasgan.configuration.schema import FOLDER, register
from omasgan.errors import UserError
from omasgan.runs.lock import HeldError
from omasgan.sweeps import pool
from omasgan.sweeps.pool import Settings, gpu_of

TWO = Settings(jobs=2, threads=1)


def behave(cfg):
    """A job whose seed says what it does."""
    here = Path(cfg.runs)
    match cfg.seed:
        case 1:
            raise UserError("seed is 1: take another")
        case 2:
            sys.exit(3)
        case 3:
            os.kill(os.getpid(), signal.SIGKILL)
        case 4:
            os.abort()
        case 5:
            raise HeldError("somebody else's")
        case 6:
            print("on the standard output")
            os.write(2, b"from a library\n")
        case 7:
            import torch

            return torch.get_num_threads()
        case 8:
            return os.environ.get("CUDA_VISIBLE_DEVICES")
        case 9:
            (here / "pid").write_text(str(os.getpid()))
            time.sleep(60)
        case 10:
            return str(Path.cwd())
        case seed if seed >= 100:
            (here / f"{seed}.began").write_text(str(time.monotonic()))
            wait_for_others(here)
            time.sleep(1)
            (here / f"{seed}.ended").write_text(str(time.monotonic()))
    return float(cfg.seed)


def wait_for_others(here):
    """Wait until as many jobs have begun as the file `together` says, however busy the machine is."""
    together = here / "together"
    wanted, end = int(together.read_text()) if together.exists() else 1, time.monotonic() + 60
    while len(list(here.glob("*.began"))) < wanted and time.monotonic() < end:
        time.sleep(0.05)


@pytest.fixture
def launch(tmp_path):
    """Launches jobs of these seeds; how each ended."""
    register()
    version.setbase("1.3")  # as `hydra.main` does

    def load(_, overrides):
        with initialize_config_dir(str(FOLDER), version_base="1.3"):
            cfg = compose("config", overrides=list(overrides), return_hydra_config=True)
        cfg.hydra.sweep.dir = str(tmp_path)
        return cfg

    context = SimpleNamespace(config_loader=SimpleNamespace(load_sweep_config=load))

    def do(*seeds, settings=TWO, more=()):
        # In a folder of its own each: that is the sweeper's part.
        jobs = [[f"seed={seed}", f"runs={tmp_path}", f"hydra.sweep.subdir=job_{seed}", *more] for seed in seeds]
        return pool.launch(settings, context, behave, None, jobs, 0)

    return do


@pytest.mark.heavy
def test_jobs_that_fail_exit_or_crash_leave_the_others_alone(launch, caplog):
    seeds = [100, 1, 2, 101, 3, 4, 5, 102]
    returns = launch(*seeds)
    assert [result.overrides[0] for result in returns] == [f"seed={seed}" for seed in seeds]
    for seed, result in zip(seeds, returns, strict=True):
        if seed >= 100:
            assert (result.status, result.return_value) == (JobStatus.COMPLETED, seed)
        else:
            assert result.status == JobStatus.FAILED
    reasons = {seed: result._return_value for seed, result in zip(seeds, returns, strict=True) if seed < 100}
    assert str(reasons[1]) == "seed is 1: take another"
    assert "exit code 3" in str(reasons[2])
    assert "SIGKILL" in str(reasons[3])
    assert "SIGABRT" in str(reasons[4])
    assert isinstance(reasons[5], HeldError)
    assert "failed: seed=1" in caplog.text
    assert "died: seed=3" in caplog.text


@pytest.mark.heavy
@pytest.mark.parametrize("jobs", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_so_many_jobs_run_at_a_time(launch, tmp_path, jobs):
    seeds = range(100, 103)
    (tmp_path / "together").write_text(str(jobs))
    launch(*seeds, settings=Settings(jobs=jobs, threads=1))
    events = []
    for seed in seeds:
        events.append((float((tmp_path / f"{seed}.began").read_text()), 1))
        events.append((float((tmp_path / f"{seed}.ended").read_text()), -1))
    running, most = 0, 0
    for _, change in sorted(events):
        running += change
        most = max(most, running)
    assert most == jobs


def test_what_a_job_writes_goes_to_its_own_log(launch, tmp_path, capfd):
    launch(6, 100)
    log = (tmp_path / "job_6" / "run.log").read_text()
    assert "on the standard output\n" in log
    assert "from a library\n" in log
    output, errors = capfd.readouterr()
    assert "standard output" not in output
    assert "library" not in errors
    assert (tmp_path / "job_100" / "run.log").read_text() == ""


def test_a_job_stays_in_the_folder_of_the_command(launch):
    assert launch(10)[0].return_value == str(Path.cwd())


def test_a_job_has_its_share_of_the_cores(launch):
    assert launch(7, settings=Settings(jobs=1, threads=3))[0].return_value == 3


def test_gpus_are_handed_out_one_a_job(launch, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert launch(8, settings=Settings(1, 1, gpus=2))[0].return_value == "0"
    assert launch(8, settings=Settings(1, 1, gpus=2), more=["device=cuda:1"])[0].return_value is None, "it has chosen"
    slots = [gpu_of(slot, 2, None) for slot in range(4)]
    assert slots == ["0", "1", "0", "1"]
    assert [gpu_of(slot, 2, "5, 7") for slot in range(3)] == ["5", "7", "5"], "of those that the user lets us see"
    assert gpu_of(3, 1, None) is None
    assert gpu_of(3, 0, "") is None


def test_none_is_left_behind(launch, tmp_path, monkeypatch):
    def interrupted(running):
        while not (tmp_path / "pid").exists():
            time.sleep(0.05)
        raise KeyboardInterrupt

    monkeypatch.setattr(pool, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        launch(9)
    pid = int((tmp_path / "pid").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.parametrize("wrong", [{"jobs": 0, "threads": None}, {"jobs": None, "threads": -1}])
def test_less_than_one(wrong):
    with pytest.raises(UserError, match=r"hydra.launcher.\w+ is -?\d: it must be at least 1"):
        pool.settings(**wrong)


@pytest.mark.parametrize(("cores", "jobs", "threads"), [(2, 2, 1), (64, 8, 8), (3, 3, 1)])
def test_the_machine_is_shared_out(monkeypatch, cores, jobs, threads):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)))
    monkeypatch.setattr(pool, "_count_gpus", lambda threads: 0)
    assert pool.settings(None, None) == Settings(jobs, threads)
    assert pool.settings(1, None) == Settings(1, cores)
    monkeypatch.setattr(pool, "_count_gpus", lambda threads: 4)
    assert pool.settings(None, None).jobs == 4, "one a GPU"
