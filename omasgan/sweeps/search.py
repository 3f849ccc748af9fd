"""Bayesian search with pruning, by optuna's ask-and-tell interface and a journal file that the processes share.

The objective of a trial is the mean AUROC of the detector's score over pseudo-anomalies: each normal class in turn is
left out of training and tested as the anomaly, against a held-out part of the other normal classes in the training
split. After each of them the trial may be pruned. The search never uses the class that results are reported for.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from filelock import FileLock, Timeout
from hydra.core.override_parser.types import IntervalSweep, Override
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from omasgan.configuration.identity import identity_of, is_pseudo
from omasgan.errors import UserError
from omasgan.files import make_folder
from omasgan.sweeps import jobs as books
from omasgan.text import figures, shortened, table

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution

log = logging.getLogger("omasgan")

OBJECTIVE = "mean AUROC of the score over pseudo-anomalies, held out of the training split"
GIVEN_UP = "given_up"
"""Attribute of a pruned trial: the number of classes after which it was pruned."""


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


class Trial:
    """The trial that a job carries out.

    Parameters
    ----------
    trial
        optuna's trial.
    """

    def __init__(self, trial: optuna.Trial) -> None:
        self._trial = trial

    def hopeless(self, classes: int, mean: float) -> bool:
        """Report the mean AUROC over the first `classes` classes; whether the trial is pruned."""
        self._trial.report(mean, step=classes)
        if not self._trial.should_prune():
            return False
        self._trial.set_user_attr(GIVEN_UP, classes)
        return True


def open_trial(search: Mapping[str, Any], protocol: str) -> Trial | None:
    """The trial of a job from its settings `search`; None for a job outside a search."""
    if search["trial"] is None:
        return None
    check_protocol(protocol)
    optuna = _optuna()
    storage = _storage(Path(search["journal"]))
    study = optuna.load_study(study_name=search["study"], storage=storage)
    study.pruner = _pruner(study.user_attrs["startup_trials"])
    return Trial(optuna.Trial(study, study.get_trials(deepcopy=False)[int(search["trial"])]._trial_id))


def check_protocol(choice: str) -> None:
    """Raise UserError for a protocol that tests the class which results are reported for."""
    if not is_pseudo(choice):
        raise UserError(
            f"protocol is '{choice}': a search must not see the class that results are reported for; "
            "choose a protocol whose name begins with pseudo, such as protocol=pseudo_loo"
        )


def sweep(
    context: HydraContext,
    task_function: TaskFunction,
    config: DictConfig,
    options: Options,
    params: Mapping[str, Any],
    arguments: Sequence[str],
) -> list[JobReturn]:
    """Continue the study until it has `options.trials` trials, then print all of them and the overrides of the best.

    `context`, `task_function`, `config`, `params` and `arguments` are as in `omasgan.sweeps.grid.sweep`.

    Raises
    ------
    UserError
        Where optuna is missing, the protocol or the settings are wrong, another process searches, or a trial failed.
    """
    _optuna()
    check_protocol(str(config.hydra.runtime.choices.protocol))
    overrides = books.parse(context, params, arguments)
    space = {key: distribution(override) for key, override in overrides.items() if override.is_sweep_override()}
    if not space:
        raise UserError("there is nothing to search: give a range, such as 'boundary.mu=tag(log,interval(0.001,1))'")
    fixed = [f"{key}={o.get_value_element_as_str()}" for key, o in overrides.items() if key not in space]

    name = _study_name(config, space)
    journal = Path(config.hydra.sweep.dir).absolute() / "search" / f"{name}.journal"
    make_folder(journal.parent)
    lock = FileLock(journal.with_suffix(".lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise UserError(f"another process searches with {journal}: wait for it, or end that process") from None
    try:
        study = _study(journal, name, options)
        launcher = Plugins.instance().instantiate_launcher(
            hydra_context=context, task_function=task_function, config=config
        )
        parallel = options.parallel or getattr(launcher, "parallel", lambda: 1)()
        returns: list[JobReturn] = []
        failed = 0
        while (left := options.trials - len(_counted(study)) - failed) > 0:
            trials = [study.ask(space) for _ in range(min(parallel, left))]
            place = [f"search.journal={books.quoted(str(journal))}", f"search.study={name}", books.varying(overrides)]
            given = [[*fixed, *values(t.params), *place, f"search.trial={t.number}"] for t in trials]
            results = launcher.launch(given, initial_job_idx=len(returns))
            failed += sum(_tell(study, trial, result) for trial, result in zip(trials, results, strict=True))
            returns.extend(results)
            log.info("%s, %d failed%s", _progress(study, options.trials), failed, _best(study))
    finally:
        lock.release()
    print(_report(study))
    if failed:
        raise UserError(
            f"{failed} trials failed (run.log and failed.json of each say why): run the same command again to continue"
        )
    return returns


def distribution(override: Override) -> BaseDistribution:
    """The distribution of a setting: an interval, logarithmic where it is tagged log, or a list of choices."""
    distributions = _optuna().distributions
    value = override.value()
    if not isinstance(value, IntervalSweep):
        return cast("BaseDistribution", distributions.CategoricalDistribution(list(override.sweep_string_iterator())))
    whole = isinstance(value.start, int) and isinstance(value.end, int)
    kind = distributions.IntDistribution if whole else distributions.FloatDistribution
    try:
        return cast("BaseDistribution", kind(value.start, value.end, log="log" in value.tags))
    except ValueError as error:
        raise UserError(f"{override.input_line}: {error}") from error


def values(params: Mapping[str, Any]) -> list[str]:
    """The parameters of a trial as overrides."""
    return [f"{key}={value}" for key, value in params.items()]


def _optuna() -> Any:
    try:
        import optuna
    except ImportError:
        raise UserError("a search needs optuna: pip install 'omasgan[search]'") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def _storage(journal: Path) -> Any:
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    return JournalStorage(JournalFileBackend(str(journal)))


def _pruner(startup_trials: int) -> Any:
    return _optuna().pruners.MedianPruner(n_startup_trials=startup_trials)


def _study(journal: Path, name: str, options: Options) -> Any:
    """The study, new or continued; trials that a killed search left unfinished are tried again with the same values."""
    optuna = _optuna()
    study = optuna.create_study(
        storage=_storage(journal),
        study_name=name,
        direction="maximize",
        load_if_exists=True,
        pruner=_pruner(options.startup_trials),
    )
    study.set_user_attr("startup_trials", options.startup_trials)
    study.set_user_attr("objective", OBJECTIVE)
    # A continued study needs another seed, as it would draw its first trials again with the same one.
    seed = options.seed + len(study.trials)
    study.sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=options.startup_trials)
    for trial in study.trials:
        if trial.state == optuna.trial.TrialState.RUNNING:
            study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
            study.enqueue_trial(trial.params)
    log.info("%d of %d trials done before, in %s", len(_counted(study)), options.trials, journal)
    return study


def _study_name(config: DictConfig, space: Mapping[str, object]) -> str:
    """The name of the study: one for each configuration with its classes and seed, and each space that is searched."""
    choices = config.hydra.runtime.choices
    protocol = OmegaConf.to_container(config.protocol, resolve=False)
    what = [identity_of(config), config.seed, str(protocol), sorted(map(str, space.items()))]
    digest = hashlib.sha256(json.dumps(what).encode()).hexdigest()[:8]
    return f"{choices.dataset}_{choices.protocol}_{choices.detector}-{digest}"


def _counted(study: Any) -> list[Any]:
    """The trials that have a value; a pruned trial has the last value that it reported."""
    return [trial for trial in study.trials if trial.state.is_finished() and trial.value is not None]


def _progress(study: Any, trials: int) -> str:
    counted = _counted(study)
    return f"{len(counted)} of {trials} trials, {sum(GIVEN_UP in trial.user_attrs for trial in counted)} pruned"


def _best(study: Any) -> str:
    whole = [trial.value for trial in _counted(study) if GIVEN_UP not in trial.user_attrs]
    return f", best {figures(max(whole))}" if whole else ""


def _tell(study: Any, trial: Any, result: JobReturn) -> bool:
    """Report to the study how a trial ended; whether it failed."""
    states = _optuna().trial.TrialState
    value = result._return_value if result.status == JobStatus.COMPLETED else None
    if not isinstance(value, float):
        study.tell(trial.number, state=states.FAIL)
        return True
    given_up = GIVEN_UP in study.trials[trial.number].user_attrs
    # optuna keeps the last reported mean of a pruned trial and accepts no other value.
    study.tell(trial.number, values=None if given_up else value, state=states.PRUNED if given_up else states.COMPLETE)
    return False


def _report(study: Any) -> str:
    """The table of all trials, the objective, and the overrides of the best trial."""
    counted = _counted(study)
    keys = list(dict.fromkeys(key for trial in study.trials for key in trial.params))
    rows = [
        [
            str(trial.number),
            *(_short(trial.params.get(key, "")) for key in keys),
            "-" if trial.value is None else figures(trial.value),
            _ending(trial),
        ]
        for trial in study.trials
    ]
    lines = [table(rows, ["trial", *keys, "objective", "state"]), f"objective: {OBJECTIVE}"]
    whole = [trial for trial in counted if GIVEN_UP not in trial.user_attrs]
    if whole:
        best = max(whole, key=lambda trial: trial.value)
        lines.append(f"best: {figures(best.value)} with {' '.join(values(best.params))}")
    return "\n".join(lines)


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else shortened(str(value), 20)


def _ending(trial: Any) -> str:
    if GIVEN_UP in trial.user_attrs:
        return f"pruned after class {trial.user_attrs[GIVEN_UP]}"
    return "done" if trial.value is not None else "failed"
