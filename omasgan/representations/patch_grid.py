"""Embeddings of the patches of an image, which tell where in the image an anomaly is."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d, interpolate, unfold

from omasgan.data.dataset import Spec
from omasgan.errors import UserError
from omasgan.representations.base import Representation, must_be_images
from omasgan.training.batches import split
from omasgan.training.seeding import stream
from omasgan.training.settings import Count, PositiveFraction
from omasgan.training.stage import Workspace

IMAGES_AT_A_TIME = 16
"""Images that are encoded at a time: the embeddings of all patches of a large data set do not fit into memory."""

LEARNED_FROM = 100
"""Number of images, at most, that the filters are learned from."""

LEARNED_STRIDE = 3
"""Distance, in pixels, between the patches that the filters are learned from."""

LEAST_VARIANCE = 1e-5
"""Lower bound of a component's variance, as a fraction of the largest one; less is noise of rounding."""

LEAST_ENERGY = 1e-3
"""Added to the mean square of whitened components before its logarithm, so that a blank patch has a finite one."""

LEAST_SQUARE = 1e-4
"""Added to the squared distance to the subspace, for values 0..1: below it, there is only the rounding of 8 bits."""

TINY = 1e-12
"""Lower bound of numbers that are divided by."""


@dataclass(frozen=True)
class PatchGrid:
    """The patches of n images, and the images as wholes.

    Parameters
    ----------
    grid
        The embedding of every patch, float32 (n, k, h, w), on the CPU.
    images
        Embeddings of whole images by name, float32 (n, any) each; may be empty.
    """

    grid: Tensor
    images: Mapping[str, Tensor]


class PatchRepresentation(Representation):
    """Maps an image to a grid of h x w embeddings of its patches, with k columns each.

    A detector then works on single patches, whose columns it standardises; see `detectors.patches`.

    Parameters
    ----------
    spec, workspace
        See `Representation`.
    drawn
        Number of patches that are drawn at random from all training images.
    coreset
        Fraction of the drawn patches that a detector keeps, chosen by `coreset.greedy_coreset`; 1 keeps all. A smaller
        memory bank is faster to search.
    top
        Fraction of an image's patches whose highest scores a detector averages; at least one patch.
    """

    def __init__(
        self, spec: Spec, workspace: Workspace, drawn: Count, top: PositiveFraction, coreset: PositiveFraction
    ) -> None:
        super().__init__(spec, workspace)
        must_be_images(spec, "patches")
        self.drawn, self.top, self.coreset = drawn, top, coreset

    @abstractmethod
    def patches(self, x: Tensor) -> PatchGrid:
        """The patches of images (n, *spec.shape); n is at most `IMAGES_AT_A_TIME`."""

    def encode(self, x: Tensor) -> Tensor:
        """See `Representation`; (n, k, h, w)."""
        return torch.cat([self.patches(part).grid for part in split(x, IMAGES_AT_A_TIME)])


