"""A detector that judges the patches of an image, and so tells where in the image an anomaly is."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate
from torchvision.transforms.v2.functional import gaussian_blur

from omasgan.data.dataset import Spec
from omasgan.detectors.base import Detector
from omasgan.errors import UserError
from omasgan.method.memory_bank import MemoryBank
from omasgan.representations.coreset import greedy_coreset
from omasgan.representations.patch_grid import IMAGES_AT_A_TIME, PatchGrid, PatchRepresentation
from omasgan.training.batches import split
from omasgan.training.progress import with_progress
from omasgan.training.seeding import stream
from omasgan.training.stage import Workspace

log = logging.getLogger("omasgan")

HELD_OUT = 5
"""One of so many training images is held out, to measure the scores of normal images that were not learned from."""

FEWEST_HELD_OUT = 2
"""Images that are held out at least."""

NEIGHBOURS = 3
"""Number of nearest training images whose mean distance is the distance of an image."""

LEAST_SPREAD = 1e-2
"""Lower bound of the standard deviation of a column within an image, in units of that over all training patches."""

TYPICAL, RARE = 0.5, 0.999
"""Quantiles of the held-out patches' scores that an anomaly map has as 0 and as 1."""

TINY = 1e-12
"""Lower bound of numbers that are divided by."""


@dataclass(frozen=True)
class Range:
    """Where the values of a term lie for normal images that were not learned from.

    Parameters
    ----------
    centre, width
        A value v is standardised to (v - centre) / width.
    """

    centre: float
    width: float

    def __call__(self, value: Tensor) -> Tensor:
        """Standardised values."""
        return (value - self.centre) / max(self.width, TINY)


