"""The table of runs, which `task=list` and the end of a sweep write."""

import csv

import pytest


@pytest.fixture(scope="module")
def top(tmp_path_factory, fake):
    top = tmp_path_factory.mktemp("runs")
    fake.write(top, 0, 0, mu=0.1)
    fake.write(top, 1, 0, mu=1e-05)
    fake.write(top, 0, 1, "failed", mu=0.1)
    fake.write(top, 0, 0, choices={"protocol": "pseudo_loo"}, mu=0.1)
    (top / "begun").mkdir()
    (top / "begun" / "run.json").write_text("{}")
    return top


def test_a_row_for_each_run_with_what_differs_and_numbers_as_numbers(command, top, tmp_path):
    target = tmp_path / "new" / "runs.csv"
    outcome = command("task=list", f"runs={top}", f"list.csv={target}")
    assert (outcome.code, outcome.output.splitlines()[-1]) == (0, f"a row for each run: {target}")
    with target.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 5
    by_state = {state: [row for row in rows if row["state"] == state] for state in ("done", "failed", "damaged")}
    assert [len(of) for of in by_state.values()] == [3, 1, 1]
    done = by_state["done"]
    assert sorted(float(row["boundary.mu"]) for row in done) == [1e-05, 0.1, 0.1]
    assert "boundary.nu" not in rows[0], "all runs have the same"
    for row in done:
        split, other = ("pseudo", "test") if row["protocol"] == "pseudo_loo" else ("test", "pseudo")
        assert 0 < float(row[f"{split}/auroc/full"]) <= 1
        assert row[f"{other}/auroc/full"] == ""
        assert float(row["seconds"]) == 10
        assert row["folder"].startswith(str(top))
    (failed,) = by_state["failed"]
    assert (failed["class"], failed["seed"], failed["test/auroc/full"]) == ("0", "1", "")
    (begun,) = by_state["damaged"]
    assert (begun["detector"], begun["seed"], begun["boundary.mu"]) == ("", "", "")
