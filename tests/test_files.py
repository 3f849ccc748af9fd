import json
import os
import resource
from contextlib import contextmanager
from pathlib import Path

import pytest

from omasgan.errors import UserError
from omasgan.files import make_folder, write_atomically, write_json, write_text


@contextmanager
def full_disk(room):
    """The kernel refuses files larger than `room` bytes, as a full disk does: in the middle of a write."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def old(tmp_path):
    path = tmp_path / "result.txt"
    path.write_text("old")
    return path


def is_untouched(old):
    return old.read_text() == "old" and list(old.parent.iterdir()) == [old]


def test_new_content_replaces_the_old_and_leaves_nothing_beside_it(old):
    write_text(old, "new")
    assert old.read_text() == "new"
    assert list(old.parent.iterdir()) == [old]


def test_others_may_read_the_file_as_the_umask_says(tmp_path):
    umask = os.umask(0o027)
    try:
        write_text(tmp_path / "a", "x")
    finally:
        os.umask(umask)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


def test_a_full_disk_keeps_the_old_file_and_says_so_in_one_line(old):
    with full_disk(1000), pytest.raises(UserError, match="cannot write") as caught:
        write_text(old, "x" * 100_000)
    assert str(old) in str(caught.value)
    assert "File too large" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert is_untouched(old)


def test_an_error_of_the_writer_is_its_own_and_keeps_the_old_file(old):
    def write(file):
        file.write(b"half")
        raise RuntimeError("not a tensor")

    with pytest.raises(RuntimeError, match="not a tensor"):
        write_atomically(old, write)
    assert is_untouched(old)


def test_an_interruption_while_replacing_removes_the_temporary_file(old, monkeypatch):
    def interrupted(self, target):
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_text(old, "new")
    assert is_untouched(old)


@pytest.mark.parametrize("place", ["missing/a.txt", "result.txt/a.txt", "folder"])
def test_a_path_that_cannot_be_a_file_is_named(old, place):
    (old.parent / "folder").mkdir()
    with pytest.raises(UserError) as caught:
        write_text(old.parent / place, "x")
    assert str(old.parent / place) in str(caught.value)
    assert sorted(path.name for path in old.parent.iterdir()) == ["folder", "result.txt"]


def test_json_keeps_order_and_turns_what_json_lacks_into_null(tmp_path):
    value = {"b": [1.5, float("nan")], "a": {"low": float("-inf"), "class": "Käse"}, "pair": (1, True)}
    write_json(tmp_path / "a.json", value)
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    read = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert read == {"b": [1.5, None], "a": {"low": None, "class": "Käse"}, "pair": [1, True]}
    assert list(read) == ["b", "a", "pair"]
    assert '\n  "b"' in text
    assert "Käse" in text


def test_a_file_name_that_is_no_utf8_comes_back_from_json(tmp_path):
    name = os.fsdecode(b"\xff.png")
    write_json(tmp_path / "a.json", [name])
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == [name]


def test_make_folder_makes_parents_and_accepts_what_exists(tmp_path):
    for _ in range(2):
        make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()


@pytest.mark.parametrize("place", ["result.txt", "result.txt/run"])
def test_make_folder_names_a_path_that_cannot_be_a_folder(old, place):
    with pytest.raises(UserError) as caught:
        make_folder(old.parent / place)
    assert str(old.parent / place) in str(caught.value)
    assert is_untouched(old)
