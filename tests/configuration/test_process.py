"""The command in a process of its own."""

import json
import re
import shlex
import signal
import subprocess
import sys

import pytest

from tests.configuration.mistakes import TOY, check_whole

pytestmark = pytest.mark.usefixtures("no_pictures")


def test_a_run_prints_its_table_and_nothing_else(process, runs):
    code, output, errors = process(*TOY, "detector=pca", f"hydra.run.dir={runs}")  # the detector with the least to do
    assert (code, errors) == (0, "")
    heading, terms, *_, last = output.splitlines()
    assert heading == "AUROC on the test split"
    assert "PCA" in terms
    assert str(runs) in last
    assert (runs / "metrics.json").is_file()


def test_a_wrong_key_in_a_process_of_its_own(process, runs):
    code, output, errors = process("boundary.muu=1", f"runs={runs}")
    assert (code, output) == (1, "")
    assert re.fullmatch(r"omasgan: there is no setting 'boundary.muu'[^\n]*\n", errors)


def test_a_reader_that_has_gone_is_no_error():
    """As in `omasgan --help | head`, where the reader is gone before the first word."""
    command = [sys.executable, "-m", "omasgan", "--help"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        child.stdout.close()
        assert (child.stderr.read(), child.wait()) == (b"", 0)


@pytest.mark.heavy
def test_ctrl_c_and_on(process, command, runs, without_progress):
    def interrupt(child, line):
        if line.startswith("task1 560"):  # a line comes after each tenth of the steps, a checkpoint after each 500
            child.send_signal(signal.SIGINT)

    same = (*TOY, f"runs={runs}", "budget.task1=700", "architecture.width=8", "optimisation.r1=0")
    code, output, errors = process(*same, watch=interrupt)
    assert (code, output) == (130, "")
    assert without_progress(errors) == [f"omasgan: interrupted; continue with: omasgan {shlex.join(same)}"]
    check_whole(runs)

    (log,) = runs.rglob("run.log")
    told = len(log.read_text())
    assert command(*same).code == 0
    first = re.search(r"task1 (\d+)/700", log.read_text()[told:])
    assert 500 < int(first[1]) < 700, "from the checkpoint at step 500"
    (record,) = runs.rglob("metrics.jsonl")
    steps = [row["step"] for row in map(json.loads, record.read_text().splitlines()) if row["stage"] == "task1"]
    assert steps == sorted(set(steps)), "no step is recorded twice"
    assert steps[-1] == 700
