import json
import os
import subprocess
import sys

import pytest

from omasgan.commands import report
from omasgan.report import reading


@pytest.fixture(scope="session")
def settings(tmp_path_factory):
    """The part of the configuration that task=report reads."""

    def make(folders, output=None, mode=None, pictures=40):
        node = {"folders": folders, "output": str(output), "title": "Test <report>", "pictures": pictures}
        wandb = {"_target_": "omasgan.runs.wandb.WandbLogger", "mode": mode}
        return {"report": node, "runs": "runs", "logger": {"wandb": wandb} if mode else {}}

    return make


@pytest.fixture(scope="session")
def small_sweep(tmp_path_factory, fake):
    """Two by two settings, three classes of ten, two seeds; a failed run, an interrupted one, a damaged one."""
    top = tmp_path_factory.mktemp("sweep") / "runs"
    for mu in (0.02, 0.2):
        for nu in (0.1, 0.25):
            for cls in (0, 1, 2):
                for seed in (0, 1):
                    state = {(0.2, 0.25, 1): "failed", (0.2, 0.25, 2): "interrupted"}.get((mu, nu, cls), "done")
                    state = "failed" if (mu, nu, cls, seed) == (0.02, 0.1, 2, 1) else state
                    table = fake.scores(cls, 400, seed, lift=mu + nu)
                    fake.write(top, cls, seed, state, table, pictures=("samples", "plane"), mu=mu, nu=nu)
    damaged = fake.write(top, 3, 0, mu=0.02, nu=0.1)
    (damaged / "metrics.json").write_text('{"metrics": {"full": {')
    return top


@pytest.fixture(scope="session")
def read():
    return lambda *places: reading.read(list(places))


@pytest.fixture(scope="session")
def written(small_sweep, settings, tmp_path_factory):
    """The folder of the small sweep's report."""
    output = tmp_path_factory.mktemp("report")
    report.write(settings(str(small_sweep), output))
    return output


@pytest.fixture(scope="session")
def inspect():
    """All records of a `.wandb` file, by type, as W&B's own reader gives them."""

    def read_back(path):
        records = {}
        run = [sys.executable, "-m", "wandb", "leet", "inspect", "--json", str(path)]
        environment = os.environ | {"WANDB_ERROR_REPORTING": "false"}
        done = subprocess.run(run, check=True, capture_output=True, text=True, env=environment)
        for line in done.stdout.splitlines():
            record = json.loads(line)
            records.setdefault(record["type"], []).append(record[record["type"]])
        return records

    return read_back
