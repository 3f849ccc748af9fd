"""A run reuses the stages that a finished run has trained with the same settings.

A sweep over lambda trains once, and a sweep over mu trains its representation and Task 1 once. A run copies the
checkpoints of these stages and continues from them. Its scores are bit-identical to the ones it would get by training
all stages itself, because the reused stages were trained by the same code on the same data.

The stages are the representation, Task 1 (`task1`), Task 2 (`critic` and `task2`), Task 3 (`task3`) and J (`j`). The
stages of other detectors have other names, and are reused only together, where all settings of training are the same.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omasgan.configuration.classes import CLASS_KEYS, PSEUDO_KEY
from omasgan.configuration.identity import canonical, in_order, scientific
from omasgan.files import make_folder, write_bytes
from omasgan.runs import folder as runs

FIRST = "representation"
"""The first stage. It depends on all settings that do not appear in `STAGES`."""

STAGES = {
    "task1": (("divergence", "architecture", "augmentation", "optimisation"), ("task1", "batch"), ("task1",)),
    "task2": (("boundary",), ("critic", "task2"), ("critic", "task2")),
    "task3": (("retraining",), ("task3",), ("task3",)),
    "j": (("inference",), ("j",), ("likelihood", "j")),
}
"""For each later stage, what it depends on in addition to the stages before it, and the names of its checkpoints.

The three entries are groups of the configuration, keys of `budget`, and checkpoints.
"""

ALIKE = ("data", "code", "torch", "device", "arithmetic")
"""Entries of the two runs' records that must also be equal for one run to reuse a stage of another."""

SCORING = ("lambda_", "auxiliary_weight", "divergence_term", "j_scale", "neighbours", "density_exponent")
"""Settings of `inference` that do not change the training of J."""


@dataclass(frozen=True)
class Reusable:
    """A finished run and those of its stages that a new run can reuse.

    Parameters
    ----------
    folder
        The folder of the finished run.
    stages
        The stages, from the first one on, that were trained with the settings of the new run.
    parts
        The names of the parts of its representations, which are those of their checkpoints.
    """

    folder: Path
    stages: tuple[str, ...]
    parts: frozenset[str]

    def checkpoints(self) -> list[Path]:
        """The checkpoint files of these stages in the order of training; includes the checkpoints of the baselines."""
        if not self.stages:
            return []
        order = {name: place for place, stage in enumerate(STAGES, 1) for name in STAGES[stage][2]}
        left = {name for stage, (_, _, names) in STAGES.items() if stage not in self.stages for name in names}
        complete = len(self.stages) == len(STAGES) + 1
        top = self.folder / "checkpoints"

        def reusable(path: Path) -> bool:
            # Those of the baselines lie further down.
            known = path.stem in order or path.stem in self.parts or path.parent != top
            return path.stem not in left and (known or complete)

        return sorted(filter(reusable, sorted(top.rglob("*.pt"))), key=lambda path: order.get(path.stem, 0))


def find(folder: Path, identity: str, config: Mapping[str, Any], record: Mapping[str, Any]) -> Reusable | None:
    """Find the finished run from which a new run can reuse the most stages.

    The search covers the runs of the same data set, protocol, seed and class whose other settings may differ.

    Parameters
    ----------
    folder
        The new run's folder.
    identity
        The new run's identity, with which the name of a folder in this path ends.
    config
        The new run's resolved configuration.
    record
        The entries `ALIKE` of the new run's record.

    Returns
    -------
    Reusable or None
        None where no run has a stage to reuse.
    """
    top = next((parent for parent in folder.parents if parent.name.endswith(f"-{identity}")), None)
    if top is None:  # the user chose the folder
        return None
    wanted, found = training(config), []
    for other in sorted(top.parent.glob("*-????????")):
        place = other / folder.relative_to(top)
        if other == top or not (place / runs.METRICS).exists():
            continue
        record_there, config_there = runs.read(place / runs.PROVENANCE), runs.config_of(place)
        if config_there and all(record_there.get(key) == record[key] for key in ALIKE):
            given = training(config_there)
            stages = tuple(stage for stage in wanted if given[stage] == wanted[stage])
            found.append(Reusable(place, stages, frozenset(_parts(config_there))))
    useful = [each for each in found if each.checkpoints()]
    return max(useful, key=lambda each: len(each.stages), default=None)


def copy_stages(source: Reusable, folder: Path) -> None:
    """Copy the recorded losses and the checkpoints of the stages to reuse into a new run's folder.

    If the copying is interrupted, the run trains the stages whose checkpoints are missing.

    Parameters
    ----------
    source
        The run to copy from.
    folder
        The new run's folder.
    """
    taken = source.checkpoints()
    names = {path.stem for path in taken}
    lines = (source.folder / "metrics.jsonl").read_bytes().splitlines(keepends=True)
    write_bytes(folder / "metrics.jsonl", b"".join(line for line in lines if json.loads(line)["stage"] in names))
    for path in taken:
        target = folder / path.relative_to(source.folder)
        make_folder(target.parent)
        write_bytes(target, path.read_bytes())


def training(config: Mapping[str, Any]) -> dict[str, str]:
    """The settings on which each stage depends.

    Parameters
    ----------
    config
        The resolved configuration of a run.

    Returns
    -------
    dict of str to str
        For each stage in the order of training, a text that is equal for two runs where this stage and all stages
        before it have the same settings.
    """
    kept = copy.deepcopy(scientific(config))
    kept.pop("test_samples", None)  # what is scored does not change what is trained
    for key in (*CLASS_KEYS, PSEUDO_KEY):  # the folder says the class, and an earlier version wrote '3' as a number
        kept.get("protocol", {}).pop(key, None)
    detector = kept.get("detector") or {}
    # A detector holds copies of the groups that it is built from, which the user may have changed there.
    places = [place for place in (kept, detector, detector.get("detector")) if isinstance(place, dict)]
    budgets = list(_budgets(kept))
    for place in places:
        if isinstance(representation := place.get("representation"), dict):
            place["representation"] = in_order(representation)
    parts: dict[str, Any] = {}
    for stage, (groups, keys, _) in STAGES.items():
        nodes = [place.pop(group) for place in places for group in groups if group in place]
        parts[stage] = [nodes, [budget.pop(key, None) for budget in budgets for key in keys]]
    for node in parts["j"][0]:
        for key in SCORING:
            node.pop(key, None)

    so_far = canonical(kept)
    determined_by = {FIRST: so_far}
    for stage, part in parts.items():
        so_far += canonical(part)
        determined_by[stage] = so_far
    return determined_by


def _parts(node: object) -> Iterator[str]:
    """The names of the parts of every representation in a configuration."""
    for key, child in node.items() if isinstance(node, dict) else ():
        if key == "representation" and isinstance(child, dict):
            yield from child
        yield from _parts(child)


def _budgets(node: object) -> Iterator[dict[str, Any]]:
    """Every node `budget` in a configuration; each part that is trained holds a copy."""
    for key, child in node.items() if isinstance(node, dict) else ():
        if key == "budget" and isinstance(child, dict):
            yield child
        else:
            yield from _budgets(child)
