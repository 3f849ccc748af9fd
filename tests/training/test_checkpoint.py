import pickle
import random
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from torch import nn

from omasgan.errors import UserError
from omasgan.training import checkpoint
from omasgan.training.stage import Stage, Workspace

pytestmark = pytest.mark.filterwarnings("ignore:Detected pickle protocol")

CPU = torch.device("cpu")
STATE = {
    "step": 7,
    "rate": 0.1,
    "name": "G",
    "none": None,
    "nested": {"list": [1, 2.5, True], "tensor": torch.arange(6.0).reshape(2, 3)},
    "image": torch.tensor([0, 255], dtype=torch.uint8),
    "random": torch.Generator().manual_seed(3).get_state(),
}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "task1.pt"
    checkpoint.save(path, "task1", STATE)
    return path


def refusal(path, kind="task1"):
    """The one line that refuses a file; it names the file."""
    with pytest.raises(UserError) as caught:
        checkpoint.load(path, kind, CPU)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message


def test_what_was_saved_comes_back(path):
    found = checkpoint.load(path, "task1", CPU)
    tensors = {"image": found.pop("image"), "random": found.pop("random"), "tensor": found["nested"].pop("tensor")}
    assert found == {"step": 7, "rate": 0.1, "name": "G", "none": None, "nested": {"list": [1, 2.5, True]}}
    for name, tensor in tensors.items():
        expected = STATE["nested"]["tensor"] if name == "tensor" else STATE[name]
        assert torch.equal(tensor, expected)
        assert tensor.dtype == expected.dtype


def test_networks_and_optimisers_go_on_as_if_nothing_had_happened(tmp_path):
    def training(steps, network, optimiser):
        for step in range(steps):
            optimiser.zero_grad()
            network(torch.full((1, 3), float(step + 1))).sum().backward()
            optimiser.step()

    def fresh():
        network = nn.Linear(3, 2)
        return {"G": network, "adam_G": torch.optim.Adam(network.parameters())}

    first, second = fresh(), fresh()
    training(3, *first.values())
    checkpoint.save(tmp_path / "a.pt", "task1", {name: holder.state_dict() for name, holder in first.items()})
    checkpoint.restore(tmp_path / "a.pt", second, checkpoint.load(tmp_path / "a.pt", "task1", CPU))
    for holders in (first, second):
        training(2, *holders.values())
    assert torch.equal(first["G"].weight, second["G"].weight)


def test_a_saved_tensor_is_no_view_of_a_later_one(tmp_path):
    weight = torch.zeros(3)
    checkpoint.save(tmp_path / "a.pt", "task1", {"w": weight})
    weight += 1
    assert torch.equal(checkpoint.load(tmp_path / "a.pt", "task1", CPU)["w"], torch.zeros(3))


def test_a_missing_file(tmp_path):
    assert "run the training first" in refusal(tmp_path / "none.pt")


def test_a_folder(tmp_path):
    refusal(tmp_path)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.9, 0.999])
def test_a_file_that_was_cut_short(path, share):
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    assert f"delete {path}" in refusal(path)


GARBAGE = {
    "text": b"hello",
    "an empty stack": b"a",
    "no such memo": b"hR",
    "broken text": b"X:\xe4\xf5",
    "half a number": b"\x80\x02J",
    "an unhashable key": b"\x80\x02}]K\x01s.",
    "zeros": bytes(1000),
    "a list": pickle.dumps([1, 2]),
    "half a zip": b"PK\x03\x04" + bytes(50),
}


@pytest.mark.parametrize("content", GARBAGE.values(), ids=GARBAGE)
def test_garbage(path, content):
    path.write_bytes(content)
    refusal(path)


def test_a_damaged_byte_never_ends_in_a_traceback(path):
    content, choose = path.read_bytes(), random.Random(0)
    for _ in range(300):
        damaged = bytearray(content)
        damaged[choose.randrange(len(damaged))] = choose.randrange(256)
        path.write_bytes(damaged)
        with suppress(UserError):
            checkpoint.load(path, "task1", CPU)


class Bomb:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("write", [torch.save, lambda bomb, path: path.write_bytes(pickle.dumps(bomb))])
@pytest.mark.parametrize("wrap", [lambda bomb: bomb, lambda bomb: {"format": 1, "kind": "task1", "state": bomb}])
def test_code_in_a_file_never_runs(path, write, wrap):
    marker = path.parent / "ran"
    write(wrap(Bomb(marker)), path)
    refusal(path)
    assert not marker.exists()


@pytest.mark.parametrize("content", [5, [1], {"model": {}}, {"format": 1, "kind": "task1"}, torch.ones(2)], ids=str)
def test_a_file_of_another_program(path, content):
    torch.save(content, path)
    assert "not a checkpoint of omasgan" in refusal(path)


def test_another_kind(path):
    message = refusal(path, kind="detector")
    assert "'task1'" in message
    assert "'detector'" in message


def test_another_format(path, monkeypatch):
    monkeypatch.setattr(checkpoint, "FORMAT", checkpoint.FORMAT + 1)
    assert "has format 1, this version of omasgan reads 2" in refusal(path)


@pytest.mark.parametrize("other", [nn.Linear(4, 2), nn.Linear(3, 2, bias=False), nn.Conv2d(1, 1, 1)], ids=str)
def test_another_architecture(path, other):
    state = {"G": nn.Linear(3, 2).state_dict()}
    with pytest.raises(UserError) as caught:
        checkpoint.restore(path, {"G": other}, state)
    message = str(caught.value)
    assert str(path) in message
    assert "'G'" in message
    assert "\n" not in message


def test_another_optimiser(path):
    few, many = (torch.optim.Adam(nn.Linear(3, 2, bias=bias).parameters()) for bias in (False, True))
    with pytest.raises(UserError, match=f"{path} does not fit 'adam_G'"):
        checkpoint.restore(path, {"adam_G": many}, {"adam_G": few.state_dict()})


def test_a_network_that_the_file_lacks(path):
    with pytest.raises(UserError, match=f"{path} does not fit 'B'"):
        checkpoint.restore(path, {"B": nn.Linear(1, 1)}, {"G": {}})


def untouched(path):
    return checkpoint.load(path, "task1", CPU)["step"] == 7 and list(path.parent.iterdir()) == [path]


def test_a_write_that_the_disk_refuses_leaves_the_earlier_file(path, monkeypatch):
    def full(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(UserError, match=f"cannot write {path}: No space left"):
        checkpoint.save(path, "task1", {"step": 8})
    assert untouched(path)


def test_a_state_that_cannot_be_written_leaves_the_earlier_file(path):
    with pytest.raises((pickle.PicklingError, AttributeError)):
        checkpoint.save(path, "task1", {"step": 8, "f": lambda: None})
    assert untouched(path)


def test_a_stage_does_not_go_on_on_another_device(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    assert list(Stage("task1", 2, Workspace(folder=tmp_path), {}, {})) == [0, 1]
    path = tmp_path / "checkpoints" / "task1.pt"
    state = checkpoint.load(path, "task1", CPU)
    checkpoint.save(path, "task1", {**state, "random": torch.zeros(16, dtype=torch.uint8)})  # a graphics card's
    with pytest.raises(UserError, match=f"{path} was not made on a cpu: .*delete {path.parent}"):
        list(Stage("task1", 2, Workspace(folder=tmp_path), {}, {}))
