"""An experiment may tune the optimisation, the inference and the budget; an option other than `default` replaces them.

An ablation is composed last, so that no experiment undoes it.
"""

import pytest
import yaml
from omegaconf import OmegaConf

from omasgan.configuration.schema import FOLDER

TUNED = ("optimisation", "inference", "budget")
OPTIONS = [(group, path.stem) for group in TUNED for path in (FOLDER / group).glob("*.yaml") if path.stem != "default"]
EXPERIMENTS = sorted(path.stem for path in (FOLDER / "experiment").glob("*.yaml"))
ABLATIONS = sorted(path.stem for path in (FOLDER / "ablation").glob("no_*.yaml"))


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_an_experiment_leaves_the_default_options(composed, experiment):
    choices = composed(f"experiment={experiment}", hydra=True).hydra.runtime.choices
    assert {choices[group] for group in TUNED} == {"default"}


def test_the_default_options_keep_what_an_experiment_tuned(composed):
    cfg = composed("experiment=toy", *(f"{group}=default" for group in TUNED))
    for group in TUNED:
        assert cfg[group] == composed("experiment=toy")[group] != composed()[group]


@pytest.mark.parametrize(
    ("experiment", "tuned"),
    [
        ("toy", {"budget.task2": 6000, "inference.mixing_min": 1.0, "optimisation.r1": 0.1}),
        ("pixels", {"budget.task1": 2000, "inference.lambda_": 4.0, "optimisation.lr_generator": 2e-4}),
        ("mnist_loo_pixels", {"budget.task1": 2000, "inference.density_exponent": 1.0, "inference.lambda_": 4.0}),
        ("upright_objects", {"budget.representation": 3000, "budget.task1": 3000, "inference.auxiliary_weight": 16.0}),
        ("image_folder", {"budget.task1": 700, "inference.lambda_": 4.0, "boundary.N": 256}),
        ("quickstart", {"budget.task1": 700, "inference.lambda_": 1.0, "optimisation.r1": 3.0}),
        ("paper", {"budget.task1": 80000, "inference.divergence_term": "variational", "optimisation.ema": 0.9999}),
    ],
)
def test_an_experiment_has_its_tuned_numbers(composed, experiment, tuned):
    cfg = composed(f"experiment={experiment}")
    assert {key: OmegaConf.select(cfg, key) for key in tuned} == tuned


@pytest.mark.parametrize(("group", "option"), OPTIONS)
def test_another_option_replaces_all_that_an_experiment_tuned(composed, group, option):
    with_it = composed("experiment=toy", f"{group}={option}")
    assert with_it[group] == composed(f"{group}={option}")[group]
    assert with_it[group].keys() == composed()[group].keys(), "it says everything"
    for other in set(TUNED) - {group}:
        assert with_it[other] == composed("experiment=toy")[other]


def test_the_command_line_wins_over_the_option(composed):
    assert composed("experiment=toy", "budget=smoke").budget.task2 == 4
    assert composed("experiment=toy", "budget=smoke", "budget.task2=9").budget.task2 == 9
    assert composed("experiment=toy", "budget.task2=9").budget.task2 == 9


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_no_experiment_undoes_an_ablation(composed, experiment):
    """Of the ablations, those of settings that the experiment changes, and one more."""
    plain, tuned, own = composed(), composed(f"experiment={experiment}"), EXPERIMENTS.index(experiment)
    for number, ablation in enumerate(ABLATIONS):
        ((group, changes),) = yaml.safe_load((FOLDER / "ablation" / f"{ablation}.yaml").read_text()).items()
        if all(tuned[group][key] == plain[group][key] for key in changes) and own % len(ABLATIONS) != number:
            continue
        cfg = composed(f"experiment={experiment}", f"ablation={ablation}")
        for key, value in changes.items():
            assert cfg[group][key] == value
        assert {**cfg[group], **changes} == {**tuned[group], **changes}, "and nothing else"


def test_no_option_undoes_an_ablation(composed):
    for options in (["inference=paper"], ["experiment=fashion_mnist_occ"], ["experiment=paper", "inference=default"]):
        assert composed(*options, "ablation=no_divergence_term").inference.lambda_ == 0
    assert composed("ablation=no_divergence_term", "inference.lambda_=3").inference.lambda_ == 3
