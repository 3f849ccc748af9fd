import os

import numpy as np
import pytest

from omasgan.errors import UserError
from omasgan.evaluation.metrics import evaluate
from omasgan.evaluation.scores import ScoreTable, metrics_of


def a_table(**changes):
    rng = np.random.default_rng(0)
    columns = {
        "index": np.arange(50)[::-1].copy(),
        "class_index": np.arange(50) % 3,
        "label": np.arange(50) % 3 == 1,
        "terms": {"j": rng.random(50), "task1": rng.normal(size=50) * 1e300, "1/x": rng.random(50)},
        "class_names": ("zero", "Käse 猫", "two"),
        "names": tuple(os.fsdecode(b"folder/\xff%d.png" % place) for place in range(50)),
    }
    return ScoreTable(**(columns | changes))


@pytest.mark.parametrize("names", [(), a_table().names])
def test_what_is_saved_is_what_is_loaded(tmp_path, names):
    table = a_table(names=names)
    table.save(tmp_path / "scores.npz")
    loaded = ScoreTable.load(tmp_path / "scores.npz")
    for column in ("index", "class_index", "label"):
        np.testing.assert_array_equal(getattr(loaded, column), getattr(table, column), strict=True)
    assert list(loaded.terms) == ["j", "task1", "1/x"]
    for name, scores in table.terms.items():
        np.testing.assert_array_equal(loaded.terms[name], scores, strict=True)
    assert loaded.class_names == table.class_names
    assert loaded.names == table.names
    assert {type(name) for name in loaded.class_names + loaded.names} == {str}


def test_anyone_can_read_the_columns_without_pickles(tmp_path):
    a_table().save(tmp_path / "scores.npz")
    with np.load(tmp_path / "scores.npz", allow_pickle=False) as file:
        kinds = {key: file[key].dtype.kind for key in file}
    assert kinds == {
        "index": "i",
        "class": "i",
        "label": "b",
        "term_j": "f",
        "term_task1": "f",
        "term_1/x": "f",
        "class_names": "U",
        "names": "U",
    }


@pytest.mark.parametrize("kept", [0, 0.3, 0.7, 0.99])
def test_a_cut_file_is_named(tmp_path, kept):
    path = tmp_path / "scores.npz"
    a_table().save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(UserError, match=f"cannot read {path}"):
        ScoreTable.load(path)


def test_a_file_with_a_changed_byte_is_refused(tmp_path):
    path = tmp_path / "scores.npz"
    a_table().save(path)
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(UserError, match="cannot read"):
        ScoreTable.load(path)


def without_columns(path):
    np.savez(path, index=np.arange(3))


def with_other(path, column, change):
    a_table().save(path)
    with np.load(path) as file:
        columns = dict(file)
    np.savez(path, **(columns | {column: change(columns[column])}))


def of_pickles(path):
    with_other(path, "index", lambda values: values.astype(object))


def of_a_shorter_column(path):
    with_other(path, "class", lambda values: values[:-1])


def of_one_array(path):
    with path.open("wb") as file:
        np.save(file, np.arange(3))


def of_text(path):
    path.write_text("auroc,0.85\n")


def a_folder(path):
    path.mkdir()


def nothing(path):
    pass


@pytest.mark.parametrize(
    "make", [without_columns, of_pickles, of_a_shorter_column, of_one_array, of_text, a_folder, nothing]
)
def test_a_foreign_file_is_named_in_one_line(tmp_path, make):
    path = tmp_path / "scores.npz"
    make(path)
    with pytest.raises(UserError, match=f"cannot read {path}") as caught:
        ScoreTable.load(path)
    assert "\n" not in str(caught.value)


def test_saving_where_there_is_no_folder_is_named(tmp_path):
    with pytest.raises(UserError, match="cannot write"):
        a_table().save(tmp_path / "missing" / "scores.npz")


@pytest.mark.parametrize(
    "changes",
    [
        {"class_index": np.zeros(49, dtype=int)},
        {"terms": {"j": np.zeros((50, 1))}},
        {"names": ("one",)},
        {"label": np.zeros(50, dtype=np.int8)},
        {"class_names": ("zero", "one")},
    ],
)
def test_columns_that_do_not_fit_together_are_refused(changes):
    with pytest.raises(ValueError, match=r"column|label|class"):
        a_table(**changes)


def test_each_term_has_its_own_metrics():
    good = 2 * a_table().label + np.random.default_rng(1).normal(size=50)
    table = a_table(terms={"good": good, "bad": -good})
    metrics = metrics_of(table, seed=5)
    assert list(metrics) == ["good", "bad"]
    assert metrics["good"]["auroc"] > 0.8 > 0.2 > metrics["bad"]["auroc"]
    assert metrics["bad"] == evaluate(table.label, table.terms["bad"], seed=5).as_dict()


def test_a_broken_term_is_named():
    with pytest.raises(UserError, match="score task3: 50 of 50"):
        metrics_of(a_table(terms={"j": np.zeros(50), "task3": np.full(50, np.nan)}), seed=0)
