"""A bag of visual words: which small patches an image consists of, and in which regions they are."""

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
from omasgan.training.batches import Scaling, split
from omasgan.training.seeding import stream, stream_seed
from omasgan.training.settings import Count
from omasgan.training.stage import Workspace, in_batches

IMAGES = 10_000
"""Number of training images, at most, that the discriminants are learned from, with two views of each."""

DRAWN = 60_000
"""Number of patches that the dictionary is learned from."""

CONTRAST = 0.01
"""Added to the variance of a patch, so that noise in a plain patch is not amplified into a pattern."""

WHITENED = 0.1
"""Added to the variance of every principal direction of the patches, for the same reason."""

CHUNK = 20
"""Number of images that are encoded at a time, so that the responses of all words fit a core's cache."""

TINY = 1e-6
"""Lower bound of a squared length, which is divided by."""


class VisualWords(Representation):
    """A bag of visual words for each region of an image, reduced to linear discriminants.

    Patches of `patch_size` x `patch_size` pixels are normalised to zero mean and unit contrast, whitened, and clustered
    by their directions into `words`. A patch counts for a word with the amount by which its cosine to that word exceeds
    its mean cosine to all words, if it does. The counts are averaged over each of `regions` x `regions` regions of the
    image, and their square roots are reduced to `components` linear discriminants, in which distances are in units of
    how far two `views` of one image are apart, see `Discriminants`. Embeddings describe textures and shapes and cannot
    be decoded. No network is trained.

    Parameters
    ----------
    spec, workspace
        See `Representation`.
    views
        The random augmentation that makes a view of an image.
    patch_size
        Height and width of a patch, in pixels.
    words
        Number of words in the dictionary.
    regions
        Number of regions along each side of an image.
    components
        Number of columns of an embedding, 1..512; with fewer training images only as many discriminants are used.

    Raises
    ------
    UserError
        For rows, and where patch size, regions or components do not fit the images.

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
                f"regions are {words * regions**2} values: choose fewer components"
            )
        self.views, self.components = views, components
        self.patch_size, self.words, self.regions = patch_size, words, regions
        self.discriminants = Discriminants(components, workspace.seed)
        self.embedding = Spec((components,))

    def fit(self, train: Tensor) -> None:
        """See `Representation`; raises UserError where there are fewer patches than words.

        The result is saved as a checkpoint, so that two detectors of one run learn it once.
        """
        height, width = (size - self.patch_size + 1 for size in self.spec.shape[1:])
        there = len(train) * height * width
        if self.words > there:
            raise UserError(
                f"representation.visual_words.words is {self.words}, but the {len(train)} normal training samples have "
                f"{there} patches: choose fewer words"
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
        """Learn the filters (words + k, C, side, side), with k = C * side * side and side the patch size.

        The first ones give the products of a whitened patch with the words, the others its whitened pixels, whose
        length turns the products into cosines.
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
        # A cosine minus the mean cosine to all words is a product with the word minus the mean word.
        filters = torch.cat([(words - words.mean(dim=0)) @ whiten, whiten])
        self.shift = (filters @ mean).view(-1, 1, 1)
        filters = filters - filters.mean(dim=1, keepdim=True)  # equivalent to subtracting a patch's mean from it
        self.filters = filters.view(-1, self.spec.shape[0], self.patch_size, self.patch_size)
        self._move()

    def draw(self, train: Tensor) -> Tensor:
        """Random patches, (DRAWN, C * patch_size^2), with zero mean and unit contrast."""
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
        """Learn the discriminants from two views of at most `IMAGES` images."""
        random = stream(self.workspace.seed, "views of patches", self.workspace.device)
        order = torch.randperm(len(train), generator=random, device=random.device)
        some = train[order[:IMAGES].to(train.device)]

        def view(part: Tensor) -> Tensor:
            return self.views(self.scaling(part.to(self.workspace.device)), random)

        first, second = (torch.cat([self._counts(view(part)) for part in torch.split(some, CHUNK)]) for _ in range(2))
        self.discriminants.fit(first, second)

    def counts(self, x: Tensor) -> Tensor:
        """The square roots of the counts of all words in all regions of images (n, C, H, W); (n, words * regions^2)."""
        parts = split(x, CHUNK)
        return torch.cat([self._counts(self.scaling(part.to(self.workspace.device))) for part in parts])

    @torch.inference_mode()
    def _counts(self, x: Tensor) -> Tensor:
        """The same for scaled images; on the CPU."""
        mean = avg_pool2d(x.mean(dim=1, keepdim=True), self.patch_size, stride=1)
        square = avg_pool2d(x.square().mean(dim=1, keepdim=True), self.patch_size, stride=1)
        contrast = ((square - mean.square()).clamp_min(0) + CONTRAST).sqrt()
        with self.workspace.autocast():
            seen = conv2d(x, self.filters)
        # Division by the contrast is left out, as it does not change the cosines.
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
