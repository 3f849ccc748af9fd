"""Reading run folders, the written tables, and the command."""

import csv
import json
import re
import subprocess
import sys
from pathlib import Path
from statistics import fmean

import pytest

from omasgan.commands import report
from omasgan.commands.report import places
from omasgan.errors import UserError
from omasgan.evaluation.objective import metric_key
from omasgan.report import folders, learning_curves, page
from omasgan.report.page import document
from omasgan.report.study import METRICS
from omasgan.runs.lock import locked


def rows(folder, name="tables.csv"):
    with (folder / name).open() as file:
        return list(csv.DictReader(file))


FILES = ["run.json", "config.yaml", "metrics.json", "metrics.jsonl", "scores.npz"]


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b'{"metrics": [1]}\n{\n', b"- 1\n- 2\n"])
def test_a_damaged_file_is_one_line_and_the_report_goes_on(tmp_path, fake, settings, caplog, content):
    """Of five runs one file each; the sixth is whole."""
    runs = [fake.write(tmp_path / "runs", cls) for cls in range(len(FILES) + 1)]
    damaged = [run / name for run, name in zip(runs, FILES, strict=False)]
    for path in damaged:
        path.write_bytes(content)
    report.write(settings(str(tmp_path / "runs"), tmp_path / "out"))
    told = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    if content == b"":
        damaged.remove(runs[3] / "metrics.jsonl")  # as of a run before its first step
    assert len(told) == len(damaged), told
    for path in damaged:
        (line,) = [line for line in told if re.search(rf"{re.escape(str(path))}(?!\w)", line)]
        assert "\n" not in line
    content = page.content_of((tmp_path / "out" / "report.html").read_text())
    assert sorted(content["problems"]) == sorted(told)
    assert {run["folder"] for run in content["runs"]} == set(map(str, runs))
    done = {row["class"] for row in rows(tmp_path / "out") if row["state"] == "done"}
    assert done - {"mean"} == {"3", "4", "5"}


def test_a_line_that_a_kill_cut_short_is_not_damage(tmp_path, fake):
    folder = fake.write(tmp_path)
    whole = learning_curves.read(folder)
    with (folder / "metrics.jsonl").open("a") as file:
        file.write('{"stage": "ta')
    assert learning_curves.read(folder) == whole


def test_a_run_is_found_at_any_depth_and_once(tmp_path, fake):
    run = fake.write(tmp_path / "a" / "b")
    (run / "checkpoints").mkdir()
    (run / "checkpoints" / "run.json").write_text("{}")
    assert folders.find([tmp_path, run, tmp_path / "a"]) == [run]


@pytest.mark.parametrize("given", [[], [1], {"a": 1}, 3])
def test_a_wrong_kind_of_folders_is_a_user_error_that_shows_it(settings, given):
    with pytest.raises(UserError, match=r"report.folders is .*give a folder"):
        places(settings(given))


def test_a_missing_folder_and_a_missing_run_have_their_own_messages(tmp_path):
    with pytest.raises(UserError, match="is not a folder"):
        folders.find([tmp_path / "none"])
    with pytest.raises(UserError, match="there is no run in"):
        folders.find([tmp_path])


def test_every_value_of_the_csv_is_the_mean_of_its_runs(written, small_sweep):
    found = rows(written)
    assert {row["metric"] for row in found} == set(METRICS)
    for row in found:
        if row["class"] != "mean" and row["state"] == "done":
            values = {}  # a baseline's runs of one seed count once
            for folder in row["runs"].split(";"):
                path = small_sweep.parent / folder / "metrics.json"
                if path.exists():
                    seed = re.search(r"seed_(\d+)", folder)[1]
                    key = metric_key(row["split"], row["metric"], row["term"])
                    values[seed] = json.loads(path.read_text())["metrics"][key]
            assert float(row["mean"]) == pytest.approx(fmean(values.values()))
            assert int(row["n"]) == len(values)
    means = {
        (row["method"], row["metric"]): float(row["mean"]) for row in found if row["class"] == "mean" and row["mean"]
    }
    for (method, metric), mean in means.items():
        of = [r for r in found if (r["method"], r["metric"]) == (method, metric) and r["class"] != "mean" and r["mean"]]
        assert mean == pytest.approx(fmean(float(row["mean"]) for row in of))


def test_failed_interrupted_and_missing_cells_show_as_such_everywhere(written):
    states = {row["state"] for row in rows(written)}
    assert states == {"done", "failed", "interrupted", "missing", "damaged", "lacks 1, 2"}
    text = (written / "tables.md").read_text()
    assert all(state in text for state in states - {"done"})
    assert "†" in text


