"""The names that earlier versions used; this module is removed in the next major version.

An old name on the command line is answered with the new one, and the folders of runs that an earlier version wrote are
read with the new names. Random streams that were renamed are in `NAMES_IN_SEEDS` of `training/seeding.py`: their seeds
are still made from the old names.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

KEYS = {
    "floors": "baselines",
    "inference.j_sees": "inference.j_features",
    "inference.bank": "inference.memory_bank",
    "inference.bank_size": "inference.memory_bank_size",
    "inference.locality": "inference.density_exponent",
    "inference.reach_min": "inference.mixing_min",
    "inference.reach_max": "inference.mixing_max",
    "inference.doubt": "inference.auxiliary_weight",
    "boundary.halo": "boundary.noise_scale",
    "logger.mode": "logger.wandb.mode",
    "logger.log_every": "log_every",
    "logger.project": "logger.wandb.project",
    "logger.entity": "logger.wandb.entity",
    "logger.init_timeout": "logger.wandb.init_timeout",
    "logger.finish_timeout": "logger.wandb.finish_timeout",
    "representation.turns": "representation.contrastive.rotation_weight",
    "representation.side": "representation.visual_words.patch_size",
    "representation.parts": "representation.visual_words.regions",
    "representation.components": "representation.pca.components",
    "representation.whitening": "representation.pca.whitening",
}
"""Settings: the new key by the old one."""

VALUES = {
    ("inference.j_features", "distances"): "neighbours",
    ("inference.j_sees", "distances"): "neighbours",
    ("boundary.critic", "halo"): "noise_contrastive",
    ("boundary.unit", "spacing"): "quantile",
}
"""Values of settings: the new value by the key, old or new, and the old value."""

OPTIONS = {
    "representation=joint": "representation=[contrastive,autoencoder]",
    "representation=photographs": "representation=[visual_words,pca]",
    "representation=turned_photographs": "representation=[visual_words,pca,rotation_prediction]",
    "representation=patches_autoencoder": "representation=[visual_words,autoencoder]",
    "representation=grey_photographs": "representation=[visual_words,pca] representation.pca.components=48",
    "representation=small_images": "representation=pca representation.pca.components=32 representation.pca.whitening=0",
    "representation=patches": "representation=visual_words",
    "representation=principal": "representation=pca",
    "representation=turns": "representation=rotation_prediction",
    "detector=nearest_codes": "detector=nearest_embedding",
    "inference=photographs": "experiment=cifar10_loo",
    "inference=turned_photographs": "experiment=cifar10_occ",
    "inference=pixels": "experiment=pixels",
    "optimisation=pixels": "experiment=pixels",
    "budget=pixels": "experiment=pixels",
    "budget=toy": "experiment=toy",
    "budget=photographs": "budget.representation=3000",
    "sweep=choices": "sweep=delta_density",
    "sweep=reach": "sweep=mixing_range",
}
"""Options of groups as they are written on the command line: the new text by the old one."""

MODULES: dict[str, str | dict[str, str]] = {
    "omasgan.settings": {
        "Boundary": "omasgan.method.settings",
        "Retraining": "omasgan.method.settings",
        "Inference": "omasgan.method.settings",
        "Budget": "omasgan.training.settings",
        "Optimisation": "omasgan.training.settings",
    },
    "omasgan.divergences": "omasgan.method.divergences",
    "omasgan.architectures": "omasgan.networks",
    "omasgan.data.augmentation": "omasgan.training.augmentation",
    "omasgan.detectors.floors": "omasgan.detectors.baselines",
    "omasgan.representations.principal": {"Principal": "omasgan.representations.pca.PCA"},
    "omasgan.representations.patches": {"Patches": "omasgan.representations.visual_words.VisualWords"},
    "omasgan.representations.turns": {"Turns": "omasgan.representations.rotation_prediction.RotationPrediction"},
}
"""Where the targets of an old module are now: in one new module, or for each class its new module or full name."""

JOINED = "omasgan.representations.joint."
"""The start of the old targets that joined several representations, each in a class of its own."""

PARTS = {"patches": "visual_words", "principal": "pca", "turns": "rotation_prediction"}
"""Parts of a representation: the new name by the old one."""

PART_SETTINGS = {"turns": "rotation_weight", "side": "patch_size", "parts": "regions"}
"""Settings of a part of a representation: the new name by the old one."""

TERMS = {"doubt": "auxiliary", "nearest_codes": "nearest_embedding"}
"""Terms of a score: the new name by the old one."""

STATE = {"sight": "neighbour_features", "spacings": "density_scales", "teller": "rotation_classifier", **PARTS, **TERMS}
"""Keys in the state of a saved detector: the new key by the old one."""


def advice(arguments: Sequence[str]) -> str | None:
    """Give the new name for the first old name on a command line.

    Parameters
    ----------
    arguments
        The overrides of the command line.

    Returns
    -------
    str or None
        A line such as 'floors is now baselines'; None where no old name is among the arguments.
    """
    for argument in arguments:
        key, _, values = argument.lstrip("+~").partition("=")
        for value in values.strip("[]").split(","):  # a list of parts, or the values of a sweep
            if (option := f"{key}={value}") in OPTIONS:
                return f"{option} is now {OPTIONS[option]}"
            if (key, value) in VALUES:
                return f"{option} is now {renamed_key(key)}={VALUES[key, value]}"
        if renamed_key(key) != key:
            return f"{key} is now {renamed_key(key)}"
    return None


def renamed_key(key: str) -> str:
    """The place of a setting in today's names; one that has them already is returned as it is."""
    if key in KEYS:
        return KEYS[key]
    first, *rest = key.split(".")
    if first == "floors":
        return ".".join(["baselines", *(TERMS.get(name, name) for name in rest)])
    if first == "representation" and rest:
        place = f"representation.{PARTS.get(rest[0], rest[0])}"
        moved = KEYS.get(".".join([first, *rest[1:]]), "")  # of the part alone, when it was the only one
        return moved if moved.startswith(f"{place}.") else ".".join([place, *rest[1:]])
    return key


