"""Builds the objects of a checked configuration, except the loggers, which `runs.logger.loggers` builds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch
from hydra.utils import instantiate

from omasgan.data import protocols
from omasgan.data.class_names import ALL
from omasgan.data.dataset import Dataset, Spec
from omasgan.data.protocols import Protocol
from omasgan.detectors.base import Detector
from omasgan.errors import UserError
from omasgan.files import user_path
from omasgan.training.debugging import Debugger
from omasgan.training.memory import keep_freed_memory, set_libraries_aside
from omasgan.training.settings import Debug
from omasgan.training.stage import Workspace


def dataset(config: Mapping[str, Any]) -> Dataset:
    """The data set, joined with the test split of `abnormal_dataset` where there is one.

    Raises
    ------
    UserError
        Where a class is called 'all', which stands for every class in the settings of a protocol.
    """
    normal = cast(Dataset, instantiate(config["dataset"]))
    if ALL in normal.class_names:
        raise UserError(f"the data set has a class '{ALL}', which stands for every class in turn: rename it")
    if config["abnormal_dataset"] is None:
        return normal
    return protocols.join(normal, cast(Dataset, instantiate(config["abnormal_dataset"])), "abnormal")


def protocol(config: Mapping[str, Any]) -> Protocol:
    """The protocol, which decides which classes are normal."""
    return cast(Protocol, instantiate(config["protocol"], _convert_="all"))


def workspace(config: Mapping[str, Any], folder: Path | None = None) -> Workspace:
    """The workspace of a run: its device, seed and arithmetic, and where its stages write.

    Also sets the number of threads of this process.

    Parameters
    ----------
    config
        The configuration of the run.
    folder
        The run's folder; None writes nothing.

    Raises
    ------
    UserError
        For a device that this machine does not have.
    """
    if config["threads"] is not None:
        torch.set_num_threads(config["threads"])
    device = _device(config["device"])
    keep_freed_memory()
    set_libraries_aside()
    return Workspace(
        device=device,
        seed=config["seed"],
        folder=folder,
        dtype=torch.bfloat16 if _bfloat16(config["precision"], device) else None,
        record_every=config["log_every"],
        debug=Debugger(Debug(**config["debug"])),
        feature_cache=None if (kept := config.get("feature_cache")) is None else user_path(kept),
    )


def detector(node: Mapping[str, Any], spec: Spec, workspace: Workspace) -> Detector:
    """An untrained detector for samples of the shape `spec`, from its node of the configuration."""
    # As a partial, because Hydra would convert these two arguments into configuration nodes.
    return cast(Detector, instantiate(dict(node), _partial_=True)(spec=spec, workspace=workspace))


def representation(node: Mapping[str, Any]) -> Mapping[str, Any]:
    """The settings of each part of a detector's representation, by name; empty for a detector without one."""
    return cast(Mapping[str, Any], node.get("representation", {}))


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.zeros(1, device=name).item()
    except (RuntimeError, AssertionError) as error:
        reason = str(error).split("\n")[0]
        raise UserError(f"device is '{name}', which does not work here ({reason}): use auto, cpu or cuda:N") from None
    return torch.device(name)


def _bfloat16(precision: str, device: torch.device) -> bool:
    if precision != "auto":
        return precision == "bfloat16"
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    # A processor without bfloat16 instructions can compute in bfloat16, but more slowly than in float32.
    capabilities = torch.cpu.get_capabilities()
    return device.type == "cpu" and any(capabilities.get(name, False) for name in ("avx512_bf16", "amx_bf16"))
