"""A run that differs from a finished one in how it scores alone takes over that one's training: a sweep over lambda.

It takes the checkpoints and goes on from them as an interrupted run does, which finds nothing left to train. Its scores
are those that its own training would have led to, bit for bit, and no other code makes them.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from omasgan import runs
from omasgan.config import NOT_SCIENCE
from omasgan.files import write_bytes

SCORING = ("lambda_", "divergence_term", "j_scale", "neighbours")
"""Settings of `inference` that enter after the last step of training."""


def donor(folder: Path, identity: str, config: Mapping[str, Any]) -> Path | None:
    """The folder of a finished run, beside that in `folder`, whose training is the same; None where there is none."""
    top = next((parent for parent in folder.parents if parent.name.endswith(f"-{identity}")), None)
    if top is None:  # the user chose a folder
        return None
    wanted = training(config)
    for other in sorted(top.parent.glob("*-????????")):
        place = other / folder.relative_to(top)
        if other != top and (place / runs.METRICS).exists() and training(_config_of(place)) == wanted:
            return place
    return None


def take_over(source: Path, folder: Path) -> None:
    """Copy a finished run's checkpoints, and its record of training. Stopped halfway, what lacks is trained."""
    for path in [*sorted((source / "checkpoints").glob("*.pt")), source / "metrics.jsonl"]:
        write_bytes(folder / path.relative_to(source), path.read_bytes())


def training(config: Mapping[str, Any]) -> str:
    """What determines a run's training, in a form that can be compared."""
    kept = copy.deepcopy({key: value for key, value in config.items() if key not in NOT_SCIENCE})
    detector = kept.get("detector") or {}
    for node in (kept, detector, detector.get("detector")):  # a detector holds the groups that it is built from
        if isinstance(node, dict) and isinstance(node.get("inference"), dict):
            node["inference"] = {key: value for key, value in node["inference"].items() if key not in SCORING}
    return json.dumps(json.loads(json.dumps(kept), parse_int=float), sort_keys=True)


def _config_of(folder: Path) -> dict[str, Any]:
    try:
        content = OmegaConf.to_container(OmegaConf.load(folder / "config.yaml"))
    except Exception:  # a damaged file may raise anything, and is no donor
        return {}
    return {str(key): value for key, value in content.items()} if isinstance(content, dict) else {}
