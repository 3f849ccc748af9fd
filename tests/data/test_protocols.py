import re

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from omasgan.data.dataset import Dataset, Samples
from omasgan.data.protocols import LeaveOneOut, Novelty, OneClass, Protocol, PseudoLeaveOneOut, join
from omasgan.errors import UserError

NAMES = ("cat", "dog", "frog", "horse")


@st.composite
def labels(draw):
    """Training labels of every class, test labels of at least one other class, and the class."""
    classes = draw(st.integers(2, 5))
    label = st.integers(0, classes - 1)
    train = draw(st.permutations(list(range(classes)) + draw(st.lists(label, max_size=30))))
    test = draw(st.permutations(list(range(classes)) + draw(st.lists(label, max_size=30))))
    names = tuple(f"class {index}" for index in range(classes))
    return torch.tensor(train), torch.tensor(test), names, draw(label)


def check_split(split, train_y, test_y, normal):
    """What holds for every protocol; `normal` is the set of normal classes."""
    assert split.train.dtype == split.test.dtype == torch.int64
    assert split.abnormal.dtype == torch.bool
    assert set(train_y[split.train].tolist()) == normal, "no abnormal class reaches training"
    left_out = sorted(set(range(len(train_y))) - set(split.train.tolist()))
    assert not set(train_y[left_out].tolist()) & normal, "and no normal sample is lost"
    assert len(split.train) == len(split.train.unique())
    assert sorted(split.test.tolist()) == list(range(len(test_y))), "every test sample is used once"
    expected = [label not in normal for label in test_y[split.test].tolist()]
    assert split.abnormal.tolist() == expected


@given(labels())
def test_leave_one_out(case):
    train_y, test_y, names, label = case
    split = LeaveOneOut(label).split(train_y, test_y, names)
    check_split(split, train_y, test_y, set(range(len(names))) - {label})


@given(labels())
def test_one_class(case):
    train_y, test_y, names, label = case
    check_split(OneClass(label).split(train_y, test_y, names), train_y, test_y, {label})


@given(labels())
def test_novelty(case):
    train_y, test_y, names, label = case
    train_y = train_y[train_y != label]
    check_split(Novelty().split(train_y, test_y, names), train_y, test_y, set(train_y.tolist()))


@given(labels(), st.integers(0, 4), st.floats(0.1, 0.9))
def test_pseudo_leave_one_out(case, pseudo, held_out):
    train_y, test_y, names, abnormal = case
    pseudo %= len(names)
    normal = set(range(len(names))) - {abnormal, pseudo}
    assume(abnormal != pseudo and sum(int((train_y == label).sum()) for label in normal) > 1)
    rule = PseudoLeaveOneOut(abnormal, pseudo, held_out)
    try:
        split = rule.split(train_y, test_y, names)
    except UserError:
        assume(False)
    assert split.within == "train", "the test split stays shut"
    assert torch.equal(split.train, rule.split(train_y, test_y.flip(0), names).train)
    assert set(train_y[split.train].tolist()) <= normal
    assert not set(split.train.tolist()) & set(split.test.tolist()), "no sample is both trained and tested on"
    seen = sorted(split.train.tolist() + split.test.tolist())
    assert seen == (train_y != abnormal).nonzero().squeeze(1).tolist(), "the abnormal class is nowhere, the rest once"
    assert split.abnormal.tolist() == (train_y[split.test] == pseudo).tolist()


def test_pseudo_classes_in_turn():
    def pairs(rule):
        return [(p.abnormal_class, p.pseudo_class) for p in rule.classes(NAMES)]

    assert pairs(PseudoLeaveOneOut("all")) == [(name, None) for name in NAMES]
    assert pairs(PseudoLeaveOneOut("cat", "all")) == [("cat", name) for name in NAMES[1:]]
    assert len(pairs(PseudoLeaveOneOut("all", "all"))) == 12
    labels = torch.arange(4).repeat(6)
    assert labels[PseudoLeaveOneOut("dog").split(labels, labels, NAMES).test].max() == NAMES.index("horse")


def test_pseudo_class_that_is_the_abnormal_one():
    labels = torch.arange(4).repeat(6)
    with pytest.raises(UserError, match="pseudo_class=cat is abnormal_class too"):
        PseudoLeaveOneOut(0, "cat").split(labels, labels, NAMES)


