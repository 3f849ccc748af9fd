"""What a sweep ends with."""

import csv
import itertools
import math
import re
import shlex
from functools import partial
from pathlib import Path

import pytest

from omasgan.report.folders import Run
from omasgan.report.sweep_analysis import Variant, rank
from omasgan.sweeps import ranking_text
from omasgan.sweeps.conclusion import conclude
from omasgan.sweeps.jobs import SweepJob
from omasgan.text import CHOSEN_ON_TEST
from tests.sweeps.made_up import made_up

pytestmark = pytest.mark.usefixtures("no_pictures")

QUICK = ("experiment=quickstart", "budget=smoke", "logger=none", "device=cpu", "baselines=cheap")


def table_rows(text, first):
    """The rows of the table whose header begins with this word, by their first cell."""
    lines = text[re.search(rf"^ *{first} ", text, re.M).start() :].split("\n\n")[0].splitlines()
    header, body = lines[0].split(), [line.split() for line in lines[2:] if re.match(r" *[\d.]", line)]
    return header, body


def test_a_sweep_that_is_stopped_and_continued_ends_with_an_answer(command, composed, tmp_path, monkeypatch):
    def lift(config):
        if config["boundary"]["mu"] == 0.1 and not stopped:
            stopped.append(True)
            raise KeyboardInterrupt
        return 0.1 * (config["boundary"]["mu"] == 1)

    stopped = []
    made_up(monkeypatch, lift)
    sweep = ("-m", *QUICK, f"runs={tmp_path}", "boundary.mu=1,0.1", "protocol=pseudo_loo")
    outcome = command(*sweep)
    assert outcome.code == 130
    assert "2 jobs: 1 done, 0 skipped, 0 failed, 1 interrupted" in outcome.output
    assert "no finished run: mu=0.1" in outcome.output
    assert outcome.errors[-1] == f"omasgan: interrupted; continue with: omasgan {shlex.join(sweep)}"

    outcome = command(*sweep)
    assert outcome.code == 0
    assert "digits pseudo_loo: AUROC of full on pseudo-anomalies, held out of the training split\n" in outcome.output
    assert "mean over 10 runs (10 classes, 1 seed); the best baseline is PCA" in outcome.output
    header, body = table_rows(outcome.output, "mu")
    assert " ".join(header) == "mu full Task 1 Task 3 J divergence distance PCA p"
    assert [row[0] for row in body] == ["1", "0.1"]
    assert "within the noise of the best: no other setting (p >= 0.05 by Wilcoxon's" in outcome.output
    assert re.search(r"^mu +\.\d{3} +0.1: \.\d{3}, 1: \.\d{3}$", outcome.output, re.M)
    assert CHOSEN_ON_TEST not in outcome.output

    target = Path(re.search(r"a row for each run: (.*)", outcome.output)[1])
    rows = list(csv.DictReader(target.open(newline="")))
    assert len(rows) == 20
    assert {row["boundary.mu"] for row in rows} == {"0.1", "1"}
    line = re.search(r"final run, on the test split:\n  omasgan (.*)", outcome.output)[1]
    final = composed(*shlex.split(line), hydra=True)
    assert (final.boundary.mu, final.hydra.runtime.choices.protocol) == (1, "loo")
    assert (final.budget.task1, final.logger) == (4, {})


def test_the_final_run_of_a_search_has_what_its_definition_sets(command, composed, tmp_path, monkeypatch):
    made_up(monkeypatch, lambda config: -abs(math.log10(config["boundary"]["mu"] / 0.03)) / 10)
    search = ("sweep=search", "logger=none", "device=cpu", "budget=smoke", f"runs={tmp_path}", "hydra.sweeper.trials=2")
    outcome = command(*search, "hydra/launcher=basic")
    assert outcome.code == 0
    assert re.search(r"^importance \(functional ANOVA over 2 complete trials\): \w+ \d+ %, ", outcome.output, re.M)
    header, body = table_rows(outcome.output, "mu")
    values = [float(row[header.index("full")]) for row in body]
    assert values == sorted(values, reverse=True)
    line = re.search(r"final run, on the test split:\n  omasgan (.*)", outcome.output)[1]
    assert not re.search("sweep|baselines|hydra|search\\.", line)
    final = composed(*shlex.split(line), hydra=True)
    assert str(final.hydra.runtime.choices.protocol) == "loo"
    assert (final.hydra.runtime.choices.experiment, final.protocol.abnormal_class) == ("quickstart", 0)
    assert f"{final.boundary.mu:.4g}" == body[0][0]


def job(folder, **values):
    keys = {"data": "dataset", "mu": "boundary.mu", "detector": "detector"}
    named = {keys[key]: str(value) for key, value in values.items()}
    return SweepJob(tuple(f"{key}={value}" for key, value in named.items()), folder, named)


def end(jobs, top, **options):
    return conclude(jobs, top, None, lambda best: f"run {best.label}", **options)


