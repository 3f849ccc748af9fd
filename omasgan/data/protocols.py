"""Protocols, which decide from the labels which samples are trained on and which are tested.

The normal samples of the official training split are trained on, and all samples of the official test split are
tested. `PseudoLeaveOneOut`, which serves to choose settings, takes both from the training split. A protocol gets no
images, and a detector gets no labels.
"""

from __future__ import annotations

import typing
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Literal

import torch
from annotated_types import Interval
from torch import Tensor

from omasgan.data.class_names import ALL, indices_of
from omasgan.data.dataset import Dataset, Samples
from omasgan.errors import UserError
from omasgan.training.seeding import stream

Classes = int | str | list[int | str]
"""A class by its name or index, or a list of classes; see `class_names.index_of`."""


@dataclass(frozen=True)
class IndexSplit:
    """The samples to train on and to test.

    Parameters
    ----------
    train
        Indices of normal samples in the training split; int64 (m,).
    test
        Indices of the test samples in the official split `within`; int64 (n,).
    abnormal
        Which test samples are anomalies; bool (n,).
    within
        The official split that the test samples are from. The name of a protocol's YAML file begins with 'pseudo' if,
        and only if, it is 'train', so that the names of figures are known before the data are.
    """

    train: Tensor
    test: Tensor
    abnormal: Tensor
    within: Literal["train", "test"] = "test"

    def tested(self, dataset: Dataset) -> Samples:
        """The samples of the official split that the indices in `test` refer to."""
        return dataset.train if self.within == "train" else dataset.test

    def subset(self, n: int | None, y: Tensor) -> IndexSplit:
        """The same split with about n of its test samples: of every class the same share, but at least one sample.

        Parameters
        ----------
        n
            The number of test samples, from which the rounding of the shares may differ; None, or more than there are,
            for all.
        y
            The labels of the samples of `tested`.
        """
        if n is None or n >= len(self.test):
            return self
        order = torch.randperm(len(self.test), generator=stream(0, "test_samples", torch.device("cpu")))
        classes = [order[y[self.test[order]] == index] for index in sorted(set(y[self.test].tolist()))]
        kept = [members[: max(1, round(len(members) * n / len(order)))] for members in classes]
        chosen = torch.cat(kept).sort().values
        return replace(self, test=self.test[chosen], abnormal=self.abnormal[chosen])


class Protocol(typing.Protocol):
    """A rule that decides which classes are normal."""

    def split(self, train_y: Tensor, test_y: Tensor, class_names: Sequence[str]) -> IndexSplit:
        """Split a data set by its labels.

        Parameters
        ----------
        train_y, test_y
            The labels of the training and test split as indices into `class_names`; int64 (m,) and (n,).
        class_names
            All classes by name.

        Raises
        ------
        UserError
            Where a class is unknown, a normal class has no training samples, the test has no normal samples, or it has
            no anomalies although the protocol names a class.
        """
        ...

    def classes(self, class_names: Sequence[str]) -> list[typing.Self]:
        """One protocol for each class where this one has 'all' as its class, else only this one."""
        ...


@dataclass(frozen=True)
class LeaveOneOut:
    """One class, or several together, are abnormal; all others are normal.

    Parameters
    ----------
    abnormal_class
        The name or index of the abnormal class, a list of classes, or 'all' for each class in turn.

    Examples
    --------
    >>> import torch
    >>> split = LeaveOneOut("dog").split(torch.tensor([0, 1, 2]), torch.tensor([1, 2]), ["cat", "dog", "owl"])
    >>> split.train.tolist(), split.test.tolist(), split.abnormal.tolist()
    ([0, 2], [0, 1], [True, False])
    """

    abnormal_class: Classes

    def split(self, train_y: Tensor, test_y: Tensor, class_names: Sequence[str]) -> IndexSplit:
        """See `Protocol`."""
        abnormal = indices_of("abnormal_class", self.abnormal_class, class_names)
        normal = [index for index in range(len(class_names)) if index not in abnormal]
        return _split_in_two(train_y, test_y, class_names, normal)

    def classes(self, class_names: Sequence[str]) -> list[LeaveOneOut]:
        """See `Protocol`."""
        return [LeaveOneOut(name) for name in class_names] if self.abnormal_class == ALL else [self]


@dataclass(frozen=True)
class OneClass:
    """One class, or several together, are normal; all others are abnormal.

    Parameters
    ----------
    normal_class
        The name or index of the normal class, a list of classes, or 'all' for each class in turn.
    """

    normal_class: Classes

    def split(self, train_y: Tensor, test_y: Tensor, class_names: Sequence[str]) -> IndexSplit:
        """See `Protocol`."""
        normal = indices_of("normal_class", self.normal_class, class_names)
        return _split_in_two(train_y, test_y, class_names, normal)

    def classes(self, class_names: Sequence[str]) -> list[OneClass]:
        """See `Protocol`."""
        return [OneClass(name) for name in class_names] if self.normal_class == ALL else [self]


