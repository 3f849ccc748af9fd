"""A run's identity: which settings determine its results, and the names that follow from them."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from omasgan.configuration.schema import FOLDER, SWEEPS, Config

NOT_SCIENCE = frozenset(
    {"baselines", "logger", "device", "threads", "runs", "data", "task", "score", "clean", "search", "report"}
)
"""Keys that change where and how a run is done, what it is compared with or how it is shown, but no result of it."""

SHOWN_APART = frozenset({"seed"})
"""Science keys that have their own place in a run's folder name, and so no part in its hash."""

GROUPS = tuple(f.name for f in fields(Config) if f.type == "Any" and f.name != "baselines")
"""Keys of all groups that a run is built from, without what it is only compared to."""

SEVERAL = ("representation", "baselines")
"""Keys whose node holds the settings of several objects, by name."""

CLASS_KEYS = {"abnormal_class": "abnormal", "normal_class": "normal"}
"""A protocol's class, and what it is to the protocol."""

PSEUDO_KEY = "pseudo_class"
"""A protocol's second class, which stands in for the anomalies; null where the protocol knows it by itself."""

PSEUDO = "-pseudo-"
"""Between a class and the one that stands in for the anomalies, in a run's class."""


def is_pseudo(protocol: str) -> bool:
    """Whether a protocol, by its option's name, is there to choose settings by: its test holds no reported class."""
    return protocol.startswith("pseudo")


NAME_LENGTH = 60
"""Characters of a class's name in a run's folder name, at most."""


def science(cfg: Mapping[str, Any]) -> dict[str, Any]:
    """What determines a run's results, apart from its seed and its class.

    Interpolations stay as they are written, so that a data folder elsewhere does not make another experiment.
    """
    node = cfg if isinstance(cfg, DictConfig) else OmegaConf.create(dict(cfg))
    plain = OmegaConf.to_container(node, resolve=False)
    assert isinstance(plain, dict)
    kept = {str(k): v for k, v in plain.items() if str(k) not in NOT_SCIENCE | SHOWN_APART | {"hydra"}}
    if isinstance(parts := kept.get("representation"), dict):
        kept["representation"] = in_order(parts)
    kept["protocol"] = {k: v for k, v in kept["protocol"].items() if k not in (*CLASS_KEYS, PSEUDO_KEY)}
    return kept


def chosen_parts(representation: Mapping[str, Any]) -> dict[str, Any]:
    """The parts of a representation that are chosen.

    An experiment may have settings for a part of its own representation, in whose place another one is chosen.
    """
    options = {path.stem for path in (FOLDER / "representation").glob("*.yaml")}
    left_over = [
        name
        for name, part in representation.items()
        if name in options and isinstance(part, Mapping) and "_target_" not in part
    ]
    return {name: part for name, part in representation.items() if name not in left_over}


def in_order(representation: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """The chosen parts of a representation as a list, because their order is that of the embedding's columns."""
    return list(chosen_parts(representation).items())


def identity_of(cfg: Mapping[str, Any]) -> str:
    """Eight hexadecimal digits that are equal for equal science keys; 1 and 1.0 are equal."""
    return digest(science(cfg))


def digest(settings: object) -> str:
    """Eight hexadecimal digits that are equal for equal settings."""
    return _digest(canonical(settings), 8)


def canonical(settings: object) -> str:
    """A text that is equal for equal settings; 1 and 1.0 are equal."""
    return json.dumps(json.loads(json.dumps(settings), parse_int=float), sort_keys=True)


def _digest(text: str, digits: int) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:digits]


def option_names(cfg: DictConfig, choices: Mapping[str, Any]) -> dict[str, str]:
    """The chosen option of each group as a word; the parts of the representation joined by '+'.

    choices: Hydra's, which hold no group of which a list was chosen.
    """
    parts = OmegaConf.to_container(cfg.representation, resolve=False)
    assert isinstance(parts, dict)
    chosen = "+".join(chosen_parts({str(name): part for name, part in parts.items()}))
    return {**{str(group): str(option) for group, option in choices.items()}, "representation": chosen}


def class_of(protocol: Mapping[str, Any]) -> tuple[str, str]:
    """('abnormal', '3') or ('normal', 'cat'); two empty words where the protocol has no class, or stands for all.

    With a pseudo-anomaly named, ('abnormal', '3-pseudo-8').
    """
    pseudo = protocol.get(PSEUDO_KEY)
    for key, role in CLASS_KEYS.items():
        if protocol.get(key, "all") != "all" and pseudo != "all":
            return role, str(protocol[key]) if pseudo is None else f"{protocol[key]}{PSEUDO}{pseudo}"
    return "", ""


def class_folder(protocol: Mapping[str, Any]) -> str:
    """'abnormal_3' or 'normal_cat', in plain characters; another name for every class, and empty for none."""
    role, name = class_of(protocol)
    plain = re.sub(r"[^A-Za-z0-9.-]+", "_", name)[:NAME_LENGTH]
    if plain != name:
        plain = f"{plain}-{_digest(name, 6)}"  # or else 'a b' would share its folder with 'a_b'
    return f"{role}_{plain}" if role else ""


def run_folder(*, _root_: DictConfig) -> str:
    """A run's folder below `runs`, from its science keys: data set and protocol / detector and hash / seed / class."""
    if _root_.task != "run":
        return "."
    choices = _root_.hydra.runtime.choices
    detector = "_".join([choices.detector] + [choices.ablation] * (choices.ablation != "none"))
    parts = [
        f"{choices.dataset}_{choices.protocol}",
        f"{detector}-{identity_of(_root_)}",
        f"seed_{_root_.seed}",
        class_folder(_root_.protocol),
    ]
    return str(Path(*[part for part in parts if part]))


# At import, and not in `register`: a launcher's process imports this to find its run's folder, and registers nothing.
OmegaConf.register_new_resolver("expanduser", os.path.expanduser, replace=True)

OmegaConf.register_new_resolver("run_folder", run_folder, replace=True)

OmegaConf.register_new_resolver("sweeps_folder", lambda: str(SWEEPS), replace=True)

WEIGHTS = {"mu": ("boundary", "mu"), "nu": ("boundary", "nu"), "beta": ("retraining", "beta")}
"""The paper's three weights, which are swept more than anything else."""


def weights_of(config: Mapping[str, Any]) -> list[str]:
    """'mu=0.2' and so on, of a detector that has them: tags that W&B filters a sweep by."""
    detector = config["detector"].get("detector", config["detector"])
    return [f"{name}={detector[group][key]:g}" for name, (group, key) in WEIGHTS.items() if group in detector]


SWEEP_NAME = 110
"""Characters of a sweep's name, at most: W&B takes 128."""


def sweep_name(overrides: Sequence[str], choices: Mapping[str, str]) -> str:
    """What a sweep is called: its data, protocol and what its command line sets, whatever to; each class is part of it.

    Values are left out, so that a sweep that is issued again, or made wider, keeps its name.
    """
    keys = [override.lstrip("+~").partition("=")[0] for override in overrides]
    left_out = NOT_SCIENCE | {"dataset", "protocol"}
    shown = [key for key in keys if key.partition(".")[0] not in left_out]
    name = f"{choices['dataset']}_{choices['protocol']} over {', '.join(sorted(shown)) or 'nothing'}"
    return name if len(name) <= SWEEP_NAME else f"{name[: SWEEP_NAME - 9]}-{_digest(name, 8)}"
