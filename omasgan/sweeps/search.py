"""Bayesian search with pruning, by optuna's ask-and-tell interface and a journal file that the processes share.

The objective of a trial is the mean of `sweep.objective` over pseudo-anomalies: each normal class in turn is left out
of training and tested as the anomaly, against a held-out part of the other normal classes in the training split. After
each of them the trial may be pruned. The search never uses the class that results are reported for.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from filelock import FileLock, Timeout
from hydra.core.override_parser.types import IntervalSweep, Override
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from omasgan.configuration.explain import explain
from omasgan.errors import UserError
from omasgan.files import make_folder
from omasgan.runs.search_journal import FOLDER, import_optuna, load_study
from omasgan.sweeps import jobs as books
from omasgan.sweeps import study as studies
from omasgan.sweeps.conclusion import conclude
from omasgan.sweeps.criterion import criterion
from omasgan.sweeps.final_command import final_command
from omasgan.sweeps.plan import PLAN, time_line, work_of
from omasgan.sweeps.study import Options
from omasgan.sweeps.trial import check_protocol

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

log = logging.getLogger("omasgan")

SAME_FAILURES = 3
"""Where no trial has ever succeeded, so many failures with one error end a search."""


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
    KeyboardInterrupt
        After Ctrl-C, once the trials are printed.
    """
    import_optuna()
    protocol = str(config.hydra.runtime.choices.protocol)
    check_protocol(protocol)
    wanted = criterion(config.sweep.objective, protocol)
    overrides = books.parse(context, params, arguments)
    if config.task == PLAN:
        del overrides["task"]
    space = {key: distribution(override) for key, override in overrides.items() if override.is_sweep_override()}
    if not space:
        raise UserError("there is nothing to search: give a range, such as 'boundary.mu=tag(log,interval(0.001,1))'")
    fixed = [f"{key}={o.get_value_element_as_str()}" for key, o in overrides.items() if key not in space]
    check_fixed(context, config, fixed, space)

    name = studies.study_name(config, space)
    journal = Path(config.hydra.sweep.dir).absolute() / FOLDER / f"{name}.journal"
    launcher = Plugins.instance().instantiate_launcher(
        hydra_context=context, task_function=task_function, config=config
    )
    parallel = options.parallel or getattr(launcher, "parallel", lambda: 1)()
    if config.task == PLAN:
        given = [*fixed, *values({key: _lowest(of) for key, of in space.items()})]
        print(_plan(context, config, journal, options.trials, given, parallel))
        return []
    with _locked(journal):
        study = studies.open_study(journal, options, wanted)
        place = [f"search.journal={books.quoted(str(journal))}", f"search.study={name}", books.varying(overrides)]
        returns, failed, stopped = _trials(study, launcher, parallel, options.trials, space, [*fixed, *place])
    print(f"{studies.trial_table(study)}\nobjective: {study.user_attrs['objective']}")
    if text := _conclusion(context, config, overrides, fixed, study):
        print(f"\n{text}")
    if isinstance(stopped, BaseException):
        raise stopped
    if failed:
        raise UserError(
            f"{failed} trials failed (run.log and failed.json of each say why): run the same command again to continue"
        )
    return returns


@contextmanager
def _locked(journal: Path) -> Iterator[None]:
    """Hold the lock of a study, which one process alone may continue."""
    make_folder(journal.parent)
    lock = FileLock(journal.with_suffix(".lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise UserError(f"another process searches with {journal}: wait for it, or end that process") from None
    try:
        yield
    finally:
        lock.release()


def _plan(
    context: HydraContext, config: DictConfig, journal: Path, trials: int, given: Sequence[str], parallel: int
) -> str:
    """What the search would do, and how long that would take; `given` are the overrides of some trial."""
    done = len(studies.counted(load_study(journal))) if journal.exists() else 0
    work = work_of(books.SweepJob((), None, {}), context.config_loader.load_sweep_config(config, list(given)))
    left = max(trials - done, 0)
    time = time_line([work] * left, Path(config.hydra.sweep.dir), parallel, at_most=True)
    return f"{done} of {trials} trials are done, {left} are left, in {journal}\n{time}"


def _trials(
    study: Any,
    launcher: Any,
    parallel: int,
    wanted: int,
    space: Mapping[str, BaseDistribution],
    given: Sequence[str],
) -> tuple[list[JobReturn], int, BaseException | None]:
    """Carry out the trials that are left; how each ended, how many failed, and what stopped the search, if anything."""
    returns: list[JobReturn] = []
    errors: list[str] = []
    while (left := wanted - len(studies.counted(study)) - len(errors)) > 0:
        trials = [study.ask(space) for _ in range(min(parallel, left))]
        jobs = [[*given, *values(trial.params), f"search.trial={trial.number}"] for trial in trials]
        try:
            results = launcher.launch(jobs, initial_job_idx=trials[0].number)
        except KeyboardInterrupt as stop:
            return returns, len(errors), stop
        for trial, result in zip(trials, results, strict=True):
            if studies.tell(study, trial, result):
                errors.append(explain(result._return_value) if isinstance(result._return_value, Exception) else "")
        returns.extend(results)
        log.info("%s, %d failed", studies.progress(study, wanted), len(errors))
        if len(errors) >= SAME_FAILURES and len(set(errors)) == 1 and not studies.counted(study):
            return returns, len(errors), UserError(f"all {len(errors)} trials failed with the same error: {errors[0]}")
    return returns, len(errors), None


def _conclusion(
    context: HydraContext, config: DictConfig, overrides: Mapping[str, Override], fixed: Sequence[str], study: Any
) -> str:
    """What the search ends with; trials that are not complete are in runs.csv only."""
    jobs, whole = {}, set()
    for trial in study.trials:
        if trial.params:
            params = {key: str(value) for key, value in trial.params.items()}
            given = [*fixed, *values(params), books.varying(overrides)]
            job = books.job_of(context, config, given, params, trial.number)
            jobs[job.folder] = job
            whole.update([job.folder] if trial in studies.complete(study) else [])
    command = partial(final_command, context, config, overrides)
    top = Path(config.hydra.sweep.dir)
    unranked = {folder for folder in jobs if folder and folder not in whole}
    return conclude(list(jobs.values()), top, config.sweep.objective, command, study, unranked)


def check_fixed(
    context: HydraContext, config: DictConfig, fixed: Sequence[str], space: Mapping[str, BaseDistribution]
) -> None:
    """Raise the error of the settings that all trials share, before the first of them begins.

    A setting that is searched may be allowed in a part of its range only, so both ends of all ranges are tried.
    """
    errors = []
    for end in (_lowest, _highest):
        overrides = [*fixed, *values({key: end(of) for key, of in space.items()})]
        if (error := books.fault(context, config, overrides)) is None:
            return
        errors.append(error)
    raise errors[0]


def _lowest(of: BaseDistribution) -> Any:
    return of.choices[0] if hasattr(of, "choices") else cast(Any, of).low


def _highest(of: BaseDistribution) -> Any:
    return of.choices[-1] if hasattr(of, "choices") else cast(Any, of).high


def distribution(override: Override) -> BaseDistribution:
    """The distribution of a setting: an interval, logarithmic where it is tagged log, or a list of choices."""
    distributions = import_optuna().distributions
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
