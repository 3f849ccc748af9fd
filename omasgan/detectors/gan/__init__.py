"""Detectors that are generative adversarial networks: Task 1 with other losses, terms or scores."""
