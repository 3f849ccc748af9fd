"""The scores of a run's test samples, the metrics computed from them, their objective, and the plots of both.

May import: no other package. Nothing here depends on a detector or a configuration.
"""
