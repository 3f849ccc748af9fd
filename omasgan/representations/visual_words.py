"""A bag of visual words: which small patches an image is made of, and where they lie."""

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


class VisualWords(Representation):
    """A bag of visual words for each region of an image, reduced to linear discriminants.

    Patches of `patch_size` x `patch_size` pixels, each brought to zero mean and unit contrast and whitened, are
    clustered by their direction into `words`. Each patch of an image counts for a word by how much its cosine to that
    word exceeds its mean cosine to all words; the counts are averaged over each of `regions` x `regions` regions of the
    image. Of their square roots `components` linear discriminants are kept (fewer where there are few images), in which
    distances are measured in units of how far two `views` of one image lie apart, see `Discriminants`. Nothing is
    trained by gradients: it takes a minute and describes textures and shapes. There is no way back from an embedding to
    an image.

    Parameters
    ----------
    spec, workspace
        See `Representation`.
    views
        The random change of an image that makes a view of it.
    patch_size
        Side of a patch, in pixels.
    words
        Size of the dictionary.
    regions
        Regions of an image in each direction.
    components
        Columns of an embedding.

    Raises
    ------
    UserError
        For rows, and where the patches, regions or components do not fit the images.

    References
    ----------
    Coates, Ng & Lee 2011, "An analysis of single-layer networks in unsupervised feature learning".
    """

    def __init__(
        self,
        spec: Spec,
        workspace: Workspace,
        views: Augmentation,
        patch_size: Count = 6,
        words: Count = 400,
        regions: Count = 3,
        components: Annotated[int, Interval(ge=1, le=PRINCIPAL)] = 128,
    ) -> None:
        super().__init__(spec, workspace)
        must_be_images(spec, "visual words")
        places = min(spec.shape[1:]) - patch_size + 1
        if places < regions:
            raise UserError(
                f"representation.visual_words has patch_size={patch_size} and regions={regions}: images of "
                f"{spec.shape[1]} x {spec.shape[2]} pixels then allow a patch_size of "
                f"{min(spec.shape[1:]) - regions + 1} at most"
            )
        if components > words * regions**2:
            raise UserError(
                f"representation.visual_words.components is {components}, but {words} words in {regions} x {regions} "
                f"regions are {words * regions**2} values: keep fewer"
            )
        self.views, self.components = views, components
        self.patch_size, self.words, self.regions = patch_size, words, regions
        self.discriminants = Discriminants(components, workspace.seed)
        self.embedding = Spec((components,))

    def fit(self, train: Tensor) -> None:
        """See `Representation`. Raises UserError where patches are fewer than words.

        What was learned lies in a checkpoint, as a stage's does: two detectors of one run learn it once.
        """
        height, width = (size - self.patch_size + 1 for size in self.spec.shape[1:])
        there = len(train) * height * width
        if self.words > there:
            raise UserError(
                f"representation.visual_words.words is {self.words}, but the {len(train)} training normals have "
                f"{there} patches: make them fewer"
            )
        folder = self.workspace.folder
        path = None if folder is None else folder / "checkpoints" / "visual_words.pt"
        if path is not None and path.exists():
            self.load_state_dict(checkpoint.load(path, "visual_words", self.workspace.device))
            return
        self.scaling = Scaling(train).to(self.workspace.device)
        self.learn_words(train)
        self.learn_discriminants(train)
        if path is not None:
            checkpoint.save(path, "visual_words", self.state_dict())

    def learn_words(self, train: Tensor) -> None:
        """The filters (words + k, C, side, side), k = C * side^2: what patches share with words, and their pixels.

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
        self.filters = filters.view(-1, self.spec.shape[0], self.patch_size, self.patch_size)
        self._move()

    def draw(self, train: Tensor) -> Tensor:
        """Patches from anywhere in any image, (DRAWN, C * patch_size^2), of zero mean and unit contrast."""
        random = stream(self.workspace.seed, "patches", torch.device("cpu"))

        def anywhere(places: int) -> Tensor:
            return torch.randint(places, (DRAWN, 1, 1, 1), generator=random)

        channels, height, width = self.spec.shape
        offset = torch.arange(self.patch_size)
        image, row, column = (
            anywhere(len(train)),
            anywhere(height - self.patch_size + 1),
            anywhere(width - self.patch_size + 1),
        )
        channel = torch.arange(channels).view(1, -1, 1, 1)
        pixels = train.cpu()[image, channel, row + offset.view(1, 1, -1, 1), column + offset.view(1, 1, 1, -1)]
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
        """How much of every word is in every region of images (n, C, H, W), as square roots; (n, words * regions^2)."""
        parts = torch.split(x, CHUNK)
        return torch.cat([self._counts(self.scaling(part.to(self.workspace.device))) for part in parts])

    @torch.inference_mode()
    def _counts(self, x: Tensor) -> Tensor:
        """Of scaled images; on the CPU."""
        mean = avg_pool2d(x.mean(dim=1, keepdim=True), self.patch_size, stride=1)
        square = avg_pool2d(x.square().mean(dim=1, keepdim=True), self.patch_size, stride=1)
        contrast = ((square - mean.square()).clamp_min(0) + CONTRAST).sqrt()
        with self.workspace.autocast():
            seen = conv2d(x, self.filters)
        # Not divided by the contrast: the cosines don't change.
        seen = torch.addcmul(seen, self.shift.to(seen.dtype), contrast.to(seen.dtype), value=-1)
        length = seen[:, self.words :].float().square().sum(dim=1, keepdim=True).clamp_min(TINY).sqrt()
        above = seen[:, : self.words].relu_().div_(length.to(seen.dtype))
        return adaptive_avg_pool2d(above, self.regions).float().flatten(1).sqrt().cpu()

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
