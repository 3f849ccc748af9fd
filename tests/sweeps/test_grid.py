"""Sweeps: the definitions, and the books that a sweep keeps."""

import re
from pathlib import Path

import numpy as np
import pytest
import yaml
from hydra.core.plugins import Plugins

from omasgan.configuration.checks import check
from omasgan.configuration.schema import FOLDER, SWEEPS
from omasgan.evaluation.scores import ScoreTable
from omasgan.runs import folder as runs
from omasgan.runs.lock import HeldError, locked
from omasgan.sweeps import jobs as books
from tests.sweeps.tiny import TINY, TOY

pytestmark = pytest.mark.usefixtures("no_pictures")

DEFINITIONS = sorted(path.stem for path in SWEEPS.glob("sweep/*.yaml"))
README = (SWEEPS / "README.md").read_text()
NAMED = ["mu_nu_beta", "divergences", "ablation_per_task", "loo_all_classes", "occ_all_classes", "seeds"]
NAMED += ["architectures", "lambda", "delta_density", "mixing_range", "search", "rivals"]
DETECTORS = sorted(path.stem for path in (FOLDER / "detector").glob("*.yaml"))


@pytest.fixture
def jobs(monkeypatch):
    """The jobs that a command line with a sweep stands for, as its sweeper lists them; none of them is run."""
    found = {}

    def stop(context, task_function, config, params, arguments, *_):
        found["config"], found["params"] = config, params
        found["jobs"] = books.listed(context, config, books.parse(context, params, arguments))
        return []

    monkeypatch.setattr("omasgan.sweeps.grid.sweep", stop)
    return found


def test_every_sweep_that_is_promised_is_there_and_in_the_readme():
    assert sorted(NAMED) == DEFINITIONS
    rows = re.findall(r"\| `omasgan sweep=(\w+)` \| .+\? \| (\d+|one a detector)", README)
    assert sorted(name for name, _ in rows) == DEFINITIONS


