"""One run in its six steps (data, split, fit, score, evaluate, record), and the summary of a run over all classes.

May import: configuration, data, detectors, evaluation, runs, training. This is the only package that builds objects
from a configuration.
"""
