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
        with stage.workspace.autocast():
            return stage.sample(B, n, latent)
    x = batches.draw(n, stage.random)
    if inference.negatives == "noise":
        noise = x.mean(dim=0) + x.std(dim=0) * torch.randn(x.shape, generator=stage.random, device=x.device)
        return noise.clamp(-1, 1) if x.dim() == 4 else noise  # images lie in [-1, 1], which would tell them apart
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
    pasted = x.clone()
    height, width = x.shape[2:]
    draws = torch.rand(len(x), 6, generator=random, device=random.device).tolist()
    for i, (tall, wide, down, right, from_down, from_right) in enumerate(draws):
        h, w = (max(1, side // 4) + int(u * (side // 2 - side // 4 + 1)) for u, side in ((tall, height), (wide, width)))
        top, from_top = (int(u * (height - h + 1)) for u in (down, from_down))
        left, from_left = (int(u * (width - w + 1)) for u in (right, from_right))
        pasted[i, :, top : top + h, left : left + w] = others[i, :, from_top : from_top + h, from_left : from_left + w]
    return pasted


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
