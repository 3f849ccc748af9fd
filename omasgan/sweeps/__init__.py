"""Sweeps, which are many jobs of one command: grid, Bayesian search, process pool, and a table of how each job ended.

May import: configuration, evaluation, report, runs, training. A grid does not load torch; its jobs do.
"""
