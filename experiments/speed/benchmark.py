"""Compare the speed of training and scoring with a bfloat16 matrix product on this machine, and with plain code.

Every training stage is timed in two versions, which run the same steps of omasgan:

- omasgan as it is;
- plain code: float32, contiguous memory format, d and s as loops over the samples of B. It runs in a process of its
  own, so that what the other versions did to the memory allocator does not affect it.

The repetitions of the versions alternate, so that other work on the machine slows all of them alike. The medians of
the repetitions are reported.

    python experiments/speed/benchmark.py [--width 32] [--batch 256] [--steps 5] [--repeats 5] [--csv FILE]
"""

from __future__ import annotations

import argparse
import copy
import csv
import logging
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from unittest.mock import patch

import torch
from hydra import compose, initialize_config_dir
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from omasgan.configuration.checks import check
from omasgan.configuration.schema import FOLDER, register
from omasgan.data.dataset import Spec
from omasgan.detectors.base import Detector
from omasgan.method import anomaly_discriminator, task1, task2, task3
from omasgan.method.divergences import GAN
from omasgan.method.recipe import Recipe
from omasgan.method.settings import Boundary, Inference, Retraining
from omasgan.networks.base import FromPixels, ToPixels
from omasgan.networks.dcgan import DCGAN
from omasgan.pipeline import build
from omasgan.representations.contrastive import Contrastive
from omasgan.training.augmentation import Affine
from omasgan.training.batches import Batches, Scaling
from omasgan.training.settings import Budget, Optimisation
from omasgan.training.stage import Workspace, frozen

SHAPE = (1, 28, 28)
IMAGES = 5000
PRODUCT = 2048
"""Rows and columns of the square matrices whose product defines the peak rate."""

SHARE_STEPS = 20
"""Steps of Task 2 over which the share of d and s is measured."""

Loop = Callable[[], None]
"""Runs a stage of training from its first to its last step."""


def loop_distance(b: Tensor, g: Tensor, p: float = 2.0) -> Tensor:
    """Compute eq. (4) one sample of B at a time."""
    b, g = b.flatten(1), g.flatten(1)
    return torch.stack([torch.linalg.vector_norm(b_i - g, ord=p, dim=1).min() for b_i in b])


def loop_dispersion(z: Tensor, b: Tensor, neighbours: int | None = None, epsilon: float = 0.0) -> Tensor:
    """Compute eq. (5) one sample of B at a time."""
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
    """Copy a network into contiguous memory format."""
    network = copy.deepcopy(network)
    for name, layer in network.named_children():
        if isinstance(layer, ToPixels):
            setattr(network, name, nn.Unflatten(1, layer.shape))
        if isinstance(layer, FromPixels):
            setattr(network, name, nn.Flatten())
    return network.to(memory_format=torch.contiguous_format)


@cache
def plain_loops(width: int, batch: int, steps: int) -> dict[str, Loop]:
    """Return the loop of every stage, with networks in contiguous memory format and float32."""
    return loops(DCGAN(width=width), batch, steps, Workspace(), of=plain)


def plain_seconds(stage: str, width: int, batch: int, steps: int) -> float:
    """Time one step of plain code, in seconds."""
    with (
        patch("omasgan.method.task2.distance", loop_distance),
        patch("omasgan.method.task2.dispersion", loop_dispersion),
    ):
        return seconds(plain_loops(width, batch, steps)[stage], steps)


def fast_workspace() -> Workspace:
    """Return the workspace that a run on this machine gets."""
    return build.workspace(
        {"threads": None, "device": "cpu", "seed": 0, "precision": "auto", "log_every": 20, "debug": {}}
    )


def images(shape: tuple[int, ...], n: int = IMAGES) -> Tensor:
    """Return n images of noise: what an image shows does not affect the time."""
    return torch.randint(0, 256, (n, *shape), dtype=torch.uint8)