@dataclass(frozen=True)
class PseudoLeaveOneOut:
    """Normal classes take the part of the anomalies, so that settings can be chosen without the abnormal class.

    All samples come from the training split. The abnormal class is left out altogether, so that its scores cannot
    influence the choice.

    Parameters
    ----------
    abnormal_class
        The name or index of the class that is left out, a list of classes, or 'all' for each class in turn.
    pseudo_class
        The name or index of the class that is tested as the anomaly, a list of classes, or 'all' for each class in
        turn. None takes, for each abnormal class, the class half the list of classes away, or the next that is free.
    held_out
        The fraction of the other classes' samples, drawn at random, that are the normal samples of the test; above 0
        and below 1.
    """

    abnormal_class: Classes
    pseudo_class: Classes | None = None
    held_out: Annotated[float, Interval(gt=0, lt=1)] = 0.2

    def split(self, train_y: Tensor, test_y: Tensor, class_names: Sequence[str]) -> IndexSplit:
        """See `Protocol`; test_y is not used. Also raises UserError where a class is both abnormal and pseudo."""
        abnormal, pseudo = self._indices(class_names)
        if not set(abnormal).isdisjoint(pseudo):
            raise UserError(
                f"pseudo_class={self.pseudo_class} is abnormal_class too: choose another class, or null, which takes "
                "the class that comes half of all classes after abnormal_class"
            )
        normal = [index for index in range(len(class_names)) if index not in (*abnormal, *pseudo)]
        train = _split(train_y, train_y, class_names, normal).train
        order = train[torch.randperm(len(train), generator=stream(0, "pseudo_loo", torch.device("cpu")))]
        cut = max(1, round(self.held_out * len(train)))
        is_pseudo = torch.isin(train_y, torch.tensor(pseudo))
        anomalies = is_pseudo.nonzero().squeeze(1)
        if len(anomalies) == 0 or cut >= len(train):
            names = ", ".join(class_names[index] for index in pseudo)
            raise UserError(
                f"pseudo_class={names} has {len(anomalies)} training samples, the normal classes have "
                f"{len(train)}: choose another pseudo_class, or a smaller held_out"
            )
        test = torch.cat([order[:cut].sort().values, anomalies])
        return IndexSplit(order[cut:].sort().values, test, is_pseudo[test], within="train")

    def classes(self, class_names: Sequence[str]) -> list[PseudoLeaveOneOut]:
        """See `Protocol`."""
        abnormal = list(class_names) if self.abnormal_class == ALL else [self.abnormal_class]
        pseudo = list(class_names) if self.pseudo_class == ALL else [self.pseudo_class]
        one_each = [replace(self, abnormal_class=a, pseudo_class=p) for a in abnormal for p in pseudo]
        if len(one_each) == 1:
            return one_each
        return [protocol for protocol in one_each if set.isdisjoint(*map(set, protocol._indices(class_names)))]

    def _indices(self, class_names: Sequence[str]) -> tuple[list[int], list[int]]:
        abnormal = indices_of("abnormal_class", self.abnormal_class, class_names)
        if self.pseudo_class is not None:
            return abnormal, indices_of("pseudo_class", self.pseudo_class, class_names)
        pseudo: list[int] = []
        for index in abnormal:
            away = [(index + len(class_names) // 2 + step) % len(class_names) for step in range(len(class_names))]
            pseudo += [other for other in away if other not in (*abnormal, *pseudo)][:1]
        return abnormal, pseudo


@dataclass(frozen=True)
class Novelty:
    """Every class with training samples is normal, every other class is abnormal.

    Used for toy data sets, folders of images and joined data sets. The test may have no known anomaly, as in a user's
    own folder of normal images: it is scored, but has no metrics.
    """

    def split(self, train_y: Tensor, test_y: Tensor, class_names: Sequence[str]) -> IndexSplit:
        """See `Protocol`."""
        return _split(train_y, test_y, class_names, sorted(set(train_y.tolist())))

    def classes(self, class_names: Sequence[str]) -> list[Novelty]:
        """See `Protocol`."""
        return [self]


def join(normal: Dataset, abnormal: Dataset, name: str) -> Dataset:
    """Add the test split of another data set, as anomalies, to the test split of the normal data set.

    Parameters
    ----------
    normal, abnormal
        The two data sets. The training split of `abnormal` is not used.
    name
        The added classes are called 'name/<class>'.

    Raises
    ------
    UserError
        Where the samples of the two differ in shape.
    """
    if normal.spec != abnormal.spec:
        raise UserError(
            f"the normal data have samples of shape {normal.spec.shape}, the {name} data of {abnormal.spec.shape}: "
            "they must be alike; give an image_folder the size and channels of the other data set"
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
            f"no training samples of the normal class {', '.join(untrained) or '(none is left)'}: every normal class "
            "needs some; choose other classes, or protocol=novelty, where each class with training samples is normal"
        )
    chosen = torch.tensor(normal)
    abnormal = ~torch.isin(test_y, chosen)
    if abnormal.all():
        raise _lopsided(abnormal, class_names, normal)
    train = torch.isin(train_y, chosen).nonzero().squeeze(1)
    return IndexSplit(train, torch.arange(len(test_y)), abnormal)


def _split_in_two(train_y: Tensor, test_y: Tensor, class_names: Sequence[str], normal: Sequence[int]) -> IndexSplit:
    """As `_split`, but the test must have anomalies as well."""
    split = _split(train_y, test_y, class_names, normal)
    if not split.abnormal.any():
        raise _lopsided(split.abnormal, class_names, normal)
    return split


def _lopsided(abnormal: Tensor, class_names: Sequence[str], normal: Sequence[int]) -> UserError:
    names = ", ".join(class_names[index] for index in normal)
    return UserError(
        f"with {names} as normal, the test has {int(abnormal.sum())} anomalies in {len(abnormal)} samples: "
        "it needs anomalies and normal samples; choose another class, or protocol=novelty, which needs no anomalies"
    )
