"""A generator that changes only the latents of another one: B(z) = G(z'), z' = z + h(z), where only h is trained."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class LatentMap(nn.Module):
    """B(z) = G(z') with G frozen and z' = z + h(z), scaled to the length of z; h starts at 0, so that B starts as G.

    However it is trained, every sample of B is one of G, at latents that may be rare or between the modes of the data.
    Without the scaling, h leaves the latents that G was trained on, where samples of G look like nothing in the data.

    Parameters
    ----------
    G
        The generator, from z (n, l) to samples (n, *shape). It stays in eval mode without gradients.
    latent
        l.
    width
        Units in each of the two hidden layers of h.

    Examples
    --------
    >>> import torch
    >>> B, z = LatentMap(nn.Linear(4, 2), latent=4), torch.randn(3, 4)
    >>> bool((B(z) == B.G(z)).all())
    True
    """

    def __init__(self, G: nn.Module, latent: int, width: int = 256) -> None:
        super().__init__()
        last = nn.Linear(width, latent)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.h = nn.Sequential(nn.Linear(latent, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), last)
        self.G = G.eval().requires_grad_(False)

    def forward(self, z: Tensor) -> Tensor:
        """(n, l) to (n, *shape)."""
        samples: Tensor = self.G(self.latents(z))
        return samples

    def latents(self, z: Tensor) -> Tensor:
        """z', (n, l), as long as z."""
        moved: Tensor = z + self.h(z)
        lengths = torch.linalg.vector_norm(torch.stack([z, moved]), dim=2)
        scaled: Tensor = moved * (lengths[0] / lengths[1]).unsqueeze(1)
        return scaled

    def train(self, mode: bool = True) -> LatentMap:
        """Set the mode of h; G stays in eval mode, so that its normalisation does not undo what h does."""
        super().train(mode)
        self.G.eval()
        return self

    def requires_grad_(self, requires_grad: bool = True) -> LatentMap:
        """Set whether h is trained; G never is."""
        super().requires_grad_(requires_grad)
        self.G.requires_grad_(False)
        return self
