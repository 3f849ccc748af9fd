"""Detectors as Python objects with the methods of scikit-learn's and PyOD's outlier detectors.

May import: configuration, data, detectors, evaluation, pipeline, training. `samples` turns what a user has into
samples, `settings` composes the configuration, `judge` scores and `estimator` trains.
"""
