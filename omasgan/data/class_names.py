"""The names of a data set's classes, told without loading its samples, and how a class is given by name or index.

Does not import torch: the folder of a run is named after its class, and a sweep must know the folders of all its runs
before any of them loads data.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from omasgan.errors import UserError
from omasgan.files import user_path
from omasgan.text import did_you_mean

ALL = "all"
"""Stands for every class in turn."""

NORMAL = "normal"
"""The class of samples of an image folder or an array that has no classes."""

ANOMALY = "anomaly"
"""The other class of an .npz file that only tells anomalies from normal samples."""

TEN_DIGITS = tuple("0123456789")

TEXTURES = ("good", "scratch", "spot", "missing", "colour")

FASHION_MNIST = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)

KMNIST = ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")

CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def class_names(node: Mapping[str, Any]) -> tuple[str, ...]:
    """All classes of a data set, in the order of their indices.

    Parameters
    ----------
    node
        The data set's node of the configuration, resolved.

    Returns
    -------
    tuple of str
        Empty where they are known only after loading: for sources that are not in `SOURCES`, and for files that are
        missing or damaged, of which loading tells more.
    """
    settings = {key: value for key, value in node.items() if key != "_target_"}
    source = SOURCES.get(str(node.get("_target_")))
    try:
        return source(**settings) if source is not None else ()
    except Exception:  # a damaged file may raise anything, a wrong setting a TypeError
        return ()


def of_folder(root: str, test_root: str | None = None, **_: Any) -> tuple[str, ...]:
    """The classes of `omasgan.data.folders.image_folder`: those of the training data, then those of the test alone."""
    top = user_path(root)
    if test_root is not None:
        train, test = class_folders(top), class_folders(user_path(test_root))
    elif (top / "train").is_dir():
        train, test = class_folders(top / "train"), class_folders(top / "test")
    else:
        return (NORMAL,)
    names, tested = ([path.name for path in folders] or [NORMAL] for folders in (train, test))
    return (*names, *(name for name in tested if name not in names))


def class_folders(folder: Path) -> list[Path]:
    """The folders of classes directly in a folder, sorted."""
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def of_arrays(path: str, test_path: str | None = None, label: str | None = None, missing: str = "") -> tuple[str, ...]:
    """The classes of `omasgan.data.arrays.arrays`: the distinct labels in sorted order; empty for those of a table."""
    if test_path is not None:
        return (NORMAL,) if label is None else ()
    from omasgan.data import labels  # imported here for its numpy, which task=list need not wait for

    return labels.of_file(user_path(path))


SOURCES: Mapping[str, Callable[..., tuple[str, ...]]] = {
    "omasgan.data.digits.digits": lambda: TEN_DIGITS,
    "omasgan.data.textures.textures": lambda **_: TEXTURES,
    "omasgan.data.benchmarks.mnist": lambda root: TEN_DIGITS,
    "omasgan.data.benchmarks.svhn": lambda root: TEN_DIGITS,
    "omasgan.data.benchmarks.fashion_mnist": lambda root: FASHION_MNIST,
    "omasgan.data.benchmarks.kmnist": lambda root: KMNIST,
    "omasgan.data.benchmarks.cifar10": lambda root: CIFAR10,
    "omasgan.data.folders.image_folder": of_folder,
    "omasgan.data.arrays.arrays": of_arrays,
}
"""By the `_target_` of a source, a function of its settings that tells its classes."""


def index_of(key: str, given: int | str, names: Sequence[str]) -> int:
    """The index of a class that is given by its name or, where the classes are not called by numbers, by its index.

    Parameters
    ----------
    key
        The setting that gives the class, for the message.
    given
        A class; a number that is a name is that name.
    names
        All classes by name.

    Raises
    ------
    UserError
        Where there is no such class.

    Examples
    --------
    >>> index_of("abnormal_class", 1, ["cat", "dog"]), index_of("abnormal_class", 2, ["1", "2", "10"])
    (1, 1)
    >>> index_of("abnormal_class", 202105, ["2021_04", "2021_05"])
    1
    """
    if given == ALL:
        raise UserError(
            f"{key}={ALL} stands for every class in turn, but one class is needed here: "
            f"choose one of {', '.join(names)}"
        )
    if str(given) in names:
        return list(names).index(str(given))
    # Hydra takes 2021_05 for the number 202105, and 07 for 7.
    spelled = [int(name.replace("_", "")) if re.fullmatch(r"\d[\d_]*", name) else None for name in names]
    if isinstance(given, int) and given in spelled:
        return spelled.index(given)
    numbers = [name for name in names if name.isdecimal()]
    if isinstance(given, int) and not numbers and 0 <= given < len(names):
        return given
    indices = "a number is a name here, never an index" if numbers else f"their indices 0..{len(names) - 1}"
    hint = "" if isinstance(given, int) else did_you_mean(given, names)
    raise UserError(
        f"{key}={given}: no such class{hint}; allowed are {', '.join(names)} ({indices}), a list of them, and {ALL}"
    )


def indices_of(key: str, given: int | str | Sequence[int | str], names: Sequence[str]) -> list[int]:
    """The indices of one class, or of a list of classes, in rising order; see `index_of`."""
    several = [given] if isinstance(given, int | str) else given
    if not several:
        raise UserError(f"{key} is an empty list: give a class, several as [a,b], or {ALL}")
    return sorted({index_of(key, one, names) for one in several})
