"""Sweeps: what Python finds out about them, and their figures in a browser."""

import re
from statistics import fmean, stdev

import optuna
import pytest
from omegaconf import OmegaConf
from scipy import stats

from omasgan.commands import report
from omasgan.configuration.identity import option_names
from omasgan.report.configurations import flatten
from omasgan.report.defaults import defaults_of
from omasgan.report.folders import Run
from omasgan.report.significance import LEVEL
from omasgan.report.sweep_analysis import p_against, rank, variants_of
from omasgan.report.sweeps import sweeps
from omasgan.runs.search_journal import storage

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

ONE = [0.005, 0.02, 0.08, 0.3]
"""Values of mu in the sweep over one setting; the default is 0.02."""

THREE = [{"mu": mu, "nu": nu, "beta": beta} for mu in (0.01, 0.1) for nu in (0.1, 0.3) for beta in (0.35, 0.7)]
TRIALS = 10
PRUNED = (3, 6)


def composed_run(composed, *overrides):
    cfg = composed(*overrides, hydra=True)
    choices = option_names(cfg, cfg.hydra.runtime.choices)
    config = OmegaConf.to_container(OmegaConf.masked_copy(cfg, [k for k in cfg if k != "hydra"]), resolve=True)
    return Run(folder=".", state="done", choices={k: str(v) for k, v in choices.items()}, config=config)


def test_the_defaults_are_those_of_the_chosen_options(composed):
    changed = ["boundary.mu=0.3", "retraining.beta=0"]
    runs = [composed_run(composed, "experiment=quickstart", *changed, f"divergence={name}") for name in ("gan", "kl")]
    found = defaults_of(runs)
    assert (found["boundary.mu"], found["retraining.beta"], found["divergence"]) == (0.02, 0.7, "gan")
    same = {**flatten(runs[0]), "boundary.mu": 0.02, "retraining.beta": 0.7}
    assert found == same, "an experiment's own values are defaults, too"


def test_options_of_another_program_have_no_defaults(composed):
    run = composed_run(composed)
    assert defaults_of([Run(".", "done", {**run.choices, "boundary": "mine"}, run.config)]) == {}


@pytest.fixture(scope="module")
def studies(tmp_path_factory, fake):
    """Sweeps over one setting (two seeds) and over three (one class missing), and a search of which two were pruned."""
    top = tmp_path_factory.mktemp("studies")

    def write(cls, seed, lift, **more):
        fake.write(top / "runs", cls, seed, table=fake.scores(cls, 120, seed, lift), **more)

    for mu in ONE:
        for cls in (0, 1):
            for seed in (0, 1):
                write(cls, seed, lift=3 * mu * (1 + seed) - mu * mu * 10, mu=mu)
    for place, weights in enumerate(THREE):
        for cls in (0, 1)[: 1 if place == 7 else 2]:
            write(cls, 0, lift=5 * weights["mu"] + weights["beta"], choices={"dataset": "digits"}, **weights)
    journal = top / "runs" / "search" / "digits_pseudo_loo.journal"
    journal.parent.mkdir()
    sampler = optuna.samplers.RandomSampler(seed=0)
    name = journal.stem
    study = optuna.create_study(storage=storage(journal), sampler=sampler, study_name=name, direction="maximize")
    study.set_user_attr("objective", "mean pseudo/auroc/full")
    for number in range(TRIALS):
        trial = study.ask()
        mu, nu = (trial.suggest_float(f"boundary.{name}", 0.01, 1, log=True) for name in ("mu", "nu"))
        search = {"journal": str(journal), "study": name, "trial": number}
        for cls in (0, 1)[: 1 if number in PRUNED else 2]:
            choices = {"dataset": "digits", "protocol": "pseudo_loo"}
            write(cls, 0, lift=mu, choices=choices, search=search, mu=mu, nu=nu)
        if number in PRUNED:
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        else:
            study.tell(trial, mu)
    return top


