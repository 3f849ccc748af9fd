"""Anomaly detectors under one contract: OMASGAN, its base GAN, and the cheap floors."""
