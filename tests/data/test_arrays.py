import pickle
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from omasgan.data.arrays import arrays, read_samples
from omasgan.errors import UserError

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (6, 5, 4)).astype(np.uint8)
COLOUR = RNG.integers(0, 256, (6, 5, 4, 3)).astype(np.uint8)
ROWS = RNG.standard_normal((6, 7))


@pytest.fixture
def load(tmp_path):
    """Save the arrays as an .npz and read it; x_test is x_train where it is not given."""

    def save_and_load(**data):
        np.savez(tmp_path / "data.npz", **{"x_test": data["x_train"], **data})
        return arrays(str(tmp_path / "data.npz"))

    return save_and_load


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        (IMAGES, IMAGES[:, None]),
        (IMAGES[..., None], IMAGES[:, None]),
        (IMAGES[:, None], IMAGES[:, None]),
        (COLOUR, COLOUR.transpose(0, 3, 1, 2)),
        (COLOUR.transpose(0, 3, 1, 2), COLOUR.transpose(0, 3, 1, 2)),
        (COLOUR / 255, COLOUR.transpose(0, 3, 1, 2)),
        ((IMAGES / 255).astype(np.float16), IMAGES[:, None]),
    ],
    ids=["n h w", "n h w 1", "n 1 h w", "n h w 3", "n 3 h w", "float64", "float16"],
)
def test_images_of_every_layout(load, x, expected):
    dataset = load(x_train=x)
    assert dataset.train.x.dtype == torch.uint8
    np.testing.assert_array_equal(dataset.train.x, expected)
    np.testing.assert_array_equal(dataset.test.x, expected)


def test_float_images_are_rounded(load):
    dataset = load(x_train=np.array([[[0.0, 0.499, 0.999, 1.0]]]))
    assert dataset.train.x.flatten().tolist() == [0, 127, 255, 255]


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, np.int64, np.uint8, ">f8"])
def test_rows_of_every_number_type(load, dtype):
    rows = (ROWS * 20 + 100).astype(dtype)
    dataset = load(x_train=rows)
    assert dataset.train.x.dtype == torch.float32
    np.testing.assert_array_equal(dataset.train.x, rows.astype(np.float32))


def test_numbered_labels(load):
    dataset = load(
        x_train=ROWS, y_train=np.array([10, 2, 2, 2, 10, 2]), y_test=np.array([2, 10, 7, 7, 7, 7], np.uint64)
    )
    assert dataset.class_names == ("2", "7", "10")
    assert dataset.train.y.tolist() == [2, 0, 0, 0, 2, 0]
    assert dataset.test.y.tolist() == [0, 2, 1, 1, 1, 1]
    assert dataset.train.y.dtype == torch.int64


def test_named_labels(load):
    dataset = load(x_train=ROWS, y_train=np.array(["ok"] * 6), y_test=np.array(["ok", "scratch"] * 3))
    assert dataset.class_names == ("ok", "scratch")
    assert dataset.test.y.tolist() == [0, 1] * 3


@pytest.mark.parametrize(
    ("y_test", "names"),
    [
        (np.array([0, 1] * 3), ("0", "1")),
        (np.array([False, True] * 3), ("0", "1")),
        (np.array(["normal", "odd"] * 3), ("normal", "odd")),
    ],
)
def test_without_training_labels_all_training_samples_are_one_class(load, y_test, names):
    dataset = load(x_train=ROWS, y_test=y_test)
    assert dataset.class_names == names
    assert dataset.train.y.tolist() == [0] * 6
    assert dataset.test.y.tolist() == [0, 1] * 3


def test_without_labels_all_is_normal(load):
    dataset = load(x_train=ROWS, x_test=ROWS[:2])
    assert dataset.class_names == ("normal",)
    assert (dataset.train.y.tolist(), dataset.test.y.tolist()) == ([0] * 6, [0] * 2)


def test_a_pair_of_npy(tmp_path):
    np.save(tmp_path / "train.npy", IMAGES)
    np.save(tmp_path / "test.npy", IMAGES[:2])
    dataset = arrays(str(tmp_path / "train.npy"), str(tmp_path / "test.npy"))
    assert (len(dataset.train), len(dataset.test)) == (6, 2)
    assert dataset.class_names == ("normal",)


