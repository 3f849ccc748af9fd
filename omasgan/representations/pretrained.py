"""Features of a network that was trained on photographs by others: of whole images, or of their patches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, avg_pool2d, interpolate, normalize

from omasgan.data.dataset import Spec
from omasgan.errors import UserError
from omasgan.networks.pretrained import Extractor
from omasgan.representations.base import Representation, must_be_images
from omasgan.representations.patch_grid import IMAGES_AT_A_TIME, PatchGrid, PatchRepresentation
from omasgan.training.settings import Count, PositiveFraction
from omasgan.training.stage import Workspace


class Frozen:
    """A frozen network on the workspace's device, and a check that a saved detector is used with the same weights.

    Parameters
    ----------
    spec, workspace
        See `Representation`.
    network
        The network.
    size
        Height and width that an image is resized to for the network, in pixels.
    """

    def __init__(self, spec: Spec, workspace: Workspace, network: Extractor, size: int) -> None:
        must_be_images(spec, "pretrained networks")
        self.workspace, self.size = workspace, size
        self.extractor = network.to(workspace.device).to(memory_format=torch.channels_last)

    @torch.inference_mode()
    def __call__(self, x: Tensor) -> tuple[list[Tensor], Tensor]:
        """What `Extractor` gives, as float32 on the CPU."""
        with self.workspace.autocast():
            maps, image = self.extractor(x.to(self.workspace.device), self.size)
        return [each.float().cpu() for each in maps], image.float().cpu()

    def state_dict(self) -> dict[str, Any]:
        """The hash of the weights, which are not saved again."""
        return {"weights": self.extractor.digest()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Raise UserError where the weights are not those of the training."""
        if state["weights"] != self.extractor.digest():
            raise UserError(
                f"the pretrained network has other weights ({self.extractor.digest()}) than in training "
                f"({state['weights']}): install the version of that time, or train again"
            )


class Pretrained(Representation):
    """The features of a whole image: those of the layer `image_layer`, averaged over the image.

    Parameters
    ----------
    spec, workspace
        See `Representation`.
    network
        The network.
    size
        Height and width that an image is resized to for the network, in pixels.
    unit_length
        Whether an embedding is scaled to a Euclidean length of 1, so that distances depend on directions alone.

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
        unit_length: bool = True,
    ) -> None:
        super().__init__(spec, workspace)
        self.frozen, self.unit_length = Frozen(spec, workspace, network, size), unit_length
        blank = torch.zeros(1, *spec.shape, dtype=torch.uint8)
        self.embedding = Spec((self.frozen(blank)[1].shape[1],))

    def fit(self, train: Tensor) -> None:
        """See `Representation`; there is nothing to learn."""

    def encode(self, x: Tensor) -> Tensor:
        """See `Representation`."""
        features = torch.cat([self.frozen(part)[1] for part in torch.split(x, IMAGES_AT_A_TIME)])
        return normalize(features) if self.unit_length else features

    def state_dict(self) -> dict[str, Any]:
        """See `Representation`."""
        return self.frozen.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See `Representation`."""
        self.frozen.load_state_dict(state)


class PretrainedPatches(PatchRepresentation):
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
    drawn, top
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
    ) -> None:
        super().__init__(spec, workspace, drawn, top)
        self.frozen, self.grid = Frozen(spec, workspace, network, size), grid
        blank = torch.zeros(1, *spec.shape, dtype=torch.uint8)
        self.embedding = Spec((self.patches(blank).grid.shape[1], grid, grid))

    def fit(self, train: Tensor) -> None:
        """See `Representation`; there is nothing to learn."""

    def patches(self, x: Tensor) -> PatchGrid:
        """See `PatchRepresentation`."""
        maps, image = self.frozen(x)
        grids = torch.cat([self._on_grid(each) for each in maps], dim=1)
        return PatchGrid(grids, {"content": normalize(image)})

    def _on_grid(self, features: Tensor) -> Tensor:
        """Features (n, k, h, w), averaged over 3 x 3 places, on the grid."""
        averaged = avg_pool2d(features, 3, stride=1, padding=1, count_include_pad=False)
        if averaged.shape[2] >= self.grid:
            return adaptive_avg_pool2d(averaged, self.grid)
        return interpolate(averaged, (self.grid, self.grid), mode="bilinear", align_corners=False)

    def state_dict(self) -> dict[str, Any]:
        """See `Representation`."""
        return self.frozen.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See `Representation`."""
        self.frozen.load_state_dict(state)
