import math
import re
import subprocess
import sys
from pathlib import Path

import pytest

from omasgan.errors import UserError
from omasgan.runs.record import HISTORY, history, open_record
from omasgan.runs.wandb import WANDB_ID
from tests.runs.common import WHO, lines, steps, told


def test_a_record_is_on_the_disk_at_once_and_reads_back(tmp_path):
    with open_record(tmp_path, WHO, {}, []) as record:
        record.scalars("task1", 20, {"loss": 0.1 + 0.2, "gap": math.nan})
        record.scalars("task1", 40, {"loss": 1e-300, "gap": math.inf})
        record.scalars("task2", 20, {"loss": 7})
        assert [line["loss"] for line in lines(tmp_path)] == [0.1 + 0.2, 1e-300, 7.0]
        assert [line.get("gap", 0) for line in lines(tmp_path)] == [None, None, 0]
        curves = history(tmp_path)
    assert curves["task1"]["loss"] == ([20, 40], [0.1 + 0.2, 1e-300])
    assert curves["task2"] == {"loss": ([20], [7.0])}
    assert curves["task1"]["gap"][0] == [20, 40]
    assert all(map(math.isnan, curves["task1"]["gap"][1]))


def test_a_folder_without_a_record_has_no_history(tmp_path):
    assert history(tmp_path) == {}


@pytest.mark.parametrize("name", ["stage", "step", "time"])
def test_a_value_cannot_take_the_place_of_a_key(tmp_path, name):
    with open_record(tmp_path, WHO, {}, []) as record, pytest.raises(TypeError, match=name):
        record.scalars("task1", 1, {name: 2.0})


def test_rewind_forgets_later_steps_of_that_stage_alone(tmp_path):
    with open_record(tmp_path, WHO, {}, []) as record:
        for step in range(1, 6):
            record.scalars("task1", step, {"loss": step})
            record.scalars("task2", step, {"loss": step})
    with open_record(tmp_path, WHO, {}, []) as record:
        record.rewind("task2", 3)
        record.scalars("task2", 4, {"loss": -1})
    assert steps(tmp_path, "task1") == [1, 2, 3, 4, 5]
    assert history(tmp_path)["task2"]["loss"] == ([1, 2, 3, 4], [1, 2, 3, -1])


def test_a_line_cut_short_anywhere_is_dropped_and_none_is_glued_to_it(tmp_path):
    path = tmp_path / HISTORY
    with open_record(tmp_path, WHO, {}, []) as record:
        for step in (1, 2):
            record.scalars("task1", step, {"loss": step})
    whole = path.read_bytes()
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        kept = list(range(1, whole[:cut].count(b"\n") + 1))
        assert history(tmp_path).get("task1", {"loss": ([], [])})["loss"][0] == kept
        with open_record(tmp_path, WHO, {}, []) as record:
            record.scalars("task1", 9, {"loss": 9})
        assert steps(tmp_path, "task1") == [*kept, 9]


def test_a_damaged_line_is_named(tmp_path):
    (tmp_path / HISTORY).write_text('{"stage": "task1"\n{}\n')
    with pytest.raises(UserError, match=r"metrics\.jsonl is damaged.*task1"):
        history(tmp_path)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="has no full device")
def test_a_full_disk_is_one_line(tmp_path):
    with open_record(tmp_path, WHO, {}, []) as record:
        (tmp_path / HISTORY).unlink()
        (tmp_path / HISTORY).symlink_to("/dev/full")
        with pytest.raises(UserError, match="No space left"):
            record.scalars("task1", 1, {"loss": 1})


