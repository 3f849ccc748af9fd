"""The class of a run, by its name: what its protocol singles out, and what folders and tables call it."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from omasgan.data.class_names import ALL, class_names, indices_of
from omasgan.text import natural

CLASS_KEYS = {"abnormal_class": "abnormal", "normal_class": "normal"}
"""The settings of a protocol that name its class, and the role of that class."""

PSEUDO_KEY = "pseudo_class"
"""The setting that names the class which a protocol uses in place of the anomalies; null for the protocol's default."""

PSEUDO = "-pseudo-"
"""Stands between the two classes in the name of a run's class, as in '3-pseudo-8'."""

TOGETHER = "+"
"""Stands between classes that a protocol takes together, as in '1+4'."""

NAME_LENGTH = 60
"""Largest number of characters of a class's name in a folder's name."""


def known_names(dataset: Any, abnormal_dataset: Any) -> tuple[str, ...]:
    """The classes of a run's data set, as far as they can be told before it is loaded; else empty.

    Parameters
    ----------
    dataset, abnormal_dataset
        These two nodes of the configuration.
    """
    if isinstance(dataset, DictConfig):
        try:
            dataset = OmegaConf.to_container(dataset, resolve=True)
        except Exception:  # a setting is missing or wrong, which is told when the configuration is checked
            return ()
    # The classes of a second data set are added to those of the first when both are loaded.
    return class_names(dataset) if isinstance(dataset, Mapping) and abnormal_dataset is None else ()


def by_name(protocol: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """The settings of a protocol with its classes by name, so that a run is one however its class was given.

    Parameters
    ----------
    protocol
        The protocol's settings, in plain containers.
    names
        All classes by name; where they are not known, numbers are taken for names.

    Returns
    -------
    dict of str to Any
        'all' and null are kept. Of a list, each class is once there, in an order that does not depend on the given
        one; a list of one class is that class.

    Raises
    ------
    UserError
        Where there is no such class.
    """
    keys = {*CLASS_KEYS, PSEUDO_KEY} & protocol.keys()
    return {**protocol, **{key: _named(f"protocol.{key}", protocol[key], names) for key in keys}}


def _named(key: str, given: Any, names: Sequence[str]) -> Any:
    items = given if isinstance(given, list) else [given]
    if given == ALL or not all(isinstance(item, int | str) for item in items):
        return given  # 'all', null, or a value that the check of the configuration refuses
    told = names or not items  # an empty list is refused like a wrong class
    found = {names[index] for index in indices_of(key, given, names)} if told else set(map(str, items))
    several = sorted(found, key=natural)
    return several[0] if len(several) == 1 else several


def earlier(protocol: Mapping[str, Any], names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The settings by which an earlier version would have called the same run, in which a class may be an index."""
    keys = [key for key in (*CLASS_KEYS, PSEUDO_KEY) if protocol.get(key) in names]
    if any(name.isdecimal() for name in names):
        return
    for forms in itertools.product(*[(protocol[key], list(names).index(protocol[key])) for key in keys]):
        changed = dict(zip(keys, forms, strict=True))
        if any(changed[key] != protocol[key] for key in keys):
            yield {**protocol, **changed}


def class_of(protocol: Mapping[str, Any]) -> tuple[str, str]:
    """The class of a run and its role.

    Parameters
    ----------
    protocol
        The protocol's settings.

    Returns
    -------
    tuple of str
        The role and the class: ('abnormal', '3'), ('normal', 'cat'), ('abnormal', '1+4') for classes taken together, or
        with a named pseudo-anomaly ('abnormal', '3-pseudo-8'). Two empty strings where the protocol has no class or
        runs over all of them.
    """
    role, parts = _parts(protocol)
    return role, PSEUDO.join(TOGETHER.join(part) for part in parts)


def _parts(protocol: Mapping[str, Any]) -> tuple[str, list[list[str]]]:
    """The role, and the classes that are taken together, then those in place of the anomalies where they are named."""
    pseudo = protocol.get(PSEUDO_KEY)
    for key, role in CLASS_KEYS.items():
        if protocol.get(key, ALL) != ALL and pseudo != ALL:
            given = [protocol[key]] + ([] if pseudo is None else [pseudo])
            return role, [list(map(str, each)) if isinstance(each, list) else [str(each)] for each in given]
    return "", []


def together(protocol: Mapping[str, Any]) -> int:
    """The number of classes that a run singles out together, at least 1."""
    return max(map(len, _parts(protocol)[1]), default=1)


def number_of_runs(protocol: Mapping[str, Any], classes: int) -> int | None:
    """The number of runs that a job of a protocol makes.

    Parameters
    ----------
    protocol
        The protocol's settings.
    classes
        The number of classes of the data set; 0 where it is not known.

    Returns
    -------
    int or None
        None where it depends on a number of classes that is not known.
    """
    every = any(protocol.get(key) == ALL for key in CLASS_KEYS)
    pseudo = protocol.get(PSEUDO_KEY) == ALL
    if (every or pseudo) and not classes:
        return None
    return (classes if every else 1) * (classes - 1 if pseudo else 1)


def class_folder(protocol: Mapping[str, Any]) -> str:
    """The name of a class's folder, such as 'abnormal_3', 'normal_cat' or 'abnormal_1+4'.

    Parameters
    ----------
    protocol
        The protocol's settings.

    Returns
    -------
    str
        A name of letters, digits and '._+-' that differs for every class; empty where `class_of` is.
    """
    role, parts = _parts(protocol)
    if together(protocol) > 1:
        plain = PSEUDO.join(TOGETHER.join(map(_plain, part)) for part in parts)
        plain = plain if len(plain) <= NAME_LENGTH else f"{plain[:NAME_LENGTH]}-{_digest(plain)}"
    else:
        plain = _plain(PSEUDO.join(part[0] for part in parts))
    return f"{role}_{plain}" if role else ""


def class_place(top: Path, protocol: Mapping[str, Any], names: Sequence[str]) -> Path:
    """The folder of a class's run.

    Parameters
    ----------
    top
        The folder above it.
    protocol
        The protocol's settings, with its classes by name.
    names
        All classes by name; empty where they are not known.

    Returns
    -------
    Path
        `top` / `class_folder`; where only the folder exists that an earlier version named by index, that one.
    """
    place = top / class_folder(protocol)
    if place.is_dir():
        return place
    return next((old for old in (top / class_folder(each) for each in earlier(protocol, names)) if old.is_dir()), place)


def _plain(name: str) -> str:
    """A class's name as part of a folder's name."""
    plain = re.sub(r"[^A-Za-z0-9.-]+", "_", name)[:NAME_LENGTH]
    return plain if plain == name else f"{plain}-{_digest(name)}"  # otherwise 'a b' and 'a_b' would share a folder


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:6]