def test_a_grid_has_main_effects_and_a_search_has_importances(studies, read):
    study = read(studies / "runs").study
    found = {(study.settings[one.setting].dataset, study.settings[one.setting].split): one for one in sweeps(study)}
    grid, search = found["digits", "test"], found["digits", "pseudo"]
    effects = {key: share for key, _, share in grid.effects["auroc"][""]}
    assert set(effects) == {"boundary.mu", "boundary.nu", "retraining.beta"}
    assert effects["boundary.nu"] < min(effects["boundary.mu"], effects["retraining.beta"])
    assert not grid.grid, "one of the eight lacks a class"
    assert grid.defaults == {"boundary.mu": 0.02, "boundary.nu": 0.1, "retraining.beta": 0.7}
    assert set(search.importances) == {"boundary.mu", "boundary.nu"}
    assert sum(search.importances.values()) == pytest.approx(1)
    assert search.importances["boundary.mu"] > 0.8
    assert (search.objective, search.effects) == ("mean pseudo/auroc/full", {})


@pytest.fixture(scope="module")
def swept(studies, settings, opener):
    """The page of all three, and a function that shows one of them."""
    report.write(settings(str(studies / "runs"), studies / "out"))
    tab = opener(studies / "out")

    def show(label):
        tab.select_option("#setting", label=label)
        return tab

    yield show
    opener.check()


def visible(tab):
    return {figure.get_attribute("id") for figure in tab.locator("#sweeps figure:visible").all()}


def test_one_setting_is_a_line_with_intervals_over_seeds(swept, studies, read):
    tab = swept("mnist loo, on the test split")
    assert visible(tab) == {"sweep-line"}
    assert tab.locator("#fig-line .js-line").count() == 2 + 1, "two classes and the mean"
    assert tab.locator("#fig-line").inner_text().count("default 0.02") == 1
    assert "logarithmic" in tab.locator("#fig-line").inner_text()
    assert "protocol=pseudo_loo chooses without looking" in tab.locator("#sweeps-warning").inner_text()
    points = tab.evaluate("sweepPoints().points.map((p) => [p.method.varied['boundary.mu'], p.mean, p.half])")
    study = read(studies / "runs").study
    for mu, mean, half in points:
        method = next(m for m in study.methods if m.main and m.varied == {"boundary.mu": mu} and not m.baseline)
        seeds = [fmean(study.by_seed(method, cls, "auroc")[seed] for cls in "01") for seed in (0, 1)]
        assert mean == pytest.approx(fmean(seeds), abs=1e-6)
        assert half == pytest.approx(stats.t.ppf(0.975, 1) * stdev(seeds) / 2**0.5, abs=2e-5)


def test_three_settings_are_parallel_coordinates_that_filter(swept):
    tab = swept("digits loo, on the test split")
    assert visible(tab) == {"sweep-map", "sweep-importance", "sweep-parallel"}
    assert "lacks 1" in tab.locator("#sweeps-caption").inner_text()
    assert "2 runs of each are too few" in tab.locator("#sweep-more").inner_text(), "six others need nine"
    rows = tab.locator("#sweep-table tbody tr")
    playwright.expect(rows).to_have_count(7)
    tab.select_option("#min-boundary\\.mu", label="0.1")
    playwright.expect(rows).to_have_count(3)
    assert {row.locator("th").inner_text() for row in rows.all()} == {"0.1"}
    playwright.expect(tab).to_have_url(re.compile("min-boundary.mu=0.1"))
    address = tab.evaluate("location.hash")
    tab.click("#axes-clear")
    playwright.expect(rows).to_have_count(7)
    playwright.expect(tab).not_to_have_url(re.compile("min-boundary.mu"))
    tab.evaluate("(address) => { location.hash = address; }", address)
    playwright.expect(rows).to_have_count(3)
    tab.click("#axes-clear")
    tab.locator("#fig-parallel").scroll_into_view_if_needed()
    where = tab.evaluate(
        """() => {
          const box = $("fig-parallel").getBoundingClientRect();
          const { xaxis, yaxis } = $("fig-parallel")._fullLayout;
          const at = (x, y) => [box.left + xaxis._offset + xaxis.d2p(x), box.top + yaxis._offset + yaxis.d2p(y)];
          return [at(1, 1.04), at(1, 0.7), at(1, 0.3)];
        }"""
    )
    tab.mouse.move(*where[0])
    tab.mouse.down()
    tab.mouse.move(*where[1])
    tab.mouse.up()
    playwright.expect(rows).to_have_count(3)
    assert {row.locator("td").first.inner_text() for row in rows.all()} == {"0.3"}
    tab.mouse.click(*where[2])
    playwright.expect(rows).to_have_count(7)


