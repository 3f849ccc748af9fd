"""One run in its six steps (data, split, fit, score, evaluate, record), and the summary of a run over all classes.

May import: configuration, data, detectors, evaluation, runs, training. Objects are built from a
configuration only here (`build`), except the loggers, which `runs.logger.loggers` builds.
"""