def test_markdown_has_rows_of_one_length(written):
    markdown = (written / "tables.md").read_text().split("\n\n")
    tables_of = [block.splitlines() for block in markdown if block.startswith("|")]
    assert len(tables_of) == len(METRICS) + 4, "of comparisons, of detectors, of the ablation and of ranks"
    for block in tables_of:
        assert len({line.count("|") for line in block}) == 1


def test_the_paired_table_is_of_the_best_methods(written):
    found = rows(written, "comparison.csv")
    assert {"1-NN", "PCA"} <= {row["first"] for row in found} | {row["second"] for row in found}
    for row in found:
        low, difference, high = (float(row[key]) for key in ("low", "difference", "high"))
        assert low <= difference <= high
        assert 0 <= float(row["p"]) <= 1
        assert (float(row["p"]) < 0.05) == (low > 0 or high < 0)


def test_the_page_holds_the_values_of_the_tables(written):
    content = page.content_of((written / "report.html").read_text())
    methods = {method["label"]: method for method in content["methods"]}
    for row in rows(written):
        column = content["settings"][0]["columns"].index(row["class"])
        shown = methods[row["method"]]
        values = [row[key] for key in ("mean", "deviation", "n", "low", "high")]
        assert shown["cells"][row["metric"]][column] == [
            pytest.approx(float(value), abs=1e-6) if value else None for value in values
        ]
        assert shown["states"][column] == row["state"]


def test_the_page_needs_no_network_and_is_small(written):
    text = (written / "report.html").read_text()
    assert "default-src 'none'" in text
    assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//""", text)
    assert "Test &lt;report>" in text
    images = sum(len(url) for run in page.content_of(text)["runs"] for url in run["pictures"].values())
    assert len(text) - images < 5e6


def test_the_page_has_every_script_once():
    folder = Path(document.__file__).with_name("script")
    assert sorted(document.SCRIPTS) == sorted(path.stem for path in folder.glob("*.js"))


def test_pictures_are_limited_and_spread(small_sweep):
    runs = [folders.read(folder)[0] for folder in folders.find([small_sweep])]
    have = [number for number, run in enumerate(runs) if (run.folder / "plots" / "samples.png").exists()]
    some = page.pictures(runs, 3)
    assert len(some.urls) == 3
    assert some.left_out == len(have) - 3
    assert max(some.urls) > have[len(have) // 2]
    assert page.pictures(runs, 0).urls == {}


def test_many_curves_are_thinned_and_keep_their_ends(monkeypatch, small_sweep):
    runs = [folders.read(folder)[0] for folder in folders.find([small_sweep])]
    monkeypatch.setattr(learning_curves, "MOST_VALUES", 100)
    thinned, problems = learning_curves.thinned(runs)
    assert problems == []
    (group,) = thinned[0]["task1"]
    values = group["values"]["loss/G"]
    assert len(group["steps"]) == len(group["seconds"]) == len(values) == learning_curves.FEWEST_POINTS
    assert (group["steps"][0], group["steps"][-1]) == (1, 1981)


def test_a_curve_that_is_recorded_less_often_keeps_its_points(tmp_path, fake):
    folder = fake.write(tmp_path)
    rows = [
        {
            "stage": "task1",
            "step": step,
            "time": 100 + step / 10,
            "loss/G": 1.0,
            **({"auroc": 0.9} if step == 60 else {}),
        }
        for step in range(100)
    ]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    ((_, stages),) = learning_curves.thinned([folders.read(folder)[0]])[0].items()
    _, sparse = stages["task1"]
    assert sparse == {"steps": [60], "seconds": [6.0], "values": {"auroc": [0.9]}}


def test_the_report_needs_no_torch(small_sweep, tmp_path):
    places = [f"report.folders={small_sweep}", f"report.output={tmp_path}/out"]
    arguments = ["task=report", "logger=none", *places, "report.pictures=0"]  # it would show samples of the data set
    code = f"""
import sys
sys.argv = {["omasgan", *arguments, f"runs={tmp_path}/none"]}
from omasgan.__main__ import main
main()
assert "torch" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=tmp_path)
    assert "25 runs (19 done, 3 failed, 2 interrupted, 1 damaged)" in done.stdout
    assert (tmp_path / "out" / "report.html").is_file()


def test_a_run_that_is_still_running_is_not_called_interrupted(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "run.json").write_text("{}")
    (folder / "config.yaml").write_text("protocol: {}\n")
    (folder / "run.json").write_text('{"choices": {}}')
    with locked(folder):
        assert folders.read(folder)[0].state == "running"
    assert folders.read(folder)[0].state == "interrupted"