@pytest.mark.parametrize("name", [name for name in DEFINITIONS if name != "search"])
def test_a_definition_stands_for_as_many_jobs_as_the_readme_says(command, composed, jobs, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # from anywhere
    outcome = command(f"sweep={name}", f"runs={tmp_path}/runs", "budget=smoke")
    assert (outcome.code, outcome.errors) == (0, [])
    said = re.search(rf"sweep={name}` .*\| (.+) \|", README)[1]
    expected = len(DETECTORS) if said == "one a detector" else int(said)
    assert len(jobs["jobs"]) == expected, "each in a folder of its own"
    assert len({job.label for job in jobs["jobs"]}) == expected
    content = yaml.safe_load((SWEEPS / "sweep" / f"{name}.yaml").read_text())
    keys = content["hydra"]["sweeper"]["params"]
    if name == "rivals":
        assert [job.values["detector"] for job in jobs["jobs"]] == DETECTORS, "those of the user, too"
    for job in jobs["jobs"]:
        assert [override.split("=")[0] for override in job.label.split()] == list(keys)
    for job in (jobs["jobs"][0], jobs["jobs"][-1]):
        cfg = composed(*job.overrides)
        check(cfg)
        assert cfg.budget == composed("budget=smoke").budget, "the command line wins"


def test_a_sweep_can_be_widened_and_crossed_on_the_command_line(command, jobs):
    command("sweep=seeds", "seed=0,1,2,3,4,5,6")
    assert len(jobs["jobs"]) == 7
    command("sweep=seeds", "divergence=gan,kl", "experiment=mnist_loo", "protocol.abnormal_class=3")
    assert len(jobs["jobs"]) == 10
    assert {job.folder.relative_to(Path("runs").absolute()).parts[0] for job in jobs["jobs"]} == {"mnist_loo"}
    command("sweep=seeds", "seed=3")
    assert [job.label for job in jobs["jobs"]] == ["the one job"]


@pytest.mark.parametrize(
    ("override", "values"),
    [
        ("seed=range(1,4)", ["1", "2", "3"]),
        ("seed=choice(3,1)", ["3", "1"]),
        ("divergence=glob(*kl*,exclude=kl_*)", ["kl", "reverse_kl"]),
        ('runs="a, b (c)","d=e"', ["a, b (c)", "d=e"]),
    ],
)
def test_the_functions_of_hydra_and_quoted_values(command, composed, jobs, override, values):
    assert command("-m", *TOY, override).code == 0
    key = override.partition("=")[0]
    assert [job.values[key].strip('"') for job in jobs["jobs"]] == values
    if key in ("seed", "runs"):
        assert [str(composed(*job.overrides)[key]) for job in jobs["jobs"]] == values


def test_what_is_given_twice_is_run_once(command, jobs):
    command("-m", "seed=0,1,1,0", "threads=1,2")
    assert len(jobs["jobs"]) == 2


def test_a_sweep_over_lists_of_parts_has_a_job_for_each_list(command, composed, jobs):
    command("-m", "representation=[visual_words,pca],[contrastive,autoencoder]")
    assert [job.label for job in jobs["jobs"]] == [
        "representation=[visual_words,pca]",
        "representation=[contrastive,autoencoder]",
    ]
    assert len({job.folder for job in jobs["jobs"]}) == 2
    parts = [list(composed(*job.overrides).representation) for job in jobs["jobs"]]
    assert parts == [["visual_words", "pca"], ["contrastive", "autoencoder"]]
    command("-m", "representation=pca,[pca],[visual_words,pca],[pca,visual_words]")
    assert len(jobs["jobs"]) == 3, "a list of one part is that part, and the order of parts counts"
    command("sweep=seeds", "seed=0,1", "representation=[visual_words,pca],pixels", "inference.j_features=sample")
    assert len(jobs["jobs"]) == 4


def test_a_definition_that_does_not_exist(command):
    outcome = command("sweep=mu_nu_bet")
    assert outcome.code == 1
    assert re.search("no sweep 'mu_nu_bet' .did you mean 'mu_nu_beta'", outcome.errors[-1])


@pytest.mark.parametrize("extra", ["slurm", "ray"])
def test_a_launcher_that_is_not_installed(command, extra):
    if any(extra in name.lower() for name in Plugins.instance().class_name_to_class):
        pytest.skip("it is")
    outcome = command("-m", "seed=0,1", f"hydra/launcher={extra}")
    assert outcome.errors == [
        f"omasgan: hydra/launcher={extra} needs a plugin that is not installed: pip install 'omasgan[{extra}]'"
    ]


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        (["-m", "boundary.mu=interval(0,1)"], "is a range to search, but a grid needs values: .* boundary.mu=1,2,3"),
        (["-m", "seed=0,1", "hydra/launcher=pool", "hydra.launcher.jobs=0"], "hydra.launcher.jobs is 0: .* at least 1"),
        (["-m", "seed=0,1", "hydra/launcher=pol"], "no hydra/launcher 'pol' .did you mean 'pool'"),
        (["sweep=search", "protocol=loo"], "protocol is 'loo': a search must not see .* protocol=pseudo_loo"),
        (["sweep=search", "boundary.mu=1", "boundary.nu=1", "retraining.beta=1"], "nothing to search: give a range"),
        (["sweep=search", "boundary.mu=tag(log,interval(0,1))"], r"boundary.mu=.*low.*0"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_sweep_that_cannot_start(command, tmp_path, arguments, fragment):
    outcome = command(*arguments, *TINY, f"runs={tmp_path}")
    assert outcome.code == 1
    assert any(re.search(fragment, line) for line in outcome.errors), outcome.errors
    assert not list(tmp_path.rglob("run.json"))


def rows(outcome):
    """The closing table: label -> (state, score)."""
    lines = [line.split() for line in outcome.output.splitlines()]
    return {line[0]: (line[1], line[2]) for line in lines if len(line) > 2 and "=" in line[0]}


def seed_folder(top, seed):
    (folder,) = top.rglob(f"seed_{seed}")
    return folder


def test_the_same_sweep_again_skips_resumes_retries_and_says_so(command, tmp_path):
    sweep = [f"runs={tmp_path}", *TOY, "-m"]
    first = command(*sweep, "seed=0,1,2")
    assert first.code == 0
    assert "3 jobs: 0 finished, 0 to resume, 0 to retry, 3 new" in first.errors
    assert "\n3 jobs: 3 done, 0 skipped, 0 failed, 0 interrupted\n" in first.output
    assert {label: state for label, (state, _) in rows(first).items()} == dict.fromkeys(
        ["seed=0", "seed=1", "seed=2"], "done"
    )

    before = ScoreTable.load(seed_folder(tmp_path, 1) / "scores.npz")
    finished = seed_folder(tmp_path, 0) / "metrics.json"
    stamp = finished.stat().st_mtime_ns
    (seed_folder(tmp_path, 1) / "metrics.json").unlink()
    (seed_folder(tmp_path, 2) / "metrics.json").unlink()
    (seed_folder(tmp_path, 2) / "failed.json").write_text('{"error": "the disk was full"}')
    second = command(*sweep, "seed=0,1,2,3")
    assert "4 jobs: 1 finished, 1 to resume, 1 to retry, 1 new" in second.errors
    assert {label: state for label, (state, _) in rows(second).items()} == {
        "seed=0": "skipped",
        "seed=1": "done",
        "seed=2": "done",
        "seed=3": "done",
    }
    assert {label: score for label, (_, score) in rows(first).items()}.items() <= {
        label: score for label, (_, score) in rows(second).items()
    }.items()
    assert finished.stat().st_mtime_ns == stamp
    after = ScoreTable.load(seed_folder(tmp_path, 1) / "scores.npz")
    assert all(np.array_equal(before.terms[name], after.terms[name]) for name in before.terms)
    assert not list(tmp_path.rglob("failed.json"))


def test_what_another_process_runs_is_left_to_it_and_is_no_failure(command, tmp_path):
    sweep = [f"runs={tmp_path}", *TOY, "-m"]
    command(*sweep, "seed=0")
    (seed_folder(tmp_path, 0) / "metrics.json").unlink()
    with locked(seed_folder(tmp_path, 0)):
        outcome = command(*sweep, "seed=0,1")
    assert outcome.code == 0
    assert "2 jobs: 0 finished, 0 to resume, 0 to retry, 1 new, 1 running elsewhere" in outcome.errors
    assert {label: state for label, (state, _) in rows(outcome).items()} == {"seed=0": "elsewhere", "seed=1": "done"}
    assert re.search(r"seed=0 .* process \d+@", outcome.output)
    assert not (seed_folder(tmp_path, 0) / "metrics.json").exists()


def test_a_job_that_another_process_claims_meanwhile_is_left_to_it(command, tmp_path, monkeypatch):
    sweep = [f"runs={tmp_path}", *TOY, "-m", "seed=0,1"]
    from omasgan.pipeline import run as pipeline

    plain, holds = pipeline.run, []

    def run(job, *rest):
        if job.config["seed"] == 0:
            holds.append(locked(job.folder))
            holds[0].__enter__()
        return plain(job, *rest)

    monkeypatch.setattr(pipeline, "run", run)
    outcome = command(*sweep)
    holds[0].__exit__(None, None, None)
    assert outcome.code == 0
    assert {label: state for label, (state, _) in rows(outcome).items()} == {"seed=0": "elsewhere", "seed=1": "done"}
    assert not (seed_folder(tmp_path, 0) / "failed.json").exists()


def test_a_single_run_that_another_process_has_ends_in_one_line(command, tmp_path):
    with locked(tmp_path / "run"):
        outcome = command(*TOY, f"hydra.run.dir={tmp_path}/run")
    assert outcome.code == 1
    assert re.search(r"^omasgan: .*/run is being run by process \d+@\S+: wait for it", outcome.errors[-1])


@pytest.fixture
def three_classes(tmp_path):
    """A sweep over all classes of a data set that has the classes a, b and c."""
    y = np.array(["a", "b", "c"]).repeat(40)
    x = np.random.default_rng(0).normal(size=(120, 2))
    np.savez(tmp_path / "three.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    return (*TINY, "dataset=arrays", f"dataset.path={tmp_path}/three.npz", f"runs={tmp_path}/runs", "-m")


def test_the_classes_that_nobody_has_are_run(command, tmp_path, three_classes):
    sweep = three_classes
    assert command(*sweep, "protocol.abnormal_class=a").code == 0
    (first,) = (tmp_path / "runs").rglob("abnormal_a")
    with locked(first.parent / "abnormal_b"):
        outcome = command(*sweep)
    assert re.search("the one job +elsewhere", outcome.output)
    assert outcome.code == 0
    assert runs.state(first.parent / "abnormal_c") == runs.State.DONE
    assert runs.state(first.parent / "abnormal_b") == runs.State.NEW
    assert "1 to resume" in " ".join(command(*sweep).errors)
    assert runs.job_state(first.parent) == runs.State.DONE


def test_of_two_sweeps_that_share_the_classes_of_a_job_the_last_one_finishes_it(command, three_classes, monkeypatch):
    from omasgan.pipeline import run as pipeline

    plain, refused = pipeline.run, []

    def run(job, *rest):
        if job.config["protocol"]["abnormal_class"] == "b" and not refused:
            refused.append(job)
            raise HeldError("the other sweep runs it")
        return plain(job, *rest)

    monkeypatch.setattr(pipeline, "run", run)
    outcome = command(*three_classes)
    assert re.search("the one job +done", outcome.output)
    assert [line.split()[0] for line in outcome.output.splitlines()[3:6]] == ["a", "b", "c"]


def test_a_fault_of_one_job_is_in_its_own_log_and_stops_no_other(command, tmp_path, monkeypatch):
    from omasgan.pipeline import run as pipeline

    plain = pipeline._steps

    def broken(job, *rest):
        if job.config["seed"] == 0:
            raise AttributeError("a fault")
        return plain(job, *rest)

    monkeypatch.setattr(pipeline, "_steps", broken)
    outcome = command(f"runs={tmp_path}", *TOY, "-m", "seed=0,1")
    assert outcome.code == 1
    assert {label: state for label, (state, _) in rows(outcome).items()} == {"seed=0": "failed", "seed=1": "done"}
    assert "a fault" in outcome.output
    for text in ((seed_folder(tmp_path, 0) / name).read_text() for name in ("run.log", "failed.json")):
        assert "Traceback" in text
        assert "a fault" in text
    assert "a fault" not in (seed_folder(tmp_path, 1) / "run.log").read_text()
    assert not any("Traceback" in line for line in outcome.errors)


def test_a_wrong_setting_that_does_not_vary_is_told_once_before_any_job(command, tmp_path):
    outcome = command(f"runs={tmp_path}", *TOY, "boundary.mu=-1", "-m", "seed=0,1,2")
    assert outcome.code == 1
    assert outcome.errors[1:] == ["omasgan: boundary.mu is -1: it must be at least 0"]
    assert not list(tmp_path.iterdir())


def test_a_finished_job_is_skipped_whatever_the_experiment_sets_of_parts_that_are_not_chosen(command, tmp_path):
    chosen = ("experiment=quickstart", "representation=autoencoder", "protocol.abnormal_class=3")
    baselines = ("baselines=none", "+detector@baselines.nearest_embedding=nearest_embedding")
    sweep = ("-m", *chosen, *baselines, "budget=smoke", "logger=none", "device=cpu", f"runs={tmp_path}", "seed=0")
    assert "1 jobs: 1 done" in command(*sweep).output
    assert "1 jobs: 0 done, 1 skipped" in command(*sweep).output


def test_a_finished_job_that_lacks_a_baseline_is_not_skipped(command, tmp_path):
    sweep = ("-m", *TOY, f"runs={tmp_path}", "seed=0,1")
    assert "2 jobs: 2 done" in command(*sweep).output
    assert "2 jobs: 0 done, 2 skipped" in command(*sweep).output
    outcome = command(*sweep, "+detector@baselines.pca=pca")
    assert "2 jobs: 2 done, 0 skipped" in outcome.output
    for path in tmp_path.rglob("metrics.json"):
        assert "pca" in runs.result(path.parent).metrics
    assert "2 jobs: 0 done, 2 skipped" in command(*sweep).output
