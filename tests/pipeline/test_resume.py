"""A run that was stopped goes on as if it had not been, to the last bit."""

import json
from functools import partial

import pytest

from omasgan.pipeline import build
from omasgan.training.stage import Workspace, descend
from tests.pipeline.running import DIGITS, TOY, check_equal_scores


class Power(KeyboardInterrupt):
    """The plug is pulled."""


@pytest.fixture(scope="module")
def undisturbed():
    """The folder and the stages of a finished run, by its data."""
    return {}


STOPS = [
    *[(TOY, stage, 3) for stage in ("task1", "critic", "task2", "task3", "j")],
    *[(TOY, stage, 0) for stage in ("task2", "task3", "j")],
    *[(DIGITS, stage, 3) for stage in ("task1", "task2", "j")],
]


@pytest.mark.parametrize(
    ("data", "stage", "step"), STOPS, ids=[f"{data[0][8:]}-{stage}-{step}" for data, stage, step in STOPS]
)
def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been(
    start, no_pictures, steps, monkeypatch, undisturbed, data, stage, step
):
    monkeypatch.setattr(build, "Workspace", partial(Workspace, checkpoint_every=2, record_every=1))
    if data not in undisturbed:
        undisturbed[data] = start(*data), list(steps)
    whole, order = undisturbed[data]
    if stage not in order:
        pytest.skip(f"this configuration has no stage {stage}")

    plain = descend
    steps.clear()

    def pull(loss, optimiser):
        if steps.get(stage, [])[-1:] == [step]:
            raise Power
        plain(loss, optimiser)

    stopped = (*data, "hydra.run.dir=${runs}/stopped")
    with monkeypatch.context() as patch:
        for module in ("task1", "task2", "task3", "anomaly_discriminator"):
            patch.setattr(f"omasgan.method.{module}.descend", pull)
        with pytest.raises(Power):
            start(*stopped)
    steps.clear()
    folder = start(*stopped)

    check_equal_scores(whole, folder)
    rows = [[json.loads(line) for line in (at / "metrics.jsonl").read_text().splitlines()] for at in (whole, folder)]
    for row in (*rows[0], *rows[1]):
        del row["time"]
    assert rows[0] == rows[1], "each step once, with the same values"
    place = order.index(stage)
    assert not set(order[:place]) & steps.keys(), "a finished stage is not done again"
    assert steps[stage] == list(range(step - step % 2, 4)), "from the last checkpoint"
    for later in order[place + 1 :]:
        assert steps[later] == [0, 1, 2, 3]