def test_data_sets_are_ranked_apart_and_each_has_its_best_setting(fake, tmp_path):
    jobs = []
    for data, best in (("mnist", 0.1), ("kmnist", 0.2)):
        for mu, cls in itertools.product((0.1, 0.2), range(2)):
            table = fake.scores(cls, 400, 0, lift=2 * (mu == best))
            jobs.append(job(fake.write(tmp_path, cls, table=table, choices={"dataset": data}, mu=mu), data=data, mu=mu))
    text = end(jobs, tmp_path)
    assert [block.splitlines()[0].split(":")[0] for block in text.split("\n\n") if " loo:" in block] == [
        "kmnist loo",
        "mnist loo",
    ]
    assert "run dataset=mnist boundary.mu=0.1" in text
    assert "run dataset=kmnist boundary.mu=0.2" in text
    one = end([each for each in jobs if each.values["boundary.mu"] == "0.1"], tmp_path)
    assert "run " not in one.replace("each run", "")
    assert CHOSEN_ON_TEST not in one, "data sets are compared, not chosen"


def test_pruned_trials_are_in_the_table_of_runs_only(fake, tmp_path):
    jobs = [job(fake.write(tmp_path, 0, mu=mu), mu=mu) for mu in (0.1, 0.2, 0.3)]
    text = end(jobs, tmp_path, unranked={jobs[2].folder})
    assert [row[0] for row in table_rows(text, "mu")[1]] != []
    assert "0.3" not in text
    assert "0.3" in next(tmp_path.rglob("runs.csv")).read_text()


def test_nothing_is_said_of_a_sweep_without_runs(tmp_path):
    assert end([job(tmp_path / "a", mu=1)], tmp_path) == ""


CELLS = list(itertools.product("abcd", range(3)))


def ranking(lifts, cells=CELLS, skip=0, **terms):
    """A ranking of settings of mu, the last of which lacks its first `skip` runs."""
    variants = []
    for number, (mu, lift) in enumerate(lifts.items()):
        have = cells[skip:] if number == len(lifts) - 1 else cells
        spread = {cell: 0.001 * (-1) ** (place + number) for place, cell in enumerate(have)}
        runs = {c: Run(Path("a"), "done", metrics={"full": {"auroc": 0.7 + lift + spread[c]}, **terms}) for c in have}
        variants.append(Variant({"boundary.mu": mu}, runs))
    return rank(variants)


def test_what_noise_cannot_tell_apart_is_named():
    some = ranking({"0.1": 0.1, "1": 0.1005, "10": 0.0})
    assert re.match(r"within the noise of the best: 1 of 2 other settings, mu=0.1 \(p >= 0.05", noise(some))
    assert "paired over the same 12 runs (4 classes, 3 seeds)" in noise(some)
    assert noise(ranking({"0.1": 0.1, "1": 0.1})).startswith("within the noise of the best: all others")
    assert noise(ranking({"0.1": 0.1, "1": 0.0})).startswith("within the noise of the best: no other setting")
    few = ranking({"0.1": 0.1, "1": 0.0}, CELLS[:5])
    assert "5 pairs of runs are too few to tell 2 settings apart" in noise(few)
    assert " p" not in ranking_text.ranking_table(few).splitlines()[0]


noise = ranking_text.noise_text


def test_a_setting_that_lacks_runs_is_not_ranked_but_told():
    lacking = ranking({"0.1": 0.1, "1": 0.0, "10": 0.9}, skip=10)
    assert [line.split()[0] for line in ranking_text.ranking_table(lacking).splitlines()[2:]] == ["0.1", "1"]
    assert ranking_text.left_out_text(lacking) == "not ranked: mu=10 lacks a seed 0, a seed 1, a seed 2 and 7 more"


def test_of_many_settings_the_best_are_shown_and_numbers_are_short():
    many = ranking({f"0.{n:016}": n / 1000 for n in range(1, 41)})
    lines = ranking_text.ranking_table(many).splitlines()
    assert len(lines) == 2 + ranking_text.ROWS
    assert lines[2].split()[0] == "4e-15"
    assert "10 more settings are in runs.csv" in ranking_text.caption(many)


def test_effects_of_several_parameters_have_shares_and_a_warning_without_a_grid():
    values = {("0.1", "a"): 0.1, ("0.1", "b"): 0.11, ("1", "a"): 0.2, ("1", "b"): 0.21}
    make = partial(Run, Path("a"), "done")
    variants = [
        Variant({"boundary.mu": mu, "divergence": d}, {("x", 0): make(metrics={"full": {"auroc": lift}})})
        for (mu, d), lift in values.items()
    ]
    text = ranking_text.effects_text(rank(variants))
    assert re.search(r"^mu +\.100 +99 % +0.1: \.105, 1: \.205$", text, re.M)
    assert "mixed" not in text
    assert "mixed" in ranking_text.effects_text(rank(variants[:3]))
