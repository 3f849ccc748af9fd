"""Reads run folders, and writes tables, one self-contained HTML page and a W&B dashboard.

May import: configuration, evaluation, runs, training. Loads no torch.
"""
