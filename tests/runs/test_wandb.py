import json
import math
import os
import pty
import subprocess
import sys
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from omasgan.configuration.validation import check_node
from omasgan.errors import UserError
from omasgan.runs.record import open_record
from omasgan.runs.wandb import WANDB_ID, WandbLogger
from omasgan.runs.wandb_exporter import key
from omasgan.runs.wandb_trial import Agent, TrialLogger
from tests.runs.common import WHO, steps, told
from tests.wandb_reader import records

OFFLINE = WandbLogger()
KEY = "0" * 40


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """An empty home without a key."""
    for name in list(os.environ):
        if name.startswith(("WANDB_", "XDG_")):
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("NETRC", str(home / "netrc"))
    return home


def parts(folder):
    """The parts of a run that W&B keeps offline, oldest first."""
    return sorted(folder.glob("wandb/offline-run-*/*.wandb"), key=lambda path: (path.stat().st_mtime, path))


@pytest.mark.parametrize(
    ("setting", "value"),
    [("mode", "on"), ("init_timeout", 0), ("finish_timeout", math.nan)],
)
def test_settings_out_of_range_are_named(setting, value):
    with pytest.raises(UserError, match=f"logger.wandb.{setting} is"):
        check_node("logger.wandb", {"_target_": "omasgan.runs.wandb.WandbLogger", setting: value})


def test_what_is_given_takes_the_place_of_what_follows_from_the_settings():
    part = replace(WHO, part="abnormal_3", notes="omasgan seed=1")
    plain = OFFLINE.listed(part, "1", {})
    assert (plain["name"], plain["group"], plain["tags"]) == (WHO.name, WHO.group, WHO.tags)
    assert plain["notes"] == "omasgan seed=1"
    given = WandbLogger(name="mine", group="ours", tags="paper, kl", notes="see the appendix").listed(part, "1", {})
    assert (given["name"], given["group"], given["notes"]) == ("mine abnormal_3", "ours", "see the appendix")
    assert given["tags"] == (*WHO.tags, "paper"), "each once"
    assert WandbLogger(tags="").listed(part, "1", {})["tags"] == WHO.tags, "an empty variable"
    assert WandbLogger(name="mine", tags=["x"]).listed(WHO, "1", {})["name"] == "mine"


@pytest.mark.parametrize("tags", ["a,,b", ["x" * 65]])
def test_a_tag_that_wandb_refuses_is_named(tags):
    with pytest.raises(UserError, match=r"logger.wandb.tags has '.*': give tags of 1 to 64"):
        WandbLogger(tags=tags)


def test_a_long_name_of_a_class_is_cut_where_wandb_would_refuse_it():
    listed = OFFLINE.listed(replace(WHO, name="x" * 200, tags=("abnormal_" + "y" * 60,)), "1", {})
    assert (len(listed["name"]), [len(tag) for tag in listed["tags"]]) == (128, [64])


def test_a_disabled_logger_leaves_no_trace(tmp_path):
    assert WandbLogger(mode="disabled").open(tmp_path / "run", WHO, {}) is None
    assert not (tmp_path / "run").exists()


def test_names_become_keys_that_wandb_can_query():
    assert key("loss/G'") == "loss/G_prime"
    assert key("divergence/data to B") == "divergence/data_to_B"
    assert key("test/auroc/full") == "test/auroc/full"


# --- offline


