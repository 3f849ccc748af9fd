"""The steps that a detector's own file of the group `detector_budget` leaves out.

The options `equal` and `published` of `budget` hold no numbers of steps: each detector has its own, in the file
`detector_budget/<detector>_<budget>.yaml`. In their place stands `${steps_of_detector:<budget>}`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from omasgan.errors import UserError

REFERENCE = re.compile(r"\$\{(\w+)")
"""The first key of an interpolation such as ${budget}."""


def steps_of_detector(budget: str, *, _root_: DictConfig) -> int:
    """The number of steps of a stage that nothing sets: 0, as the stage is none of the detector's.

    Parameters
    ----------
    budget
        The option of `budget` that leaves the steps to the detector's own file.

    Raises
    ------
    UserError
        Where the detector trains networks and nothing sets the steps of any stage, because it has no such file.
    """
    stages = [name for name in _root_.budget if OmegaConf.is_interpolation(_root_.budget, name)]
    if set(stages) < STAGES or "budget" not in set(_references(_root_, "detector")):
        return 0
    if "hydra" in _root_:
        name = _root_.hydra.runtime.choices.detector
    else:  # it is the configuration of a job
        name = HydraConfig.get().runtime.choices["detector"] if HydraConfig.initialized() else "<detector>"
    raise UserError(
        f"budget={budget} has no steps for detector={name}: give them in detector_budget/{name}_{budget}.yaml, in a "
        "folder that --config-dir names, or choose another budget"
    )


STAGES = frozenset({"task1", "critic", "task2", "task3", "j"})
"""The settings of `budget` that are steps, apart from those of the representation, which other detectors use, too."""


def _references(cfg: DictConfig, key: str) -> Iterator[str]:
    """The keys of the top level that the node of `key` refers to, directly or through one another."""
    text = OmegaConf.to_yaml(OmegaConf.create({key: cfg._get_node(key)}))
    for name in REFERENCE.findall(text):
        yield name
        if name != key and name in cfg:
            yield from _references(cfg, name)


OmegaConf.register_new_resolver("steps_of_detector", steps_of_detector, replace=True)
