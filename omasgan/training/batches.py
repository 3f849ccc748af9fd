"""Batches of training samples: drawn at random on the device, scaled and augmented."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from omasgan.errors import UserError
from omasgan.training.augmentation import Augmentation, NoAugmentation


def split(x: Tensor, size: int) -> Sequence[Tensor]:
    """x (n, ...) in parts of `size` samples; undivided in the graph of an export, whose n is not known yet."""
    return [x] if torch.compiler.is_exporting() else torch.split(x, size)


class Scaling:
    """Scales samples to the range of the networks and back, with constants from the normal training samples.

    The values 0..255 of images are mapped to [-1, 1]. Each column of rows is standardised to zero mean and unit
    standard deviation; a constant column is only shifted.

    Parameters
    ----------
    train
        Normal training samples: images (n, C, H, W), uint8, or rows (n, k), float32.

    Attributes
    ----------
    shift, scale
        A sample x is scaled to (x - shift) / scale; scalars for images, (k,) for rows.

    Examples
    --------
    >>> scaling = Scaling(torch.tensor([[0.0, 7.0], [2.0, 7.0], [4.0, 7.0]]))
    >>> scaling(torch.tensor([[6.0, 7.0]]))
    tensor([[2., 0.]])
    >>> scaling.invert(torch.tensor([[2.0, 0.0]]))
    tensor([[6., 7.]])
    """

    def __init__(self, train: Tensor) -> None:
        if train.dtype == torch.uint8:
            self.shift, self.scale = torch.tensor(127.5), torch.tensor(127.5)
        else:
            self.shift, deviation = train.mean(dim=0), train.std(dim=0)
            constant = train.amax(dim=0) == train.amin(dim=0)  # their deviation may be a rounding error instead of 0
            self.scale = torch.where(constant, torch.ones_like(deviation), deviation)

    def state_dict(self) -> dict[str, Tensor]:
        """The constants `shift` and `scale`."""
        return {"shift": self.shift, "scale": self.scale}

    @classmethod
    def from_state_dict(cls, state: Mapping[str, Tensor]) -> Scaling:
        """Restore a scaling from what `state_dict` gave."""
        scaling = cls.__new__(cls)
        scaling.shift, scaling.scale = state["shift"], state["scale"]
        return scaling

    def to(self, device: torch.device) -> Scaling:
        """A copy with its constants on the device."""
        return Scaling.from_state_dict({name: value.to(device) for name, value in self.state_dict().items()})

    def __call__(self, x: Tensor) -> Tensor:
        """Scale images (n, C, H, W), uint8, or rows (n, k), float32; the result is float32 of the same shape."""
        scaled = (x.to(torch.float32) - self.shift) / self.scale
        return scaled.contiguous(memory_format=torch.channels_last) if x.dim() == 4 else scaled

    def invert(self, x: Tensor) -> Tensor:
        """Scale samples from the range of the networks back to the units of the data; float32."""
        return x.float() * self.scale + self.shift


class Batches:
    """The normal training samples on the device, from which batches are drawn.

    The samples are kept in their original type; each batch is scaled and augmented when it is drawn.

    Parameters
    ----------
    x
        Images (n, C, H, W), uint8, or rows (n, k), float32.
    scaling
        Scales a batch to the range of the networks.
    device
        Where the samples are kept.
    augmentation
        Changes a scaled batch at random; None for `NoAugmentation`.

    Raises
    ------
    UserError
        Where there is no sample.
    """

    def __init__(
        self, x: Tensor, scaling: Scaling, device: torch.device, augmentation: Augmentation | None = None
    ) -> None:
        if len(x) == 0:
            raise UserError("there are no training samples: the normal class is empty; choose another class")
        self.x = x.to(device)
        self.scaling = scaling.to(device)
        self.augmentation = augmentation or NoAugmentation()

    def draw(self, n: int, random: torch.Generator) -> Tensor:
        """Draw n samples with replacement; (n, *shape), scaled and augmented."""
        index = torch.randint(len(self.x), (n,), generator=random, device=self.x.device)
        return self.augmentation(self.scaling(self.x[index]), random)

    def parts(self, size: int) -> Iterator[Tensor]:
        """All samples in their order, `size` at a time, scaled and not augmented; (size, *shape) each."""
        return (self.scaling(part) for part in torch.split(self.x, size))
