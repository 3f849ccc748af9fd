"""What a trained estimator says of samples, in the conventions of scikit-learn and of PyOD."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.metrics import roc_auc_score
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from omasgan.data.dataset import Columns
from omasgan.detectors.base import Detector
from omasgan.errors import UserError
from omasgan.estimators import samples
from omasgan.evaluation.conformal import p_values
from omasgan.files import user_path
from omasgan.pipeline import build
from omasgan.pipeline import export as exporting

Floats = NDArray[np.float64]


@contextmanager
def value_errors() -> Iterator[None]:
    """Raise ValueError in place of UserError, as users of scikit-learn expect."""
    try:
        yield
    except UserError as error:
        raise ValueError(str(error)) from error


class Judge(BaseEstimator):  # type: ignore[misc]
    """The methods of a trained estimator.

    Attributes
    ----------
    detector_
        The trained detector.
    normal_scores_
        Scores of normal samples, in rising order, by which threshold and p-values are set.
    threshold_, offset_
        The smallest score that is called anomalous, and its opposite.
    """

    detector_: Detector
    normal_scores_: Floats
    threshold_: float
    offset_: float
    convention: str
    config_: dict[str, Any]

    def _samples(self, X: Any, reset: bool = False) -> Tensor:
        X = samples.as_array(X)
        if not samples.is_images(X):
            X = validate_data(self, X, reset=reset, dtype="numeric")
        return samples.samples(X)

    def _new(self, X: Any) -> Tensor:
        """New samples of the shape of the training samples."""
        check_is_fitted(self, "detector_")
        x = samples.read_new(X, self.detector_.spec) if samples.is_folder(X) else self._samples(X)
        samples.must_fit(x, self.detector_.spec)
        return x

    def anomaly_scores(self, X: Any) -> Floats:
        """The anomaly scores (n,), higher is more anomalous, whatever the convention."""
        with value_errors():
            x = self._new(X)
            return np.asarray(self.detector_.score(x).numpy())

    def terms(self, X: Any) -> dict[str, Floats]:
        """All terms of the score by name, (n,) each, higher is more anomalous."""
        with value_errors():
            x = self._new(X)
            return {name: np.asarray(term.numpy()) for name, term in self.detector_.terms(x).items()}

    def anomaly_maps(self, X: Any) -> Floats:
        """The anomaly map of each image, (n, H, W), see `PatchDetector.maps`; ValueError where there are none."""
        with value_errors():
            x = self._new(X)
            maps = self.detector_.maps(x)
            if maps is None:
                raise UserError("this detector has no anomaly maps: set representation='pixel_patches' for images")
            return np.asarray(maps.numpy())

    def decision_function(self, X: Any) -> Floats:
        """The anomaly score (n,); with `convention="sklearn"`, `score_samples` minus `offset_`."""
        scores = self.anomaly_scores(X)
        return scores if self.convention == "pyod" else -scores - self.offset_

    def score_samples(self, X: Any) -> Floats:
        """The opposite of the anomaly score (n,): lower is more anomalous, as in scikit-learn."""
        return -self.anomaly_scores(X)

    def predict(self, X: Any) -> NDArray[np.int64]:
        """Whether samples are anomalous (n,): 1 or 0; with `convention="sklearn"`, -1 or 1."""
        return self._verdicts(self.anomaly_scores(X) >= self.threshold_)

    def _verdicts(self, anomalous: NDArray[np.bool_]) -> NDArray[np.int64]:
        """What `predict` gives for samples that are anomalous or not, (n,)."""
        return np.where(anomalous, 1, 0) if self.convention == "pyod" else np.where(anomalous, -1, 1)

    def p_values(self, X: Any) -> Floats:
        """Conformal p-values (n,): a fraction of at most a of new normal samples has a p-value of at most a."""
        return p_values(self.anomaly_scores(X), self.normal_scores_)

    def predict_proba(self, X: Any) -> Floats:
        """For each sample its p-value and 1 minus its p-value, (n, 2): the columns `normal` and `anomalous` of PyOD."""
        p_values = self.p_values(X)
        return np.stack([p_values, 1 - p_values], axis=1)

    def score(self, X: Any, y: Any) -> float:
        """The AUROC of samples; y is 1 or True for an anomaly (with `convention="sklearn"`, -1). For GridSearchCV."""
        y = np.asarray(y)
        return float(roc_auc_score(y == (-1 if self.convention == "sklearn" else 1), self.anomaly_scores(X)))

    def export(self, path: str | Path, maps: bool = False) -> None:
        """Write the trained detector as a graph that runs without omasgan, see `pipeline.export`.

        Parameters
        ----------
        path
            A file that ends in .onnx or .pt2; an existing one is replaced.
        maps
            Whether the graph gives anomaly maps, too.

        Raises
        ------
        ValueError
            Where the detector cannot be exported.
        """
        check_is_fitted(self, "detector_")
        with value_errors():
            config, spec = {**self.config_, **exporting.PLAIN}, self.detector_.spec
            detector = build.detector(config["detector"], spec, build.workspace(config))
            detector.load_state_dict(self.detector_.state_dict())
            graph = exporting.Graph(detector, torch.from_numpy(self.normal_scores_), maps)
            names = getattr(self, "feature_names_in_", None)
            columns = None if names is None else Columns(tuple(map(str, names)), None, None)
            exporting.export(graph, user_path(path), columns, config["dataset"].get("bits", 16))

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        if self.convention == "sklearn":
            tags.estimator_type = "outlier_detector"
        tags.input_tags.three_d_array = True
        tags.target_tags.required = False
        return tags
