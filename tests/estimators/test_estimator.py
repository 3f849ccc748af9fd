"""The estimators against scikit-learn's conventions, PyOD's, and the command line."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from PIL import Image
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from omasgan import OMASGAN, AnomalyDetector
from omasgan.data.textures import textures
from omasgan.evaluation.scores import ScoreTable

RANDOM = np.random.default_rng(0)
NORMAL = RANDOM.normal(size=(120, 4)).astype(np.float32)
FAR = (RANDOM.normal(size=(20, 4)) + 8).astype(np.float32)
SMALL = {"boundary.N": 16, "boundary.Q": 32, "architecture.width": 16}
QUICK = {"budget": "smoke", "settings": SMALL, "threads": 1}
BY_THE_PAPER = {**SMALL, "inference.j_features": "sample", "inference.divergence_term": "variational"}
"""Without a memory bank, which needs more samples than some of scikit-learn's checks have."""


@pytest.fixture(scope="module")
def fitted():
    return OMASGAN(divergence="kl", mu=0.05, **QUICK).fit(NORMAL)


@pytest.mark.heavy
@pytest.mark.parametrize("convention", [pytest.param("pyod", marks=pytest.mark.slow), "sklearn"])
def test_scikit_learns_own_checks(convention):
    estimator = OMASGAN(convention=convention, **{**QUICK, "settings": BY_THE_PAPER})
    # Networks compute in float32, whose rounding depends on the size of a batch; the check allows 1e-7.
    known = {"check_methods_subset_invariance": "float32"}
    checks = check_estimator(estimator, on_fail=None, expected_failed_checks=known)
    failed = [check for check in checks if check["status"] == "failed"]
    assert {check["check_name"]: str(check["exception"]) for check in failed} == {}


def test_the_sign_of_each_method(fitted):
    x = np.concatenate([NORMAL, FAR])
    scores = fitted.decision_function(x)
    assert scores.shape == (140,)
    assert scores[:120].max() < scores[120:].min(), "higher is more anomalous"
    assert np.array_equal(fitted.score_samples(x), -scores)
    assert np.array_equal(fitted.predict(x), (scores >= fitted.threshold_).astype(int))
    assert fitted.predict(FAR).tolist() == [1] * 20
    assert np.array_equal(fitted.labels_, fitted.predict(NORMAL))
    assert np.array_equal(fitted.decision_scores_, fitted.decision_function(NORMAL))
    assert fitted.score(x, np.r_[np.zeros(120), np.ones(20)]) == 1

    other = OMASGAN(divergence="kl", mu=0.05, convention="sklearn", **QUICK).fit(NORMAL)
    assert np.allclose(other.decision_function(x), fitted.threshold_ - scores)
    assert np.array_equal(other.predict(x), np.where(other.decision_function(x) <= 0, -1, 1))
    assert other.score(x, np.r_[np.ones(120), -np.ones(20)]) == 1


def test_probabilities_and_p_values(fitted):
    probabilities = fitted.predict_proba(np.concatenate([NORMAL, FAR]))
    assert np.allclose(probabilities.sum(axis=1), 1)
    assert np.array_equal(probabilities[:, 0], fitted.p_values(np.concatenate([NORMAL, FAR])))
    assert fitted.p_values(FAR) == pytest.approx(1 / 25), "24 of the 120 rows were held out"


def test_few_new_normal_samples_are_called_anomalous():
    """A rate of at most alpha, on average over data sets; scores of any detector."""
    rates = []
    for seed in range(30):
        random = np.random.default_rng(seed)
        model = AnomalyDetector("pca", alpha=0.1, held_out=0.5).fit(random.normal(size=(78, 4)))
        rates.append(model.predict(random.normal(size=(500, 4))).mean())
    assert np.mean(rates) == pytest.approx(0.1, abs=0.03)


@pytest.mark.parametrize("copy", ["save", "pickle"])
def test_a_copy_from_a_file_gives_the_same_scores(fitted, tmp_path, copy):
    if copy == "save":
        fitted.save(tmp_path / "model.pt")
        assert isinstance(torch.load(tmp_path / "model.pt", weights_only=True), dict)
        other = OMASGAN.load(tmp_path / "model.pt")
    else:
        other = pickle.loads(pickle.dumps(fitted))
    assert np.array_equal(other.decision_function(FAR), fitted.decision_function(FAR))
    assert other.get_params() == fitted.get_params()
    assert other.threshold_ == fitted.threshold_
    assert np.array_equal(other.labels_, fitted.labels_)
    assert other.n_features_in_ == 4


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / "model.pt").write_text("hello")
    with pytest.raises(ValueError, match=r"model.pt cannot be read"):
        OMASGAN.load(tmp_path / "model.pt")


