"""Measure the time and the size of the report over many run folders with made-up scores.

python experiments/speed/report.py 1000
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from fake_runs import sweep

from omasgan.report.page import content_of


def main() -> None:
    """Write the run folders, time `omasgan task=report` from start to end, and measure the size of the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=int, nargs="?", default=1000, help="how many run folders")
    number = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as place:
        top = Path(place)
        sweep(top / "runs", number)
        command = [sys.executable, "-m", "omasgan", "task=report", f"runs={top / 'runs'}"]
        for logger in ("none", "wandb"):
            before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
            subprocess.run([*command, f"report.output={top / 'out'}", f"logger={logger}"], check=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            print(
                f"logger={logger}: {time.monotonic() - started:.1f} s from start to end, {processor:.1f} s of processor"
            )
        page = (top / "out" / "report.html").read_text()
        images = sum(len(url) for run in content_of(page)["runs"] for url in run["pictures"].values())
        print(f"page: {len(page) / 1e6:.2f} MB, {(len(page) - images) / 1e6:.2f} MB of it before images")


if __name__ == "__main__":
    main()