@given(labels())
def test_one_class_and_leave_one_out_are_each_other_s_complement(case):
    train_y, test_y, names, label = case
    one, out = (rule(label).split(train_y, test_y, names) for rule in (OneClass, LeaveOneOut))
    assert torch.equal(one.abnormal, ~out.abnormal)
    assert sorted(one.train.tolist() + out.train.tolist()) == list(range(len(train_y)))


@given(labels(), st.randoms(use_true_random=False))
def test_order_of_the_samples_does_not_matter(case, random):
    train_y, test_y, names, label = case
    order = list(range(len(test_y)))
    random.shuffle(order)
    split = LeaveOneOut(label).split(train_y, test_y, names)
    shuffled = LeaveOneOut(label).split(train_y, test_y[order], names)
    assert torch.equal(shuffled.abnormal, split.abnormal[order])


@given(labels(), st.sampled_from([LeaveOneOut, OneClass]))
def test_all_is_every_class_once(case, rule):
    train_y, test_y, names, _ = case
    splits = [single.split(train_y, test_y, names) for single in rule("all").classes(names)]
    assert len(splits) == len(names)
    singled_out = torch.stack([s.abnormal if rule is LeaveOneOut else ~s.abnormal for s in splits])
    assert (singled_out.sum(dim=0) == 1).all(), "every test sample's class is singled out once"


@pytest.mark.parametrize("protocol", [LeaveOneOut("cat"), OneClass(2), Novelty()], ids=str)
def test_a_single_protocol_stands_for_itself(protocol: Protocol):
    assert protocol.classes(NAMES) == [protocol]


EVERY = torch.arange(4)

rules = pytest.mark.parametrize("rule", [LeaveOneOut, OneClass])


@rules
def test_a_class_by_name_or_index(rule):
    by_name, by_index = (rule(asked).split(EVERY, EVERY, NAMES) for asked in ("frog", 2))
    assert torch.equal(by_name.abnormal, by_index.abnormal)


def test_a_name_goes_before_an_index():
    names = ("1", "2", "5", "0")
    for asked, index in ((1, 0), (5, 2), ("2", 1), (0, 3)):
        split = OneClass(asked).split(EVERY, EVERY, names)
        assert split.train.tolist() == [index]
    with pytest.raises(UserError, match=r"normal_class=3: no such class.*a number is a name here, never an index"):
        OneClass(3).split(EVERY, EVERY, names)


@given(labels(), st.sets(st.integers(0, 4), min_size=1), st.booleans())
def test_several_classes_together(case, chosen, by_name):
    train_y, test_y, names, _ = case
    chosen = {index % len(names) for index in chosen}
    every = set(range(len(names)))
    assume(chosen != every)
    given_as = [names[index] if by_name else index for index in chosen]
    out, one = (rule(given_as).split(train_y, test_y, names) for rule in (LeaveOneOut, OneClass))
    check_split(out, train_y, test_y, every - chosen)
    check_split(one, train_y, test_y, chosen)
    assert LeaveOneOut(given_as).classes(names) == [LeaveOneOut(given_as)]
    rule = PseudoLeaveOneOut(given_as)
    pseudo = set(rule._indices(names)[1])
    assert not pseudo & chosen
    assert len(pseudo) == min(len(chosen), len(every - chosen))


def test_classes_that_cannot_be_left_out_together():
    for asked, message in (([], "empty list"), (["cat", "all"], "=all stands"), (["cat", "cow"], "=cow: no such")):
        with pytest.raises(UserError, match=message):
            LeaveOneOut(asked).split(EVERY, EVERY, NAMES)


@rules
@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("frock", r"=frock.*did you mean 'frog'.*cat, dog, frog, horse.*0\.\.3"),
        ("2", r"=2.*cat, dog, frog, horse"),
        (4, r"=4.*cat, dog, frog, horse.*0\.\.3"),
        (-1, r"=-1.*0\.\.3"),
        ("all", "=all.*one of cat, dog"),
    ],
)
def test_an_unknown_class(rule, asked, message):
    with pytest.raises(UserError, match=message):
        rule(asked).split(EVERY, EVERY, NAMES)


