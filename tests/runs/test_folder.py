"""The lock of a run, its state, and how runs are found."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from omasgan.files import write_text
from omasgan.runs import folder as runs
from omasgan.runs.folder import State
from omasgan.runs.lock import OWNER, HeldError, locked, owner

HOLDER = """
import sys, time
from pathlib import Path
from omasgan.runs import lock as runs
with runs.locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def touch(folder, *names):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_text("{}")


@pytest.fixture
def hold():
    """Starts a process that holds a run; the process."""
    started = []

    def do(folder):
        command = [sys.executable, "-c", HOLDER, str(folder)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield do
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_run_is_held_by_one_process_which_is_named(tmp_path, hold):
    process = hold(tmp_path / "run")
    assert runs.state(tmp_path / "run") == State.RUNNING
    with (
        pytest.raises(HeldError, match=rf"is being run by process {process.pid}@\S+: wait"),
        locked(tmp_path / "run"),
    ):
        pytest.fail("two hold it")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_the_run_of_a_dead_process_is_taken_over(tmp_path, hold, how):
    process = hold(tmp_path)
    (tmp_path / "run.json").write_text("{}")
    process.send_signal(how)
    process.wait()
    assert runs.state(tmp_path) == State.INTERRUPTED
    with locked(tmp_path):
        assert owner(tmp_path).startswith(f"{os.getpid()}@")
        assert runs.state(tmp_path) == State.RUNNING


def test_a_run_is_free_after_an_error(tmp_path):
    with pytest.raises(ZeroDivisionError), locked(tmp_path):
        _ = 1 / 0
    assert runs.state(tmp_path) == State.NEW
    assert not (tmp_path / OWNER).exists()
    with locked(tmp_path):
        pass


def test_looking_at_a_run_does_not_keep_others_from_claiming_it(tmp_path):
    looker = f"""
from pathlib import Path
from omasgan.runs import folder as runs
print("looking", flush=True)
while True:
    runs.state(Path({str(tmp_path)!r}))
"""
    with locked(tmp_path):
        pass
    with subprocess.Popen([sys.executable, "-c", looker], stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        end = time.monotonic() + 1
        while time.monotonic() < end:
            with locked(tmp_path):
                pass
        process.kill()


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([], State.NEW),
        (["lock"], State.NEW),
        (["run.json"], State.INTERRUPTED),
        (["run.json", "metrics.jsonl", "lock", "owner", "scores.npz"], State.INTERRUPTED),
        (["run.json", "failed.json"], State.FAILED),
        (["failed.json"], State.FAILED),
        (["run.json", "metrics.json"], State.DONE),
        (["run.json", "metrics.json", "failed.json"], State.DONE),
    ],
)
def test_the_state_of_a_run(tmp_path, names, expected):
    touch(tmp_path, *names)
    assert runs.state(tmp_path) == expected
    assert runs.job_state(tmp_path) == expected, "of a job of one run, too"


CLASSES = {"done": ("run.json", "metrics.json"), "failed": ("run.json", "failed.json"), "interrupted": ("run.json",)}


@given(st.lists(st.sampled_from(sorted(CLASSES)), max_size=4), st.booleans(), st.booleans())
def test_the_state_of_a_job_of_many_classes(tmp_path_factory, parts, summary, failed):
    folder = tmp_path_factory.mktemp("job")
    for number, part in enumerate(parts):
        touch(folder / f"abnormal_{number}", *CLASSES[part])
    if summary:
        (folder / "summary.json").write_text(json.dumps({"runs": {str(n): {} for n in range(3)}}))
    if failed:
        touch(folder, "failed.json")
    found = runs.job_state(folder)
    if failed or "failed" in parts:
        assert found == State.FAILED
    elif not parts:
        assert found == State.NEW
    else:
        whole = summary and parts.count("done") >= 3
        assert found == (State.DONE if whole else State.INTERRUPTED), (
            "done is what its summary speaks of, and all of it"
        )


def test_a_job_runs_while_one_of_its_classes_does(tmp_path, hold):
    touch(tmp_path / "a", "run.json", "metrics.json")
    hold(tmp_path / "b")
    touch(tmp_path / "b", "run.json")
    assert runs.job_state(tmp_path) == State.RUNNING


def test_runs_are_found_at_any_depth_and_not_inside_one_another(tmp_path):
    there = ["a", "b/c", "b/d/e/f"]
    for name in there:
        touch(tmp_path / name, "run.json")
    touch(tmp_path / "a" / "wandb" / "inner", "run.json")
    touch(tmp_path / "b" / "d", "failed.json")
    (tmp_path / "empty").mkdir()
    found = [str(path.relative_to(tmp_path)) for path in runs.find(tmp_path)]
    assert found == ["a", "b/c", "b/d", "b/d/e/f"]
    assert list(runs.find(tmp_path / "nowhere")) == []


def test_the_score_that_a_run_or_a_job_is_known_by(tmp_path):
    (tmp_path / "metrics.json").write_text(json.dumps({"metrics": {"task1": {"auroc": 0.1}, "full": {"auroc": 0.7}}}))
    assert runs.main_figure(tmp_path) == ("test/auroc/full", 0.7)
    figures = {"pseudo/auroc/task1": 0.1, "pseudo/auprc/task1": 0.4, "pseudo/auroc/full": 0.8}
    (tmp_path / "metrics.json").write_text(json.dumps({"objective": {"split": "pseudo"}, "metrics": figures}))
    assert runs.main_figure(tmp_path) == ("pseudo/auroc/full", 0.8)
    (tmp_path / "metrics.json").write_text(json.dumps({"metrics": {"pca": {"auroc": 0.2}, "other": {"auroc": 0.7}}}))
    assert runs.main_figure(tmp_path) == ("test/auroc/pca", 0.2)
    (tmp_path / "metrics.json").write_text(json.dumps({"metrics": {}}))
    assert runs.main_figure(tmp_path) is None
    (tmp_path / "metrics.json").write_text("{cut short")
    assert runs.main_figure(tmp_path) is None
    (tmp_path / "metrics.json").unlink()
    (tmp_path / "summary.json").write_text(json.dumps({"mean": {"task1": 0.3, "full": 0.4}}))
    assert runs.main_figure(tmp_path) == ("test/auroc/full", 0.4)
    (tmp_path / "part").mkdir()
    (tmp_path / "part" / "run.json").write_text(json.dumps({"choices": {"protocol": "pseudo_loo"}}))
    assert runs.main_figure(tmp_path) == ("pseudo/auroc/full", 0.4)
    (tmp_path / "summary.json").write_text(json.dumps({"mean": {"test/auroc/task1": 0.3, "test/auroc/full": 0.5}}))
    assert runs.main_figure(tmp_path) == ("test/auroc/full", 0.5)


def test_nothing_of_it_imports_torch():
    code = "import sys, omasgan.__main__, omasgan.commands.list_and_clean; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=Path.cwd()).returncode == 0


@pytest.mark.parametrize("name", [b"p\xff", b"\\udcff", b"\\\\\xfe", "\u00ff".encode(), b"\\x"])
def test_a_configuration_whose_paths_are_no_utf8_can_be_read(tmp_path, name):
    root = os.fsdecode(name)
    write_text(tmp_path / runs.CONFIG, OmegaConf.to_yaml(OmegaConf.create({"dataset": {"root": root}, "seed": 3})))
    read = runs.config_of(tmp_path)
    assert read["seed"] == 3
    assert read["dataset"]["root"] == root.encode(errors="surrogateescape").decode(errors="backslashreplace")
