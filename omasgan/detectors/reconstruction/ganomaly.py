"""GANomaly, whose score is how far a sample's code is from that of its reconstruction."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus
from torch.optim import Adam

from omasgan.data.dataset import Spec
from omasgan.detectors.base import Detector, lower_rate, need_steps
from omasgan.networks.base import Architecture, features_and_output
from omasgan.training.augmentation import Augmentation
from omasgan.training.settings import Budget, NonNegative, Positive
from omasgan.training.stage import Stage, Workspace, descend, frozen

BETAS = (0.5, 0.999)
"""Adam's decay rates."""


class GANomaly(Detector):
    """An adversarially trained autoencoder with a second encoder.

    With z = E(x), the reconstruction y = decoder(z), its code z' = E'(y), and f the features of the discriminator D
    before its last layer, the generator (E, the decoder and E') minimises

        w_adv mean (f(x) - f(y))^2 + w_con mean |x - y| + w_enc mean (z - z')^2,

    and D the cross entropy of telling x from y. The terms are latent = mean (z - z')^2, which is the detector's score,
    and reconstruction = mean |x - y|.

    Parameters
    ----------
    spec, workspace
        See `Detector`.
    architecture
        Its encoder is E and E', its generator the decoder, its discriminator D; its latent size is the length of z.
    augmentation
        The random change of each training sample.
    budget
        Trains for `task1` steps of `batch` samples.
    lr
        Adam's learning rate.
    adversarial, contextual, encoding
        The weights w_adv, w_con and w_enc.

    Attributes
    ----------
    encoder, decoder, second_encoder, D
        The networks, frozen after `fit`.

    Raises
    ------
    UserError
        Where the augmentation does not suit the samples, or the budget has no steps.

    Notes
    -----
    A reproduction of the losses, weights, optimiser and score; the networks are those of `architecture`. The published
    code draws new weights for D when its loss falls below 1e-5, which ours does not; it keeps the weights with the best
    AUROC on the test set, and scores with batch norm in training mode, so that a score depends on the other samples of
    a batch. Here the last step counts, and `terms` uses the statistics of training. `leaky_score` shows what the other
    way would give.

    References
    ----------
    Akcay et al. 2018, "GANomaly: semi-supervised anomaly detection via adversarial training", ACCV.
    """

    main_term = "latent"

    def __init__(
        self,
        spec: Spec,
        workspace: Workspace,
        architecture: Architecture,
        augmentation: Augmentation,
        budget: Budget,
        lr: Positive = 2e-4,
        adversarial: NonNegative = 1.0,
        contextual: NonNegative = 50.0,
        encoding: NonNegative = 1.0,
    ) -> None:
        super().__init__(spec, workspace)
        self.augmentation = self.suitable(augmentation)
        self.budget, self.lr = budget, lr
        self.adversarial, self.contextual, self.encoding = adversarial, contextual, encoding
        latent = architecture.latent
        self.encoder = self.make("encoder", lambda shape: architecture.encoder(shape, latent))
        self.decoder = self.make("decoder", architecture.generator)
        self.second_encoder = self.make("second_encoder", lambda shape: architecture.encoder(shape, latent))
        self.D = self.make("D", architecture.discriminator)

    def check(self, n: int) -> None:
        """See `Detector`; the networks need at least one step of training."""
        super().check(n)
        need_steps("ganomaly", task1=self.budget.task1)

    def fit(self, train: Tensor) -> None:
        """See `Detector`."""
        self.check(len(train))
        batches, n = self.batches(train, self.augmentation), self.budget.batch
        generator = nn.ModuleList([self.encoder, self.decoder, self.second_encoder])
        adam_G = Adam(generator.parameters(), self.lr, BETAS, fused=True)
        adam_D = Adam(self.D.parameters(), self.lr, BETAS, fused=True)
        optimisers = {"adam_G": adam_G, "adam_D": adam_D}
        remedy = lower_rate(self.lr)
        stage = Stage("ganomaly", self.budget.task1, self.workspace, self.networks(), optimisers, remedy=remedy)
        for _ in stage:
            x = batches.draw(n, stage.random)
            self.D.requires_grad_(False)
            with self.workspace.autocast():
                z, y, z_again = self.passed(x)
                f_x, f_y = (features_and_output(self.D, part)[0].float() for part in (x, y))
            losses = {
                "adversarial": (f_x - f_y).square().mean(),
                "contextual": (x - y).abs().mean(),
                "encoding": (z - z_again).square().mean(),
            }
            loss_G = (
                self.adversarial * losses["adversarial"]
                + self.contextual * losses["contextual"]
                + self.encoding * losses["encoding"]
            )
            descend(loss_G, adam_G)

            self.D.requires_grad_(True)
            with self.workspace.autocast():
                v_x, v_y = self.D(x), self.D(y.detach())
            loss_D = (softplus(-v_x).mean() + softplus(v_y).mean()) / 2
            descend(loss_D, adam_D)
            if stage.due():
                stage.record({"loss/G": loss_G, "loss/D": loss_D, **{f"part/{k}": v for k, v in losses.items()}})
        for network in self.networks().values():
            frozen(network)

    def passed(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """z (n, l), y (n, ...) and z' (n, l) of scaled samples x, float32."""
        z = self.encoder(x)
        y = self.decoder(z)
        return z.float(), y.float(), self.second_encoder(y).float()

    def terms(self, x: Tensor) -> dict[str, Tensor]:
        """See `Detector`; the terms are listed in the class's docstring."""
        latent, reconstruction = self.outputs(self.compare, x).unbind(dim=1)
        return {"latent": latent, "reconstruction": reconstruction}

    def compare(self, x: Tensor) -> Tensor:
        """Both terms of scaled samples; (n, 2)."""
        with self.workspace.autocast():
            z, y, z_again = self.passed(x)
        latent = (z - z_again).double().square().mean(dim=1)
        return torch.stack([latent, (x - y).double().abs().flatten(1).mean(dim=1)], dim=1)

    def leaky_score(self, x: Tensor) -> Tensor:
        """The term latent with the statistics of the batch x itself in batch norm, as in the published code; (n,).

        It is no anomaly score: it depends on which samples are scored together. Studies use it to show how much that
        changes.
        """
        networks = (self.encoder, self.decoder, self.second_encoder)
        kept = [{name: buffer.clone() for name, buffer in network.named_buffers()} for network in networks]
        for network in networks:
            network.train()
        try:
            return self.outputs(self.compare, x)[:, 0]
        finally:
            for network, buffers in zip(networks, kept, strict=True):
                network.load_state_dict(buffers, strict=False)
                network.eval()

    def networks(self) -> dict[str, nn.Module]:
        """The networks of the detector's state, by name."""
        return {
            "encoder": self.encoder,
            "decoder": self.decoder,
            "second_encoder": self.second_encoder,
            "D": self.D,
        }
