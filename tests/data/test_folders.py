import re

import numpy as np
import pytest
import torch
from PIL import Image

from omasgan.data import image_files
from omasgan.data.folders import image_folder
from omasgan.data.image_files import ReadSettings, list_images, read_images, readable_images
from omasgan.errors import UserError


def save(path, value=0, size=(6, 6)):
    """An image of one grey value; returns its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (value, value, value)).save(path)
    return path


def test_train_and_test_folders_of_classes(tmp_path):
    for value, name in enumerate(["train/b/2.png", "train/b/1.png", "train/a/1.png", "test/a/9.png", "test/b/8.PNG"]):
        save(tmp_path / name, value)
    dataset = image_folder(str(tmp_path), size=4)
    assert dataset.spec.shape == (3, 4, 4)
    assert dataset.class_names == ("a", "b")
    assert dataset.train.names == ("train/a/1.png", "train/b/1.png", "train/b/2.png")
    assert dataset.train.y.tolist() == [0, 1, 1]
    assert dataset.train.x[:, 0, 0, 0].tolist() == [2, 1, 0]
    assert dataset.test.names == ("test/a/9.png", "test/b/8.PNG")
    assert dataset.test.x[:, 2, 3, 3].tolist() == [3, 4]


def test_classes_of_the_test_alone_come_last(tmp_path):
    for name in (
        "train/good/0.png",
        "test/good/0.png",
        "test/crack/0.png",
        "test/bent/0.png",
        "test/bent/1.png",
    ):
        save(tmp_path / name)
    dataset = image_folder(str(tmp_path))
    assert dataset.class_names == ("good", "bent", "crack")
    assert [dataset.class_names[y] for y in dataset.test.y] == ["bent", "bent", "crack", "good"]


def test_a_test_root_of_its_own(tmp_path):
    for name in ("here/train/0.png", "here/van/0.png", "there/van/5.png", "there/bus/5.png"):
        save(tmp_path / name)
    dataset = image_folder(str(tmp_path / "here"), test_root=str(tmp_path / "there"))
    assert dataset.class_names == ("train", "van", "bus")  # a class may be called 'train' here
    assert dataset.test.names == ("bus/5.png", "van/5.png")


def test_a_flat_folder_gives_every_fifth_to_the_test(tmp_path):
    for i in range(12):
        save(tmp_path / f"{i:02}.png", i)
    dataset = image_folder(str(tmp_path))
    assert dataset.class_names == ("normal",)
    assert dataset.test.names == ("04.png", "09.png")
    assert dataset.test.x[:, 0, 0, 0].tolist() == [4, 9]
    assert dataset.train.x[:, 0, 0, 0].tolist() == [0, 1, 2, 3, 5, 6, 7, 8, 10, 11]


def test_a_flat_folder_is_normal_beside_a_test_root_of_classes(tmp_path):
    for name in ("mine/0.png", "new/normal/0.png", "new/odd/0.png"):
        save(tmp_path / name)
    dataset = image_folder(str(tmp_path / "mine"), test_root=str(tmp_path / "new"))
    assert dataset.class_names == ("normal", "odd")
    assert dataset.test.y.tolist() == [0, 1]


def test_what_is_no_image_is_ignored(tmp_path):
    save(tmp_path / "a.JPG")
    save(tmp_path / "b.png")
    (tmp_path / "notes.txt").touch()
    (tmp_path / "c.png").mkdir()
    assert [path.name for path in list_images(tmp_path)] == ["a.JPG", "b.png"]


def test_hidden_folders_are_no_classes(tmp_path):
    for name in ("train/a/0.png", "test/a/0.png"):
        save(tmp_path / name)
    (tmp_path / "train" / ".checkpoints").mkdir()
    assert image_folder(str(tmp_path)).class_names == ("a",)


@pytest.mark.parametrize("channels", [1, 3])
def test_pixels_of_the_right_size_stay(tmp_path, channels):
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "x.png")
    (read,) = read_images([tmp_path / "x.png"], ReadSettings(8, channels))
    assert read.dtype == torch.uint8
    grey = pixels @ np.array([0.299, 0.587, 0.114])
    expected = pixels.transpose(2, 0, 1) if channels == 3 else grey[None]
    np.testing.assert_allclose(read, expected, atol=0 if channels == 3 else 1)


def test_shrinking_averages(tmp_path):
    board = np.indices((64, 48)).sum(axis=0) % 2 * np.uint8(200)
    Image.fromarray(board.astype(np.uint8)).save(tmp_path / "board.png")
    read = read_images([tmp_path / "board.png"], ReadSettings(8, 1))
    assert read.shape == (1, 1, 8, 8)
    assert (read.float() - 100).abs().max() <= 3


def test_a_photograph_is_read_upright(tmp_path):
    pixels = np.arange(16, dtype=np.uint8).reshape(4, 4)
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright: to be turned clockwise
    Image.fromarray(pixels).save(tmp_path / "x.png", exif=exif)
    assert np.array_equal(read_images([tmp_path / "x.png"], ReadSettings(4, 1))[0, 0], np.rot90(pixels, -1))


def test_sixteen_bits_are_scaled(tmp_path):
    values = np.array([[0, 1000], [30000, 65535]], dtype=np.uint16)
    Image.fromarray(values).save(tmp_path / "deep.png")
    for channels in (1, 3):
        read = read_images([tmp_path / "deep.png"], ReadSettings(2, channels))
        assert read[0, -1].tolist() == [[0, 3], [116, 255]]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK"])
def test_every_common_kind_of_image_is_read(tmp_path, mode):
    path = tmp_path / ("x.tif" if mode == "CMYK" else "x.png")
    Image.new("RGB", (4, 4), "white").convert(mode).save(path)
    assert (read_images([path], ReadSettings(4, 3)) == 255).all()


def test_no_paths_are_no_images():
    assert read_images([], ReadSettings(4, 3)).shape == (0, 3, 4, 4)


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "bmp", "tif", "webp"])
def test_a_damaged_image_is_named(tmp_path, suffix):
    """Whatever is cut off a file: it is read as before, or refused in one line that names it."""
    noise = np.random.default_rng(0).integers(0, 256, (16, 16, 3)).astype(np.uint8)
    whole = tmp_path / f"whole.{suffix}"
    Image.fromarray(noise).save(whole)
    expected = read_images([whole], ReadSettings(8, 3))
    content, cut = whole.read_bytes(), tmp_path / f"cut.{suffix}"
    refused = 0
    for length in range(0, len(content), max(1, len(content) // 40)):
        cut.write_bytes(content[:length])
        try:
            read = read_images([cut], ReadSettings(8, 3))
        except UserError as error:
            refused += str(cut) in str(error)
            continue
        assert torch.equal(read, expected)
    assert refused > 30


@pytest.mark.parametrize("content", [b"", b"some text", b"\x89PNG\r\n\x1a\n" + bytes(60)])
def test_a_file_that_only_looks_like_an_image(tmp_path, content):
    for i in range(5):
        save(tmp_path / f"{i}.png")
    (tmp_path / "2.png").write_bytes(content)
    with pytest.raises(UserError, match=re.escape(str(tmp_path / "2.png"))):
        image_folder(str(tmp_path))


def test_a_missing_image_and_those_of_unknown_range(tmp_path):
    Image.fromarray(np.full((4, 4), 2, dtype=np.float32)).save(tmp_path / "f.tif")
    Image.fromarray(np.full((4, 4), np.nan, dtype=np.float32)).save(tmp_path / "nan.tif")
    Image.fromarray(np.full((4, 4), -1, dtype=np.int32)).save(tmp_path / "i.tif")
    for name, reason in (
        ("f.tif", "from 2 to 2"),
        ("nan.tif", "nan"),
        ("i.tif", "negative"),
        ("gone.png", "No such file"),
    ):
        with pytest.raises(UserError, match=rf"{name}.*{reason}"):
            read_images([tmp_path / name], ReadSettings(4, 1))


@pytest.mark.parametrize(
    ("pixels", "bits", "expected"), [(np.float32(0.5), 16, 127), (np.int32(2**19), 20, 127), (np.int32(9), 16, 0)]
)
def test_images_of_32_bits_are_scaled_by_a_range_that_does_not_depend_on_the_image(tmp_path, pixels, bits, expected):
    Image.fromarray(np.full((4, 4), pixels)).save(tmp_path / "x.tif")
    assert (read_images([tmp_path / "x.tif"], ReadSettings(4, 1, bits)) == expected).all()


def test_an_image_above_the_limit_of_pixels_is_left_out_and_one_below_is_read(tmp_path):
    paths = [save(tmp_path / f"{i}.png", size=(100, 100)) for i in range(11)] + [
        save(tmp_path / "big.png", size=(300, 100))
    ]
    kept, x = readable_images(paths, ReadSettings(4, 1, megapixels=0.02))
    assert kept == list(range(11))
    assert len(x) == 11
    with pytest.raises(UserError, match=r"big.png.*0\.03 megapixels, more than dataset.megapixels=0\.02"):
        read_images(paths[-1:], ReadSettings(4, 1, megapixels=0.02))
    assert len(read_images(paths[-1:], ReadSettings(4, 1, megapixels=0.03))) == 1


def test_pixels_beyond_pillows_own_limit_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)  # Pillow refuses twice as many
    path = save(tmp_path / "x.png", size=(30, 30))
    assert len(read_images([path], ReadSettings(4, 1))) == 1
    assert Image.MAX_IMAGE_PIXELS == 100


def test_many_images_are_kept_in_a_temporary_file_with_equal_pixels(tmp_path, monkeypatch):
    paths = [save(tmp_path / f"{value:02d}.png", 10 * value) for value in range(12)]
    held = read_images(paths, ReadSettings(6, 3))
    monkeypatch.setattr(image_files, "IN_MEMORY", 100)
    assert torch.equal(read_images(paths, ReadSettings(6, 3)), held)


def test_a_full_disk_is_said_before_anything_is_read(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(image_files, "IN_MEMORY", 100)
    monkeypatch.setattr(image_files.os, "posix_fallocate", full)
    with pytest.raises(UserError, match=r"need 0.0 GB in a temporary file \(No space left on device.*TMPDIR"):
        read_images([save(tmp_path / "x.png")], ReadSettings(6, 3))


def test_a_missing_folder(tmp_path):
    with pytest.raises(UserError, match="gone is not a folder"):
        image_folder(str(tmp_path / "gone"))
    with pytest.raises(UserError, match="gone is not a folder"):
        list_images(tmp_path / "gone")


def test_an_empty_folder(tmp_path):
    with pytest.raises(UserError, match=f"{tmp_path} holds no images"):
        image_folder(str(tmp_path))


def test_a_class_folder_without_images(tmp_path):
    for name in ("train/a/0.png", "test/a/0.png"):
        save(tmp_path / name)
    (tmp_path / "test" / "empty").mkdir()
    with pytest.raises(UserError, match="test/empty holds no images"):
        image_folder(str(tmp_path))


def test_images_beside_class_folders(tmp_path):
    for name in ("mine/a.png", "mine/bad/0.png", "test/0.png"):
        save(tmp_path / name)
    with pytest.raises(UserError, match=r"mine holds both .*a\.png, bad"):
        image_folder(str(tmp_path / "mine"), test_root=str(tmp_path / "test"))


def test_a_train_folder_without_test(tmp_path):
    save(tmp_path / "train/a/0.png")
    with pytest.raises(UserError, match="test is not a folder"):
        image_folder(str(tmp_path))


@pytest.mark.parametrize("names", [["a", "b"], ["normal"]])
def test_class_folders_without_test(tmp_path, names):
    for name in names:
        save(tmp_path / name / "0.png")
    with pytest.raises(UserError, match=f"{', '.join(names)} and no test data.*test_root"):
        image_folder(str(tmp_path))


def test_a_flat_folder_too_small_to_cut(tmp_path):
    for i in range(4):
        save(tmp_path / f"{i}.png")
    with pytest.raises(UserError, match=r"4 images.*test_root"):
        image_folder(str(tmp_path))


@pytest.mark.parametrize("bad", [{"size": 0}, {"channels": 2}], ids=str)
def test_size_and_channels_out_of_range(tmp_path, bad):
    for i in range(5):
        save(tmp_path / f"{i}.png")
    ((key, value),) = bad.items()
    with pytest.raises(UserError, match=f"{key}={value}"):
        image_folder(str(tmp_path), **bad)


def test_unreadable_images_are_left_out_named_and_counted_and_many_are_refused(tmp_path, caplog):
    for i in range(40):
        Image.new("L", (4, 4), i).save(tmp_path / f"{i:02}.png")
    for i in (3, 4):
        (tmp_path / f"{i:02}.png").write_text("<html>404</html>")
    data = image_folder(str(tmp_path), size=4, channels=1)
    assert "2 of 40 images can't be read: 03.png, 04.png; they are left out" in caplog.text
    for part, number in ((data.train, 31), (data.test, 7)):
        assert len(part.x) == len(part.y) == number
        assert [f"{shade:02}.png" for shade in part.x[:, 0, 0, 0].tolist()] == list(part.names), "its own name"
    for i in range(10):
        (tmp_path / f"{i:02}.png").write_text("")
    with pytest.raises(UserError, match=r"10 of 40 images can't be read: .* and 5 more; at most 10% may be left out"):
        image_folder(str(tmp_path), size=4, channels=1)


def test_hidden_files_are_no_images(tmp_path):
    Image.new("L", (4, 4)).save(tmp_path / "x.png")
    (tmp_path / "._x.png").write_bytes(b"what macOS writes beside it")
    assert [path.name for path in list_images(tmp_path)] == ["x.png"]


def test_masks_in_the_layout_of_mvtec_are_read(tmp_path, caplog):
    for place in ("train/good/0", "test/good/0", "test/dent/0", "test/dent/1"):
        save(tmp_path / f"{place}.png", value=len(place))
    mask = np.zeros((8, 8), dtype=np.uint8)
    mask[:2, 4:] = 255
    (tmp_path / "ground_truth" / "dent").mkdir(parents=True)
    Image.fromarray(mask).save(tmp_path / "ground_truth" / "dent" / "0_mask.png")
    dataset = image_folder(str(tmp_path), size=4)
    assert dataset.class_names == ("good", "dent")
    by_name = dict(zip(dataset.test.names, dataset.masks.tolist(), strict=True))
    assert by_name["test/dent/0.png"] == [[0, 0, 1, 1], [0] * 4, [0] * 4, [0] * 4]
    assert by_name["test/good/0.png"] == [[0] * 4] * 4
    assert by_name["test/dent/1.png"] == [[255] * 4] * 4
    assert "1 anomalies have no mask" in caplog.text
    (tmp_path / "ground_truth" / "dent" / "1_mask.png").write_text("no mask")
    with pytest.raises(UserError, match=r"1_mask.png can't be read as a mask"):
        image_folder(str(tmp_path), size=4)


def test_copies_are_named(tmp_path, caplog):
    for i in range(6):
        save(tmp_path / f"{i}.png", value=40 * min(i, 4))
    image_folder(str(tmp_path), size=4)
    assert "1 of 6 images are copies of others: " in caplog.text
    assert "4.png" in caplog.text


def test_images_of_twelve_bits_are_not_black(tmp_path, caplog):
    pixels = np.full((4, 4), 4095, dtype=np.uint16)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert read_images([tmp_path / "a.png"], ReadSettings(4, 1)).max() == 15
    assert "uses 12 bits: set dataset.bits=12 if its images are too dark or too bright" in caplog.text
    assert read_images([tmp_path / "a.png"], ReadSettings(4, 1, bits=12)).min() == 255


def test_an_animation_and_a_broken_link_are_named(tmp_path, caplog):
    frames = [Image.new("L", (4, 4), value) for value in (0, 200)]
    frames[0].save(tmp_path / "00.gif", save_all=True, append_images=frames[1:])
    for i in range(1, 12):
        save(tmp_path / f"{i:02}.png", value=20 * i)
    (tmp_path / "99.png").symlink_to(tmp_path / "nowhere.png")
    image_folder(str(tmp_path), size=4)
    assert "00.gif has 2 frames, of which the first one is used" in caplog.text
    assert "1 of 13 images can't be read: 99.png" in caplog.text
