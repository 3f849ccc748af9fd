"""Samples as the networks see them: scaled, augmented, drawn at random on the device."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from omasgan.errors import UserError
from omasgan.training.augmentation import Augmentation, NoAugmentation


class Scaling:
    """Maps samples to the networks' range and back; what it needs to know comes from the training normals alone.

    Images: 0..255 to [-1, 1]. Rows: every column less its mean, over its deviation (1 for a constant column).
    """

    def __init__(self, train: Tensor) -> None:
        if train.dtype == torch.uint8:
            self.shift, self.scale = torch.tensor(127.5), torch.tensor(127.5)
        else:
            self.shift, deviation = train.mean(dim=0), train.std(dim=0)
            constant = train.amax(dim=0) == train.amin(dim=0)  # whose deviation may be a rounding error
            self.scale = torch.where(constant, torch.ones_like(deviation), deviation)

    def state_dict(self) -> dict[str, Tensor]:
        """The two constants."""
        return {"shift": self.shift, "scale": self.scale}

    @classmethod
    def from_state_dict(cls, state: Mapping[str, Tensor]) -> Scaling:
        """Take what `state_dict` gave."""
        scaling = cls.__new__(cls)
        scaling.shift, scaling.scale = state["shift"], state["scale"]
        return scaling

    def to(self, device: torch.device) -> Scaling:
        """The same, with its constants on the device."""
        return Scaling.from_state_dict({name: value.to(device) for name, value in self.state_dict().items()})

    def __call__(self, x: Tensor) -> Tensor:
        """(n, C, H, W) uint8 or (n, k) float32 to float32 of the same shape."""
        scaled = (x.to(torch.float32) - self.shift) / self.scale
        return scaled.contiguous(memory_format=torch.channels_last) if x.dim() == 4 else scaled

    def invert(self, x: Tensor) -> Tensor:
        """From the networks' range to the data's units, float32."""
        return x.float() * self.scale + self.shift


class Batches:
    """The training normals on the device, as they are stored; a batch is indexed, scaled and augmented in its step."""

    def __init__(
        self, x: Tensor, scaling: Scaling, device: torch.device, augmentation: Augmentation | None = None
    ) -> None:
        if len(x) == 0:
            raise UserError("there is no training sample: the normal class is empty")
        self.x = x.to(device)
        self.scaling = scaling.to(device)
        self.augmentation = augmentation or NoAugmentation()

    def draw(self, n: int, random: torch.Generator) -> Tensor:
        """N samples with replacement, (n, *shape) in the networks' range."""
        index = torch.randint(len(self.x), (n,), generator=random, device=self.x.device)
        return self.augmentation(self.scaling(self.x[index]), random)
