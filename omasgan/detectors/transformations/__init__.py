"""Detectors that learn to tell apart the transformations of normal samples, and the transformations themselves."""
