"""What W&B is sent of a report and of a run over all classes, as its own reader reads it, and the dashboard."""

import csv
import json
import sys

import pytest
from hydra import compose, initialize_config_dir

from omasgan.commands import dashboard, report
from omasgan.configuration.checks import check
from omasgan.configuration.schema import FOLDER, register
from omasgan.configuration.sweep_names import InSweep
from omasgan.errors import UserError
from omasgan.files import make_folder
from omasgan.pipeline import summary
from omasgan.pipeline.run import Job
from omasgan.report import page
from omasgan.report.dashboard import Scope, scope_of
from omasgan.runs.wandb_exporter import key
from tests.wandb_reader import records


@pytest.fixture(autouse=True)
def no_account(tmp_path, monkeypatch):
    """An empty home without a key."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))


def tables(folder):
    """The tables, the summary and all records of the only offline run in a folder."""
    (path,) = folder.glob("wandb/offline-run-*/*.wandb")
    seen = records(path)
    found = {}
    for row in seen["history"]:
        for name, place in row["item"].items():
            if name.endswith(".path") and str(place).endswith(".table.json"):
                found[name.removesuffix(".path")] = json.loads((path.parent / "files" / place).read_text())
    values = {name: value for part in seen["summary"] for name, value in part.get("update", {}).items()}
    return found, values, seen


def test_the_page_and_wandb_show_the_same_values(small_sweep, settings, tmp_path):
    report.write(settings(str(small_sweep), tmp_path / "out", mode="offline"))
    found, values, seen = tables(tmp_path / "out" / "record")
    (run,) = seen["run"]
    assert (run["run_group"], run["job_type"], sorted(run["tags"])) == ("mnist loo", "report", ["loo", "mnist"])
    assert seen["exit"][-1].get("exit_code", 0) == 0
    assert run["config"]["update"]["runs"].count(", ") == 24

    content = page.content_of((tmp_path / "out" / "report.html").read_text())
    methods = {method["label"]: method for method in content["methods"]}
    columns = content["settings"][0]["columns"]
    results = found["results"]
    compared = 0
    for row in results["data"]:
        cell = dict(zip(results["columns"], row, strict=True))
        shown = methods[cell["method"]]["cells"][cell["metric"]][columns.index(cell["class"])]
        for value, name in zip(shown, ("mean", "deviation", "n", "low", "high"), strict=True):
            assert (value is None) == (cell[name] is None)
            assert value is None or value == pytest.approx(cell[name], abs=1e-6)
        compared += 1
    assert compared == len(methods) * len(columns) * 4
    for label, method in methods.items():
        if method["states"][-1] == "done":
            mean = method["cells"]["auroc"][-1][0]
            assert values[key(f"test/mnist loo/{label}/mean/auroc")] == pytest.approx(mean, abs=1e-6)

    with (tmp_path / "out" / "comparison.csv").open() as file:
        local = [[row["first"], row["second"], row["class"], float(row["p"])] for row in csv.DictReader(file)]
    assert [[*row[1:4], row[-1]] for row in found["comparison"]["data"]] == local
    ablation = {row[1]: row for row in found["ablation"]["data"]}
    assert ablation["omasgan mu=0.2 nu=0.1"][found["ablation"]["columns"].index("full")] == pytest.approx(
        methods["omasgan mu=0.2 nu=0.1 · full"]["cells"]["auroc"][-1][0], abs=1e-6
    )
    sweep = found["test_sweep_of_mnist_loo"]
    assert sweep["columns"][:3] == ["detector", "boundary.mu", "boundary.nu"]
    assert len(sweep["data"]) == 4
    assert any("test_AUROC_of_mnist_loo" in name for name in found), "the plot's table"


def test_logger_none_leaves_wandb_alone(written):
    assert not (written / "record").exists()


@pytest.fixture
def job(tmp_path):
    register()
    with initialize_config_dir(str(FOLDER), version_base="1.3"):
        cfg = compose("config", ["dataset=digits", "boundary.mu=0.125", f"runs={tmp_path}"])
        hydra = compose("config", ["dataset=digits"], return_hydra_config=True).hydra
    choices = {group: str(choice) for group, choice in hydra.runtime.choices.items()}
    return Job(check(cfg), "abcd1234", choices, tmp_path, InSweep("digits_loo_over_mu", "mu=0.125"))


def test_a_run_over_all_classes_has_a_summary_run(job, tmp_path, fake):
    runs = {str(cls): fake.measured(fake.scores(cls, 200, 0)) for cls in (0, 1)}
    summary.write(tmp_path, runs, "abnormal", ["pca"], job)
    summary.write(tmp_path, runs, "abnormal", ["pca"], job)  # read back: nothing new to tell
    found, values, seen = tables(tmp_path / "record")
    (run,) = seen["run"]
    assert (run["run_group"], run["job_type"]) == ("digits_loo_over_mu", "summary")
    assert {"digits", "loo", "omasgan", "seed_0", "mu=0.125", "nu=0.1", "beta=0.7"} <= set(run["tags"])
    assert seen["exit"][-1].get("exit_code", 0) == 0
    rows = {(row[0], row[1]): row for row in found["per_class"]["data"]}
    for name, metrics in runs.items():
        for term, measured in metrics.items():
            assert rows[name, term][2] == pytest.approx(measured["auroc"])
    for term, mean in summary.means(runs).items():
        assert values[f"test/auroc/{term}"] == pytest.approx(mean)
    assert {row[0] for row in found["ablation"]["data"]} == set(summary.means(runs))
    assert {"mean_test_AUROC_table", "test_AUROC_of_full_by_class_table"} <= set(found)
    assert any(name.startswith("comparison") for row in seen["history"] for name in row["item"])


def test_a_changed_summary_is_exported_again(job, tmp_path, fake):
    runs = {str(cls): fake.measured(fake.scores(cls, 200, 0)) for cls in (0, 1)}
    summary.write(tmp_path, runs, "abnormal", ["pca"], job)
    runs["2"] = fake.measured(fake.scores(2, 200, 0))
    summary.write(tmp_path, runs, "abnormal", ["pca"], job)
    assert len(list((tmp_path / "record").glob("wandb/offline-run-*"))) == 2


# The dashboard


def the_sweep(folder):
    """A run of a sweep over mu and the divergence on pseudo-anomalies, as far as the dashboard reads it."""
    record = {"group": "digits_over_mu", "choices": {"protocol": "pseudo_loo"}}
    make_folder(folder)
    (folder / "run.json").write_text(json.dumps(record))
    (folder / "config.yaml").write_text("sweep: {varied: [boundary.mu, divergence, seed]}")
    return folder


def panels(saved):
    sections = saved["workspace"]["spec"]["section"]["panelBankConfig"]["sections"]
    return {section["name"]: [panel["config"] for panel in section["panels"]] for section in sections}


def test_without_a_key_the_dashboard_is_json(settings, tmp_path, capsys):
    pytest.importorskip("wandb_workspaces")
    dashboard.save(settings(str(tmp_path / "runs"), tmp_path, mode="offline"))
    output = capsys.readouterr().out
    assert "no W&B key" in output
    assert "the panels show all runs" in output
    saved = json.loads((tmp_path / "dashboard.json").read_text())
    assert saved["workspace"]["project"] == "omasgan"
    text = json.dumps(saved)
    keys = ("test/auroc/full", "pseudo/auroc/full", "test/auroc/nearest_neighbour", "task3/loss/G_prime")
    for name in (*keys, "boundary.value.mu", "per_class", "task1/loss/G", "task3/step"):
        assert name in text, name
    assert list(panels(saved))[:3] == ["Results", "Ablation", "Sweep"]
    (runset,) = saved["workspace"]["spec"]["section"]["runSets"]
    assert [level["name"] for level in runset["grouping"]] == ["group", "jobType"]
    assert runset["filters"]["filters"] == []
    assert saved["report"]["spec"]["blocks"]


def test_the_panels_are_those_of_the_newest_sweep(settings, tmp_path, capsys):
    pytest.importorskip("wandb_workspaces")
    the_sweep(tmp_path / "runs" / "one")
    dashboard.save(settings(str(tmp_path / "runs"), tmp_path, mode="offline"))
    assert "the panels show the sweep digits_over_mu" in capsys.readouterr().out
    saved = json.loads((tmp_path / "dashboard.json").read_text())
    (runset,) = saved["workspace"]["spec"]["section"]["runSets"]
    reports = [block["metadata"]["runSets"] for block in saved["report"]["spec"]["blocks"] if "metadata" in block]
    for each in (runset, *(runsets[0] for runsets in reports)):
        (chosen,) = each["filters"]["filters"]
        assert (chosen["key"]["name"], chosen["op"], chosen["value"]) == ("group", "=", "digits_over_mu")
    assert runset["grouping"] == []
    shown = panels(saved)
    assert [axis["accessor"] for axis in shown["Sweep"][0]["columns"]] == [
        *("config:boundary.value.mu", "config:boundary.value.nu", "config:retraining.value.beta"),
        *("config:choices.value.divergence", "summary:pseudo/auroc/full"),
    ]
    bars = [panel for panel in shown["Ablation"] if "metrics" in panel]
    assert [bar["metrics"] for bar in bars] == [[f"pseudo/auroc/{term}"] for term in ("task1", "task3", "j", "full")]
    assert {bar["groupBy"] for bar in bars} == {"choices.value.ablation"}
    assert "test/auroc" not in json.dumps(saved)


def test_a_sweep_is_chosen_by_its_name(tmp_path):
    the_sweep(tmp_path / "one")
    assert scope_of([tmp_path], "digits_over_mu") == scope_of([tmp_path], None)
    assert scope_of([tmp_path], "another") == Scope("another"), "whose runs are elsewhere"


def test_with_a_key_the_dashboard_is_saved_and_a_refusal_is_one_line(settings, tmp_path, monkeypatch):
    pytest.importorskip("wandb_workspaces")
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    monkeypatch.setattr(dashboard, "_default_entity", lambda: "me")
    saved = []

    class View:
        def __init__(self, name):
            self.name, self.url = name, f"https://wandb.test/{name}"

        def save(self):
            saved.append(self.name)
            if len(saved) == 3:
                raise ConnectionError("no\nroute")

    monkeypatch.setattr(dashboard, "workspace", lambda *_: View("workspace"))
    monkeypatch.setattr(dashboard, "report", lambda *_: View("report"))
    dashboard.save(settings(None, tmp_path))
    assert saved == ["workspace", "report"]
    assert not (tmp_path / "dashboard.json").exists()
    with pytest.raises(UserError, match=r"did not save the workspace in me/omasgan: no route"):
        dashboard.save(settings(None, tmp_path))


def test_without_wandb_workspaces_the_error_says_what_to_install(settings, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb_workspaces", None)
    for name in [name for name in sys.modules if name.startswith("wandb_workspaces.")]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UserError, match=r"pip install 'omasgan\[dashboard\]'"):
        dashboard.save(settings(None, tmp_path))
