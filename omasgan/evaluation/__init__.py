"""Scores first, metrics from scores, plots from both."""
