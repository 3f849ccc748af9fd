import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Optional, Protocol

import pytest
from annotated_types import Ge, Gt, Interval, Le, Lt

from omasgan.configuration.validation import check_node, check_value, parameters, range_text
from omasgan.errors import UserError
from omasgan.method.settings import Boundary
from omasgan.text import did_you_mean
from omasgan.training.settings import NonNegative

Count = Annotated[int, Ge(1)]
Positive = Annotated[float, Gt(0)]
Choice = Literal["frozen", "cotrained"]


def refusal(function, *arguments):
    """The one line of a refusal."""
    with pytest.raises(UserError) as caught:
        function(*arguments)
    message = str(caught.value)
    assert "\n" not in message
    return message


# A value against its type


class Shape(Protocol):
    """What a configuration can only give as a node."""

    sides: int


@pytest.mark.parametrize(
    ("hint", "value"),
    [
        (int, 3),
        (int, -(10**30)),
        (float, 1.5),
        (float, 2),
        (bool, True),
        (bool, False),
        (str, ""),
        (str, "3"),
        (None, None),
        (Any, None),
        (Any, {"a": [1]}),
        (Choice, "frozen"),
        (Literal[1, 3], 3),
        (list[int], []),
        (list[int], [1, 2]),
        (list[Count], [1]),
        (list[list[str]], [["a"], []]),
        (int | str, 3),
        (int | str, "three"),
        (int | None, None),
        (Optional[int], None),  # noqa: UP045
        (Count | None, None),
        (Count | None, 1),
        (Choice | None, "frozen"),
        (Positive, 1e-300),
        (Positive, 1),
    ],
    ids=str,
)
def test_a_value_that_fits(hint, value):
    check_value("group.key", value, hint)


