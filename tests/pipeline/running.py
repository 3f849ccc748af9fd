"""What the tests of runs share."""

import json

import numpy as np

from omasgan.evaluation.scores import ScoreTable
from omasgan.runs import folder as runs

DIGITS = ("dataset=digits", "protocol.abnormal_class=3")
TOY = ("dataset=toy_blobs", "protocol=novelty", "architecture=mlp", "dataset.train_size=200", "dataset.test_size=100")


def read(folder, name="metrics.json"):
    return json.loads((folder / name).read_text())


def metrics(folder):
    """The figures of a finished run, by term, then by metric."""
    return runs.result(folder).metrics


def check_equal_scores(one, other):
    tables = [ScoreTable.load(folder / "scores.npz") for folder in (one, other)]
    assert tables[0].terms.keys() == tables[1].terms.keys()
    for name, scores in tables[0].terms.items():
        assert np.array_equal(scores, tables[1].terms[name]), name
