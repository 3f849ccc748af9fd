"""The journal of a Bayesian search: the file in which optuna stores a study, which several processes share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from omasgan.errors import UserError

FOLDER = "search"
"""The folder of all journals, below the folder `runs`."""


def import_optuna() -> Any:
    """The module optuna, which reports warnings only; raises UserError where it is not installed."""
    try:
        import optuna
    except ImportError:
        raise UserError("a search needs optuna: pip install 'omasgan[search]'") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def storage(journal: Path) -> Any:
    """The storage that writes to a journal."""
    optuna = import_optuna()
    return optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(journal)))


def load_study(journal: Path) -> Any:
    """The study in a journal, which has the name of the file."""
    return import_optuna().load_study(study_name=journal.stem, storage=storage(journal))
