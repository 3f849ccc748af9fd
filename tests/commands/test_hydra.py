"""What users of Hydra type: its flags, its folders, its sweeps over functions, and completion with the Tab key."""

import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
import yaml

from tests.configuration.mistakes import TOY, check_line

FAST = (*TOY, "detector=pca")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The current folder, with data."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    rows = {"x_train": rng.normal(size=(64, 3)), "x_test": rng.normal(size=(20, 3))}
    np.savez("rows.npz", **rows, y_test=np.arange(20) % 2)
    np.save("new.npy", rng.normal(size=(5, 3)))
    return tmp_path


OWN_EXPERIMENT = """\
# @package _global_
defaults:
  - override /dataset: toy_moons
  - override /protocol: novelty
  - override /representation: pixels
  - override /baselines: none
  - override /logger: none
dataset: {train_size: 200, test_size: 100}
inference: {j_features: sample}
"""


@pytest.fixture
def own(here):
    """The folder of a user's own options and of a configuration that builds on the one of omasgan."""
    files = {
        "detector/mine.yaml": "# The fewest components.\ndefaults: [pca]\nvariance: 0.25\n",
        "experiment/mine.yaml": OWN_EXPERIMENT,
        "study.yaml": "defaults: [config, override dataset: toy_moons, _self_]\nseed: 5\n",
    }
    for name, text in files.items():
        path = here / "mine" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return here / "mine"


def seeds(top):
    return {path.parent.name: yaml.safe_load(path.read_text())["seed"] for path in top.rglob("config.yaml")}


def test_the_jobs_of_a_sweep_keep_their_numbered_folders_when_it_grows(command, here):
    assert command(*FAST, "-m", "hydra.sweep.subdir=${hydra.job.num}", "seed=1,2").code == 0
    assert seeds(here / "runs") == {"0": 1, "1": 2}
    (here / "runs" / "0" / "metrics.json").unlink()
    grown = ("-m", "hydra.sweep.subdir=${hydra:job.num}", "seed=1,2,3")
    assert "3 jobs: 1 finished, 1 to resume, 0 to retry, 1 new" in command(*FAST, *grown).errors
    assert seeds(here / "runs") == {"0": 1, "1": 2, "2": 3}


def test_a_job_may_be_called_by_its_overrides_and_use_its_number(command, here):
    name = "hydra.sweep.subdir=${hydra.job.override_dirname}"
    exclude = "hydra.job.config.override_dirname.exclude_keys=[" + ",".join(o.split("=")[0] for o in FAST) + "]"
    sweep = (*FAST, "-m", "detector.variance=0.5,0.25", "seed=${hydra:job.num}", "hydra.sweep.dir=mine", name, exclude)
    assert command(*sweep).code == 0
    assert sorted(seeds(here / "mine").values()) == [0, 1]
    assert all("detector.variance" in folder for folder in seeds(here / "mine"))
    assert "2 jobs: 0 done, 2 skipped" in command(*sweep).output


def test_in_a_folder_of_the_job_relative_paths_start_where_the_command_does(command, here):
    into = ("hydra.job.chdir=true", "device=cpu", "logger=none")
    data = (*TOY[:6], "detector=pca", "dataset=arrays", "dataset.path=rows.npz", "protocol=novelty")
    assert command(*data, *into, "hydra.run.dir=mine/${hydra.job.name}").code == 0
    assert "1 jobs: 1 done" in command(*data, *into, "-m", "runs=mine/sweep").output
    assert "1 jobs: 0 done, 1 skipped" in command(*data, *into, "-m", "runs=mine/sweep").output
    (run,) = (path.parent for path in here.glob("mine/*/metrics.json"))
    place = run.relative_to(here)
    assert command("task=score", *into, f"score.run={place}", "score.input=new.npy").code == 0
    assert len((here / "scores.csv").read_text().splitlines()) == 6
    assert "2 runs in" in command("task=list", *into, "runs=mine", "list.csv=list.csv").output
    assert command("task=report", *into, "report.folders=[mine]", "report.output=page", "report.pictures=0").code == 0
    assert sorted(path.name for path in here.iterdir()) == [
        *("list.csv", "mine", "new.npy", "page", "rows.npz", "runs", "scores.csv")
    ]
    assert not list((here / "runs").rglob("*.json")), "Hydra only makes it as the folder of the other tasks"


