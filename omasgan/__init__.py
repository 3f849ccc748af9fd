"""OMASGAN: anomaly detection with a GAN driven to the boundary of its data."""

__version__ = "0.1.0"
