"""metrics.json: what a run writes is what is read, also of earlier versions; a figure's name says its split."""

import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from omasgan.errors import UserError
from omasgan.evaluation.objective import Objective, flat, metric_key, nested, parse_key
from omasgan.runs import folder as runs
from omasgan.runs import results

METRICS = {"full": {"auroc": 0.75, "auprc": 0.5}, "pca": {"auroc": 0.5, "auprc": 0.25}}
WORDS = st.text(st.characters(codec="utf-8", exclude_characters="/"), min_size=1)


@given(st.sampled_from(["test", "pseudo"]), WORDS, WORDS, WORDS)
def test_a_figures_name_says_its_split_metric_and_term(split, metric, term, other):
    assert parse_key(metric_key(split, metric, term)) == (split, metric, term)
    figures = {term: {metric: 0.5}, f"{term}/{other}": {metric: 1.0}}
    assert nested(flat(split, figures)) == figures


@pytest.mark.parametrize(
    "name", ["", "auroc", "full/auroc", "train/auroc/full", "test/auroc", "test/auroc/", "test//j"]
)
def test_another_name_is_refused(name):
    with pytest.raises(UserError, match="test or pseudo, such as test/auroc/full"):
        parse_key(name)


@pytest.mark.parametrize(
    "objective", [Objective("test", ("1", "4"), 7, 3), Objective("pseudo", ("8",), 5, 5), Objective("test", (), 9, 0)]
)
def test_what_is_written_is_read(tmp_path, objective):
    metrics = METRICS if objective.n_abnormal else {}
    (tmp_path / "metrics.json").write_text(json.dumps(results.content(metrics, objective)))
    assert runs.result(tmp_path) == results.Result(metrics, objective)


@pytest.mark.parametrize(
    ("choice", "protocol", "expected"),
    [
        ("loo", {"abnormal_class": 3}, Objective("test", ("3",), 90, 10)),
        ("loo", {"abnormal_class": "cat"}, Objective("test", ("cat",), 90, 10)),
        ("occ", {"normal_class": "cat"}, Objective("test", (), 90, 10)),
        ("pseudo_loo", {"abnormal_class": 3, "pseudo_class": 8}, Objective("pseudo", ("8",), 90, 10)),
        ("pseudo_loo", {"abnormal_class": 3, "pseudo_class": None}, Objective("pseudo", (), 90, 10)),
        ("novelty", {}, Objective("test", (), 90, 10)),
    ],
)
def test_the_objective_of_an_earlier_version_follows_from_the_protocol(tmp_path, choice, protocol, expected):
    old = {term: {**values, "n_normal": 90, "n_abnormal": 10} for term, values in METRICS.items()}
    (tmp_path / "metrics.json").write_text(json.dumps({"metrics": old, "seconds": {}}))
    (tmp_path / "run.json").write_text(json.dumps({"choices": {"protocol": choice}}))
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"protocol": protocol}))
    assert runs.result(tmp_path) == results.Result(METRICS, expected)


@pytest.mark.parametrize("text", ["", "{}", '{"metrics": {"full": 1}}', '{"metrics": {"a/auroc/b": 1}}', "[]"])
def test_a_damaged_file_has_no_result(tmp_path, text):
    (tmp_path / "metrics.json").write_text(text)
    assert runs.result(tmp_path) is None
    assert runs.main_figure(tmp_path) is None


def test_what_a_detector_costs_is_read_and_unknown_in_earlier_versions():
    assert results.cost({}) == results.Cost()
    written = {"training_seconds": 12.5, "scoring_seconds": None, "parameters": 9}
    assert results.cost(json.loads(json.dumps({"cost": written}))) == results.Cost(12.5, None, 9)
    for damaged in ({"parameters": "many"}, [], 3):
        with pytest.raises((AttributeError, TypeError, ValueError)):
            results.cost({"cost": damaged})
