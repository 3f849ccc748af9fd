"""Trials of `wandb agent`, whose own code builds and starts the command, as W&B's own reader reads them."""

import os
import queue
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from omasgan.configuration.schema import SWEEPS
from omasgan.evaluation.objective import parse_key
from tests.wandb_reader import records

FILES = sorted(SWEEPS.glob("wandb_*.yaml"))
TINY = ("experiment=pixels", "budget=smoke", "baselines=none", "architecture=mlp", "device=cpu", "threads=1")
PARAMETERS = {"boundary.mu", "boundary.nu", "retraining.beta"}


@pytest.fixture
def agent_home(tmp_path, monkeypatch):
    """The folder of an agent whose environment finds this `omasgan` and no account."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    for name in ("DATA", "CACHE"):
        monkeypatch.delenv(f"WANDB_{name}_DIR")
    monkeypatch.setenv("WANDB_SWEEP_ID", "sweep1")
    monkeypatch.setenv("WANDB_PROJECT", "the_sweeps")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path / "agent"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return tmp_path


def read(folder):
    """The records of each W&B run below a folder, by its id."""
    return {(seen := records(path))["run"][0]["run_id"]: seen for path in folder.rglob("offline-run-*/*.wandb")}


def items(seen, key):
    """The values of a key in the history."""
    return [row["item"][key] for row in seen["history"] if key in row["item"]]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_files_of_wandb_sweep(composed, path):
    content = yaml.safe_load(path.read_text())
    assert path.stem == f"wandb_{content['method']}"
    assert content["parameters"].keys() == PARAMETERS
    split, *_ = parse_key(content["metric"]["name"])
    fixed = [word for word in content["command"] if not word.startswith("${")]
    cfg = composed(*fixed)
    assert (split, cfg.protocol.pseudo_class) == ("pseudo", "all")
    assert cfg.logger.wandb.mode == "online"
    assert content["command"][-1] == "${args_no_hyphens}"


@pytest.fixture(params=["here", pytest.param("in processes of their own", marks=pytest.mark.slow)])
def start(request, agent_home, monkeypatch, command):
    """Starts what W&B's agent makes of the server's answers; the exit codes. A process takes seconds to import."""
    from wandb import wandb_agent

    here = []
    if request.param == "here":
        monkeypatch.setattr(
            wandb_agent, "AgentProcess", lambda command, env, **_: SimpleNamespace(given=here.append((command, env)))
        )

    def do(words, answers):
        agent = wandb_agent.Agent(None, queue.Queue(), sweep_id="sweep1")
        agent._sweep_command = words
        for answer in answers:
            agent._command_run(answer)
        if not here:
            return [process.wait() for process in agent._run_processes.values()]
        codes = []
        for (program, name, *arguments), env in here:
            assert (program, name, bool(shutil.which(name))) == ("/usr/bin/env", "omasgan", True)
            with monkeypatch.context() as patch:
                for variable, value in env.items():
                    patch.setenv(variable, value)
                codes.append(command(*arguments).code)
        return codes

    return do


@pytest.mark.heavy
def test_each_trial_of_an_agent_is_the_run_that_its_sweep_waits_for(start, agent_home):
    content = yaml.safe_load((SWEEPS / "wandb_bayes.yaml").read_text())
    short = ["protocol.pseudo_class=1", "budget=smoke", "device=cpu", "threads=1", f"runs={agent_home}/runs"]
    answers = [
        {
            "type": "run",
            "run_id": f"trial{n}",
            "program": content["program"],
            "args": {key: {"value": 0.1 * n} for key in PARAMETERS},
        }
        for n in (1, 2)
    ]
    assert start([*content["command"][:-1], *short, content["command"][-1]], answers) == [0, 0]

    trials = read(agent_home)
    assert trials.keys() == {"trial1", "trial2"}, "and no other run of W&B"
    for number, seen in enumerate((trials["trial1"], trials["trial2"]), 1):
        (run,) = seen["run"]
        assert (run["sweep_id"], run["project"]) == ("sweep1", "the_sweeps")
        assert run["run_group"] == "digits_pseudo_loo_over_beta+mu+nu-sweep1"
        assert f"mu={0.1 * number}" in run["display_name"]
        config = run["config"]["update"]
        assert config.items() >= dict.fromkeys(PARAMETERS, 0.1 * number).items(), "as the sweep calls them"
        assert config["boundary"]["mu"] == 0.1 * number
        assert "commit" in config
        assert len(items(seen, content["metric"]["name"])) == 1
        assert items(seen, "task1/loss/G")
        assert seen["exit"][-1].get("exit_code", 0) == 0


@pytest.mark.heavy
def test_a_trial_over_classes_is_one_run_with_a_point_a_class_and_is_told_again(command, agent_home, monkeypatch, zoo):
    def trial(run_id):
        monkeypatch.setenv("WANDB_RUN_ID", run_id)
        protocol = ("protocol=pseudo_loo", "protocol.abnormal_class=0", "protocol.pseudo_class=all")
        arguments = (*TINY, *zoo, *protocol, "logger=[csv,wandb]", f"runs={agent_home}/runs")
        assert command(*arguments).code == 0
        assert os.environ["WANDB_RUN_ID"] == run_id
        return read(agent_home)

    seen = trial("first")
    assert seen.keys() == {"first"}
    curve = items(seen["first"], "pseudo/auroc/full")
    assert len(curve) == 2
    assert items(seen["first"], "pseudo/step") == [1, 2]
    keys = {key for row in seen["first"]["history"] for key in row["item"]}
    assert sum(key.endswith("/task1/loss/G") for key in keys) == 2, "one of each class"
    summary = {key: value for part in seen["first"]["summary"] for key, value in part.get("update", {}).items()}
    assert summary["pseudo/auroc/full"] == pytest.approx(curve[-1])

    seen = trial("second")
    assert seen.keys() == {"first", "second"}
    assert items(seen["second"], "pseudo/auroc/full") == curve, "of runs that are finished"


def test_a_trial_that_is_a_sweep_is_refused(command, agent_home, monkeypatch):
    monkeypatch.setenv("WANDB_RUN_ID", "first")
    outcome = command("-m", "seed=0,1", *TINY, "protocol.abnormal_class=0", f"runs={agent_home}/runs")
    assert outcome.code == 1
    assert "wandb agent started this as one trial of its sweep sweep1" in str(outcome)