@pytest.mark.parametrize(
    ("hint", "value", "expected"),
    [
        (int, True, "a whole number"),
        (int, 1.0, "a whole number"),
        (int, "1", "a whole number"),
        (int, None, "a whole number"),
        (float, False, "a number"),
        (float, "1e-3", "a number"),
        (float, math.nan, "a number"),
        (float, -math.inf, "a number"),
        (float, 10**400, "a number"),
        (bool, 1, "true or false"),
        (bool, "true", "true or false"),
        (str, 3, "text"),
        (str, None, "text"),
        (Choice, "frosen", "frozen, cotrained (did you mean 'frozen'?)"),
        (Choice, None, "frozen, cotrained"),
        (Literal[1, 3], 2, "1, 3"),
        (list[int], 3, "a list"),
        (list[int], "1,2", "a list"),
        (Count, 0, "at least 1"),
        (Count, True, "a whole number"),
        (Count, 1.5, "a whole number"),
        (Positive, 0, "above 0"),
        (Positive, math.nan, "a number"),
        (int | str, 1.5, "a whole number or text"),
        (int | None, 1.5, "a whole number or null"),
        (Optional[int], True, "a whole number or null"),  # noqa: UP045
        (Count | None, 0, "at least 1"),
        (None | Count, 0, "at least 1"),
        (Count | None, "x", "a whole number or null"),
        (Shape, 5, "Shape"),
        (Shape, "square", "Shape"),
        (Shape | None, 5, "Shape or null"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_value_that_does_not_fit_is_shown_with_what_is_allowed(hint, value, expected):
    message = refusal(check_value, "group.key", value, hint)
    assert message.startswith("group.key is ")
    assert str(value) in message
    assert expected in message


def test_a_wrong_item_of_a_list_is_named():
    assert refusal(check_value, "key", [1, "a"], list[int]).startswith("key[1] is 'a': a whole number")
    assert refusal(check_value, "key", [1, 0], list[Count]).startswith("key[1] is 0: it must be at least 1")


# Ranges


@pytest.mark.parametrize(
    ("mark", "value", "words"),
    [
        (Ge(1), 0.999, "at least 1"),
        (Le(1), 1.001, "at most 1"),
        (Gt(0), 0, "above 0"),
        (Lt(1), 1, "below 1"),
        (Interval(ge=0, lt=1), 1, "at least 0 and below 1"),
        (Interval(ge=0, lt=1), -0.1, "at least 0 and below 1"),
        (Interval(gt=0, le=0.5), 0, "above 0 and at most 0.5"),
        (Interval(gt=0, le=0.5), 0.6, "above 0 and at most 0.5"),
    ],
    ids=str,
)
def test_a_value_out_of_range_is_told_the_range(mark, value, words):
    assert refusal(check_value, "mu", value, Annotated[float, mark]) == f"mu is {value}: it must be {words}"
    assert range_text(Annotated[float, mark]) == words
    assert range_text(Annotated[float, mark] | None) == words


def test_did_you_mean():
    assert did_you_mean("detla", ["delta", "lambda_"]) == " (did you mean 'delta'?)"
    assert did_you_mean("zzz", ["delta", "lambda_"]) == ""
    assert did_you_mean("a", []) == ""


# A node against the signature of its target


@dataclass(frozen=True)
class Inner:
    rate: Positive = 0.1
    steps: Count | None = None


class Outer:
    def __init__(self, spec: object, workspace: object, inner: Inner, mode: Choice = "frozen", size: Count = 1) -> None:
        raise AssertionError("checked, never built")


def function(path: str, test_path: str | None = None) -> None:
    raise AssertionError("checked, never called")


def nothing() -> None:
    """Takes no setting."""


def target(of: Callable[..., object]) -> str:
    return f"{__name__}.{of.__name__}"


def outer(**settings):
    return {"_target_": target(Outer), "inner": {"_target_": target(Inner)}} | settings


@pytest.mark.parametrize(
    "node",
    [
        outer(),
        outer(mode="cotrained", size=3),
        outer(inner={"_target_": target(Inner), "rate": 1, "steps": None}),
        {"_target_": target(function), "path": "a"},
        {"_target_": target(function), "path": "a", "test_path": "b"},
        {"_target_": target(nothing)},
    ],
)
def test_a_node_that_fits(node):
    check_node("detector", node)


@pytest.mark.parametrize(
    ("node", "parts"),
    [
        (outer(size=0), ["detector.size is 0", "at least 1"]),
        (outer(size=True), ["detector.size is True", "a whole number"]),
        (outer(mode="cotraind"), ["detector.mode is 'cotraind'", "frozen, cotrained", "did you mean 'cotrained'?"]),
        (outer(sise=3), ["no setting 'detector.sise'", "did you mean 'size'?", "it takes inner, mode, size"]),
        (outer(zzz=3), ["no setting 'detector.zzz'", "it takes inner, mode, size"]),
        (outer(spec=3), ["no setting 'detector.spec'"]),
        (outer(workspace=3), ["no setting 'detector.workspace'"]),
        (outer(inner=3), ["detector.inner is 3", "Inner"]),
        (outer(inner={"_target_": target(Inner), "rate": 0}), ["detector.inner.rate is 0", "above 0"]),
        (outer(inner={"_target_": target(Inner), "steps": 0}), ["detector.inner.steps is 0", "at least 1"]),
        (outer(inner={"_target_": target(Inner), "rat": 1}), ["'detector.inner.rat'", "did you mean 'rate'?"]),
        (outer(inner={"_target_": "no.such"}), ["detector.inner._target_ is 'no.such'"]),
        ({"_target_": target(Outer)}, ["detector.inner is not set", "detector.inner=..."]),
        ({"_target_": target(function)}, ["detector.path is not set", "detector.path=..."]),
        ({"_target_": target(function), "path": None}, ["detector.path is None", "text is expected"]),
        ({"_target_": target(nothing), "a": 1}, ["no setting 'detector.a'", "it takes no setting"]),
        ({"_target_": target(nothing), "_partial_": True}, ["no setting 'detector._partial_'"]),
    ],
)
def test_a_node_that_does_not_fit_names_place_value_and_choice(node, parts):
    message = refusal(check_node, "detector", node)
    assert all(part in message for part in parts), message


@pytest.mark.parametrize(
    "unknown",
    ["omasgan.method.divergences.Kl", "no_such_package.Thing", "divergences", "math", "math.pi", "a..b", "", 5, None],
    ids=repr,
)
def test_a_target_that_is_none_is_named_in_one_line_and_nowhere_else(unknown, caplog, capfd):
    message = refusal(check_node, "divergence", {"_target_": unknown})
    assert message.startswith(f"divergence._target_ is '{unknown}'")
    assert caplog.records == []
    assert capfd.readouterr().err == ""


def test_what_the_program_supplies_is_no_parameter():
    assert list(parameters(Outer)) == ["inner", "mode", "size"]
    assert parameters(Inner)["rate"].annotation == Positive


def test_annotations_that_are_text_are_read_as_types():
    assert Boundary.__annotations__["mu"] == "NonNegative"
    assert parameters(Boundary)["mu"].annotation == NonNegative
