"""What the tests of mistakes share: whatever a user gets wrong ends in one line."""

import json
import re

import torch

from omasgan.evaluation.scores import ScoreTable

TINY = (
    "representation=pixels",
    "inference.j_features=sample",
    "budget=smoke",
    "baselines=none",
    "logger=none",
    "device=cpu",
)
ONE_CLASS = "protocol.abnormal_class=3"
TOY = (*TINY, "dataset=toy_blobs", "protocol=novelty", "dataset.train_size=200", "dataset.test_size=100")


def check_line(outcome, *fragments):
    """One line on standard error, without a traceback, that holds each fragment (a regular expression)."""
    assert outcome.code in (1, 2)
    (line,) = outcome.errors
    assert line.startswith("omasgan: ")
    assert "Traceback" not in line
    for fragment in fragments:
        assert re.search(fragment, line), f"no {fragment!r} in {line!r}"


def check_whole(folder):
    """Nothing below the folder is half-written, and no run claims to be finished."""
    for path in folder.rglob("*"):
        assert not path.name.endswith(".tmp")
        assert path.name != "metrics.json"
        if path.suffix == ".json":
            json.loads(path.read_text())
        elif path.suffix == ".jsonl":
            assert all(json.loads(line) for line in path.read_text().splitlines())
        elif path.suffix == ".npz":
            ScoreTable.load(path)
        elif path.suffix == ".pt":
            torch.load(path, weights_only=True)


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != "run.log"}
