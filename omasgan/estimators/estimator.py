"""Anomaly detectors with the methods of scikit-learn and of PyOD."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from omasgan.data.dataset import Spec
from omasgan.detectors.base import Detector
from omasgan.errors import UserError
from omasgan.estimators import samples, settings
from omasgan.estimators.judge import Judge, value_errors
from omasgan.files import user_path
from omasgan.pipeline import build
from omasgan.pipeline.fit import load_run
from omasgan.training import checkpoint
from omasgan.training.progress import log_shown
from omasgan.training.seeding import stream

VALUES, ARRAYS = ("n_features_in_", "threshold_", "offset_"), ("normal_scores_", "decision_scores_", "labels_")
KIND = "estimator"
"""The kind of the files that `AnomalyDetector.save` writes."""


class AnomalyDetector(Judge):
    """Any detector of this program, trained on normal samples, as an estimator.

    A parameter that is None keeps the value that the command line would use. With `convention="pyod"`,
    `decision_function` is higher for anomalies, and `predict` gives 1 for anomalies and 0 for normal samples. With
    `convention="sklearn"`, `decision_function` is negative for anomalies, and `predict` gives -1 for anomalies and 1
    for normal samples. `score_samples` always has scikit-learn's sign: lower is more anomalous.

    Parameters
    ----------
    detector
        An option of the group `detector`, such as omasgan or vae.
    experiment
        Whose settings are used: by default `rows` for rows, `pixels` for images in arrays, and `image_folder` for a
        folder of images.
    representation
        One part or a list of parts.
    divergence, architecture, augmentation, boundary, retraining, inference, optimisation, budget, ablation
        Options of these groups.
    mu, nu, beta, lambda_
        The weights of eq. (3), of eq. (6) and of eq. (8).
    settings
        Any other settings by their name on the command line, such as {"boundary.N": 64}.
    alpha
        The rate of false alarms, 0..1, that the threshold is set to.
    held_out
        The fraction of the samples given to `fit`, 0..0.5, that is not learned from but used to set the threshold and
        for p-values. With 0, these use the training samples themselves, whose scores are too low.
    convention
        `pyod` or `sklearn`.
    seed, device, threads, precision
        As on the command line.
    verbose
        Whether the progress of the training is shown.

    Attributes
    ----------
    detector_
        The trained detector.
    config_
        Its configuration.
    threshold_
        The smallest score that is called anomalous.
    decision_scores_, labels_
        The scores of all samples given to `fit`, (n,), and 1 where they are at least the threshold, else 0.
    n_features_in_, feature_names_in_
        Number of columns, and their names where `fit` was given a table with names; for rows only.

    Examples
    --------
    >>> rows = np.random.default_rng(0).normal(size=(200, 3))
    >>> model = AnomalyDetector("nearest_neighbour").fit(rows)
    >>> int(model.predict([[9.0, -9.0, 9.0]])[0])
    1
    """

    def __init__(
        self,
        detector: str | None = None,
        *,
        experiment: str | None = None,
        representation: str | Sequence[str] | None = None,
        divergence: str | None = None,
        architecture: str | None = None,
        augmentation: str | None = None,
        boundary: str | None = None,
        retraining: str | None = None,
        inference: str | None = None,
        optimisation: str | None = None,
        budget: str | None = None,
        ablation: str | None = None,
        mu: float | None = None,
        nu: float | None = None,
        beta: float | None = None,
        lambda_: float | None = None,
        settings: Mapping[str, Any] | None = None,
        alpha: float = 0.05,
        held_out: float = 0.2,
        convention: Literal["pyod", "sklearn"] = "pyod",
        seed: int = 0,
        device: str | None = None,
        threads: int | None = None,
        precision: str | None = None,
        verbose: bool = False,
    ) -> None:
        self.detector = detector
        self.experiment = experiment
        self.representation = representation
        self.divergence = divergence
        self.architecture = architecture
        self.augmentation = augmentation
        self.boundary = boundary
        self.retraining = retraining
        self.inference = inference
        self.optimisation = optimisation
        self.budget = budget
        self.ablation = ablation
        self.mu = mu
        self.nu = nu
        self.beta = beta
        self.lambda_ = lambda_
        self.settings = settings
        self.alpha = alpha
        self.held_out = held_out
        self.convention = convention
        self.seed = seed
        self.device = device
        self.threads = threads
        self.precision = precision
        self.verbose = verbose

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn from normal samples.

        Parameters
        ----------
        X
            Rows (n, k); images (n, H, W), (n, H, W, C) or (n, C, H, W), uint8 or floats in 0..1, as an array or a
            tensor; a table of pandas; or the path of a folder of images.
        y
            Not used.

        Raises
        ------
        ValueError
            Where samples or settings are wrong; the message says how to mend it.
        """
        with value_errors():
            if not 0 <= self.held_out <= 0.5 or not 0 < self.alpha < 1 or self.convention not in ("pyod", "sklearn"):
                raise UserError(
                    f"alpha={self.alpha}, held_out={self.held_out}, convention={self.convention!r}: alpha must be "
                    "above 0 and below 1, held_out from 0 to 0.5, and convention 'pyod' or 'sklearn'"
                )
            kind = self._kind(X)
            source = {"root": str(X)} if kind == "folder" else {}
            config = settings.composed(settings.overrides(self._parameters(), kind), source)
            x = samples.read_folder(X, config["dataset"]) if kind == "folder" else self._samples(X, reset=True)
            workspace = build.workspace(config)
            detector = build.detector(config["detector"], Spec(tuple(x.shape[1:])), workspace)
            order = torch.randperm(len(x), generator=stream(self.seed, "held-out samples", torch.device("cpu")))
            held = order[: int(self.held_out * len(x))]
            kept = order[len(held) :].sort().values
            with log_shown(self.verbose):
                detector.fit(x[kept] if len(held) else x)
            scores = detector.score(x)
            self._set(detector, config, scores[held] if len(held) else scores)
            self.decision_scores_ = scores.numpy()
            self.labels_ = (self.decision_scores_ >= self.threshold_).astype(int)
        return self

    def _parameters(self) -> dict[str, Any]:
        return dict(self.get_params(deep=False))

    def _kind(self, X: Any) -> str:
        if samples.is_folder(X):
            return "folder"
        return "images" if samples.is_images(X) else "rows"

    def _set(self, detector: Detector, config: dict[str, Any], normal_scores: Tensor) -> None:
        self.detector_, self.config_ = detector, config
        self.normal_scores_ = np.sort(normal_scores.numpy())
        # At most a fraction alpha of new normal samples is above the order statistic of this rank. The threshold lies
        # between two scores, so that the rounding of one does not decide.
        scores = self.normal_scores_
        rank = min(int(np.ceil((1 - self.alpha) * (len(scores) + 1))), len(scores))
        above = scores[rank] if rank < len(scores) else scores[-1] + 1e-3 * (scores[-1] - scores[0]) + 1e-9
        self.threshold_ = float((scores[rank - 1] + above) / 2)
        self.offset_ = -self.threshold_

    def fit_predict(self, X: Any, y: Any = None) -> NDArray[np.int64]:
        """`fit`, then what `predict` gives for the same samples."""
        self.fit(X, y)
        return self._verdicts(self.labels_ == 1)

    def to_config(self) -> str:
        """The configuration as YAML; before `fit`, that for rows."""
        with value_errors():
            fitted = hasattr(self, "config_")
            words = settings.overrides(self._parameters(), "rows")
            return settings.yaml(self.config_ if fitted else settings.composed(words, {}))

    def save(self, path: str | Path) -> None:
        """Write the trained estimator to one file of tensors and plain types, without pickled objects."""
        check_is_fitted(self, "detector_")
        with value_errors():
            checkpoint.save(user_path(Path(path)), KIND, self._state())

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what `save` wrote; raises ValueError where the file is missing or damaged."""
        with value_errors():
            estimator = cls.__new__(cls)
            estimator._restore(checkpoint.load(user_path(Path(path)), KIND, torch.device("cpu")))
        return estimator

    @classmethod
    def from_run(cls, folder: str | Path, **parameters: Any) -> Self:
        """The detector of a finished run, whose folder is given; its threshold is from the run's normal test samples.

        `parameters` are those of the estimator that do not change the training: alpha, convention, device, threads.
        """
        with value_errors():
            estimator = cls(**parameters)
            own = {key: value for key in ("device", "threads") if (value := parameters.get(key)) is not None}
            detector, scores, config = load_run(user_path(Path(folder)), own)
            estimator._set(detector, config, scores)
            if len(detector.spec.shape) == 1:
                estimator.n_features_in_ = detector.spec.shape[0]
        return estimator

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "detector_")

    def _state(self) -> dict[str, Any]:
        names = getattr(self, "feature_names_in_", None)
        return {
            "parameters": self._parameters(),
            "config": self.config_,
            "shape": list(self.detector_.spec.shape),
            "detector": self.detector_.state_dict(),
            "values": {name: getattr(self, name) for name in VALUES if hasattr(self, name)},
            "arrays": {name: torch.from_numpy(getattr(self, name)) for name in ARRAYS if hasattr(self, name)},
            "feature_names": None if names is None else list(map(str, names)),
        }

    def _restore(self, state: Mapping[str, Any]) -> None:
        self.__init__(**state["parameters"])  # type: ignore[misc]
        config = state["config"]
        detector = build.detector(config["detector"], Spec(tuple(state["shape"])), build.workspace(config))
        detector.load_state_dict(state["detector"])
        self.detector_, self.config_ = detector, config
        for name, value in state["values"].items():
            setattr(self, name, value)
        for name, value in state["arrays"].items():
            setattr(self, name, value.numpy())
        if state["feature_names"] is not None:
            self.feature_names_in_ = np.array(state["feature_names"], dtype=object)

    def __getstate__(self) -> dict[str, Any]:
        if not hasattr(self, "detector_"):
            return dict(super().__getstate__())
        file = io.BytesIO()
        torch.save(self._state(), file)
        return {"saved": file.getvalue()}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        if "saved" in state:
            self._restore(torch.load(io.BytesIO(state["saved"]), weights_only=True))
        else:
            super().__setstate__(dict(state))


class OMASGAN(AnomalyDetector):
    """OMASGAN as an estimator; see `AnomalyDetector`.

    Examples
    --------
    >>> rows = np.random.default_rng(0).normal(size=(200, 3))
    >>> model = OMASGAN(divergence="kl", mu=0.05, budget="smoke").fit(rows)
    >>> normal, abnormal = model.decision_function([[0.0, 0.0, 0.0], [9.0, 9.0, 9.0]])
    >>> bool(normal < abnormal)
    True
    """
