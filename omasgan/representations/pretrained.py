"""Features of a network that was trained on photographs by others: of whole images, or of their patches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, avg_pool2d, interpolate, normalize

from omasgan.data.dataset import Spec
from omasgan.errors import UserError
from omasgan.networks.pretrained import Extractor
from omasgan.representations.base import Representation, must_be_images
from omasgan.representations.feature_cache import FeatureCache
from omasgan.representations.patch_grid import IMAGES_AT_A_TIME, PatchGrid, PatchRepresentation
from omasgan.training.batches import split
from omasgan.training.progress import with_progress
from omasgan.training.settings import Count, PositiveFraction
from omasgan.training.stage import Workspace


def unit_lengths(layers: Sequence[Tensor]) -> Tensor:
    """The features of several layers, (n, k) each, scaled to a Euclidean length of 1 and joined."""
    return torch.cat([normalize(each) for each in layers], dim=1)


class FrozenFeatures(Representation):
    """A representation by a frozen network: it learns nothing, and a saved detector needs the same weights again."""

    def use(self, network: Extractor, size: int) -> None:
        """Use the network, on the workspace's device, for images that are resized to `size` x `size` pixels."""
        must_be_images(self.spec, "pretrained networks")
        self.size = size
        self.extractor = network.to(self.workspace.device).to(memory_format=torch.channels_last)

    def blank(self) -> Tensor:
        """An image, by which the sizes of embeddings are found."""
        return torch.zeros(1, *self.spec.shape, dtype=torch.uint8)

    @torch.inference_mode()
    def features(self, x: Tensor, regions: int = 1) -> tuple[list[Tensor], list[Tensor]]:
        """What `Extractor` gives, as float32 on the CPU."""
        with self.workspace.autocast():
            both = self.extractor(x.to(self.workspace.device), self.size, regions)
        maps, images = ([each.float().cpu() for each in features] for features in both)
        return maps, images

    def fit(self, train: Tensor) -> None:
        """See `Representation`; there is nothing to learn."""

    def state_dict(self) -> dict[str, Any]:
        """See `Representation`: the hash of the weights, which are not saved again."""
        return {"weights": self.extractor.digest()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See `Representation`; raises UserError where the weights are not those of the training."""
        if state["weights"] != (own := self.extractor.digest()):
            raise UserError(
                f"the pretrained network has other weights ({own}) than in training "
                f"({state['weights']}): install the version of that time, or train again"
            )


class Pretrained(FrozenFeatures):
    """The features of a whole image: those of the network's `image_layers`, averaged over regions, one after the other.

    Parameters
    ----------
    spec, workspace
        See `Representation`.
    network
        The network.
    size
        Height and width that an image is resized to for the network, in pixels.
    regions
        Number of regions along each side of an image over which features are averaged: 1 forgets where something is.
    unit_length
        Whether the features of each layer are scaled to a Euclidean length of 1, so that distances depend on directions
        alone.

    Raises
    ------
    UserError
        For rows.
    """

    def __init__(
        self,
        spec: Spec,
        workspace: Workspace,
        network: Extractor,
        size: Count = 128,
        regions: Count = 1,
        unit_length: bool = True,
    ) -> None:
        super().__init__(spec, workspace)
        self.use(network, size)
        self.regions, self.unit_length = regions, unit_length
        self.embedding = Spec((self._encode(self.blank()).shape[1],))
        self._cache = None
        if workspace.feature_cache is not None:
            own = (network.digest(), network.image_layers, size, regions, unit_length)
            where = (workspace.device.type, workspace.dtype, torch.__version__)
            self._cache = FeatureCache(workspace.feature_cache, (*own, *where))

    def encode(self, x: Tensor) -> Tensor:
        """See `Representation`."""
        return self._compute(x) if self._cache is None else self._cache.features(x, self._compute)

    def _compute(self, x: Tensor) -> Tensor:
        return torch.cat([self._encode(part) for part in with_progress(split(x, IMAGES_AT_A_TIME), "pretrained")])

    def _encode(self, x: Tensor) -> Tensor:
        layers = self.features(x, self.regions)[1]
        return unit_lengths(layers) if self.unit_length else torch.cat(layers, dim=1)


class PretrainedPatches(FrozenFeatures, PatchRepresentation):
    """The features of patches: those of several layers, each averaged over a neighbourhood, on one grid.

    Its embedding of a whole image, `content`, is that of `Pretrained`.

    Parameters
    ----------
    spec, workspace
        See `Representation`.
    network
        The network.
    size
        Height and width that an image is resized to for the network, in pixels.
    grid
        Number of patches along each side of an image.
    drawn, top, coreset
        See `PatchRepresentation`.

    Raises
    ------
    UserError
        For rows.

    References
    ----------
    Roth et al. 2022, "Towards total recall in industrial anomaly detection" (PatchCore).
    """

    def __init__(
        self,
        spec: Spec,
        workspace: Workspace,
        network: Extractor,
        size: Count = 256,
        grid: Count = 32,
        drawn: Count = 10_000,
        top: PositiveFraction = 0.01,
        coreset: PositiveFraction = 1.0,
    ) -> None:
        super().__init__(spec, workspace, drawn, top, coreset)
        self.use(network, size)
        self.grid = grid
        self.embedding = Spec((self.patches(self.blank()).grid.shape[1], grid, grid))

    def patches(self, x: Tensor) -> PatchGrid:
        """See `PatchRepresentation`."""
        maps, images = self.features(x)
        grids = torch.cat([self._on_grid(each) for each in maps], dim=1)
        return PatchGrid(grids, {"content": unit_lengths(images)})

    def _on_grid(self, features: Tensor) -> Tensor:
        """Features (n, k, h, w), averaged over 3 x 3 places, on the grid."""
        averaged = avg_pool2d(features, 3, stride=1, padding=1, count_include_pad=False)
        if averaged.shape[2] >= self.grid:
            return adaptive_avg_pool2d(averaged, self.grid)
        return interpolate(averaged, (self.grid, self.grid), mode="bilinear", align_corners=False)