class PatchDetector(Detector):
    """Fits a detector of rows to the embeddings of patches, and scores an image by its most anomalous patches.

    The score of an image is a sum. The first part is the mean of its highest patch scores, in standard deviations from
    the median of held-out normal images (the term `patch`). The other parts say how far the image as a whole is from
    the training images, as the relative excess over the median of held-out images: 1 is twice as far. The term
    `statistics` is on the mean and the logarithm of the standard deviation of each column over the patches of the
    image, because the patches of a blank image need not be unusual. A representation may have further embeddings of
    whole images, such as `content` of `PretrainedPatches`. Every other term of the detector of rows is the mean of its
    highest values.

    Parameters
    ----------
    spec, workspace
        See `Detector`.
    representation
        The representation of patches; it is learned before the detector is.
    detector
        A function that makes the detector of rows from the spec of a row and the workspace.

    Attributes
    ----------
    ranges
        The `Range` of each part of the score.
    map_range
        The scores of patches that an anomaly map has as 0 and as 1: the quantiles `TYPICAL` and `RARE` of the patches
        of held-out images.
    """

    def __init__(
        self,
        spec: Spec,
        workspace: Workspace,
        representation: PatchRepresentation,
        detector: Callable[[Spec, Workspace], Detector],
    ) -> None:
        super().__init__(spec, workspace)
        self.representation = representation
        columns, *self.grid = representation.embedding.shape
        self.detector = detector(Spec((columns,)), workspace)
        self.main_term = self.detector.main_term

    def check(self, n: int) -> None:
        """See `Detector`; some of the images are held out."""
        if n <= 2 * FEWEST_HELD_OUT:
            raise UserError(
                f"there are {n} normal training images, and a detector of patches needs more than "
                f"{2 * FEWEST_HELD_OUT}: give more images"
            )
        drawn = min(self.representation.drawn, self.grid[0] * self.grid[1] * (n - self._held_out(n)))
        self.detector.check(self._coreset_size(drawn))

    def _coreset_size(self, drawn: int) -> int:
        """The number of patches that the detector learns from."""
        return max(1, round(self.representation.coreset * drawn))

    def _held_out(self, n: int) -> int:
        return max(FEWEST_HELD_OUT, n // HELD_OUT)

    def fit(self, train: Tensor) -> None:
        """See `Detector`."""
        self.check(len(train))
        log.info(
            "%d normal training images with %d x %d patches each, by %s",
            *(len(train), *self.grid, type(self.representation).__name__),
        )
        random = stream(self.workspace.seed, "held-out images", torch.device("cpu"))
        order = torch.randperm(len(train), generator=random)
        held, learned_from = order[: self._held_out(len(train))], order[self._held_out(len(train)) :]
        rows, wholes = self._learn_from(train, learned_from)
        self.detector.fit(rows)
        self.wholes = wholes
        self._prepare()
        values, scores = self._measure(self._parts(train, held))
        patch = values[self.main_term]
        self.ranges = {"patch": Range(float(patch.median()), float(patch.std()))}
        for name in self.banks:  # a distance has a natural zero, and few held-out images say little of its deviation
            self.ranges[name] = Range(float(values[name].median()), float(values[name].median()))
        low, high = np.quantile(scores.numpy(), [TYPICAL, RARE])  # torch.quantile refuses more than 2^24 values
        self.map_range = float(low), float(high)

    def _learn_from(self, train: Tensor, index: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Random patches of the images at `index`, rows (n, k), and the images' embeddings; sets the columns' units."""
        random = stream(self.workspace.seed, "patches", torch.device("cpu"))
        each = -(-self.representation.drawn // len(index))
        drawn, means, deviations = [], [], []
        wholes: dict[str, list[Tensor]] = {}
        for part in self._parts(train, index):
            rows = part.grid.flatten(2)  # (n, k, h w)
            chosen = torch.rand(len(rows), 1, rows.shape[2], generator=random).argsort(dim=2)[..., :each]
            drawn.append(rows.gather(2, chosen.expand(-1, rows.shape[1], -1)).transpose(1, 2).flatten(0, 1))
            means.append(rows.mean(dim=2))
            deviations.append(rows.std(dim=2))
            for name, embeddings in part.images.items():
                wholes.setdefault(name, []).append(embeddings)
        mean, deviation = torch.cat(means), torch.cat(deviations)
        self.shift = mean.mean(dim=0)
        self.scale = (deviation.square().mean(dim=0) + mean.var(dim=0, unbiased=False)).sqrt().clamp_min(TINY)
        rows = torch.cat(drawn)
        rows = rows[torch.randperm(len(rows), generator=random)[: self.representation.drawn]]
        statistics = self._statistics(mean, deviation)
        whole = {name: torch.cat(embeddings) for name, embeddings in wholes.items()}
        scaled = (rows - self.shift) / self.scale
        if (size := self._coreset_size(len(scaled))) < len(scaled):
            scaled = scaled[greedy_coreset(scaled, size)]
        return scaled, {"statistics": statistics, **whole}

    def _parts(self, x: Tensor, index: Tensor | None = None) -> Iterator[PatchGrid]:
        """The patches of the images at `index`, or of all; copies few at a time: x may be larger than memory."""
        for part in with_progress(split(x if index is None else index, IMAGES_AT_A_TIME), "patches"):
            yield self.representation.patches(part if index is None else x[part])

    def _statistics(self, mean: Tensor, deviation: Tensor) -> Tensor:
        """The embeddings (n, 2 k) of images from mean and deviation (n, k) of their patches' columns."""
        spread = (deviation / self.scale).clamp_min(LEAST_SPREAD).log()
        return torch.cat([(mean - self.shift) / self.scale, spread], dim=1)

    def _prepare(self) -> None:
        self.banks = {name: MemoryBank(embeddings) for name, embeddings in self.wholes.items()}

    def _rows(self, part: PatchGrid) -> Tensor:
        return (part.grid.flatten(2).transpose(1, 2).flatten(0, 1) - self.shift) / self.scale

    def _measure(self, parts: Iterator[PatchGrid]) -> tuple[dict[str, Tensor], Tensor]:
        """Every term of images before it is standardised, (n,) each, and the scores of all their patches."""
        values: dict[str, list[Tensor]] = {}
        scores = []
        for part in parts:
            n = part.grid.shape[0]
            terms = {name: term.view(n, -1) for name, term in self.detector.terms(self._rows(part)).items()}
            top = max(1, round(self.representation.top * terms[self.main_term].shape[1]))
            scores.append(terms[self.main_term].flatten())
            found = {name: term.topk(top, dim=1).values.mean(dim=1) for name, term in terms.items()}
            flat = part.grid.flatten(2)
            statistics = self._statistics(flat.mean(dim=2), flat.std(dim=2))
            for name, embeddings in {"statistics": statistics, **part.images}.items():
                bank = self.banks[name]
                found[name] = bank.nearest(embeddings, min(NEIGHBOURS, bank.size))[0].double().mean(dim=1)
            for name, value in found.items():
                values.setdefault(name, []).append(value)
        return {name: torch.cat(found) for name, found in values.items()}, torch.cat(scores)

    def terms(self, x: Tensor) -> dict[str, Tensor]:
        """See `Detector`; the terms are listed in the class's docstring."""
        values = self._measure(self._parts(x))[0]
        main = values.pop(self.main_term)
        parts = {"patch": main, **{name: values.pop(name) for name in self.banks}}
        standardised = {name: self.ranges[name](part) for name, part in parts.items()}
        total = torch.stack(list(standardised.values())).sum(dim=0)
        return {self.main_term: total, **standardised, **values}

    def maps(self, x: Tensor) -> Tensor:
        """The anomaly map of each image: the scores of its patches, enlarged to the image and smoothed.

        Parameters
        ----------
        x
            Images (n, C, H, W), uint8.

        Returns
        -------
        Tensor
            (n, H, W), float32. 0 is the median of held-out normal patches, and 1 the score that one of them in a
            thousand exceeds, see `map_range`.
        """
        low, high = self.map_range
        height, width = self.spec.shape[1:]
        maps = []
        for part in self._parts(x):
            scores = self.detector.score(self._rows(part)).view(part.grid.shape[0], 1, *part.grid.shape[2:])
            scaled = ((scores - low) / max(high - low, TINY)).float()
            large = interpolate(scaled, (height, width), mode="bilinear", align_corners=False)
            sigma = height / part.grid.shape[2] / 2
            maps.append(gaussian_blur(large, kernel_size=2 * round(2 * sigma) + 1, sigma=sigma).squeeze(1))
        return torch.cat(maps)

    def state_dict(self) -> dict[str, Any]:
        """See `Detector`."""
        return {
            "detector": self.detector.state_dict(),
            "units": {"shift": self.shift, "scale": self.scale},
            "wholes": self.wholes,
            "ranges": {name: list(astuple(each)) for name, each in self.ranges.items()},
            "map_range": list(self.map_range),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See `Detector`."""
        self.detector.load_state_dict(state["detector"])
        self.shift, self.scale = state["units"]["shift"].cpu(), state["units"]["scale"].cpu()
        self.wholes = {name: embeddings.cpu() for name, embeddings in state["wholes"].items()}
        self.ranges = {name: Range(*pair) for name, pair in state["ranges"].items()}
        low, high = state["map_range"]
        self.map_range = low, high
        self._prepare()
