"""Which classes are normal: from labels to an index split. No image is seen here, and no label goes further.

Training takes the normal samples of the official training split, the test every sample of the official test
split; `PseudoLeaveOneOut`, by which settings are chosen, never opens the test split.
"""

from __future__ import annotations

import typing
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Literal

import torch
from annotated_types import Interval
from torch import Tensor

from omasgan.data.dataset import Dataset, Samples
from omasgan.errors import UserError
from omasgan.text import did_you_mean
from omasgan.training.seeding import stream

ALL = "all"


@dataclass(frozen=True)
class IndexSplit:
    """Which samples are trained and tested on.

    train: int64 (m,) into the training split, normal ones alone. test: int64 (n,) into the official split `within`.
    abnormal: bool (n,), of the samples in `test`.
    """

    train: Tensor
    test: Tensor
    abnormal: Tensor
    within: Literal["train", "test"] = "test"

    def tested(self, dataset: Dataset) -> Samples:
        """The official split that `test` points into."""
        return dataset.train if self.within == "train" else dataset.test


class Protocol(typing.Protocol):
    """A rule that says which classes are normal."""

    def split(self, train_y: Tensor, test_y: Tensor, class_names: Sequence[str]) -> IndexSplit:
        """Split by the labels, int64 (m,) and (n,), indices into class_names.

        Raises UserError where a class is unknown, a normal class has no training samples, or the test holds
        nothing but anomalies; or none, where the protocol names a class.
        """
        ...

    def classes(self, class_names: Sequence[str]) -> list[typing.Self]:
        """One protocol for every class where this one stands for 'all', else this one alone."""
        ...


@dataclass(frozen=True)
class LeaveOneOut:
    """One class is abnormal, all others normal. abnormal_class: a name, an index, or 'all': each in turn."""

    abnormal_class: int | str

    def split(self, train_y: Tensor, test_y: Tensor, class_names: Sequence[str]) -> IndexSplit:
        """See `Protocol`."""
        abnormal = _class_index("abnormal_class", self.abnormal_class, class_names)
        normal = [index for index in range(len(class_names)) if index != abnormal]
        return _split_in_two(train_y, test_y, class_names, normal)

    def classes(self, class_names: Sequence[str]) -> list[LeaveOneOut]:
        """See `Protocol`."""
        return [LeaveOneOut(name) for name in class_names] if self.abnormal_class == ALL else [self]


@dataclass(frozen=True)
class OneClass:
    """One class is normal, all others abnormal. normal_class: a name, an index, or 'all': each in turn."""

    normal_class: int | str

    def split(self, train_y: Tensor, test_y: Tensor, class_names: Sequence[str]) -> IndexSplit:
        """See `Protocol`."""
        normal = _class_index("normal_class", self.normal_class, class_names)
        return _split_in_two(train_y, test_y, class_names, [normal])

    def classes(self, class_names: Sequence[str]) -> list[OneClass]:
        """See `Protocol`."""
        return [OneClass(name) for name in class_names] if self.normal_class == ALL else [self]


