"""Measure the time that a sweep adds to its jobs, with the launchers `basic` and `pool`.

The jobs are as short as possible, on toy data, so that a sweep of them is almost entirely overhead. The time that a job
takes by itself is read from the files of its run folder; the rest of the sweep's time is what lies between two jobs.

    python experiments/speed/sweep_overhead.py [--jobs 12] [--logger wandb] [--csv experiments/speed/sweep_overhead.csv]
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TOY = (
    *("experiment=rows", "dataset=toy_blobs", "dataset.train_size=200", "dataset.test_size=100"),
    *("architecture.width=8", "budget=smoke", "baselines=none", "device=cpu", "threads=1"),
)


def sweep(launcher: str, jobs: int, logger: str, runs: str) -> float:
    """Run a sweep of short jobs, and return the seconds that the command took."""
    command = [sys.executable, "-m", "omasgan", *TOY, f"logger={logger}", f"runs={runs}", "-m", f"seed=range({jobs})"]
    start = time.time()
    subprocess.run([*command, f"hydra/launcher={launcher}"], check=True, capture_output=True)
    return time.time() - start


def spans(runs: Path) -> list[tuple[float, float, float, float]]:
    """Return four times for each run: folder made, first step recorded, last step recorded, last file written."""
    found = []
    for metrics in runs.rglob("metrics.json"):
        folder = metrics.parent
        steps = [json.loads(line)["time"] for line in (folder / "metrics.jsonl").read_text().splitlines()]
        made = (folder / "lock").stat().st_mtime
        found.append((made, min(steps), max(steps), metrics.stat().st_mtime))
    return sorted(found)


def main() -> None:
    """Measure both launchers, print the times, and write them as CSV where a file is given."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=12)
    parser.add_argument("--logger", default="wandb", help="wandb (offline) or none")
    parser.add_argument("--csv", help="also write the table to this file")
    arguments = parser.parse_args()

    header = ["launcher", "jobs", "at a time", "until the first job's first step", "a job", "of which training"]
    header += ["scoring, plots and files", "between two jobs"]
    rows = []
    for launcher in ("basic", "pool"):
        with tempfile.TemporaryDirectory() as folder:
            start = time.time()
            whole = sweep(launcher, arguments.jobs, arguments.logger, folder)
            runs = spans(Path(folder))
        parallel = 1 if launcher == "basic" else min(len(os.sched_getaffinity(0)), 8)
        first = min(run[1] for run in runs) - start
        # `place` is the wall-clock time for one job, times the jobs at a time; what exceeds the job's own time lies
        # between two jobs.
        job = statistics.median(run[3] - run[0] for run in runs)
        training = statistics.median(run[2] - run[1] for run in runs)
        after = statistics.median(run[3] - run[2] for run in runs)
        place = (max(run[3] for run in runs) - min(run[0] for run in runs)) * parallel / len(runs)
        row = [launcher, len(runs), parallel, first, job, training, after, place - job]
        rows.append(row)
        print(f"{launcher}: {whole:.1f} s for {len(runs)} jobs, {parallel} at a time")
        for name, value in zip(header[3:], row[3:], strict=True):
            print(f"    {name:34} {value:6.2f} s")
    if arguments.csv:
        with Path(arguments.csv).open("w", newline="") as file:
            csv.writer(file).writerows([header, *rows])


if __name__ == "__main__":
    main()
