"""Compare the product's search for nearest neighbours with that of faiss: seconds, memory and exactness.

    pip install faiss-cpu    # for this comparison alone; the product does not need it
    python experiments/speed/neighbours.py 60000 152 10000    # samples in the bank, their length, samples to search for
    python experiments/speed/neighbours.py 1000000 1280 500

Every method runs in a process of its own, with all cores, on the same random rows: a mixture of 100 Gaussians, around
whose centres the rows lie as embeddings do around modes. `exact` is the share of the three nearest neighbours that are
those of a search in float64 (for 200 of the rows). Memory is read from /proc, which only Linux has.
"""

from __future__ import annotations

import multiprocessing
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from omasgan.method.memory_bank import MemoryBank

NEIGHBOURS = 3
CHECKED = 200

Rows = NDArray[np.float32]
Search = Callable[[Rows], NDArray[np.int64]]


def rows(n: int, k: int, seed: int) -> Rows:
    """Rows (n, k) of a mixture of 100 Gaussians, whose centres do not depend on the seed."""
    centres = np.random.default_rng(0).standard_normal((100, k), dtype=np.float32)
    rng = np.random.default_rng(seed)
    made = rng.standard_normal((n, k), dtype=np.float32)
    for start in range(0, n, 10_000):
        part = made[start : start + 10_000]
        part *= 0.5
        part += centres[rng.integers(100, size=len(part))]
    return made


def ours(bank: Rows, dtype: torch.dtype | None) -> Search:
    """The memory bank of the product."""
    built = MemoryBank(torch.from_numpy(bank), dtype)
    return lambda x: built.nearest(torch.from_numpy(x), NEIGHBOURS)[1].numpy()


def faiss_index(bank: Rows, description: str) -> Search:
    """An index of faiss: Flat is exact; IVF searches 16 of its cells; HNSW is a graph."""
    import faiss

    index = faiss.index_factory(bank.shape[1], description)
    index.train(bank[:: max(1, len(bank) // 100_000)])
    index.add(bank)
    if description.startswith("IVF"):
        index.nprobe = 16
    return lambda x: index.search(x, NEIGHBOURS)[1]


METHODS: dict[str, Callable[[Rows], Search]] = {
    "omasgan, float32": lambda bank: ours(bank, None),
    "omasgan, bfloat16": lambda bank: ours(bank, torch.bfloat16),
    "faiss Flat": lambda bank: faiss_index(bank, "Flat"),
    "faiss IVF": lambda bank: faiss_index(bank, f"IVF{round(len(bank) ** 0.5)},Flat"),
    "faiss HNSW": lambda bank: faiss_index(bank, "HNSW32"),
}


def resident() -> int:
    """Bytes of memory that this process uses."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def measure(name: str, n: int, k: int, queries: int, truth: NDArray[np.int64], results: Any) -> None:
    """Measure one method: seconds to build and to search 1,000 rows, gigabytes above those of the rows, exactness."""
    bank, x = rows(n, k, 1), rows(queries, k, 2)
    before = resident()
    start = time.perf_counter()
    search = METHODS[name](bank)
    built = time.perf_counter()
    found = search(x)
    done = time.perf_counter()
    memory = (resident() - before) / 2**30
    same = np.mean([len(set(a) & set(b)) / NEIGHBOURS for a, b in zip(found[:CHECKED], truth, strict=True)])
    results.put((built - start, 1000 * (done - built) / queries, memory, float(same)))


def exact(n: int, k: int, queries: int) -> NDArray[np.int64]:
    """The nearest rows of the first `CHECKED` queries, by differences in float64."""
    bank, x = rows(n, k, 1), rows(queries, k, 2)[:CHECKED]
    distances = np.empty((len(x), n))
    for start in range(0, n, 10_000):
        part = bank[start : start + 10_000].astype(np.float64)
        square = (
            (part**2).sum(axis=1) - 2 * (x.astype(np.float64) @ part.T) + (x.astype(np.float64) ** 2).sum(1)[:, None]
        )
        distances[:, start : start + 10_000] = square
    return np.argpartition(distances, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]


def main(n: int, k: int, queries: int, names: list[str]) -> None:
    """Print a row of a Markdown table for each method."""
    truth = exact(n, k, queries)
    print("| method | rows | built, s | 1,000 searched, s | memory above the rows, GB | exact |")
    print("|---|---|---|---|---|---|")
    context = multiprocessing.get_context("spawn")
    for name in names or METHODS:
        results = context.Queue()
        process = context.Process(target=measure, args=(name, n, k, queries, truth, results))
        process.start()
        built, searched, memory, same = results.get()
        process.join()
        print(f"| {name} | {n:,} x {k} | {built:.2f} | {searched:.3f} | {memory:.2f} | {same:.4f} |", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:4]), sys.argv[4:])