def test_the_mirror_is_complete_and_quiet_and_leaves_the_home_alone(tmp_path, home, capfd):
    from PIL import Image

    Image.new("L", (4, 4)).save(tmp_path / "samples.png")
    environment = dict(os.environ)
    with open_record(tmp_path / "run", WHO, {"mu": 0.5, "loss": {"nu": 2}}, [OFFLINE]) as record:
        record.scalars("task1", 20, {"loss": 1.5, "gap": math.nan})
        record.scalars("task1", 40, {"loss": 1.25})
        record.scalars("task2", 20, {"loss": 3.0})
        record.picture("samples", tmp_path / "samples.png")
        record.table("scores", ["class", "auroc"], [["3", 0.9], ["mean", math.nan]])
        record.summary({"auroc": 0.9, "verdict": "fine"})
        print("ours")
    assert capfd.readouterr() == ("ours\n", "")
    assert list(home.rglob("*")) == []
    assert dict(os.environ) | {"WANDB_SERVICE": ""} == environment | {"WANDB_SERVICE": ""}

    (path,) = parts(tmp_path / "run")
    seen = records(path)
    assert "ours" not in json.dumps(seen)  # the console is none of W&B's business
    (run,) = seen["run"]
    assert (run["display_name"], run["run_group"], run["job_type"]) == (WHO.name, WHO.group, WHO.job_type)
    assert sorted(run["tags"]) == sorted(WHO.tags)
    assert run["run_id"] == (tmp_path / "run" / WANDB_ID).read_text()
    assert run["config"]["update"].items() >= {"mu": 0.5, "loss": {"nu": 2}}.items()
    rows = [row["item"] for row in seen["history"]]
    assert [(row["task1/step"], row["task1/loss"]) for row in rows if "task1/step" in row] == [
        (20, 1.5),
        (40, 1.25),
    ]
    assert [(row["task2/step"], row["task2/loss"]) for row in rows if "task2/step" in row] == [(20, 3.0)]
    axes = {metric.get("glob_name"): metric.get("step_metric") for metric in seen["metric"]}
    assert axes.items() >= {"task1/*": "task1/step", "task2/*": "task2/step"}.items()
    media = {key: row[key] for row in rows for key in row if key.endswith(".path")}
    assert {"samples.path", "scores.path"} <= media.keys()
    table = json.loads((path.parent / "files" / media["scores.path"]).read_text())
    assert (table["columns"], table["data"][0]) == (["class", "auroc"], ["3", 0.9])
    summary = {key: value for part in seen["summary"] for key, value in part["update"].items()}
    assert (summary["auroc"], summary["verdict"]) == (0.9, "fine")
    assert seen["exit"][-1].get("exit_code", 0) == 0
    staged = Path(seen["artifact"][0]["manifest"]["contents"][0]["local_path"])
    assert staged.is_file()  # or `wandb sync` has no table to upload
    assert staged.is_relative_to(tmp_path / "run")


