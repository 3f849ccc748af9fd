"""Codes of what small patches an image is made of, and where they lie."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import torch
from annotated_types import Interval
from sklearn.cluster import MiniBatchKMeans
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, avg_pool2d, conv2d, normalize

from omasgan.data.dataset import Spec
from omasgan.errors import UserError
from omasgan.representations.base import Representation, must_be_images
from omasgan.representations.discriminants import PRINCIPAL, Discriminants
from omasgan.training import checkpoint
from omasgan.training.augmentation import Augmentation
from omasgan.training.batches import Scaling
from omasgan.training.seeding import stream, stream_seed
from omasgan.training.settings import Count
from omasgan.training.stage import Workspace, in_batches

IMAGES = 10_000
"""Training images, at most, two views of each of which the discriminants are learned from."""

DRAWN = 60_000
"""Patches that the dictionary is learned from."""

CONTRAST = 0.01
"""Added to the variance of a patch, so that the noise of a plain one is not taken for a pattern."""

WHITENED = 0.1
"""Added to the variance of every principal direction of the patches, for the same reason."""

CHUNK = 20
"""Images that are encoded at a time: what all words give of so many stays in a core's cache."""

TINY = 1e-6
"""Stands in for a squared length of zero."""


class Patches(Representation):
    """A code is what words an image's patches are like, part by part, as far as that tells images apart; (components,).

    Coates, Ng & Lee 2011: patches of `side` x `side` pixels, each brought to zero mean and unit contrast and whitened,
    are clustered by their direction into so many `words`; of every patch of an image, by how much its cosine to a word
    exceeds its mean cosine to all words counts; the counts are averaged over each of `parts` x `parts` parts of the
    image. Of their square roots, `components` linear discriminants are kept (of few images, fewer), in which distances
    count in units of how far two `views` of one image lie apart, see `Discriminants`. Nothing is trained by gradients:
    it takes a minute, and knows textures and shapes.

    There is no way back from a code to an image.
    """

    def __init__(
        self,
        spec: Spec,
        workspace: Workspace,
        views: Augmentation,
        side: Count = 6,
        words: Count = 400,
        parts: Count = 3,
        components: Annotated[int, Interval(ge=1, le=PRINCIPAL)] = 128,
    ) -> None:
        super().__init__(spec, workspace)
        must_be_images(spec, "codes of patches")
        places = min(spec.shape[1:]) - side + 1
        if places < parts:
            raise UserError(
                f"the representation's side is {side} and its parts are {parts}: images of {spec.shape[1]} x "
                f"{spec.shape[2]} pixels allow sides up to {min(spec.shape[1:]) - parts + 1} with so many parts"
            )
        if components > words * parts**2:
            raise UserError(
                f"the representation's components are {components}, but {words} words in {parts} x {parts} parts "
                f"are {words * parts**2} numbers: keep fewer"
            )
        self.views, self.side, self.words, self.parts, self.components = views, side, words, parts, components
        self.discriminants = Discriminants(components, workspace.seed)
        self.codes = Spec((components,))

    def fit(self, train: Tensor) -> None:
        """See `Representation`. Raises UserError where patches are fewer than words.

        What was learned lies in a checkpoint, as a stage's does: two detectors of one run learn it once.
        """
        height, width = (size - self.side + 1 for size in self.spec.shape[1:])
        there = len(train) * height * width
        if self.words > there:
            raise UserError(
                f"the representation's words are {self.words}, but the {len(train)} training normals have "
                f"{there} patches: make them fewer"
            )
        folder = self.workspace.folder
        path = None if folder is None else folder / "checkpoints" / "patches.pt"
        if path is not None and path.exists():
            self.load_state_dict(checkpoint.load(path, "patches", self.workspace.device))
            return
        self.scaling = Scaling(train).to(self.workspace.device)
        self.learn_words(train)
        self.learn_discriminants(train)
        if path is not None:
            checkpoint.save(path, "patches", self.state_dict())

    def learn_words(self, train: Tensor) -> None:
        """The filters (words + k, C, side, side), k = C * side * side: what patches share with words, and their pixels.

        Both are of whitened patches; the pixels' length turns the first into cosines.
        """
        patches = self.draw(train)
        mean = patches.mean(dim=0)
        variances, directions = torch.linalg.eigh(torch.cov(patches.T))
        whiten = directions @ torch.diag((variances.clamp_min(0) + WHITENED).rsqrt()) @ directions.T
        seed = stream_seed(self.workspace.seed, "words") % 2**32
        clusters = MiniBatchKMeans(
            self.words, batch_size=4096, n_init=1, max_iter=10, max_no_improvement=None, random_state=seed
        ).fit(normalize((patches - mean) @ whiten).numpy())
        words = normalize(torch.from_numpy(clusters.cluster_centers_).float())
        # By how much a cosine exceeds the mean one is itself a product, with the word less the mean word.
        filters = torch.cat([(words - words.mean(dim=0)) @ whiten, whiten])
        self.shift = (filters @ mean).view(-1, 1, 1)
        filters = filters - filters.mean(dim=1, keepdim=True)  # the same as a patch less its own mean
        self.filters = filters.view(-1, self.spec.shape[0], self.side, self.side)
        self._move()

    def draw(self, train: Tensor) -> Tensor:
        """Patches from anywhere in any image, (DRAWN, C * side * side), of zero mean and unit contrast."""
        random = stream(self.workspace.seed, "patches", torch.device("cpu"))

        def anywhere(places: int) -> Tensor:
            return torch.randint(places, (DRAWN, 1, 1, 1), generator=random)

        channels, height, width = self.spec.shape
        reach = torch.arange(self.side)
        image, row, column = anywhere(len(train)), anywhere(height - self.side + 1), anywhere(width - self.side + 1)
        channel = torch.arange(channels).view(1, -1, 1, 1)
        pixels = train.cpu()[image, channel, row + reach.view(1, 1, -1, 1), column + reach.view(1, 1, 1, -1)]
        patches = self.scaling(pixels.to(self.workspace.device)).flatten(1).cpu()
        centred = patches - patches.mean(dim=1, keepdim=True)
        return centred / (centred.square().mean(dim=1, keepdim=True) + CONTRAST).sqrt()

    def learn_discriminants(self, train: Tensor) -> None:
        """From two views of some of the images."""
        random = stream(self.workspace.seed, "views of patches", self.workspace.device)
        order = torch.randperm(len(train), generator=random, device=random.device)
        some = train[order[:IMAGES].to(train.device)]

        def view(part: Tensor) -> Tensor:
            return self.views(self.scaling(part.to(self.workspace.device)), random)

        first, second = (torch.cat([self._counts(view(part)) for part in torch.split(some, CHUNK)]) for _ in range(2))
        self.discriminants.fit(first, second)

    def counts(self, x: Tensor) -> Tensor:
        """How much of every word is in every part of images (n, C, H, W), as square roots; (n, words * parts^2)."""
        parts = torch.split(x, CHUNK)
        return torch.cat([self._counts(self.scaling(part.to(self.workspace.device))) for part in parts])

    @torch.inference_mode()
    def _counts(self, x: Tensor) -> Tensor:
        """Of scaled images; on the CPU."""
        mean = avg_pool2d(x.mean(dim=1, keepdim=True), self.side, stride=1)
        square = avg_pool2d(x.square().mean(dim=1, keepdim=True), self.side, stride=1)
        contrast = ((square - mean.square()).clamp_min(0) + CONTRAST).sqrt()
        with self.workspace.autocast():
            seen = conv2d(x, self.filters)
        # Not divided by the contrast: the cosines don't change.
        seen = torch.addcmul(seen, self.shift.to(seen.dtype), contrast.to(seen.dtype), value=-1)
        length = seen[:, self.words :].float().square().sum(dim=1, keepdim=True).clamp_min(TINY).sqrt()
        above = seen[:, : self.words].relu_().div_(length.to(seen.dtype))
        return adaptive_avg_pool2d(above, self.parts).float().flatten(1).sqrt().cpu()

    def encode(self, x: Tensor) -> Tensor:
        """See `Representation`."""
        return in_batches(lambda part: self.discriminants(self.counts(part)), x)

    def state_dict(self) -> dict[str, Any]:
        """See `Representation`."""
        words = {"filters": self.filters, "shift": self.shift}
        return {"scaling": self.scaling.state_dict(), "discriminants": self.discriminants.state_dict(), **words}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See `Representation`."""
        self.scaling = Scaling.from_state_dict(state["scaling"]).to(self.workspace.device)
        self.discriminants.load_state_dict(state["discriminants"])
        self.filters, self.shift = state["filters"], state["shift"]
        self._move()

    def _move(self) -> None:
        self.filters = self.filters.to(self.workspace.device, memory_format=torch.channels_last)
        self.shift = self.shift.to(self.workspace.device)
