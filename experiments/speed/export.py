"""Size and latency of exported detectors: omasgan itself, torch.export and ONNX Runtime, for batches of 1 and 64.

    python experiments/speed/export.py RUN [RUN ...] [--seconds 5] [--csv FILE]

Each RUN is the folder of a finished run. The three programs score the same random samples in turn, in rounds, so that
other work on the machine slows all of them alike. p50 and p99 are quantiles of the milliseconds of a batch.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from torch import Tensor

from omasgan.detectors.base import Detector
from omasgan.pipeline.export import PLAIN, Graph, export
from omasgan.pipeline.fit import load_run

BATCHES, THREADS = (1, 64), (1, 2)


def samples(detector: Detector, n: int) -> Tensor:
    """n random samples."""
    random = torch.Generator().manual_seed(0)
    if detector.spec.is_image:
        return torch.randint(0, 256, (n, *detector.spec.shape), dtype=torch.uint8, generator=random)
    return torch.randn(n, *detector.spec.shape, generator=random)


def programs(detector: Detector, folder: Path, threads: int) -> dict[str, Callable[[Tensor], object]]:
    """What scores samples, by name; `folder` has the exported files."""
    torch.set_num_threads(threads)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(folder / "detector.onnx", options)
    program = torch.export.load(folder / "detector.pt2").module()
    return {
        "omasgan": detector.score,
        "torch.export": torch.inference_mode()(program),
        "ONNX Runtime": lambda x: session.run(["score"], {"samples": x.numpy()}),
    }


def times(run: dict[str, Callable[[Tensor], object]], x: Tensor, seconds: float) -> dict[str, list[float]]:
    """The milliseconds of every batch, by program."""
    found: dict[str, list[float]] = {name: [] for name in run}
    for score in run.values():
        score(x)
    end = time.perf_counter() + seconds * len(run)
    while time.perf_counter() < end or len(found["omasgan"]) < 3:
        for name, score in run.items():
            start = time.perf_counter()
            score(x)
            found[name].append(1000 * (time.perf_counter() - start))
    return found


def rows(path: Path, seconds: float) -> Iterator[list[str]]:
    """The rows of the table for one run."""
    detector, normal_scores, _ = load_run(path, PLAIN)
    with tempfile.TemporaryDirectory() as made:
        for suffix in (".pt2", ".onnx"):
            export(Graph(detector, normal_scores), Path(made) / f"detector{suffix}")
        sizes = {
            "omasgan": (path / "detector.pt").stat().st_size,
            "torch.export": (Path(made) / "detector.pt2").stat().st_size,
            "ONNX Runtime": (Path(made) / "detector.onnx").stat().st_size,
        }
        for threads in THREADS:
            run = programs(detector, Path(made), threads)
            for n in BATCHES:
                for name, taken in times(run, samples(detector, n), seconds).items():
                    middle, high = np.quantile(taken, [0.5, 0.99])
                    yield [
                        *(path.parents[1].name, name, f"{sizes[name] / 1e6:.1f}", str(threads), str(n)),
                        *(f"{middle:.3g}", f"{high:.3g}", str(len(taken))),
                    ]


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--seconds", type=float, default=5, help="for each program, number of threads and batch")
    parser.add_argument("--csv", type=Path)
    arguments = parser.parse_args()
    head = ["run", "program", "MB", "threads", "batch", "p50 ms", "p99 ms", "n"]
    table = [head, *(row for path in arguments.runs for row in rows(path, arguments.seconds))]
    for row in table:
        print(" | ".join(row))
    if arguments.csv:
        with arguments.csv.open("w", newline="") as file:
            csv.writer(file).writerows(table)


if __name__ == "__main__":
    main()