def test_the_users_folders_for_wandb_are_respected(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_DATA_DIR", str(tmp_path / "mine"))
    with open_record(tmp_path / "run", WHO, {}, [OFFLINE]) as record:
        record.table("scores", ["class"], [["3"]])
    assert list((tmp_path / "mine").rglob("staging"))
    assert os.environ["WANDB_DATA_DIR"] == str(tmp_path / "mine")


def test_jobs_of_one_process_stay_apart_and_a_crash_shows(tmp_path, capfd):
    def crash():
        with open_record(tmp_path / "a", WHO, {"job": "a"}, [OFFLINE]) as record:
            record.scalars("task1", 1, {"loss": 1.0})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        crash()
    with open_record(tmp_path / "b", WHO, {"job": "b"}, [OFFLINE]) as record:
        record.scalars("task1", 1, {"loss": 2.0})
    assert capfd.readouterr() == ("", "")  # W&B's own `with` prints the traceback
    for job, loss, code in (("a", 1.0, 1), ("b", 2.0, 0)):
        (path,) = parts(tmp_path / job)
        seen = records(path)
        assert seen["run"][0]["config"]["update"]["job"] == job
        assert [row["item"]["task1/loss"] for row in seen["history"]] == [loss]
        assert seen["exit"][-1].get("exit_code", 0) == code


def test_a_run_that_another_left_open_is_not_continued(tmp_path):
    import wandb

    stray = wandb.init(mode="offline", dir=tmp_path / "stray", project="theirs")
    with open_record(tmp_path, WHO, {}, [OFFLINE]) as record:
        assert record.exporters[0].run.id == (tmp_path / WANDB_ID).read_text() != stray.id


def test_a_death_of_wandbs_is_one_warning_and_the_next_job_has_its_mirror(tmp_path, caplog, monkeypatch):
    def lost(*_, **__):
        raise ConnectionResetError("Connection lost")

    with open_record(tmp_path / "a", WHO, {}, [OFFLINE]) as record:
        monkeypatch.setattr(record.exporters[0].run, "log", lost)
        monkeypatch.setattr(record.exporters[0].run, "finish", lost)
        for step in (1, 2, 3):
            record.scalars("task1", step, {"loss": step})
        record.picture("samples", tmp_path / "none.png")
        record.table("scores", ["one"], [["too", "many"]])
        record.summary({"auroc": 0.9})
    (warning,) = told(caplog)
    assert str(tmp_path / "a") in warning
    assert "Connection lost" in warning
    assert steps(tmp_path / "a", "task1") == [1, 2, 3]
    with open_record(tmp_path / "b", WHO, {}, [OFFLINE]) as record:
        record.scalars("task1", 1, {"loss": 1})
    assert len(records(parts(tmp_path / "b")[0])["history"]) == 1


def test_a_run_that_wandb_refuses_is_recorded_all_the_same(tmp_path, caplog):
    with open_record(tmp_path, WHO, {}, [WandbLogger(project="no/slash")]) as record:
        record.scalars("task1", 1, {"loss": 1})
    (warning,) = told(caplog)
    assert "W&B does not record this run" in warning
    assert steps(tmp_path, "task1") == [1]


# --- online


class Server:
    """As much of W&B's server as a run needs; once frozen it takes requests and answers none."""

    def __init__(self):
        self.frozen, self.asked, self.history, self.begun = threading.Event(), [], [], []
        self.known = self.is_lost_after_a_start = False
        thaw = self.thaw = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                server.asked.append(self.path)
                if server.frozen.is_set():
                    thaw.wait()
                    return
                answer = json.dumps(server.answer(self.path, body)).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_GET = do_PUT = do_POST  # noqa: N815

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def answer(self, path, body):
        if path.endswith("file_stream"):
            for name, file in json.loads(body).get("files", {}).items():
                if name == "wandb-history.jsonl":
                    self.history[file["offset"] :] = map(json.loads, file["content"])
            return {}
        if path != "/graphql":
            return {}
        query = json.loads(body)
        project = {"id": "1", "name": "omasgan", "entity": {"id": "1", "name": "me"}}
        last = self.history[-1:]
        run = {"id": "1", "name": query["variables"].get("name"), "displayName": "run", "project": project}
        run |= {
            "config": "{}",
            "wandbConfig": '{"t": 1}',
            "tags": [],
            "eventsTail": "[]",
            "eventsLineCount": 0,
        }
        run |= {"historyTail": json.dumps([*map(json.dumps, last)]), "historyLineCount": len(self.history)}
        run |= {"summaryMetrics": json.dumps(last[0] if last else {}), "logLineCount": 0}
        match query["operationName"]:
            case "RunResumeStatus":
                return {"data": {"model": {**project, "bucket": run if self.known else None}}}
            case "UpsertBucket":
                self.begun.append(query["variables"])
                self.known, new = True, not self.known
                if self.is_lost_after_a_start:
                    self.frozen.set()
                return {"data": {"upsertBucket": {"bucket": run, "inserted": new}}}
            case "CreateRunFiles":
                files = [{"name": name, "uploadUrl": f"{self.url}/up"} for name in query["variables"]["files"]]
                return {"data": {"createRunFiles": {"runID": "1", "uploadHeaders": [], "files": files}}}
        return {"data": {}}


@pytest.fixture
def server(monkeypatch):
    server = Server()
    monkeypatch.setenv("WANDB_BASE_URL", server.url)
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    yield server
    server.thaw.set()
    server.http.shutdown()
    server.http.server_close()


def losses(rows):
    return [(row["task1/step"], row["task1/loss"]) for row in rows]


def test_online_a_resumed_run_continues_the_first(tmp_path, server, caplog):
    caplog.set_level("INFO", "omasgan")
    for step in (1, 2):
        with open_record(tmp_path, WHO, {"mu": 1}, [WandbLogger(mode="online")]) as record:
            record.scalars("task1", step, {"loss": step / 2})
    assert losses(server.history) == [(1, 0.5), (2, 1.0)]
    assert [row["_step"] for row in server.history] == [0, 1]
    link = f"/runs/{(tmp_path / WANDB_ID).read_text()}"
    assert [message.endswith(link) for message in told(caplog)] == [True, True]


def test_online_a_trial_has_the_id_and_the_sweep_that_the_agent_names(tmp_path, server, monkeypatch):
    for name, value in {"SWEEP_ID": "sweep1", "RUN_ID": "trial1", "PROJECT": "theirs", "ENTITY": "team"}.items():
        monkeypatch.setenv(f"WANDB_{name}", value)
    trial = TrialLogger(WandbLogger(mode="online", project="ours"), Agent("sweep1", "trial1", {"boundary.mu": 1}))
    with open_record(tmp_path, WHO, {"boundary": {"mu": 1}}, [trial]) as record:
        for step in (1, 2):
            record.scalars("pseudo", step, {"auroc/full": step / 2})
    first = server.begun[0]
    assert [first[key] for key in ("name", "sweep", "project", "entity")] == ["trial1", "sweep1", "theirs", "team"]
    assert (
        json.loads(first["config"]).items() >= {"boundary.mu": {"value": 1}, "boundary": {"value": {"mu": 1}}}.items()
    )
    assert [row["pseudo/auroc/full"] for row in server.history] == [0.5, 1.0]


def test_offline_the_parts_of_a_resumed_run_are_one_after_sync(tmp_path, server):
    for step in (1, 2):
        with open_record(tmp_path, WHO, {"mu": 1}, [OFFLINE]) as record:
            record.scalars("task1", step, {"loss": step / 2})
    assert server.asked == []
    for part in parts(tmp_path):
        command = [sys.executable, "-m", "wandb", "sync", str(part.parent)]
        subprocess.run(command, check=True, capture_output=True, cwd=tmp_path)  # where it leaves logs
    assert losses(server.history) == [(1, 0.5), (2, 1.0)]
    assert [row["_step"] for row in server.history] == [0, 1]


SCRIPT = """
import logging, sys
from pathlib import Path
from omasgan.runs.logger import Identity
from omasgan.runs.record import open_record
from omasgan.runs.wandb import WandbLogger
logging.basicConfig(format="%(message)s")
logger = WandbLogger("online", init_timeout=float(sys.argv[1]), finish_timeout=1)
for folder in map(Path, sys.argv[2:]):
    with open_record(folder, Identity("a", "b", "c", ()), {}, [logger]) as record:
        record.scalars("task1", 1, {"loss": 1})
        record.scalars("task1", 2, {"loss": 2})
"""


def run(init_timeout, *folders, **streams):
    """Online runs in a process of their own, which W&B's own time-outs of minutes would not end in time."""
    command = [sys.executable, "-c", SCRIPT, str(init_timeout), *map(str, folders)]
    return subprocess.run(command, check=True, text=True, timeout=80, **streams)


def test_without_a_key_nothing_is_asked_on_the_terminal(tmp_path):
    terminal, inside = pty.openpty()
    run(20, tmp_path, stdin=inside, stdout=inside, stderr=inside)
    os.close(inside)
    (line,) = os.read(terminal, 1 << 16).decode().splitlines()
    os.close(terminal)
    assert "W&B is not online" in line
    assert len(parts(tmp_path)) == 1
    assert steps(tmp_path, "task1") == [1, 2]


@pytest.mark.heavy
@pytest.mark.parametrize("silent", [True, False])
def test_a_dead_server_costs_a_time_out_and_no_record(tmp_path, server, monkeypatch, silent):
    server.frozen.set()
    if not silent:
        monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:1")
    jobs = "ab" if silent else "a"
    done = run(1, *[tmp_path / job for job in jobs], capture_output=True)
    assert done.stdout == ""
    assert [line.startswith("W&B is not online") for line in done.stderr.splitlines()] == [True] * len(jobs)
    assert set(server.asked) <= {"/graphql"}  # no error report, whose time-out is none of ours
    for job in jobs:
        assert steps(tmp_path / job, "task1") == [1, 2]
        (path,) = parts(tmp_path / job)
        assert losses(row["item"] for row in records(path)["history"]) == [(1, 1), (2, 2)]


def test_a_server_lost_on_the_way_costs_a_time_out_and_no_record(tmp_path, server):
    server.is_lost_after_a_start = True
    done = run(20, tmp_path, capture_output=True)
    (warning,) = done.stderr.splitlines()
    assert "is not complete" in warning
    assert steps(tmp_path, "task1") == [1, 2]