def loops(
    architecture: DCGAN,
    batch: int,
    steps: int,
    workspace: Workspace,
    of: Callable[[nn.Module], nn.Module] = copy.deepcopy,
    boundary: Boundary | None = None,
    shape: tuple[int, ...] = SHAPE,
) -> dict[str, Loop]:
    """Return the loop of every stage by its name, without checkpoints.

    Parameters
    ----------
    architecture, boundary, shape
        The networks, the settings of Task 2, and the shape of an image.
    batch, steps
        Samples in a step, and steps in a loop.
    workspace
        Device and precision.
    of
        Copies a network before it is used: as it is, or `plain`.
    """
    boundary = boundary or Boundary(N=batch, unit="sqrt_k")  # 'quantile' is measured once a stage, not in a step
    G, D = (
        network.to(memory_format=torch.channels_last)
        for network in (architecture.generator(shape), architecture.discriminator(shape))
    )
    x = images(shape)
    batches = Batches(x, Scaling(x), torch.device("cpu"))

    def recipe(**budget: int) -> Recipe:
        short = Budget(**{"critic": 0, "task2": 0, "batch": batch, **budget})
        return Recipe(architecture.latent, GAN(), Optimisation(lr_generator=2e-4, lr_discriminator=2e-4, r1=0.0), short)

    def fresh(network: nn.Module, trained: bool = True) -> nn.Module:
        return of(network).train().requires_grad_(True) if trained else frozen(of(network))

    def of_task2(**budget: int) -> Loop:
        B, C, average, fixed = fresh(G), fresh(D), fresh(G), fresh(G, False)
        return lambda: task2.train(B, C, average, fixed, batches, boundary, recipe(**budget), workspace)

    nets = [fresh(network) for network in (G, D, G, G, D, G, D)]
    G_fixed, B_fixed = fresh(G, False), fresh(G, False)
    of_j = Inference(divergence_term="variational", j_features="sample", mixing_min=1.0, mixing_max=1.0)
    representation = Contrastive(
        Spec(shape),
        workspace,
        DCGAN(32, architecture.width, discriminator_norm="batch", spectral_norm=False, refinements=1),
        Affine(),
        Budget(representation=steps, representation_batch=batch),
    )
    return {
        "Task 1": lambda: task1.train(nets[0], nets[1], nets[2], batches, recipe(task1=steps), workspace),
        "critic of Task 2": of_task2(critic=steps),
        "Task 2": of_task2(task2=steps),
        "Task 3": lambda: task3.train(
            nets[3], nets[4], nets[5], G_fixed, B_fixed, batches, Retraining(), recipe(task3=steps), workspace
        ),
        "J": lambda: anomaly_discriminator.train(
            nets[6], None, G_fixed, B_fixed, batches, of_j, recipe(j=steps), workspace
        ),
        "representation": lambda: fit_again(representation, x),
    }


def fit_again(representation: Contrastive, x: Tensor) -> None:
    """Train the representation, also a second time: `fit` leaves its networks frozen."""
    for network in representation.networks().values():
        network.train().requires_grad_(True)
    representation.fit(x)


def seconds(run: Loop, count: int) -> float:
    """Time one of the `count` units of work that `run` does, in seconds."""
    start = time.perf_counter()
    run()
    return (time.perf_counter() - start) / count


def median_seconds(run: Loop, count: int, repeats: int) -> float:
    """Return the median time of `repeats` repetitions, in seconds, after one repetition to warm up."""
    return statistics.median([seconds(run, count) for _ in range(repeats + 1)][1:])


def operations(run: Loop, count: int) -> int:
    """Count the floating-point operations of the matrix products and convolutions in one unit of work."""
    with FlopCounterMode(display=False) as counter:
        run()
    return int(counter.get_total_flops() / count)


def peak_rate() -> float:
    """Measure the operations per second of a product of two square bfloat16 matrices."""
    one, other = (torch.randn(PRODUCT, PRODUCT, dtype=torch.bfloat16) for _ in range(2))
    return 2 * PRODUCT**3 / seconds(lambda: [one @ other for _ in range(10)] and None, 10)