def test_without_a_logger_the_record_does_not_load_wandb(tmp_path):
    code = f"""
import pathlib, sys
from omasgan.runs.logger import Identity
from omasgan.runs.record import open_record
from omasgan.training.record import silent_record
folder = pathlib.Path({str(tmp_path)!r})
with open_record(folder, Identity("a", "b", "c", ()), {{}}, []) as record:
    for each in (record, silent_record()):
        each.scalars("task1", 1, {{"loss": 1}})
        each.rewind("task1", 0)
        each.picture("samples", folder / "none.png")
        each.table("scores", ["class"], [["3"]])
        each.summary({{"auroc": .9}})
assert "wandb" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    assert not (tmp_path / WANDB_ID).exists()


# --- its loggers


class Recorder:
    """A logger and its exporter: keeps what it is handed, and raises in the methods named."""

    def __init__(self, title="copy", broken=()):
        self.title, self.broken, self.got = title, broken, []

    def open(self, folder, identity, config):
        self.got.append(("open", folder, identity, config))
        if "open" in self.broken:
            raise OSError("no\nroom")
        return self

    def __getattr__(self, method):
        def take(*given):
            self.got.append((method, *given))
            if method in self.broken:
                raise ConnectionError(f"{method}\nfails")

        return take


EVERYTHING = ("scalars", "rewind", "picture", "table", "bars", "summary", "finish")


def tell_everything(record):
    record.rewind("task1", 0)
    for step in (1, 2):
        record.scalars("task1", step, {"loss": step / 2, "gap": math.nan})
    record.picture("samples", Path("samples.png"))
    record.table("scores", ["class"], [["3"]])
    record.bars("AUROC", "class", "AUROC", {"3": 0.9})
    record.summary({"auroc": 0.9})


def test_every_logger_is_handed_everything_in_order(tmp_path):
    one, other = Recorder(), Recorder("another")
    with open_record(tmp_path, WHO, {"mu": 1}, [one, other]) as record:
        tell_everything(record)
    assert one.got == other.got
    assert one.got[0] == ("open", tmp_path, WHO, {"mu": 1})
    assert [name for name, *_ in one.got[1:]] == ["rewind", "scalars", *EVERYTHING[:1], *EVERYTHING[2:]]
    rows = [given[0] for name, *given in one.got if name == "scalars"]
    assert [(row["stage"], row["step"], row["loss"]) for row in rows] == [("task1", 1, 0.5), ("task1", 2, 1.0)]
    assert [row["time"] for row in rows] == [line["time"] for line in lines(tmp_path)]
    assert one.got[-1] == ("finish", 0)


def test_a_resumed_stage_hands_over_what_is_kept(tmp_path):
    with open_record(tmp_path, WHO, {}, []) as record:
        for step in (1, 2, 3):
            record.scalars("task1", step, {"loss": math.inf if step == 1 else step})
        record.scalars("task2", 1, {"loss": 7})
    copy = Recorder()
    with open_record(tmp_path, WHO, {}, [copy]) as record:
        record.rewind("task1", 2)
    (stage, rows) = copy.got[1][1:]
    assert (stage, [row["step"] for row in rows]) == ("task1", [1, 2])
    assert math.isnan(rows[0]["loss"])
    assert rows[1]["loss"] == 2


@pytest.mark.parametrize("broken", [EVERYTHING, ("open",)], ids=["all but opening", "opening"])
def test_no_error_of_a_logger_ends_a_run_and_the_first_is_one_warning(tmp_path, caplog, broken):
    bad, good = Recorder("bad", broken), Recorder("good")
    with open_record(tmp_path, WHO, {}, [bad, good]) as record:
        tell_everything(record)
    (warning,) = told(caplog)
    assert re.search("no room" if broken == ("open",) else f"bad's copy of {tmp_path} .*: rewind fails", warning)
    assert steps(tmp_path, "task1") == [1, 2]
    assert len(good.got) == 9, "the others are told all the same"
    assert len(bad.got) == (1 if broken == ("open",) else 9)


def test_a_logger_hears_of_a_crash(tmp_path):
    copy = Recorder()
    with pytest.raises(ZeroDivisionError), open_record(tmp_path, WHO, {}, [copy]):
        raise ZeroDivisionError
    assert copy.got[-1] == ("finish", 1)
