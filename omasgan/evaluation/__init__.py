"""Scores first, metrics from scores, plots from both.

May import: no other package. Knows no detector and no configuration.
"""
