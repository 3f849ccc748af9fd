"""Representations to test, and images for them."""

import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from omasgan.configuration.checks import check
from omasgan.configuration.schema import FOLDER, register
from omasgan.data.dataset import Spec
from omasgan.representations.joined import Joined
from omasgan.training.stage import Workspace

IMAGE, ROWS = Spec((1, 8, 8)), Spec((5,))

SMALL = {"patch_size": 3, "words": 8, "regions": 2, "components": 12}
"""Visual words for images of 8 x 8 pixels."""


def representation(*parts, spec=IMAGE, steps=6, folder=None, seed=0, overrides=()):
    """The parts, joined, as a run builds them."""
    register()
    chosen = [f"representation=[{','.join(parts)}]", f"budget.representation={steps}", "budget.representation_batch=32"]
    if "visual_words" in parts:
        chosen += [f"representation.visual_words.{name}={value}" for name, value in SMALL.items()]
    with initialize_config_dir(str(FOLDER), version_base="1.3"):
        config = check(compose("config", [*chosen, *overrides]))
    return Joined(spec, Workspace(seed=seed, folder=folder), instantiate(config["representation"]))


def images(n, seed=0):
    """Bars, upright or lying: two modes that an embedding should tell apart."""
    random = torch.Generator().manual_seed(seed)
    x = torch.randint(0, 40, (n, 1, 8, 8), generator=random)
    x[: n // 2, :, :, 3:5] += 200
    x[n // 2 :, :, 3:5, :] += 200
    return x.to(torch.uint8)
