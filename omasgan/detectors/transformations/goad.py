"""GOAD: embeddings of transformed normal samples in which each transformation has a centre."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import torch
from annotated_types import Ge
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim import Adam

from omasgan.data.dataset import Spec
from omasgan.detectors.base import Detector, lower_rate, need_steps
from omasgan.detectors.transformations.transformations import (
    AffineMaps,
    GeometricTransformations,
    must_have_transformations,
)
from omasgan.networks.base import Architecture, Precise
from omasgan.training.augmentation import Augmentation
from omasgan.training.batches import split
from omasgan.training.seeding import stream
from omasgan.training.settings import Budget, Count, Fraction, NonNegative, Positive
from omasgan.training.stage import Stage, Workspace, descend, frozen

TOGETHER = 4
"""Number of samples whose transforms pass through the network together in scoring; 288 fit into a processor's cache."""


class GOAD(Detector):
    """Embeds transformed samples near the centre of their transformation, and scores how unlikely that centre is.

    An encoder f embeds the transforms T_t x of normal samples, t = 1..M. With the centres c_t, the means of f(T_t x)
    over normal training samples, and d_k = max(||f(T_t x) - c_k||^2, epsilon), the probability of the transformation k
    is

        P(k | T_t x) = exp(-d_k) / sum_j exp(-d_j),

    and the one term is log_probability = -sum_t log P(t | T_t x). Images are transformed by the 72 geometric
    transformations, rows by random affine maps.

    The encoder minimises, over the transforms of a few samples whose means are the centres of that step,

        cross entropy + triplet_weight mean max(d_t + margin - min_{k != t} d_k, 0) + norm_weight mean f^2.

    The cross entropy is that of a linear classifier of f(T_t x).

    Parameters
    ----------
    spec, workspace
        See `Detector`. Images must be square, of at least 8 x 8 pixels.
    architecture
        Its encoder is f.
    augmentation
        The random change of each training sample before it is transformed; the paper has none.
    budget
        The encoder trains for `task1` steps. `batch` counts the transforms of a step: those of batch / M samples,
        rounded down, but of at least two, of which centres are means.
    features
        Length of an embedding.
    lr
        Adam's learning rate.
    decay
        Fraction of the steps, at the end, in which the learning rate falls linearly to 0; in the paper it is constant.
    triplet_weight
        Weight of the triplet loss.
    margin
        By how much nearer a transform must be to its own centre than to any other one, in units of d.
    norm_weight
        Weight of the mean square of the embeddings' values.
    epsilon
        Squared distances below this number count as this number.
    maps, map_outputs
        Number of affine maps of rows, and length of a mapped row; not used for images.
    centre_samples
        Number of normal training samples, drawn at random, of which the centres are means; all of them where there are
        fewer.

    Attributes
    ----------
    transformations
        The transformations T_t.
    encoder, classifier
        f, and the linear classifier of embeddings.
    centres
        (M, features), float64: the centres c_t, computed after training with batch norm in eval mode.

    Raises
    ------
    UserError
        For images that are not square or too small, and for a budget without steps.

    Notes
    -----
    A reproduction, but for these decisions. The paper's network for images is WRN-10-4, whose last feature map,
    averaged over space, is the embedding; here an embedding is a linear function of it, and `architecture` sets the
    size. In the paper, a step has all transforms of 4 images (a batch of 288), and the centres of the score are means
    of embeddings collected in training, with the batch norm of the batch; here they are computed again after training.
    The defaults of triplet_weight, margin, norm_weight and epsilon are those of the authors' experiment on images.

    References
    ----------
    Bergman & Hoshen 2020, "Classification-based anomaly detection for general data", ICLR.
    """

    main_term = "log_probability"

    def __init__(
        self,
        spec: Spec,
        workspace: Workspace,
        architecture: Architecture,
        augmentation: Augmentation,
        budget: Budget,
        features: Count = 64,
        lr: Positive = 1e-3,
        decay: Fraction = 0.5,
        triplet_weight: NonNegative = 0.1,
        margin: NonNegative = 0.1,
        norm_weight: NonNegative = 10.0,
        epsilon: NonNegative = 0.0,
        maps: Annotated[int, Ge(2)] = 64,
        map_outputs: Count = 32,
        centre_samples: Count = 1000,
    ) -> None:
        super().__init__(spec, workspace)
        self.augmentation, self.budget = self.suitable(augmentation), budget
        self.lr, self.decay, self.epsilon, self.centre_samples = lr, decay, epsilon, centre_samples
        self.triplet_weight, self.margin, self.norm_weight = triplet_weight, margin, norm_weight
        self.transformations: GeometricTransformations | AffineMaps
        if spec.is_image:
            must_have_transformations(spec, "goad")
            self.transformations, shape = GeometricTransformations(spec.shape[1], workspace.device), spec.shape
        else:
            random = stream(workspace.seed, "affine maps", torch.device("cpu"))
            self.transformations = AffineMaps(spec.shape[0], maps, map_outputs, random, workspace.device)
            shape = (map_outputs,)
        M = len(self.transformations)
        self.encoder = workspace.network("encoder", lambda: architecture.encoder(shape, features))
        self.classifier = workspace.network("classifier", lambda: Precise(features, M))
        self.centres = torch.zeros(M, features, dtype=torch.float64)

    def check(self, n: int) -> None:
        """See `Detector`; the encoder needs at least one step of training."""
        super().check(n)
        need_steps("goad", task1=self.budget.task1)

    def fit(self, train: Tensor) -> None:
        """See `Detector`."""
        self.check(len(train))
        self.train_encoder(train)
        self.centres = self.outputs(self.embeddings, self.some(train, self.centre_samples, "centres")).mean(dim=0)

    def terms(self, x: Tensor) -> dict[str, Tensor]:
        """See `Detector`; one term, minus the sum of log P(t | T_t x) over all transformations t."""
        centres = self.centres.to(self.workspace.device)

        def score(part: Tensor) -> Tensor:
            log_P = log_probabilities(self.embeddings(part), centres, self.epsilon)
            return -log_P.diagonal(dim1=1, dim2=2).sum(dim=1)

        return {"log_probability": self.outputs(score, x)}

    def embeddings(self, x: Tensor) -> Tensor:
        """f(T_t x) for scaled samples x (n, ...); (n, M, features), float64."""
        z = [self.v(self.encoder, self.transformations.every(few)) for few in split(x, TOGETHER)]
        return torch.cat(z).view(x.shape[0], len(self.transformations), -1)

    def train_encoder(self, train: Tensor) -> None:
        """Train the encoder and the classifier, which are frozen afterwards."""
        batches, M = self.batches(train, self.augmentation), len(self.transformations)
        n, networks = max(self.budget.batch // M, 2), self.networks()
        t = torch.arange(M, device=self.workspace.device).repeat(n)
        adam = Adam(nn.ModuleDict(networks).parameters(), self.lr, fused=True)
        remedy = lower_rate(self.lr)
        stage = Stage("encoder", self.budget.task1, self.workspace, networks, {"adam": adam}, self.decay, remedy)
        for _ in stage:
            x = self.transformations.every(batches.draw(n, stage.random))
            with self.workspace.autocast():
                z = self.encoder(x).float()
            logits = self.classifier(z)
            classification = cross_entropy(logits, t)
            triplet = triplet_loss(z.view(n, M, -1), self.margin)
            norm = z.square().mean()
            descend(classification + self.triplet_weight * triplet + self.norm_weight * norm, adam)
            if stage.due():
                right = (logits.argmax(dim=1) == t).float().mean()
                stage.record(
                    {
                        "loss/cross entropy": classification,
                        "loss/triplet": triplet,
                        "loss/norm": norm,
                        "accuracy/classifier": right,
                    }
                )
        for network in networks.values():
            frozen(network)

    def networks(self) -> dict[str, nn.Module]:
        """The networks of the detector's state, by name."""
        return {"encoder": self.encoder, "classifier": self.classifier}

    def state_dict(self) -> dict[str, Any]:
        """See `Detector`."""
        transformations = self.transformations.state_dict()
        return {**super().state_dict(), "centres": self.centres, "transformations": transformations}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See `Detector`."""
        super().load_state_dict(state)
        self.centres = state["centres"].cpu()
        self.transformations.load_state_dict(state["transformations"])


def log_probabilities(z: Tensor, centres: Tensor, epsilon: float) -> Tensor:
    """log P(k | T_t x), the log softmax over k of -max(||z_t - c_k||^2, epsilon).

    Parameters
    ----------
    z
        The embeddings z_t of the transforms of samples, (n, M, features).
    centres
        The centres c_k, (M, features).
    epsilon
        Squared distances below this number count as this number.

    Returns
    -------
    Tensor
        (n, t, k).
    """
    # The digits of distances from a matrix product would depend on the other samples of the batch.
    distances = torch.cdist(z, centres, compute_mode="donot_use_mm_for_euclid_dist")
    return torch.log_softmax(-distances.square().clamp_min(epsilon), dim=2)


def triplet_loss(z: Tensor, margin: float) -> Tensor:
    """mean_{i,t} max(||z_it - c_t||^2 + margin - min_{k != t} ||z_it - c_k||^2, 0) with c_t = mean_i z_it; scalar.

    Parameters
    ----------
    z
        The embeddings of all transforms t of a few samples i, (n, M, features).
    margin
        By how much nearer an embedding must be to its own centre than to any other one.

    References
    ----------
    He et al. 2018, "Triplet-center loss for multi-view 3D object retrieval".
    """
    centres = z.mean(dim=0)
    # ||z||^2 is the same for all centres, so that it cancels in the difference of two distances.
    relative = centres.square().sum(dim=1) - 2 * z @ centres.T
    own = relative.diagonal(dim1=1, dim2=2)
    itself = torch.eye(len(centres), dtype=torch.bool, device=z.device)
    other = relative.masked_fill(itself, torch.inf).amin(dim=2)
    return (own + margin - other).clamp_min(0).mean()