def renamed_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """The resolved configuration of a run with the new names; one that has no old name is returned unchanged."""
    keys = {old.partition(".")[2] or old: new.rpartition(".")[2] for old, new in KEYS.items() if old.count(".") < 2}
    values = {(KEYS.get(key, key).rpartition(".")[2], value): new for (key, value), new in VALUES.items()}

    def rename(node: Any, key: str = "") -> Any:
        if isinstance(node, Mapping):
            if key == "representation":
                return _parts(node, rename)
            if key == "logger" and "_target_" in node:
                return _loggers(node)
            if key == "network" and "image_layer" in node:  # a pretrained network had one such layer
                node = {name: child for name, child in node.items() if name != "image_layer"} | {
                    "image_layers": [node["image_layer"]]
                }
            named = {
                (keys.get(name, name) if key in GROUPS else TERMS.get(name, name)): child
                for name, child in node.items()
            }
            return {name: rename(child, str(name)) for name, child in named.items()}
        if key == "_target_":
            return _target(str(node))
        return values.get((key, node), node) if isinstance(node, str) else node

    return {str(key): child for key, child in rename({**config}).items()}


GROUPS = ("", "inference", "boundary")
"""Nodes whose keys `KEYS` renames: the top level, and these groups wherever the configuration holds them."""


def _loggers(node: Mapping[str, Any]) -> dict[str, Any]:
    """The loggers by name; earlier versions had W&B's alone."""
    if node.get("mode") == "disabled":
        return {}
    kept = {name: value for name, value in node.items() if name not in ("_target_", "log_every")}
    return {"wandb": {"_target_": "omasgan.runs.wandb.WandbLogger", **kept}}


def _parts(node: Mapping[str, Any], rename: Any) -> dict[str, Any]:
    """The parts of a representation by their new names."""
    target = str(node.get("_target_", ""))
    if not target:
        return {name: rename(part, name) for name, part in node.items()}
    if target.startswith(JOINED):
        parts = {name: part for name, part in node.items() if isinstance(part, Mapping)}
    else:
        parts = {target.rpartition(".")[0].rpartition(".")[2].replace("base", "pixels"): node}
    return {
        PARTS.get(name, name): {PART_SETTINGS.get(key, key): rename(value, key) for key, value in part.items()}
        for name, part in parts.items()
    }


def _target(path: str) -> str:
    for old, new in MODULES.items():
        if path.startswith(f"{old}."):
            rest = path.removeprefix(f"{old}.")
            if isinstance(new, str):
                return f"{new}.{rest}"
            moved = new.get(rest, old)
            return moved if moved.rpartition(".")[2][:1].isupper() else f"{moved}.{rest}"
    return path


def renamed_choices(choices: Mapping[str, str]) -> dict[str, str]:
    """The chosen option of each group with the new names; groups and options without a successor keep their names."""
    named = {KEYS.get(group, group): str(option) for group, option in choices.items()}
    for group, option in named.items():
        now = OPTIONS.get(f"{group}={option}", "")
        if now.startswith(f"{group}="):
            named[group] = now.partition(" ")[0].partition("=")[2].strip("[]").replace(",", "+")
    return named


def renamed_terms(terms: Mapping[str, Any]) -> dict[str, Any]:
    """A mapping by the terms of a score, with the new names of the terms."""
    return {TERMS.get(name, name): value for name, value in terms.items()}


def renamed_state(state: Mapping[str, Any], parts: Collection[str] = ()) -> dict[str, Any]:
    """The state of a saved detector with the new names, at any depth.

    Parameters
    ----------
    state
        The detector's `state_dict`.
    parts
        The names of its representation's parts. Where there is only one, earlier versions saved it without its name.
    """
    representation = state.get("representation")
    if len(parts) == 1 and isinstance(representation, dict) and representation.keys() != set(parts):
        state = {**state, "representation": dict.fromkeys(parts, representation)}

    def rename(node: Mapping[str, Any]) -> dict[str, Any]:
        return {STATE.get(key, key): rename(child) if isinstance(child, dict) else child for key, child in node.items()}

    return rename(state)
