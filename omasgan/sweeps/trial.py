"""The trial of a Bayesian search, as the job that carries it out sees it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omasgan.configuration.identity import is_pseudo
from omasgan.errors import UserError
from omasgan.runs.search_journal import import_optuna, storage

if TYPE_CHECKING:
    import optuna

GIVEN_UP = "given_up"
"""Attribute of a pruned trial: the number of classes after which it was pruned."""


class Trial:
    """The trial that a job carries out.

    Parameters
    ----------
    trial
        optuna's trial.
    """

    def __init__(self, trial: optuna.Trial) -> None:
        self._trial = trial

    def hopeless(self, done: int, classes: int, mean: float) -> bool:
        """Report the objective over the first classes, and decide whether the trial is pruned.

        Parameters
        ----------
        done
            The number of classes that are done.
        classes
            The number of all classes. After the last of them, nothing is left to be pruned.
        mean
            The mean of the objective over those that are done.
        """
        self._trial.report(mean, step=done)
        if done == classes or not self._trial.should_prune():
            return False
        self._trial.set_user_attr(GIVEN_UP, done)
        return True


def open_trial(search: Mapping[str, Any], protocol: str) -> Trial | None:
    """The trial of a job from its settings `search`; None for a job outside a search."""
    if search["trial"] is None:
        return None
    check_protocol(protocol)
    optuna = import_optuna()
    study = optuna.load_study(study_name=search["study"], storage=storage(Path(search["journal"])))
    study.pruner = pruner(study.user_attrs["startup_trials"])
    return Trial(optuna.Trial(study, study.get_trials(deepcopy=False)[int(search["trial"])]._trial_id))


def pruner(startup_trials: int) -> Any:
    """The pruner, which prunes none of the first trials."""
    return import_optuna().pruners.MedianPruner(n_startup_trials=startup_trials)


def check_protocol(choice: str) -> None:
    """Raise UserError for a protocol whose test contains the class that results are reported for."""
    if not is_pseudo(choice):
        raise UserError(
            f"protocol is '{choice}': a search must not see the class that results are reported for; "
            "choose a protocol whose name begins with pseudo, such as protocol=pseudo_loo"
        )
