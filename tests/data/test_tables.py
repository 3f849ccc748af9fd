"""Tables as people save them."""

import bz2
import gzip
import lzma

import numpy as np
import pandas as pd
import pytest

from omasgan.data import tables
from omasgan.data.arrays import arrays, read_samples
from omasgan.data.dataset import Columns
from omasgan.errors import UserError

VALUES = [[1.5, 2.0], [-3.0, 400.0], [5.0, 6.0]]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "x,y\n1.5,2\n-3,400\n5,6\n"),
        ("a.csv", '"x","y"\r\n"1.5","2"\r\n-3,4e2\r\n5,6\r\n'),
        ("a.csv", "# of 2026\nx;y\n1,5;2\n-3;400\n5;6,0\n"),
        ("a.csv", "x;y\n1.5;2\n-3;400\n5;6\n"),
        ("a.tsv", "x\ty\n1.5\t2\n-3\t400\n5\t6\n"),
        ("a.txt", "x|y\n1.5|2\n-3|400\n5|6\n"),
        ("a.csv", ",x,y\n0,1.5,2\n1,-3,400\n2,5,6\n"),
        ("a.csv", "x,y\n\n1.5, 2\n -3 ,400\n\n5,6"),
    ],
    ids=["plain", "quoted", "decimal comma", "semicolons", "tabs", "bars", "pandas index", "spaces"],
)
def test_a_table_is_read_whatever_separates_its_cells(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    table = tables.read(tmp_path / name)
    assert table.values.tolist() == VALUES
    assert table.names == ("x", "y")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize(
    ("suffix", "pack"), [("", bytes), (".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress)]
)
def test_packed_tables_and_every_encoding(tmp_path, encoding, suffix, pack):
    path = tmp_path / f"a.csv{suffix}"
    path.write_bytes(pack("höhe,b\n1.5,2\n-3,400\n5,6\n".encode(encoding)))
    assert tables.is_table(path)
    assert tables.read(path).names == ("höhe", "b")
    assert tables.read(path).values.tolist() == VALUES


def test_a_damaged_pack_is_refused(tmp_path):
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"1,2\n" * 100)[:20])
    with pytest.raises(UserError, match="can't be read as a table"):
        tables.read(path)


@pytest.mark.parametrize("kind", ["parquet", "feather"])
def test_columnar_files(tmp_path, kind):
    frame = pd.DataFrame({"x": [1.5, -3, 5], "y": [2, 400, None], "ok": [True, False, True]})
    path = tmp_path / f"a.{kind}"
    getattr(frame, f"to_{kind}")(path)
    table = tables.read(path)
    assert table.names == ("x", "y", "ok")
    np.testing.assert_array_equal(table.values, [[1.5, 2, 1], [-3, 400, 0], [5, np.nan, 1]])
    path.write_bytes(b"PAR1")
    with pytest.raises(UserError, match="can't be read as a table"):
        tables.read(path)


def test_numbers_as_names_and_truth_values(tmp_path):
    (tmp_path / "a.csv").write_text("0,1,2\n1.5,True,7\n2.5,false,8\n")
    table = tables.read(tmp_path / "a.csv")
    assert table.names == ("0", "1", "2")
    assert table.values.tolist() == [[1.5, 1, 7], [2.5, 0, 8]]
    (tmp_path / "b.csv").write_text("3,4,5\n1,2,3\n")
    assert tables.read(tmp_path / "b.csv").names is None


@pytest.mark.parametrize("name", ["label", "Class", "target", "y", "ANOMALY"])
def test_a_column_of_labels_is_not_learned_from_by_mistake(tmp_path, name):
    (tmp_path / "a.csv").write_text(f"a,{name}\n1,0\n2,1\n")
    with pytest.raises(UserError, match=f"has the column '{name}', which seems to hold labels .*dataset.label={name}"):
        tables.read(tmp_path / "a.csv")
    table = tables.read(tmp_path / "a.csv", label=name)
    assert (table.values.tolist(), table.names, table.labels.tolist()) == ([[1], [2]], ("a",), ["0", "1"])
    with pytest.raises(UserError, match="has no column 'kind' of labels: its columns are a"):
        tables.read(tmp_path / "a.csv", label="kind")


def test_a_text_is_named_with_its_column_and_row(tmp_path):
    (tmp_path / "a.csv").write_text("x,colour\n1,2\n2,red\n")
    with pytest.raises(UserError, match="row 2: 'red' in the column 'colour' is not a number"):
        tables.read(tmp_path / "a.csv")
    (tmp_path / "b.csv").write_text("x,day\n1,2026-11-26\n")
    with pytest.raises(UserError, match="'2026-11-26' in the column 'day' is not a number"):
        tables.read(tmp_path / "b.csv")


def write(folder, **texts):
    for name, text in texts.items():
        (folder / f"{name}.csv").write_text(text)
    return [str(folder / f"{name}.csv") for name in texts]


def test_columns_are_matched_by_name(tmp_path, caplog):
    caplog.set_level("INFO")
    train, test = write(tmp_path, train="a,b\n1,2\n3,4\n", test="b,a\n20,10\n")
    dataset = arrays(train, test)
    assert dataset.test.x.tolist() == [[10, 20]]
    assert "matched by name" in caplog.text
    assert dataset.columns == Columns(("a", "b"))
    assert read_samples(tmp_path / "test.csv", dataset.columns).tolist() == [[10, 20]]
    (other,) = write(tmp_path, other="a,c,d\n1,2,3\n")
    with pytest.raises(UserError, match=r"other\.csv lacks the columns b and has the new columns c, d"):
        arrays(train, other)
    (nameless,) = write(tmp_path, nameless="7,8\n")
    assert arrays(train, nameless).test.x.tolist() == [[7, 8]]


def test_missing_cells_are_refused_or_filled_with_medians_of_the_training_rows(tmp_path):
    train, test = write(tmp_path, train="a,b\n1,2\n3,\n5,6\n", test="a,b\nNA,7\n")
    with pytest.raises(UserError, match=r"train.csv has 1 missing cells .*row 2, column 2.*dataset.missing=median"):
        arrays(train, test)
    dataset = arrays(train, test, missing="median")
    assert dataset.train.x.tolist() == [[1, 2], [3, 4], [5, 6]]
    assert dataset.test.x.tolist() == [[3, 7]]
    write(tmp_path, new="b,a\n?,\n")
    assert read_samples(tmp_path / "new.csv", dataset.columns).tolist() == [[3, 4]]
    with pytest.raises(UserError, match=r"dataset\.missing is 'mean': choose error or median"):
        arrays(train, test, missing="mean")


def test_labels_of_a_table_are_classes(tmp_path):
    train, test = write(tmp_path, train="a,kind\n1,ok\n2,ok\n", test="kind,a\nok,1\nbroken,9\n")
    dataset = arrays(train, test, label="kind")
    assert dataset.class_names == ("broken", "ok")
    assert dataset.train.y.tolist() == [1, 1]
    assert dataset.test.y.tolist() == [1, 0]
    assert dataset.test.x.tolist() == [[1], [9]]
    (unlabelled,) = write(tmp_path, unlabelled="a\n1\n2\n")
    assert arrays(unlabelled, test, label="kind").class_names == ("broken", "normal", "ok")
    assert read_samples(tmp_path / "test.csv", dataset.columns).tolist() == [[1], [9]]


def test_an_npz_of_adbench_is_divided(tmp_path):
    y = np.array([0, 0, 1, 0, 0, 0, 1, 0])
    np.savez(tmp_path / "a.npz", X=np.arange(16.0).reshape(8, 2), y=y.reshape(-1, 1).astype(float))
    dataset = arrays(str(tmp_path / "a.npz"))
    assert dataset.class_names == ("anomaly", "normal")
    assert dataset.train.x[:, 0].tolist() == [0, 2, 8, 10]
    assert dataset.test.x[:, 0].tolist() == [4, 6, 12, 14]
    assert [dataset.class_names[i] for i in dataset.test.y] == ["anomaly", "normal", "anomaly", "normal"]
    np.savez(tmp_path / "b.npz", X=np.zeros((3, 2)), y=np.array([0, 1, 2]))
    with pytest.raises(UserError, match="y must hold 3 values that are 1 for an anomaly and 0 for a normal"):
        arrays(str(tmp_path / "b.npz"))
