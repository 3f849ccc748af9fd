import logging
import math
import os
import pty
import re
import select
import subprocess
import sys
import termios
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omasgan.text import figures, table
from omasgan.training import progress as progress_module
from omasgan.training.progress import progress

STAGE = """
import logging, sys, time
from omasgan.training.progress import progress
logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s")
with progress("task2", 20, start=10) as shown:
    for step in range(11, 21):
        time.sleep(0.15)  # above tqdm's own interval, so that it draws every step
        shown.update(step, {"loss": step / 8} if step % 2 else None)
        if step == 15:
            logging.getLogger("omasgan.method").info("a note from the stage")
"""


def run(**streams):
    command = [sys.executable, "-c", STAGE]
    return subprocess.run(command, check=True, text=True, timeout=60, **streams)


def on_a_terminal(rows, columns):
    screen, inside = pty.openpty()
    termios.tcsetwinsize(inside, (rows, columns))
    run(stdin=inside, stdout=inside, stderr=inside)
    seen = b""
    while b"20/20" not in seen:
        assert select.select([screen], [], [], 0)[0], seen
        seen += os.read(screen, 1 << 16)
    os.close(inside)
    os.close(screen)
    return seen.decode()


def test_on_a_terminal_a_bar_shows_stage_step_rate_time_left_and_values():
    drawn = re.split(r"[\r\n]+", on_a_terminal(24, 100))
    middle = next(line for line in drawn if "17/20" in line)
    assert middle.startswith("task2")
    assert re.search(r"\d\d:\d\d<\d\d:\d\d", middle)  # gone and left
    assert "step/s" in middle
    assert "loss 2.125" in middle
    assert "loss 2.125" in next(line for line in drawn if "18/20" in line)  # None left it standing
    assert [line.strip() for line in drawn if "note" in line] == ["a note from the stage"]  # not torn
    assert not [line for line in drawn if "steps/s" in line]  # the plain lines are for files


def test_a_terminal_that_does_not_know_its_size_shows_the_bar_too():
    assert "20/20" in on_a_terminal(0, 0)


def test_on_a_pipe_there_are_plain_lines_alone():
    done = run(capture_output=True)
    assert done.stderr == ""
    assert "\r" not in done.stdout
    lines = done.stdout.splitlines()
    assert lines.count("a note from the stage") == 1
    for line in set(lines) - {"a note from the stage"}:
        assert re.fullmatch(r"task2 \d+/20, [\d.]+ steps/s, \d\d:\d\d left, loss [\d.]+", line)
    assert [line.split()[1] for line in lines if "/" in line] == [f"{step}/20," for step in range(12, 21, 2)]


def spoken(monkeypatch, caplog, total, seconds, start=0):
    """The steps at which a stage of `total` steps speaks, each of which takes some seconds."""
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(progress_module, "time", SimpleNamespace(monotonic=lambda: clock.now))
    with caplog.at_level(logging.INFO, "omasgan"), progress("task1", total, start, enabled=False) as shown:
        for step in range(start + 1, total + 1):
            clock.now += seconds
            shown.update(step)
    return [int(re.search(r"(\d+)/", message)[1]) for message in caplog.messages]


def test_a_fast_stage_speaks_at_every_tenth(monkeypatch, caplog):
    assert spoken(monkeypatch, caplog, 1000, 0.001) == list(range(100, 1001, 100))


def test_a_slow_stage_speaks_after_half_a_minute_of_silence(monkeypatch, caplog):
    assert spoken(monkeypatch, caplog, 1000, 10)[:5] == [3, 6, 9, 12, 15]


def test_rate_and_time_left_count_from_where_the_stage_resumed(monkeypatch, caplog):
    assert spoken(monkeypatch, caplog, 1000, 0.5, start=900) == [960, 1000]
    assert "2.00 steps/s, 00:20 left" in caplog.messages[0]


@pytest.mark.parametrize("enabled", [True, False])
def test_an_empty_stage_and_a_stage_that_is_done_are_fine(capsys, enabled):
    for total in (0, 5):
        with progress("task1", total, start=total, enabled=enabled):
            pass


word = st.text("abc.-0123456789", min_size=1, max_size=8)
cell = st.text("abc.-0123456789", max_size=8)


@given(st.data(), st.lists(word, min_size=1, max_size=4), st.integers(0, 4))
def test_a_table_keeps_every_cell_in_its_own_column(data, header, n):
    row = st.lists(cell, min_size=len(header), max_size=len(header))
    rows = data.draw(st.lists(row, min_size=n, max_size=n))
    first, rule, *body, second, last = table(rows, header, footer=header).split("\n")
    assert rule == second
    columns = [slice(*match.span()) for match in re.finditer("-+", rule)]
    for line, texts in zip([first, *body, last], [header, *rows, header], strict=True):
        assert [line[column].strip() for column in columns] == texts
        assert line == line.rstrip()


def test_numbers_end_and_words_begin_together():
    rows = [["airplane", ".934", "1000"], ["cat", "1.000", "-"], ["mug", "-", "7"]]
    text = table(rows, ["class", "AUROC", "n"], ["mean", ".967", ""])
    assert text.splitlines() == [
        "class     AUROC     n",
        "--------  -----  ----",
        "airplane   .934  1000",
        "cat       1.000     -",
        "mug           -     7",
        "--------  -----  ----",
        "mean       .967",
    ]


def test_a_ragged_table_is_refused():
    with pytest.raises(ValueError, match="zip"):
        table([["1", "2"], ["3"]], ["a", "b"])


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.934, ".934"), (1.0, "1.000"), (0.0, ".000"), (0.99951, "1.000"), (0.05, ".050"), (math.nan, "-")],
)
def test_figures(value, text):
    assert figures(value) == text
