"""Time of a Task 1 step, of a Task 2 step and of scoring, against the same steps in plain code, in one run.

Plain: float32, contiguous memory, the C library's allocator as it is, d and s written as loops over the samples of B.
The steps are the product's own; only these parts are exchanged. Repetitions alternate, so that what else the machine
does hits both; the ratio of medians counts.

    python experiments/speed/benchmark.py [--width 64] [--batch 128] [--steps 10] [--repeats 5]
"""

from __future__ import annotations

import argparse
import copy
import csv
import logging
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from unittest.mock import patch

import torch
from torch import Tensor, nn

from omasgan import build
from omasgan.architectures.base import FromPixels, ToPixels
from omasgan.architectures.dcgan import DCGAN
from omasgan.data.batches import Batches, Scaling
from omasgan.divergences import GAN
from omasgan.memory import keep_freed_memory
from omasgan.settings import Boundary, Budget, Optimisation
from omasgan.stages import task1, task2
from omasgan.stages.stage import Recipe, Workspace, frozen

SHAPE = (1, 28, 28)


def loop_distance(b: Tensor, g: Tensor, p: float = 2.0) -> Tensor:
    """Eq. (4), a sample of B at a time."""
    b, g = b.flatten(1), g.flatten(1)
    return torch.stack([torch.linalg.vector_norm(b_i - g, ord=p, dim=1).min() for b_i in b])


def loop_dispersion(z: Tensor, b: Tensor, neighbours: int | None = None, epsilon: float = 0.0) -> Tensor:
    """Eq. (5), a sample of B at a time."""
    b = b.flatten(1)
    rows = []
    for i in range(len(b)):
        others = torch.arange(len(b)) != i
        between_b = (torch.linalg.vector_norm(b[i] - b[others] + 1e-6, dim=1).square() + epsilon**2).sqrt()
        ratio = torch.linalg.vector_norm(z[i] - z[others], dim=1) / between_b
        chosen = slice(None) if neighbours is None else between_b.topk(neighbours, largest=False).indices
        rows.append(ratio[chosen].mean())
    return torch.stack(rows)


def plain(network: nn.Module) -> nn.Module:
    """The same network in contiguous memory."""
    network = copy.deepcopy(network)
    for name, layer in network.named_children():
        if isinstance(layer, ToPixels):
            setattr(network, name, nn.Unflatten(1, layer.shape))
        if isinstance(layer, FromPixels):
            setattr(network, name, nn.Flatten())
    return network.to(memory_format=torch.contiguous_format)


Steps = Callable[[], None]


def task1_steps(G: nn.Module, D: nn.Module, batches: Batches, recipe: Recipe, workspace: Workspace) -> Steps:
    """Task 1's loop, without its checkpoints."""
    return lambda: task1.train(G, D, copy.deepcopy(G), batches, recipe, workspace)


def task2_steps(G: nn.Module, D: nn.Module, batches: Batches, recipe: Recipe, workspace: Workspace) -> Steps:
    """Task 2's loop, without its checkpoints."""
    B = copy.deepcopy(G).train().requires_grad_(True)
    fixed = frozen(copy.deepcopy(G))
    return lambda: task2.train(B, D, copy.deepcopy(B), fixed, batches, Boundary(), recipe, workspace)


def milliseconds(run: Callable[[], None], count: int) -> float:
    """Time of one of `count` units of work that `run` does."""
    start = time.perf_counter()
    run()
    return 1000 * (time.perf_counter() - start) / count


def main() -> None:
    """Measure, print a table, and write it as CSV to standard output's neighbour when asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("width", 64), ("batch", 128), ("steps", 10), ("repeats", 5), ("images", 5000)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--csv", help="also write the table to this file")
    arguments = parser.parse_args()
    logging.disable()

    architecture = DCGAN(width=arguments.width)
    G = architecture.generator(SHAPE).to(memory_format=torch.channels_last)
    D = architecture.discriminator(SHAPE).to(memory_format=torch.channels_last)
    x = torch.randint(0, 256, (arguments.images, *SHAPE), dtype=torch.uint8)
    batches = Batches(x, Scaling(x), torch.device("cpu"))
    budget = Budget(task1=arguments.steps, critic=0, task2=arguments.steps, batch=arguments.batch)
    recipe = Recipe(architecture.latent, GAN(), Optimisation(r1=0.0), budget)
    fast = build.workspace(
        {"threads": None, "device": "cpu", "seed": 0, "precision": "auto", "logger": {"log_every": 20}}
    )

    rows = []
    for name, steps in (("Task 1 step", task1_steps), ("Task 2 step", task2_steps)):
        ours = steps(copy.deepcopy(G), copy.deepcopy(D), batches, recipe, fast)
        theirs = steps(plain(G), plain(D), batches, recipe, Workspace())
        times: dict[str, list[float]] = {"ours": [], "plain": []}
        for repeat in range(arguments.repeats + 1):
            with ExitStack() as stack:
                keep_freed_memory()
                ours_ms = milliseconds(ours, arguments.steps)
                keep_freed_memory(False)
                stack.enter_context(patch("omasgan.stages.task2.distance", loop_distance))
                stack.enter_context(patch("omasgan.stages.task2.dispersion", loop_dispersion))
                plain_ms = milliseconds(theirs, arguments.steps)
            if repeat:  # the first warms up
                times["ours"].append(ours_ms)
                times["plain"].append(plain_ms)
        medians = {which: statistics.median(values) for which, values in times.items()}
        rows.append(
            [name, f"{medians['ours']:.1f} ms", f"{medians['plain']:.1f} ms", medians["plain"] / medians["ours"]]
        )

    scaling, J = Scaling(x), frozen(D)
    with torch.inference_mode():
        score = [
            milliseconds(lambda: [J(scaling(part)) for part in x.split(500)], len(x)) for _ in range(arguments.repeats)
        ]
    rows.append(["scoring, a network and image", f"{1000 * statistics.median(score):.1f} us", "", float("nan")])

    print(f"dcgan, width {arguments.width}, batch {arguments.batch}, {torch.get_num_threads()} threads, {fast.dtype}")
    for name, ours_text, plain_text, ratio in rows:
        print(
            f"{name:30} {ours_text:>10} {plain_text:>12}" + (f"   {ratio:5.1f} times faster" if ratio == ratio else "")
        )
    if arguments.csv:
        with Path(arguments.csv).open("w", newline="") as file:
            csv.writer(file).writerows([["what", "ours", "plain", "ratio"], *rows])


if __name__ == "__main__":
    sys.exit(main())