def test_a_users_own_experiment_and_detector(command, own):
    mine = ("--config-dir", own, "experiment=mine", "detector=mine")
    outcome = command(*mine, "runs=a", "-m", "detector.variance=0.25,0.5")
    assert outcome.code == 0
    assert "2 jobs: 2 done" in outcome.output
    for path in (own.parent / "a").rglob("run.json"):
        assert json.loads(path.read_text())["choices"]["detector"] == "mine"
    again = command(
        "experiment=mine", "--config-dir", own, "detector=mine", "detector.variance=0.5", "runs=a"
    )  # a flag in between
    assert again.errors[0].startswith("already finished")


def test_mistakes_in_a_users_own_options_are_one_line(command, own):
    mine = ("--config-dir", own, "experiment=mine", "detector=mine")
    check_line(command(*mine, "detector.varance=1"), "no setting 'detector.varance' .did you mean 'detector.variance'")
    check_line(command(*mine, "boundary.muu=1"), "no setting 'boundary.muu' .did you mean 'boundary.mu'")
    check_line(command("-cd", own, "detector=min"), "no detector 'min' .did you mean 'mine'")
    (own / "experiment" / "mine.yaml").write_text("# @package _global_\ndefaults: [override /budget: smoke]\n")
    check_line(command(*mine), "experiment/mine.yaml cannot choose an option of 'budget'", "on the command line")
    (own / "experiment" / "mine.yaml").write_text("# @package _global_\ndefaults: [override /detector: mine]\n")
    check_line(command(*mine[:3]), "experiment/mine.yaml cannot choose an option of 'detector'", "on the command line")


def test_help_of_a_users_own_option(command, own, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    outcome = command("--config-dir", own, "--help", "detector=mine", "experiment")
    assert (outcome.code, outcome.errors) == (0, [])
    assert re.search(r"detector=mine +The fewest components", outcome.output)
    assert re.search(r"variance +0\.25 +above 0", outcome.output)
    assert "experiment=mine" in outcome.output
    assert "experiment=toy" in outcome.output


def test_a_configuration_that_builds_on_ours_has_all_of_it(command, own):
    mine = ("--config-dir", own, "-cn", "study")
    shown = yaml.safe_load(command(*mine, "--cfg", "job", "--resolve").output)
    assert (shown["seed"], shown["dataset"]["_target_"].split(".")[-1]) == (5, "moons")
    assert command(*mine, *FAST[:6], "detector=pca", "protocol=novelty", "sweep=seeds", "seed=6").code == 0
    assert sorted(seeds(own.parent / "runs")) == ["seed_6"]
    check_line(command(*mine, "boundary.muu=1"), "did you mean 'boundary.mu'")
    check_line(command("-cn", "studdy"), "there is no configuration 'studdy'")


def test_info_defaults_names_every_option_that_is_chosen(command):
    outcome = command("--info", "defaults", "experiment=toy", "ablation=no_distance")
    assert outcome.code == 0
    for option in ("experiment/toy", "ablation/no_distance", "hydra/job_logging/omasgan"):
        assert re.search(rf"^\| {option} ", outcome.output, re.MULTILINE)


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_completion_installed_as_the_help_says(command, tmp_path):
    (install,) = re.findall(r'^ +(eval "\$\(omasgan .*\)")', command("--help").output, re.MULTILINE)
    program = tmp_path / "omasgan"
    program.write_text(f"#!{sys.executable}\nfrom omasgan.__main__ import main\nmain()\n")
    program.chmod(0o755)
    words = "omasgan sweep=mu_"
    typed = f"COMP_LINE='{words}' COMP_POINT={len(words)} COMP_CWORD=1"  # as bash sets them when Tab is typed
    function = "$(complete -p omasgan | grep -o '[a-z_]*completion')"
    script = f'PATH="{tmp_path}:$PATH"; {install}; {typed}; {function}; echo "${{COMPREPLY[@]}}"'
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("sweep=mu_nu_beta", "")