def training(width: int, batch: int, steps: int, repeats: int) -> list[list[object]]:
    """Return a row for each stage: operations and time of a step, rate, share of the peak, and the times to compare."""
    architecture, fast = DCGAN(width=width), fast_workspace()
    ours = loops(architecture, batch, steps, fast)
    rows: list[list[object]] = []
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=logging.disable) as beside:
        for stage, loop in ours.items():
            work = operations(loop, steps)
            times: list[tuple[float, float, float]] = []
            for _ in range(repeats + 1):
                peak, own = peak_rate(), seconds(loop, steps)
                times.append((peak, own, beside.submit(plain_seconds, stage, width, batch, steps).result()))
            peak, own, other = (statistics.median(column) for column in zip(*times[1:], strict=True))
            rate = work / own
            rows.append([stage, work / 1e9, 1e3 * own, rate / 1e9, rate / peak, 1e3 * other, other / own])
    return rows


def share_of_d_and_s(width: int, steps: int, repeats: int) -> float:
    """Measure the share of a Task 2 step that d and s take, at N = 256 and Q = 1024."""
    loop = loops(DCGAN(width=width), 256, steps, fast_workspace())["Task 2"]
    shares = []
    for _ in range(repeats + 1):
        whole = seconds(loop, steps)
        with (
            patch("omasgan.method.task2.distance", lambda b, *_: torch.ones(len(b))),
            patch("omasgan.method.task2.dispersion", lambda _, b, *__: torch.ones(len(b))),
        ):
            shares.append(1 - seconds(loop, steps) / whole)
    return statistics.median(shares[1:])


def trained(*overrides: str, n: int = 54_000) -> Detector:
    """Return a detector after a few steps in each stage: the time of scoring does not depend on what it learned."""
    register()
    with initialize_config_dir(str(FOLDER), version_base="1.3"):
        config = check(compose("config", ["dataset=mnist", *overrides, "budget=smoke"]))
    detector = build.detector(config["detector"], Spec(SHAPE), fast_workspace())
    detector.fit(images(SHAPE, n))
    return detector


def scoring(repeats: int) -> list[list[object]]:
    """Measure the images per second for which all terms of the score are computed.

    In embeddings and in pixels, with a memory bank of 54,000 images; in pixels also with the paper's terms, which need
    no memory bank.
    """
    x = images(SHAPE)
    rows: list[list[object]] = []
    settings = {
        "in embeddings": [],
        "in pixels": ["experiment=pixels"],
        "in pixels, variational": ["experiment=pixels", "inference=paper"],
    }
    for name, overrides in settings.items():
        detector = trained(*overrides)

        def score(detector: Detector = detector) -> None:
            detector.score(x.clone())  # a copy, because a detector keeps the embeddings of the last samples

        rows.append([f"score {name}", 1 / median_seconds(score, len(x), repeats)])
    return rows


def main() -> None:
    """Measure, print all tables, and write that of the training stages as CSV where a file is given."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("width", 32), ("batch", 256), ("steps", 5), ("repeats", 5)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--csv", type=Path, help="also write the table of the training stages to this file")
    arguments = parser.parse_args()
    logging.disable()

    columns = ["stage", "GFLOP a step", "ms", "GFLOP/s", "share of peak", "plain ms", "times faster"]
    rows = training(arguments.width, arguments.batch, arguments.steps, arguments.repeats)
    print(f"dcgan, width {arguments.width}, batch {arguments.batch}, {torch.get_num_threads()} threads")
    for cells in (columns, ["---"] * len(columns), *rows):
        print(f"| {' | '.join(f'{cell:.4g}' if isinstance(cell, float) else str(cell) for cell in cells)} |")
    print(f"peak: {peak_rate() / 1e9:.0f} GFLOP/s")
    print(f"d and s: {share_of_d_and_s(arguments.width, SHARE_STEPS, arguments.repeats):.1%} of a Task 2 step")
    for name, rate in scoring(arguments.repeats):
        print(f"{name}: {rate:,.0f} images a second")
    if arguments.csv:
        with arguments.csv.open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([columns, *rows])


if __name__ == "__main__":
    main()
