"""OMASGAN: anomaly detection with a GAN driven to the boundary of its data."""

from typing import Any

__version__ = "0.1.0"
__all__ = ["OMASGAN", "AnomalyDetector", "__version__"]


def __getattr__(name: str) -> Any:
    """The estimators, imported when they are used: the commands that read runs need no torch."""
    if name in ("OMASGAN", "AnomalyDetector"):
        from omasgan.estimators import estimator

        return getattr(estimator, name)
    raise AttributeError(f"module 'omasgan' has no attribute '{name}'")