@pytest.mark.parametrize("protocol", [LeaveOneOut("cat"), OneClass("dog")], ids=str)
def test_a_normal_class_without_training_samples(protocol):
    with pytest.raises(UserError, match="normal class dog"):
        protocol.split(torch.tensor([0, 2, 3]), EVERY, NAMES)


@pytest.mark.parametrize("protocol", [LeaveOneOut("cat"), Novelty()], ids=str)
def test_nothing_to_train_on(protocol):
    with pytest.raises(UserError, match="no training samples"):
        protocol.split(EVERY[:0], EVERY[:1], NAMES[:1])


@pytest.mark.parametrize("protocol", [LeaveOneOut("cat"), OneClass("dog"), Novelty()], ids=str)
def test_a_test_without_normal_samples(protocol):
    with pytest.raises(UserError, match="2 anomalies in 2"):
        protocol.split(torch.tensor([1, 2, 3]), torch.tensor([0, 0]), NAMES)


@pytest.mark.parametrize("protocol", [LeaveOneOut("cat"), OneClass("dog")], ids=str)
def test_a_test_without_the_anomalies_that_were_asked_for(protocol):
    with pytest.raises(UserError, match="0 anomalies in 2"):
        protocol.split(torch.tensor([1, 2, 3]), torch.tensor([1, 1]), NAMES)


def test_novelty_takes_a_test_without_anomalies():
    split = Novelty().split(torch.tensor([1, 2, 3]), torch.tensor([1, 1]), NAMES)
    assert split.abnormal.tolist() == [False, False]


def dataset(shape, classes, named=True):
    def samples(part, n):
        x = torch.full((n, *shape), n, dtype=torch.uint8)
        return Samples(x, torch.arange(n) % classes, tuple(f"{part}{i}" for i in range(n)) if named else ())

    return Dataset(samples("train", 10), samples("test", 6), tuple(f"c{i}" for i in range(classes)))


def test_join_makes_the_other_test_split_abnormal():
    normal, other = dataset((1, 4, 4), 2), dataset((1, 4, 4), 3)
    joined = join(normal, other, "letters")
    assert joined.class_names == ("c0", "c1", "letters/c0", "letters/c1", "letters/c2")
    assert joined.train is normal.train
    assert torch.equal(joined.test.x, torch.cat([normal.test.x, other.test.x]))
    assert joined.test.names == normal.test.names + other.test.names
    split = Novelty().split(joined.train.y, joined.test.y, joined.class_names)
    assert split.train.tolist() == list(range(10))
    assert split.abnormal.tolist() == [False] * 6 + [True] * 6
    assert [joined.class_names[y] for y in joined.test.y[6:]] == [f"letters/c{i % 3}" for i in range(6)]


def test_join_keeps_names_for_all_samples_or_none():
    assert join(dataset((3,), 2), dataset((3,), 2, named=False), "x").test.names == ()


@pytest.mark.parametrize("other", [(3, 32, 32), (1, 14, 56), (784,)], ids=str)
def test_join_of_different_shapes(other):
    message = re.escape("(1, 28, 28)") + ".*letters.*" + re.escape(str(other)) + ".*size.*channels"
    with pytest.raises(UserError, match=message):
        join(dataset((1, 28, 28), 2), dataset(other, 2), "letters")


def test_a_subset_has_the_same_share_of_every_class_and_does_not_depend_on_the_run():
    y = torch.arange(1000) % 10
    y[:200] = 0  # one class is larger than the others
    split = LeaveOneOut("3").split(y, y, [str(name) for name in range(10)])
    part = split.subset(100, y)
    assert torch.equal(part.test, split.subset(100, y).test)
    assert torch.equal(part.train, split.train)
    assert torch.equal(part.abnormal, y[part.test] == 3)
    shares = torch.bincount(y[part.test]) / torch.bincount(y)
    assert shares.numpy() == pytest.approx(np.full(10, 0.1), abs=0.007)
    assert split.subset(None, y) is split
    assert split.subset(5000, y) is split


def test_every_class_keeps_a_sample_in_a_small_subset():
    y = torch.tensor([0] * 500 + [1] * 3)
    split = LeaveOneOut("b").split(y, y, ["a", "b"])
    part = split.subset(10, y)
    assert (int(part.abnormal.sum()), len(part.test)) == (1, 11)
