"""Writes and reads checkpoints; `Stage` decides when the checkpoint of a training stage is written.

A checkpoint is one file of tensors and plain types, written atomically and read without unpickling other objects.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch

from omasgan.errors import UserError
from omasgan.files import write_atomically

FORMAT = 1
"""The number of the format; it is increased when checkpoints of earlier versions can no longer be continued."""


def save(path: Path, kind: str, state: Mapping[str, Any]) -> None:
    """Write a checkpoint.

    Parameters
    ----------
    path
        The file. An earlier checkpoint is replaced only after the new one is complete.
    kind
        What is saved, such as 'task1' or 'detector'; `load` must be given the same kind.
    state
        Tensors and plain types by name, at any depth.

    Raises
    ------
    UserError
        Where the file cannot be written.
    """
    write_atomically(path, lambda file: torch.save({"format": FORMAT, "kind": kind, "state": dict(state)}, file))


def load(path: Path, kind: str, device: torch.device) -> dict[str, Any]:
    """Read a checkpoint that `save` wrote.

    Parameters
    ----------
    path
        The file.
    kind
        The kind that it was saved with.
    device
        Where its tensors are put.

    Returns
    -------
    dict of str to Any
        The saved state.

    Raises
    ------
    UserError
        Where the file is missing or damaged, or has another kind or format.
    """
    mend = f"delete {path} to train this stage again"
    try:
        content = torch.load(path, map_location=device, weights_only=True)
    except FileNotFoundError:
        raise UserError(f"there is no checkpoint {path}: run the training first") from None
    except Exception as error:  # a damaged file may raise anything
        raise UserError(f"checkpoint {path} cannot be read (incomplete, or not written by omasgan): {mend}") from error
    if not isinstance(content, dict) or set(content) != {"format", "kind", "state"}:
        raise UserError(f"{path} is not a checkpoint of omasgan: {mend}")
    if content["format"] != FORMAT:
        raise UserError(
            f"checkpoint {path} has format {content['format']}, this version of omasgan reads {FORMAT}: {mend}"
        )
    if content["kind"] != kind:
        raise UserError(f"checkpoint {path} holds '{content['kind']}', not '{kind}': {mend}")
    return cast(dict[str, Any], content["state"])


def restore(path: Path, holders: Mapping[str, Any], state: Mapping[str, Any]) -> None:
    """Load a state into networks and optimisers.

    Parameters
    ----------
    path
        The file that the state was read from, for the message.
    holders
        Objects with a `load_state_dict`, by name.
    state
        What `load` returned; it has at least the names of `holders`.

    Raises
    ------
    UserError
        Where the state does not fit, because the checkpoint was made with another configuration.
    """
    for name, holder in holders.items():
        try:
            holder.load_state_dict(state[name])
        except (RuntimeError, ValueError, KeyError) as error:
            reason = str(error).split("\n")[-1].strip()
            raise UserError(
                f"checkpoint {path} does not fit '{name}' of this configuration ({reason}): "
                f"use the configuration that it was made with, or delete the checkpoint"
            ) from error
