"""What J learns as anomalies, eq. (7): samples of B, as in the paper, or negatives that need no boundary generator."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from omasgan.method.settings import Inference
from omasgan.training.batches import Batches
from omasgan.training.stage import Stage


def draw(n: int, B: nn.Module, latent: int, batches: Batches, inference: Inference, stage: Stage) -> Tensor:
    """n negatives (n, *shape), scaled, of the kind that `inference.negatives` says; see `Inference`."""
    if inference.negatives == "boundary":
        return stage.sample(B, n, latent)
    x = batches.draw(n, stage.random)
    if inference.negatives == "noise":
        noise = torch.randn(x.shape, generator=stage.random, device=x.device)
        return x.mean(dim=0) + x.std(dim=0) * noise
    if inference.negatives == "mixup":
        return x
    return cut_paste(x, batches.draw(n, stage.random), stage.random)


def cut_paste(x: Tensor, others: Tensor, random: torch.Generator) -> Tensor:
    """Images x (n, C, H, W) in which a rectangle is replaced by one from `others`, from another place.

    Each side of a rectangle is between a quarter and a half of that of the image.

    References
    ----------
    Li et al. 2021, "CutPaste: self-supervised learning for anomaly detection and localization", CVPR. There, the
    rectangle is from the same image.
    """
    _, _, height, width = x.shape
    pasted = x.clone()
    for i in range(len(x)):
        h, w = (drawn(side // 4, side // 2, random) for side in (height, width))
        top, left, from_top, from_left = (drawn(0, room, random) for room in (height - h, width - w) * 2)
        pasted[i, :, top : top + h, left : left + w] = others[i, :, from_top : from_top + h, from_left : from_left + w]
    return pasted


def drawn(low: int, high: int, random: torch.Generator) -> int:
    """A whole number from `low` to `high`, both included."""
    return int(torch.randint(low, high + 1, (1,), generator=random, device=random.device))


def interpolated(b: Tensor, x: Tensor, inference: Inference, stage: Stage) -> Tensor:
    """Points x + t (b - x) between normal samples x and negatives b, each (n, ...), t from [mixing_min, mixing_max].

    Where B lies far outside the data, J would otherwise learn nothing about the gap between them. The line from a
    normal sample to a sample of B crosses this gap, and the space between the modes of the data.

    Returns
    -------
    Tensor
        (n, ...), one point for each pair, with t drawn uniformly for each.
    """
    share = torch.rand(len(b), *[1] * (b.dim() - 1), generator=stage.random, device=b.device)
    share = inference.mixing_min + (inference.mixing_max - inference.mixing_min) * share
    return x + share * (b.float() - x)
