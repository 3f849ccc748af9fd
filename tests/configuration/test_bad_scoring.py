"""Mistakes in task=score end in one line."""

import pytest

from tests.configuration.mistakes import check_line, contents

pytestmark = pytest.mark.usefixtures("no_pictures")


SCORE = ("task=score", "score.run={run}", "score.input={data}/two.npy", "score.output={run}/scores.csv")


@pytest.mark.parametrize(
    ("arguments", "fragments"),
    [
        (["task=score"], ["needs score.run", "score.input=<what to score>"]),
        (["task=score", "score.run={run}"], ["needs score.input"]),
        ([*SCORE, "score.run={run}/nowhere"], ["nowhere is not the folder of a finished run", "metrics.json"]),
        ([*SCORE, "score.run={run}/plots"], ["plots is not the folder of a finished run"]),
        (
            [*SCORE, "score.input={data}/nowhere"],
            ["score.input=.*nowhere does not exist", "give images, or an .npy or .csv"],
        ),
        ([*SCORE, "score.input={data}/images"], ["is a folder", r"samples \(2,\)", "give an array"]),
        ([*SCORE, "score.input={data}/images/07.png"], ["is an image", r"samples \(2,\)", "give an array"]),
        ([*SCORE, "score.input={data}/rows.npz"], ["rows.npz is an .npz, which holds several arrays", "give an .npy"]),
        ([*SCORE, "score.input={data}/wide.npy"], [r"has samples \(4,\)", r"is on \(2,\)"]),
        ([*SCORE, "score.input={data}/pickle.npy"], ["pickle.npy can't be read"]),
        ([*SCORE, "score.output={run}/nowhere/scores.csv"], ["cannot write .*nowhere/scores.csv"]),
        ([*SCORE, "score.output={run}/plots"], ["cannot write .*plots"]),
        ([*SCORE, "device=gpu"], ["device is 'gpu'"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_scoring_with_a_mistake(command, data, copy, arguments, fragments):
    before = contents(copy)
    outcome = command(f"runs={copy.parent}/none", *(part.format(run=copy, data=data) for part in arguments))
    check_line(outcome, *fragments)
    assert contents(copy) == before


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.yaml", ""),
        ("config.yaml", "a: ["),
        ("config.yaml", "a: 1"),
        ("config.yaml", "- a"),
        ("detector.pt", ""),
        ("detector.pt", "hello"),
    ],
)
def test_scoring_with_a_damaged_run(command, data, copy, name, content):
    (copy / name).write_text(content)
    outcome = command(f"runs={copy.parent}/none", *(part.format(run=copy, data=data) for part in SCORE))
    check_line(outcome, f"{copy}/{name}")
    assert not (copy / "scores.csv").exists()
