"""Many jobs of one command: the grid, the Bayesian search, the process pool, and the table of what became of each job.

May import: configuration, runs, training. Loads no torch by itself: a job does.
"""
