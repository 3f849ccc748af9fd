"""Several representations joined: the embedding is the concatenation of the parts' embeddings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor

from omasgan.data.dataset import Spec
from omasgan.errors import UserError
from omasgan.representations.base import Representation
from omasgan.training.stage import Workspace

Part = Callable[[Spec, Workspace], Representation]
"""A constructor of a representation that needs only the spec of a sample and the workspace."""


class Joined(Representation):
    """Concatenates the embeddings of its parts, each of which is learned separately.

    A detector scales every column of an embedding to unit standard deviation, so a part counts by the number of its
    columns and not by its units.

    Parameters
    ----------
    spec, workspace
        See `Representation`.
    parts
        The representations by name, in the order of their columns. The first part that can decode is used to decode.

    Raises
    ------
    UserError
        Where there is no part, or where one of several parts has no rows as embeddings: `pixels` of images, or patches.

    Examples
    --------
    >>> import torch
    >>> from omasgan.representations.pca import PCA
    >>> parts = {"coarse": lambda *given: PCA(*given, components=1), "fine": lambda *given: PCA(*given, components=3)}
    >>> joined = Joined(Spec((4,)), Workspace(), parts)
    >>> joined.fit(torch.randn(20, 4))
    >>> joined.encode(torch.randn(2, 4)).shape
    torch.Size([2, 4])
    """

    def __init__(self, spec: Spec, workspace: Workspace, parts: Mapping[str, Part]) -> None:
        super().__init__(spec, workspace)
        if not parts:
            raise UserError(
                "the representation has no part: choose one or several, such as representation=[visual_words,pca]"
            )
        self.parts = {name: part(spec, workspace) for name, part in parts.items()}
        self.embedding = self._embedding()
        self.lengths = [
            part.embedding.shape[0] for part in self.parts.values()
        ]  # of an image, its channels: all columns

    def _embedding(self) -> Spec:
        specs = {name: part.embedding for name, part in self.parts.items()}
        if len(specs) == 1:
            return next(iter(specs.values()))
        for name, embedding in specs.items():
            if embedding.is_image:
                raise UserError(f"representation={name} gives no rows and cannot be joined with others: use it alone")
        starts = accumulate((embedding.size for embedding in specs.values()), initial=0)
        auxiliary = [start + column for start, e in zip(starts, specs.values(), strict=False) for column in e.auxiliary]
        return Spec((sum(embedding.size for embedding in specs.values()),), tuple(auxiliary))

    def fit(self, train: Tensor) -> None:
        """See `Representation`."""
        for part in self.parts.values():
            part.fit(train)

    def encode(self, x: Tensor) -> Tensor:
        """See `Representation`."""
        embeddings = [part.encode(x) for part in self.parts.values()]
        return embeddings[0] if len(embeddings) == 1 else torch.cat(embeddings, dim=1)

    def decode(self, embeddings: Tensor) -> Tensor | None:
        """See `Representation`."""
        for part, own in zip(self.parts.values(), torch.split(embeddings, self.lengths, dim=1), strict=True):
            decoded = part.decode(own)
            if decoded is not None:
                return decoded
        return None

    def state_dict(self) -> dict[str, Any]:
        """See `Representation`."""
        return {name: part.state_dict() for name, part in self.parts.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See `Representation`."""
        for name, part in self.parts.items():
            part.load_state_dict(state[name])