OBJECTS = np.array([{"a": 1}, None] * 3, dtype=object)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"x_train": ROWS[:, 0]}, "x_train has shape"),
        ({"x_train": ROWS[:, :, None, None, None]}, "x_train has shape"),
        ({"x_train": COLOUR[..., :2]}, "C 1 or 3"),
        ({"x_train": ROWS[:0]}, "at least one sample"),
        ({"x_train": np.array([["a"]])}, "must hold numbers"),
        ({"x_train": ROWS.astype(complex)}, "must hold numbers"),
        ({"x_train": np.where(ROWS > 1, np.nan, ROWS)}, "x_train holds values that are NaN"),
        ({"x_train": ROWS, "x_test": np.where(ROWS > 1, np.inf, ROWS)}, "x_test holds .* infinite"),
        ({"x_train": ROWS * 1e300}, "too large"),
        ({"x_train": IMAGES / 200}, "floats in 0..1"),
        ({"x_train": IMAGES / 255 - 0.1}, "from -0.1"),
        ({"x_train": np.where(IMAGES > 200, np.nan, IMAGES / 255)}, "nan"),
        ({"x_train": IMAGES.astype(np.int32)}, "int32 values"),
        ({"x_train": IMAGES, "x_test": IMAGES[:, 1:]}, "must have the same shape"),
        ({"x_train": ROWS, "x_test": ROWS[:, 1:]}, "must have the same shape"),
        ({"x_train": ROWS, "x_test": IMAGES}, "must have the same shape"),
        (
            {"x_train": ROWS, "y_train": np.zeros(5, int), "y_test": np.zeros(6, int)},
            "y_train .*6 whole numbers",
        ),
        ({"x_train": ROWS, "y_test": np.zeros(7, int)}, "y_test .*6 whole numbers"),
        ({"x_train": ROWS, "y_test": np.zeros((6, 2), int)}, "y_test .*6 whole numbers"),
        ({"x_train": ROWS, "y_test": np.full(6, 0.5)}, "y_test has type float64"),
        ({"x_train": ROWS, "y_train": np.zeros(6, int)}, "y_train and no y_test"),
        ({"x_train": ROWS, "y_train": np.zeros(6, int), "y_test": np.array(["a"] * 6)}, "both must be"),
        ({"x_train": ROWS, "y_test": OBJECTS}, "pickled"),
    ],
)
def test_bad_arrays(load, data, message):
    with pytest.raises(UserError, match=rf"data.npz.*{message}"):
        load(**data)


@pytest.mark.parametrize("key", ["x_train", "x_test"])
def test_a_missing_key(tmp_path, key):
    data = {"x_train": ROWS, "x_test": ROWS, "other": ROWS}
    del data[key]
    np.savez(tmp_path / "data.npz", **data)
    with pytest.raises(UserError, match=f"data.npz has no {key}:"):
        arrays(str(tmp_path / "data.npz"))


class Bomb:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize(
    "save",
    [
        lambda path, bomb: np.save(path, np.array([bomb], dtype=object)),
        lambda path, bomb: path.write_bytes(pickle.dumps(bomb)),
    ],
    ids=["object array", "bare pickle"],
)
def test_a_pickle_is_refused_and_never_loaded(tmp_path, save):
    path = tmp_path / "x.npy"
    save(path, Bomb(tmp_path / "ran"))
    with pytest.raises(UserError, match=r"x\.npy.*never loaded"):
        arrays(str(path), str(path))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("compressed", [True, False])
def test_every_cut_of_an_npz_is_refused(tmp_path, compressed):
    save = np.savez_compressed if compressed else np.savez
    save(tmp_path / "whole.npz", x_train=ROWS, x_test=ROWS)
    content, cut = (tmp_path / "whole.npz").read_bytes(), tmp_path / "cut.npz"
    for length in range(0, len(content), 23):
        cut.write_bytes(content[:length])
        with pytest.raises(UserError, match=r"cut\.npz"):
            arrays(str(cut))