def test_the_command_line_and_python_give_the_same_scores(start, no_pictures, tmp_path):
    x = np.concatenate([NORMAL, FAR])
    np.savez(tmp_path / "rows.npz", x_train=NORMAL, x_test=x, y_test=np.r_[np.zeros(120, int), np.ones(20, int)])
    words = [f"{key}={value}" for key, value in SMALL.items()]
    folder = start("experiment=rows", f"dataset.path={tmp_path}/rows.npz", "budget=smoke", "divergence=kl", *words)
    exact = {"held_out": 0, "precision": "float32", "device": "cpu"}  # the fixture `start` has the latter two
    model = OMASGAN(divergence="kl", budget="smoke", settings=SMALL, **exact).fit(NORMAL)
    table = ScoreTable.load(folder / "scores.npz")
    assert np.array_equal(model.decision_function(x), table.terms["full"])
    for name, term in model.terms(x).items():
        assert np.array_equal(term, table.terms[name]), name

    of_run = OMASGAN.from_run(folder)
    assert np.array_equal(of_run.decision_function(x), table.terms["full"])
    assert np.array_equal(of_run.normal_scores_, np.sort(table.terms["full"][:120]))
    config = yaml.safe_load(of_run.to_config())
    assert config["divergence"] == yaml.safe_load(model.to_config())["divergence"]
    assert config["detector"] == yaml.safe_load(model.to_config())["detector"]


def test_it_is_cloned_searched_and_used_in_a_pipeline():
    x = np.concatenate([NORMAL, FAR])
    y = np.r_[np.zeros(120), np.ones(20)]
    split = [(np.arange(100), np.arange(100, 140))]  # trained on normal samples, scored on pseudo-anomalies, too
    search = GridSearchCV(OMASGAN(**QUICK), {"mu": [0.02, 0.2], "divergence": ["kl", "gan"]}, cv=split, refit=False)
    search.fit(x, y)
    assert len(search.cv_results_["params"]) == 4
    assert search.best_score_ > 0.9
    model = make_pipeline(StandardScaler(), clone(OMASGAN(**QUICK)))
    assert model.fit(NORMAL).predict(FAR).tolist() == [1] * 20


def test_a_table_keeps_the_names_of_its_columns(tmp_path):
    table = pd.DataFrame(NORMAL, columns=["a", "b", "c", "d"])
    model = AnomalyDetector("pca").fit(table)
    assert model.feature_names_in_.tolist() == ["a", "b", "c", "d"]
    with pytest.raises(ValueError, match="feature names"):
        model.predict(table[["b", "a", "c", "d"]])
    model.save(tmp_path / "model.pt")
    assert AnomalyDetector.load(tmp_path / "model.pt").feature_names_in_.tolist() == ["a", "b", "c", "d"]


def test_images_as_an_array_a_tensor_and_a_folder(tmp_path):
    data = textures(train_size=30, test_size=3, size=32)
    settings = {"representation.pixel_patches.size": 32, "representation.pixel_patches.drawn": 500, "dataset.size": 32}
    chosen = {"representation": "pixel_patches", "experiment": "image_folder", "threads": 1}
    for number, image in enumerate(data.train.x):
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(tmp_path / f"{number:02}.png")
    small = {"detector": "nearest_embedding", **chosen, "settings": settings}
    model = AnomalyDetector(**small).fit(tmp_path)
    assert model.anomaly_maps(data.test.x).shape == (15, 32, 32)
    without = {key: value for key, value in settings.items() if key != "dataset.size"}
    for x in (data.train.x, data.train.x.permute(0, 2, 3, 1).numpy()):
        other = AnomalyDetector(**{**small, "settings": without}).fit(x)
        assert np.array_equal(other.decision_function(data.test.x), model.decision_function(data.test.x))
    assert np.array_equal(model.decision_function(tmp_path), model.decision_function(data.train.x))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"detector": "omasgn"}, "no detector 'omasgn'.*did you mean 'omasgan'"),
        ({"mu": -1.0}, "boundary.mu is -1"),
        ({"settings": {"boundary.muu": 1}}, r"boundary\.muu"),
        ({"alpha": 0}, "alpha=0.* above 0"),
        ({"held_out": 0.9}, "held_out=0.9.* from 0 to 0.5"),
        ({"convention": "pyodd"}, "convention='pyodd'.* 'pyod' or 'sklearn'"),
        ({"representation": "visual_words"}, "visual words are for images"),
    ],
)
def test_wrong_parameters_end_in_one_line(parameters, message):
    with pytest.raises(ValueError, match=message) as error:
        AnomalyDetector(**parameters).fit(NORMAL)
    assert "\n" not in str(error.value)


def test_what_cannot_be_judged_is_refused(fitted):
    with pytest.raises(NotFittedError):
        OMASGAN().predict_proba(NORMAL)
    with pytest.raises(ValueError, match=r"X has samples \(1, 8, 8\), the detector was trained on \(4,\)"):
        fitted.predict(np.zeros((2, 8, 8), dtype=np.uint8))
    with pytest.raises(ValueError, match="has no anomaly maps"):
        fitted.anomaly_maps(NORMAL)
    with pytest.raises(ValueError, match="NaN"):
        fitted.predict(np.full((2, 4), np.nan))


def test_progress_is_shown_only_if_asked_for(caplog):
    OMASGAN(**QUICK).fit(NORMAL)
    assert caplog.text == ""
    OMASGAN(**QUICK, verbose=True).fit(NORMAL)
    assert "task1 4/4" in caplog.text
