"""One run in its six steps (data, split, fit, score, evaluate, record), and the summary of runs over all classes.

May import: configuration, data, detectors, evaluation, runs, training. Objects are built from a
configuration only here (`build`), except the loggers, which `runs.logger.loggers` builds. `run` has the six steps,
`fit`, `score` and `outputs` the work of steps 3 to 6, and `run_folder` what comes before the first step.
"""