def test_a_changed_byte_is_refused(tmp_path):
    np.savez(tmp_path / "data.npz", x_train=ROWS, x_test=ROWS)
    content = bytearray((tmp_path / "data.npz").read_bytes())
    content[300] ^= 1
    (tmp_path / "data.npz").write_bytes(content)
    with pytest.raises(UserError, match=r"data\.npz can't be read"):
        arrays(str(tmp_path / "data.npz"))


def test_a_cut_npy_is_refused(tmp_path):
    np.save(tmp_path / "x.npy", ROWS)
    path = tmp_path / "cut.npy"
    content = (tmp_path / "x.npy").read_bytes()
    for length in range(0, len(content), 23):
        path.write_bytes(content[:length])
        with pytest.raises(UserError, match=r"cut\.npy"):
            arrays(str(tmp_path / "x.npy"), str(path))


@pytest.mark.parametrize("head", ["", "height,width\n", "\ufeffheight,width\r\n"])
def test_a_table_is_read_as_the_array_it_shows(tmp_path, head):
    (tmp_path / "train.csv").write_text(f"{head}1,2.5\n-3,4e2\n\n5,6\n", encoding="utf-8")
    (tmp_path / "test.csv").write_text("7,8\n")
    dataset = arrays(str(tmp_path / "train.csv"), str(tmp_path / "test.csv"))
    assert dataset.train.x.dtype == torch.float32
    assert dataset.train.x.tolist() == [[1, 2.5], [-3, 400], [5, 6]]
    assert dataset.test.x.tolist() == read_samples(tmp_path / "test.csv").tolist() == [[7, 8]]
    assert dataset.class_names == ("normal",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2\n3,four\n", "row 2: 'four' in the column 2 is not a number"),
        ("1,2\n3;4\n", "line 2, has 1 values, the first row 2"),
        ("a,b\n1,2\n3\n", "line 3, has 1 values, the first row 2"),
        ("1,\n", "1 missing cells .the first in row 1, column 2.*dataset.missing=median"),
        ("1,nan\n", "1 missing cells"),
        ("1,inf\n", "infinite"),
        ("", "at least one row"),
        ("a,b\n", "at least one sample"),
        ("\xff", "can't be read as a table"),
    ],
)
def test_a_table_that_is_none_is_refused(tmp_path, text, message):
    path = tmp_path / "t.csv"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(UserError, match=rf"t\.csv.*{message}"):
        read_samples(path)


def test_files_in_the_wrong_role(tmp_path):
    np.savez(tmp_path / "both.npz", x_train=ROWS, x_test=ROWS)
    np.save(tmp_path / "one.npy", ROWS)
    both, one, gone = (str(tmp_path / name) for name in ("both.npz", "one.npy", "gone.npz"))
    for given, message in (
        ((one,), "one.npy is one array: .*test_path"),
        ((both, one), "both.npz is an .npz.*dataset.path"),
        ((one, both), "both.npz is an .npz"),
        ((gone,), f"{re.escape(gone)} is not a file"),
        ((one, gone), f"{re.escape(gone)} is not a file"),
    ):
        with pytest.raises(UserError, match=message):
            arrays(*given)


@pytest.mark.parametrize("y", [np.arange(6.0) % 2, (np.arange(6) % 2).reshape(-1, 1), np.arange(6) % 2 == 1])
def test_labels_of_every_type_are_classes(load, y):
    dataset = load(x_train=ROWS, y_test=y)
    assert dataset.class_names == ("0", "1")
    assert dataset.test.y.tolist() == [0, 1] * 3


def test_copies_among_rows_and_test_rows_among_training_rows_are_counted(load, caplog):
    caplog.set_level("INFO", "omasgan")
    rows = np.arange(30.0).reshape(10, 3)
    load(x_train=rows[:6], x_test=rows[6:])
    assert "copies" not in caplog.text
    assert "also occur in" not in caplog.text
    load(x_train=rows[[0, 1, 2, 2, 2]], x_test=rows[[2, 5, 6]])
    assert "2 of 5 samples of" in caplog.text
    assert "1 of 3 samples of" in caplog.text