def test_the_page_and_the_end_of_a_sweep_test_alike(swept, studies, read):
    tab = swept("digits loo, on the test split")
    study = read(studies / "runs").study
    number = next(n for n, where in enumerate(study.settings) if (where.dataset, where.split) == ("digits", "test"))
    ranking = rank(variants_of(study, number))
    means, p = tab.evaluate("[sweepPoints().points.map((p) => p.mean), againstBest(sweepPoints().points)]")
    assert means == pytest.approx([row.mean for row in ranking.rows], abs=1e-6)
    assert p[1:] == pytest.approx(p_against(ranking)[1:])


def test_a_search_is_shown_as_optunas_users_know_it(swept):
    tab = swept("digits pseudo_loo, on pseudo-anomalies, held out of the training split")
    assert visible(tab) == {"sweep-map", "sweep-history", "sweep-importance"}
    assert tab.locator("#sweeps-warning").is_hidden(), "nothing was chosen on the test split"
    assert tab.locator("#fig-map .contourlayer path").count() > 0
    assert tab.locator("#fig-history .scatterlayer .point").count() == TRIALS, "eight dots and two crosses"
    assert "2 trials without all classes" in tab.locator("#cap-history").inner_text()
    best = tab.evaluate("$('fig-history').data.find((trace) => trace.name === 'best so far').y")
    assert best == sorted(best)
    assert tab.locator("#fig-importance .point").count() == 2
    assert "mean pseudo/auroc/full" in tab.locator("#cap-importance").inner_text()


def test_colours_never_span_less_than_the_noise_over_seeds(swept):
    tab = swept("mnist loo, on the test split")
    code = """(means) => {
      const points = means.map((mean) => ({ mean, deviation: 0.01, n: 3 }));
      const range = colourRange(points, points);
      return [range.low, range.high, range.widened];
    }"""
    noise = 2 * stats.t.ppf(1 - LEVEL / 2, 4) * 0.01 / 3**0.5
    low, high, widened = tab.evaluate(code, [0.7, 0.701])
    assert (high - low, widened) == (pytest.approx(noise), True)
    assert (low + high) / 2 == pytest.approx(0.7005)
    assert tab.evaluate(code, [0.5, 0.9]) == [0.5, 0.9, False]


@pytest.mark.parametrize(
    ("values", "geometric"),
    [([0.01, 0.02, 0.05, 0.1], True), ([0, 0.1, 1, 10], True), ([1, 2, 3, 4], False), ([-1, 1, 10], False)],
)
def test_values_are_geometric_where_their_logarithms_are_spaced_more_evenly(swept, values, geometric):
    assert swept("mnist loo, on the test split").evaluate("isGeometric", values) == geometric


def test_a_setting_that_follows_from_another_is_no_axis(swept):
    tab = swept("mnist loo, on the test split")
    assert tab.evaluate("follows([1, 1, 2], ['mlp', 'mlp', 'dcgan'])")
    assert not tab.evaluate("follows([1, 2, 2], ['mlp', 'mlp', 'dcgan'])")
