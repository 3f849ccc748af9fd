"""Train small models and keep their scores of the test split: every step on the way, and under three batch statistics.

    python experiments/evaluation_conventions/train.py runs/conventions/mnist dataset=mnist
    python experiments/evaluation_conventions/train.py runs/conventions/cifar10 dataset=cifar10

One file for each class and model, `<class>-<model>.npz`; a file that exists is not made again. The test split
is looked at during training, which no part of the product does: this study measures what that gains.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from omasgan.data.dataset import Dataset
from omasgan.detectors.omasgan import OMASGAN
from omasgan.detectors.represented import Represented
from omasgan.estimators.settings import composed
from omasgan.files import make_folder, write_atomically
from omasgan.pipeline import build
from omasgan.training.batches import split
from omasgan.training.record import Record
from omasgan.training.seeding import stream
from omasgan.training.stage import SCORING_BATCH

Scores = NDArray[np.float32]

METHOD = (
    *("experiment=pixels", "protocol=loo", "protocol.abnormal_class=0", "inference=paper", "threads=1", "device=cpu"),
    *("architecture.width=16", "architecture.discriminator_norm=batch", "architecture.spectral_norm=false"),
    *("budget.task1=300", "budget.critic=60", "budget.task2=60", "budget.task3=150", "budget.j=120"),
    *("budget.batch=64", "boundary.N=128", "boundary.Q=512", "log_every=60"),
)
"""OMASGAN in pixels with the score of eq. (8) as the paper has it, and with batch norm in D, C and J, so that the
statistics of a batch matter. The networks are small and trained for half a minute."""

MODELS: Mapping[str, tuple[str, ...]] = {
    "seed 0": ("seed=0",),
    "seed 1": ("seed=1",),
    "higher learning rates": ("seed=0", "optimisation.lr_generator=1e-3", "optimisation.lr_discriminator=1e-3"),
}
"""The settings of each model of a class."""

BATCH = 64
"""Test samples of a batch whose statistics are used."""

NETWORKS = {"task1": "D", "task3": "C", "j": "J"}
"""The network behind each term, which the stage of the same name trains."""


class Observer:
    """A record (see `training.record.Record`) that keeps the scores of the test split instead of the losses.

    Parameters
    ----------
    x
        Test images, uint8 (n, C, H, W).
    abnormal
        Which are anomalies; bool (n,).

    Attributes
    ----------
    kept
        Scores (n,) by `<term>|<statistics>|<step>`.
    """

    def __init__(self, x: Tensor, abnormal: Tensor) -> None:
        self.x = x
        mixed = torch.randperm(len(x), generator=stream(0, "mixed batches", torch.device("cpu")))
        self.batches = {
            "sample": split(mixed, SCORING_BATCH),
            "mixed": split(mixed, BATCH),
            "separate": [part for kind in (False, True) for part in split(mixed[abnormal[mixed] == kind], BATCH)],
        }
        self.kept: dict[str, Scores] = {}

    def watch(self, detector: OMASGAN) -> None:
        """Name the detector in training."""
        self.detector = detector

    def scalars(self, stage: str, step: int, values: Mapping[str, float]) -> None:
        """Score the test split with the network that the stage trains."""
        if stage not in NETWORKS:
            return
        network: nn.Module = getattr(self.detector, NETWORKS[stage])
        self.kept[f"{stage}|sample|{step}"] = self.scores(stage, network, "sample")
        network.train()

    def rewind(self, stage: str, step: int) -> None:
        """Nothing is recorded twice, because these runs have no checkpoints."""

    def finish(self) -> None:
        """Score the test split with the trained networks, under each kind of statistics."""
        for term, name in NETWORKS.items():
            for statistics in self.batches:
                self.kept[f"{term}|{statistics}|last"] = self.scores(term, getattr(self.detector, name), statistics)

    @torch.no_grad()
    def scores(self, term: str, network: nn.Module, statistics: str) -> Scores:
        """J(x), or -T(x) of D or C; float32 (n,).

        Batch norm uses the statistics of training (`sample`), or those of each batch. The network is left with the
        running statistics that it had, and in eval mode.
        """
        buffers = {name: buffer.clone() for name, buffer in network.named_buffers()}
        network.train(statistics != "sample")
        v = torch.empty(len(self.x))
        for part in self.batches[statistics]:
            v[part] = self.detector.v(network, self.detector.scaling(self.x[part])).float()
        network.load_state_dict(buffers, strict=False)
        network.eval()
        scores = v.sigmoid() if term == "j" else -self.detector.recipe.divergence.activation(v)
        return np.asarray(scores, dtype=np.float32)


def train(dataset: Dataset, words: Sequence[str]) -> dict[str, NDArray[np.generic]]:
    """Train one model; the arrays of its file."""
    config = composed(words, {})
    samples = build.protocol(config).split(dataset.train.y, dataset.test.y, dataset.class_names)
    observer = Observer(dataset.test.at(samples.test), samples.abnormal)
    workspace = replace(build.workspace(config), record=cast(Record, observer))
    in_pixels = cast(Represented, build.detector(config["detector"], dataset.spec, workspace))
    detector = cast(OMASGAN, in_pixels.detector)
    observer.watch(detector)
    detector.fit(dataset.train.at(samples.train))
    observer.finish()
    scales = np.array([detector.scales[part] for part in ("j", "divergence")])
    return {"label": samples.abnormal.numpy(), "scales": scales, **observer.kept}


def main(folder: Path, words: Sequence[str]) -> None:
    """Train every model of every class."""
    make_folder(folder)
    dataset = build.dataset(composed([*METHOD, *words], {}))
    for model, settings in MODELS.items():
        for cls in dataset.class_names:
            path = folder / f"{cls}-{model}.npz"
            if not path.exists():
                print(path, flush=True)
                arrays = train(dataset, [*METHOD, *words, *settings, f"protocol.abnormal_class={cls}"])
                write_atomically(path, partial(np.savez_compressed, **arrays))  # type: ignore[arg-type]


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