@dataclass(frozen=True)
class PseudoLeaveOneOut:
    """How settings are chosen: a second class, a normal one, stands in for the anomalies; all in the training split.

    abnormal_class is neither trained nor tested on, so that its scores cannot steer a choice. pseudo_class is the
    anomaly; null is the class half the list away from abnormal_class. A share `held_out` of the other classes'
    training samples, drawn at random, are the normal samples of the test. Either class may be 'all': each in turn.
    """

    abnormal_class: int | str
    pseudo_class: int | str | None = None
    held_out: Annotated[float, Interval(gt=0, lt=1)] = 0.2

    def split(self, train_y: Tensor, test_y: Tensor, class_names: Sequence[str]) -> IndexSplit:
        """See `Protocol`; test_y is not used. Raises UserError, too, where both classes are the same."""
        abnormal, pseudo = self._indices(class_names)
        if abnormal == pseudo:
            raise UserError(
                f"pseudo_class={self.pseudo_class} is abnormal_class too: choose another, or null for the one "
                "half the list away"
            )
        normal = [index for index in range(len(class_names)) if index not in (abnormal, pseudo)]
        train = _split(train_y, train_y, class_names, normal).train
        order = train[torch.randperm(len(train), generator=stream(0, "pseudo_loo", torch.device("cpu")))]
        cut = max(1, round(self.held_out * len(train)))
        anomalies = (train_y == pseudo).nonzero().squeeze(1)
        if len(anomalies) == 0 or cut >= len(train):
            raise UserError(
                f"pseudo_class={class_names[pseudo]} has {len(anomalies)} training samples, the normal classes have "
                f"{len(train)}: choose another pseudo_class, or a smaller held_out"
            )
        test = torch.cat([order[:cut].sort().values, anomalies])
        return IndexSplit(order[cut:].sort().values, test, train_y[test] == pseudo, within="train")

    def classes(self, class_names: Sequence[str]) -> list[PseudoLeaveOneOut]:
        """See `Protocol`."""
        abnormal = list(class_names) if self.abnormal_class == ALL else [self.abnormal_class]
        pseudo = list(class_names) if self.pseudo_class == ALL else [self.pseudo_class]
        one_each = [replace(self, abnormal_class=a, pseudo_class=p) for a in abnormal for p in pseudo]
        if len(one_each) == 1:
            return one_each
        return [protocol for protocol in one_each if len(set(protocol._indices(class_names))) == 2]

    def _indices(self, class_names: Sequence[str]) -> tuple[int, int]:
        abnormal = _class_index("abnormal_class", self.abnormal_class, class_names)
        return abnormal, self._pseudo(abnormal, class_names)

    def _pseudo(self, abnormal: int, class_names: Sequence[str]) -> int:
        if self.pseudo_class is None:
            return (abnormal + len(class_names) // 2) % len(class_names)
        return _class_index("pseudo_class", self.pseudo_class, class_names)


@dataclass(frozen=True)
class Novelty:
    """Every class that occurs in training is normal, every other abnormal: toy sets, folders, joined sets.

    The test may hold no anomaly that is known, as a user's own folder of normal images: it is scored all the same.
    """

    def split(self, train_y: Tensor, test_y: Tensor, class_names: Sequence[str]) -> IndexSplit:
        """See `Protocol`."""
        return _split(train_y, test_y, class_names, sorted(set(train_y.tolist())))

    def classes(self, class_names: Sequence[str]) -> list[Novelty]:
        """See `Protocol`."""
        return [self]


def join(normal: Dataset, abnormal: Dataset, name: str) -> Dataset:
    """The data set `normal`, to its test split added that of `abnormal` as classes 'name/<class>'.

    Raises UserError where their samples differ in shape.
    """
    if normal.spec != abnormal.spec:
        raise UserError(
            f"the normal data has samples of shape {normal.spec.shape}, {name} of {abnormal.spec.shape}: "
            "they must be alike; set size and channels of an image_folder to the other's"
        )
    first, second = normal.test, abnormal.test
    test = Samples(
        x=torch.cat([first.x, second.x]),
        y=torch.cat([first.y, second.y + len(normal.class_names)]),
        names=first.names + second.names if first.names and second.names else (),
    )
    added = tuple(f"{name}/{class_name}" for class_name in abnormal.class_names)
    return replace(normal, test=test, class_names=normal.class_names + added)


def _split(train_y: Tensor, test_y: Tensor, class_names: Sequence[str], normal: Sequence[int]) -> IndexSplit:
    trained = set(train_y.tolist())
    untrained = [class_names[index] for index in normal if index not in trained]
    if untrained or not normal:
        raise UserError(
            f"no training samples of the normal class {', '.join(untrained) or '(none is left)'}: "
            "every normal class needs some; choose other classes, or protocol=novelty, where all trained on are normal"
        )
    chosen = torch.tensor(normal)
    abnormal = ~torch.isin(test_y, chosen)
    if abnormal.all():
        raise _lopsided(abnormal, class_names, normal)
    train = torch.isin(train_y, chosen).nonzero().squeeze(1)
    return IndexSplit(train, torch.arange(len(test_y)), abnormal)


def _split_in_two(train_y: Tensor, test_y: Tensor, class_names: Sequence[str], normal: Sequence[int]) -> IndexSplit:
    """As `_split`, but the test must hold anomalies, too."""
    split = _split(train_y, test_y, class_names, normal)
    if not split.abnormal.any():
        raise _lopsided(split.abnormal, class_names, normal)
    return split


def _lopsided(abnormal: Tensor, class_names: Sequence[str], normal: Sequence[int]) -> UserError:
    names = ", ".join(class_names[index] for index in normal)
    return UserError(
        f"with {names} normal, the test holds {int(abnormal.sum())} anomalies in {len(abnormal)} samples: "
        "it needs anomalies and normal samples; choose another class, or protocol=novelty, which needs no anomalies"
    )


def _class_index(key: str, given: int | str, class_names: Sequence[str]) -> int:
    """The index of a class given by name or, where no class has that name, by index."""
    if given == ALL:
        raise UserError(
            f"{key}={ALL} stands for every class in turn: a single run needs one of {', '.join(class_names)}"
        )
    if str(given) in class_names:
        return list(class_names).index(str(given))
    if isinstance(given, int) and 0 <= given < len(class_names):
        return given
    raise UserError(
        f"{key}={given}: no such class{did_you_mean(str(given), class_names)}; allowed are {', '.join(class_names)}, "
        f"their indices 0..{len(class_names) - 1}, and {ALL}"
    )