class PixelPatches(PatchRepresentation):
    """Square patches of pixels on their principal components, at several scales; no network is involved.

    At each scale a patch has three kinds of columns: its whitened components; the logarithm of the mean square of each
    component over 3 x 3 neighbouring patches, which says how strong a pattern is whatever its phase; and the distance
    of the patch to the subspace of the components, which is large for what training images have none of, such as a
    colour.

    Parameters
    ----------
    spec, workspace
        See `Representation`.
    size
        Height and width that an image is resized to first, in pixels.
    scales
        The factors by which an image is reduced further before its patches are taken.
    patch_size
        Height and width of a patch, in pixels of the reduced image.
    stride
        Distance between two neighbouring patches, in pixels of the image before it is reduced.
    components
        Number of principal components at each scale; at most the number of values in a patch.
    drawn, top, coreset
        See `PatchRepresentation`.

    Raises
    ------
    UserError
        For rows, and where patches do not fit the images.
    """

    def __init__(
        self,
        spec: Spec,
        workspace: Workspace,
        size: Count = 128,
        scales: Sequence[int] = (1, 2),
        patch_size: Count = 6,
        stride: Count = 4,
        components: Count = 16,
        drawn: Count = 10_000,
        top: PositiveFraction = 0.01,
        coreset: PositiveFraction = 1.0,
    ) -> None:
        super().__init__(spec, workspace, drawn, top, coreset)
        if not scales or min(scales) < 1 or patch_size > size // max(scales):
            raise UserError(
                f"representation.pixel_patches has size={size}, scales={list(scales)} and patch_size={patch_size}: "
                "the scales must be at least 1, and a patch must fit the image at each of them; choose smaller ones"
            )
        if components > spec.shape[0] * patch_size**2:
            raise UserError(
                f"representation.pixel_patches.components is {components}, but a patch has "
                f"{spec.shape[0] * patch_size**2} values: choose fewer"
            )
        self.size, self.scales, self.patch_size = size, tuple(scales), patch_size
        self.stride, self.components = stride, components
        side = self._side(self.scales[0])
        self.embedding = Spec((len(self.scales) * (2 * components + 1), side, side))

    def _step(self, scale: int) -> int:
        return max(1, round(self.stride / scale))

    def _side(self, scale: int) -> int:
        return (self.size // scale - self.patch_size) // self._step(scale) + 1

    def fit(self, train: Tensor) -> None:
        """See `Representation`."""
        random = stream(self.workspace.seed, "images of patches", torch.device("cpu"))
        some = train[torch.randperm(len(train), generator=random)[:LEARNED_FROM].to(train.device)]
        self.filters: dict[str, Tensor] = {}
        for scale in self.scales:
            patches = unfold(self._reduced(some, scale), self.patch_size, stride=LEARNED_STRIDE)
            rows = patches.transpose(1, 2).flatten(0, 1)
            mean = rows.mean(dim=0)
            variances, directions = torch.linalg.eigh(torch.cov((rows - mean).T).double())
            variances, directions = variances.flip(0)[: self.components].float(), directions.flip(1).T.float()
            deviations = variances.clamp_min(LEAST_VARIANCE * variances[0]).clamp_min(TINY).sqrt()
            self.filters |= {f"directions_{scale}": directions[: self.components]}
            self.filters |= {f"deviations_{scale}": deviations, f"mean_{scale}": mean}

    def _reduced(self, x: Tensor, scale: int) -> Tensor:
        side = self.size // scale
        x = x.cpu().float() / 255
        if x.shape[2:] == (side, side):
            return x
        if side < min(x.shape[2:]):
            return interpolate(x, (side, side), mode="area")  # sharper than an antialiased bilinear filter
        return interpolate(x, (side, side), mode="bilinear", align_corners=False)

    def patches(self, x: Tensor) -> PatchGrid:
        """See `PatchRepresentation`."""
        side = self._side(self.scales[0])
        columns = [self._columns(self._reduced(x, scale), scale) for scale in self.scales]
        grids = [
            each if each.shape[2] == side else interpolate(each, (side, side), mode="bilinear", align_corners=False)
            for each in columns
        ]
        return PatchGrid(torch.cat(grids, dim=1), {})

    def _columns(self, x: Tensor, scale: int) -> Tensor:
        """The columns of one scale, (n, 2 components + 1, h, w)."""
        directions, deviations, mean = (self.filters[f"{name}_{scale}"] for name in LEARNED)
        shape, step = (-1, self.spec.shape[0], self.patch_size, self.patch_size), self._step(scale)
        components = conv2d(x, directions.view(shape), -(directions @ mean), stride=step)
        whitened = components / deviations.view(1, -1, 1, 1)
        energy = avg_pool2d(whitened.square(), 3, stride=1, padding=1, count_include_pad=False)
        # |x - mean|^2 of a patch, whose part outside the components is the squared distance to their subspace
        ones = torch.ones(1, 1, self.patch_size, self.patch_size)
        square = conv2d(x.square().sum(dim=1, keepdim=True), ones, stride=step) + mean.square().sum()
        square = square - 2 * conv2d(x, mean.view(shape), stride=step)
        outside = (square - components.square().sum(dim=1, keepdim=True)).clamp_min(0)
        return torch.cat([whitened, (energy + LEAST_ENERGY).log(), (outside + LEAST_SQUARE).sqrt()], dim=1)

    def state_dict(self) -> dict[str, Any]:
        """See `Representation`."""
        return {"filters": self.filters}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See `Representation`."""
        self.filters = {name: tensor.cpu() for name, tensor in state["filters"].items()}


LEARNED = ("directions", "deviations", "mean")
"""What is learned at each scale: the components, their standard deviations, and the mean of the patches."""
