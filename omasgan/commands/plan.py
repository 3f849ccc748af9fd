"""`task=plan`: what a command would do; a sweep's sweeper plans its jobs itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from omasgan.configuration.identity import chosen_only
from omasgan.files import user_path
from omasgan.runs.folder import State
from omasgan.sweeps.jobs import SweepJob
from omasgan.sweeps.plan import job_table, time_line, work_of


def plan(cfg: DictConfig, choices: Mapping[str, str], folder: Path) -> None:
    """Print the state of the run that the command without task=plan would make, and the time that is left."""
    hydra_config = HydraConfig.get()
    given = [*hydra_config.overrides.hydra, *hydra_config.overrides.task]
    overrides = [override for override in given if not override.startswith("task=")]
    loader = GlobalHydra.instance().config_loader()
    run = loader.load_configuration(hydra_config.job.config_name, overrides, RunMode.RUN)
    baselines = chosen_only(OmegaConf.to_container(run.baselines, resolve=True))
    job = SweepJob((), Path(run.hydra.run.dir), {}, baselines)
    state = job.state()
    works = [] if state in (State.DONE, State.RUNNING) else [work_of(job, run)]
    print(f"{job_table([job], [state])}\n{time_line(works, user_path(cfg.runs), 1)}")
