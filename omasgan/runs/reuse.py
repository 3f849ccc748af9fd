"""A run reuses the stages that a finished one has trained alike.

A sweep over lambda trains once, one over mu learns its representation and Task 1 once. The run copies the checkpoints
and goes on from them as an interrupted one does, which finds nothing left to train there: its scores are those that its
own training would have led to, bit for bit, as the same code made them of the same data.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omasgan.runs import folder as runs
from omasgan.configuration.identity import NOT_SCIENCE, canonical, in_order
from omasgan.files import make_folder, write_bytes

FIRST = "representation"
"""Determined by all settings that the later stages don't name."""

STAGES = {
    "task1": (("divergence", "architecture", "augmentation", "optimisation"), ("task1", "batch"), ("task1",)),
    "task2": (("boundary",), ("critic", "task2"), ("critic", "task2")),
    "task3": (("retraining",), ("task3",), ("task3",)),
    "j": (("inference",), ("j",), ("j",)),
}
"""What determines a stage beside what determines those before it: groups and keys of `budget`; and its checkpoints."""

ALIKE = ("data", "code", "torch", "device", "arithmetic")
"""What the records of two runs must agree on besides, for one to reuse a stage of the other."""

SCORING = ("lambda_", "auxiliary_weight", "divergence_term", "j_scale", "neighbours", "density_exponent")
"""Settings of `inference` that enter after the last step of training."""


@dataclass(frozen=True)
class Reusable:
    """A finished run, and which of its stages, from the first on, are trained as they would be here."""

    folder: Path
    stages: tuple[str, ...]

    def checkpoints(self) -> list[Path]:
        """The files of these stages, in the order of their training, and those of baselines."""
        if not self.stages:
            return []
        order = {name: place for place, stage in enumerate(STAGES, 1) for name in STAGES[stage][2]}
        left = {name for stage, (_, _, names) in STAGES.items() if stage not in self.stages for name in names}
        files = [path for path in sorted((self.folder / "checkpoints").rglob("*.pt")) if path.stem not in left]
        return sorted(files, key=lambda path: order.get(path.stem, 0))


def find(folder: Path, identity: str, config: Mapping[str, Any], record: Mapping[str, Any]) -> Reusable | None:
    """The finished run, beside that in `folder`, that spares it most stages; None where there is none.

    record: what this run's own will say of its data and of what it is made with.
    """
    top = next((parent for parent in folder.parents if parent.name.endswith(f"-{identity}")), None)
    if top is None:  # the user chose a folder
        return None
    wanted, found = training(config), []
    for other in sorted(top.parent.glob("*-????????")):
        place = other / folder.relative_to(top)
        if other == top or not (place / runs.METRICS).exists():
            continue
        record_there, config_there = runs.read(place / runs.RECORD), runs.config_of(place)
        if config_there and all(record_there.get(key) == record[key] for key in ALIKE):
            given = training(config_there)
            found.append(Reusable(place, tuple(stage for stage in wanted if given[stage] == wanted[stage])))
    useful = [each for each in found if each.checkpoints()]
    return max(useful, key=lambda each: len(each.stages), default=None)


def copy_tasks(source: Reusable, folder: Path) -> None:
    """Copy the stages' record, and their checkpoints. Stopped halfway, what lacks is trained."""
    taken = source.checkpoints()
    names = {path.stem for path in taken}
    lines = (source.folder / "metrics.jsonl").read_bytes().splitlines(keepends=True)
    write_bytes(folder / "metrics.jsonl", b"".join(line for line in lines if json.loads(line)["stage"] in names))
    for path in taken:
        target = folder / path.relative_to(source.folder)
        make_folder(target.parent)
        write_bytes(target, path.read_bytes())


def training(config: Mapping[str, Any]) -> dict[str, str]:
    """What determines each stage and all before it, in a form that can be compared."""
    kept = copy.deepcopy({key: value for key, value in config.items() if key not in NOT_SCIENCE})
    detector = kept.get("detector") or {}
    # A detector holds the groups that it is built from, and they may have been set there.
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


def _budgets(node: object) -> Iterator[dict[str, Any]]:
    """Every budget in a configuration: each part that trains holds it."""
    for key, child in node.items() if isinstance(node, dict) else ():
        if key == "budget" and isinstance(child, dict):
            yield child
        else:
            yield from _budgets(child)
