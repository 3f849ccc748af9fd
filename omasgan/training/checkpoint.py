"""Checkpoints: tensors and plain types in one file, written whole or not at all, never unpickled freely."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch

from omasgan.errors import UserError
from omasgan.files import write_atomically

FORMAT = 1
"""Raised whenever a checkpoint of an earlier omasgan could not be continued."""


def save(path: Path, kind: str, state: Mapping[str, Any]) -> None:
    """Write `state` (tensors and plain types) as a checkpoint of that kind ('task1', 'detector', ...).

    Raises UserError where the folder or the disk does not take it; an earlier checkpoint is then untouched.
    """
    write_atomically(path, lambda file: torch.save({"format": FORMAT, "kind": kind, "state": dict(state)}, file))


def load(path: Path, kind: str, device: torch.device) -> dict[str, Any]:
    """Read back what `save` wrote, with tensors on the device.

    Raises UserError for a file that is missing, cut short, of another program, another kind or another format.
    """
    mend = f"delete {path} to do this stage again"
    try:
        content = torch.load(path, map_location=device, weights_only=True)
    except FileNotFoundError:
        raise UserError(f"there is no checkpoint {path}: run the training first") from None
    except Exception as error:  # the reader may raise anything on a damaged file
        raise UserError(f"checkpoint {path} cannot be read (cut short, or not ours): {mend}") from error
    if not isinstance(content, dict) or set(content) != {"format", "kind", "state"}:
        raise UserError(f"{path} is not a checkpoint of omasgan: {mend}")
    if content["format"] != FORMAT:
        raise UserError(f"checkpoint {path} has format {content['format']}, this omasgan reads {FORMAT}: {mend}")
    if content["kind"] != kind:
        raise UserError(f"checkpoint {path} holds '{content['kind']}', not '{kind}': {mend}")
    return cast(dict[str, Any], content["state"])


def restore(path: Path, holders: Mapping[str, Any], state: Mapping[str, Any]) -> None:
    """Load `state[name]` into every `holders[name]` that has a load_state_dict.

    Raises UserError where the checkpoint was made by another architecture.
    """
    for name, holder in holders.items():
        try:
            holder.load_state_dict(state[name])
        except (RuntimeError, ValueError, KeyError) as error:
            reason = str(error).split("\n")[-1].strip()
            raise UserError(
                f"checkpoint {path} does not fit '{name}' of this configuration ({reason}): "
                f"use the configuration it was made with, or delete it"
            ) from error
