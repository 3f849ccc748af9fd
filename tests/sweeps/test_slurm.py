"""`hydra/launcher=slurm` with stand-ins for Slurm's commands, which run an array's jobs here.

Needs the extra `slurm`, which is no part of `dev`: Hydra imports every plugin at each start.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from omasgan.configuration.schema import PLUGINS

pytest.importorskip("submitit")

SBATCH = r"""#!/usr/bin/env bash
script="${@: -1}"
echo "$script" >> "$SLURM_SUBMITTED"
range=$(grep -oP '(?<=--array=)\d+-\d+' "$script")
for i in $(seq ${range/-/ }); do
    export SLURM_JOB_ID=$((100 + i)) SLURM_ARRAY_JOB_ID=100 SLURM_ARRAY_TASK_ID=$i SLURM_JOB_NUM_NODES=1
    export SLURM_NTASKS=1 SLURM_NODEID=0 SLURM_PROCID=0 SLURM_LOCALID=0 SLURM_JOB_NODELIST=here
    nohup bash "$script" > /dev/null 2>&1 &
done
echo "Submitted batch job 100"
"""
SRUN = """#!/usr/bin/env bash
while [[ $1 == -* ]]; do
    case $1 in --output|--error) shift 2 ;; *) shift ;; esac
done
exec "$@"
"""
NO_ACCOUNTS = "#!/bin/sh\necho 'Slurm accounting storage is disabled' >&2\nexit 1\n"

TOY = (
    *("experiment=rows", "dataset=toy_blobs", "dataset.train_size=200", "dataset.test_size=100"),
    *("architecture.width=8", "budget=smoke", "logger=none", "baselines=none", "device=cpu", "threads=1"),
)


@pytest.mark.slow
def test_a_sweep_as_a_job_array(tmp_path):
    commands = {"sbatch": SBATCH, "srun": SRUN, "sacct": NO_ACCOUNTS, "scancel": NO_ACCOUNTS}
    for name, text in commands.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    path = os.pathsep.join([str(tmp_path), os.environ["PATH"]])
    plugins = os.pathsep.join([os.environ.get("PYTHONPATH", ""), str(PLUGINS)]).strip(os.pathsep)
    environment = {**os.environ, "PATH": path, "PYTHONPATH": plugins, "SLURM_SUBMITTED": str(tmp_path / "submitted")}

    command = [sys.executable, "-m", "omasgan", *TOY, f"runs={tmp_path}/runs", "hydra/launcher=slurm", "-m"]
    sweep = [*command, "seed=0,1", "boundary.mu=0.02,-1"]
    done = subprocess.run(sweep, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 1
    assert "4 jobs: 2 done, 0 skipped, 2 failed, 0 interrupted" in done.stdout
    assert re.search(r"boundary.mu=-1 +failed .* boundary.mu is -1: it must be at least 0", done.stdout)
    (script,) = (tmp_path / "submitted").read_text().splitlines()
    assert "--array=0-3%4" in Path(script).read_text()

    again = subprocess.run(
        [*command, "seed=0,1"], env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert again.returncode == 0
    assert "2 jobs: 0 done, 2 skipped" in again.stdout
