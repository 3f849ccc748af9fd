"""The study of a Bayesian search: its name, its trials, and the table of them."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from omegaconf import DictConfig, OmegaConf

from omasgan.configuration.identity import identity_of
from omasgan.runs.search_journal import import_optuna, storage
from omasgan.sweeps.criterion import Criterion
from omasgan.sweeps.jobs import SHOWN
from omasgan.sweeps.trial import GIVEN_UP, pruner
from omasgan.text import figures, shortened, table

log = logging.getLogger("omasgan")

INTERRUPTED = "interrupted"
"""Attribute of a trial that ended with the search that began it; another trial continues it with the same values."""

FIXED = "fixed_params"
"""optuna's attribute of a trial that waits: the values that it is going to have."""


@dataclass(frozen=True)
class Options:
    """The settings of a search.

    Parameters
    ----------
    trials
        Number of trials of the study, with those of earlier searches.
    seed
        Seed of the sampler.
    parallel
        Number of trials at a time; None for as many as the launcher runs.
    startup_trials
        Number of first trials, whose settings are drawn at random and which are never pruned.
    """

    trials: int
    seed: int
    parallel: int | None
    startup_trials: int


def open_study(journal: Path, options: Options, wanted: Criterion) -> Any:
    """The study, new or continued; trials that an interrupted search left unfinished are tried again.

    Parameters
    ----------
    journal
        The file of the study, which has its name.
    options
        The settings of the search.
    wanted
        What the trials are compared by.
    """
    optuna = import_optuna()
    study = optuna.create_study(
        storage=storage(journal),
        study_name=journal.stem,
        direction="maximize" if wanted.maximised else "minimize",
        load_if_exists=True,
        pruner=pruner(options.startup_trials),
    )
    study.set_user_attr("startup_trials", options.startup_trials)
    study.set_user_attr("objective", f"mean {wanted}")
    # A continued study needs another seed, as it would draw its first trials again with the same one.
    seed = options.seed + len(study.trials)
    study.sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=options.startup_trials)
    for trial in study.trials:
        if trial.state == optuna.trial.TrialState.RUNNING:
            optuna.Trial(study, trial._trial_id).set_user_attr(INTERRUPTED, True)
            study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
            study.enqueue_trial(trial.params)
    log.info("%d of %d trials done before, in %s", len(counted(study)), options.trials, journal)
    return study


def study_name(config: DictConfig, space: Mapping[str, object]) -> str:
    """The name of a study.

    Parameters
    ----------
    config
        The configuration of the search.
    space
        The distribution of each setting that is searched.

    Returns
    -------
    str
        One for each configuration with its classes, its seed and its objective, and each space.
    """
    choices = config.hydra.runtime.choices
    protocol = OmegaConf.to_container(config.protocol, resolve=False)
    what = [identity_of(config), config.seed, str(protocol), sorted(map(str, space.items()))]
    if config.sweep.objective is not None:
        what.append(config.sweep.objective)
    digest = hashlib.sha256(json.dumps(what).encode()).hexdigest()[:8]
    return f"{choices.dataset}_{choices.protocol}_{choices.detector}-{digest}"


def counted(study: Any) -> list[Any]:
    """The trials that have a value; a pruned trial has the last value that it reported."""
    return [trial for trial in study.trials if trial.state.is_finished() and trial.value is not None]


def complete(study: Any) -> list[Any]:
    """The trials that have a value over all classes."""
    return [trial for trial in counted(study) if GIVEN_UP not in trial.user_attrs]


def tell(study: Any, trial: Any, result: JobReturn) -> bool:
    """Report to the study how a trial ended; whether it failed."""
    states = import_optuna().trial.TrialState
    value = result._return_value if result.status == JobStatus.COMPLETED else None
    if not isinstance(value, float):
        study.tell(trial.number, state=states.FAIL)
        return True
    given_up = GIVEN_UP in study.trials[trial.number].user_attrs
    # optuna keeps the last reported mean of a pruned trial and accepts no other value.
    study.tell(trial.number, values=None if given_up else value, state=states.PRUNED if given_up else states.COMPLETE)
    return False


def progress(study: Any, trials: int) -> str:
    """How far the study is, such as '12 of 40 trials, 5 pruned, best .934'."""
    whole = [trial.value for trial in complete(study)]
    parts = [f"{len(counted(study))} of {trials} trials", f"{len(counted(study)) - len(whole)} pruned"]
    return ", ".join([*parts, *([f"best {figures(study.best_value)}"] if whole else [])])


def trial_table(study: Any) -> str:
    """The table of the trials with their values and how they ended; of many trials, without those that are complete.

    A pruned trial has a mean over fewer classes, which is not to be compared with the objective of the others.
    """
    trials = [trial for trial in study.trials if len(study.trials) <= SHOWN or trial not in complete(study)]
    params = [trial.params or trial.system_attrs.get(FIXED, {}) for trial in trials]
    keys = list(dict.fromkeys(key for values in params for key in values))
    rows = [
        [
            str(trial.number),
            *(_short(values.get(key, "")) for key in keys),
            "-" if trial.value is None or GIVEN_UP in trial.user_attrs else figures(trial.value),
            _ending(trial),
        ]
        for trial, values in zip(trials, params, strict=True)
    ]
    return table(rows, ["trial", *keys, "objective", "state"])


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else shortened(str(value), 20)


def _ending(trial: Any) -> str:
    if GIVEN_UP in trial.user_attrs:
        number = trial.user_attrs[GIVEN_UP]
        return f"pruned after {number} class{'es' * (number != 1)} ({figures(trial.value)})"
    if INTERRUPTED in trial.user_attrs:
        return "interrupted"
    return {"COMPLETE": "done", "WAITING": "to be begun", "RUNNING": "interrupted"}.get(trial.state.name, "failed")
