"""Run folders in; tables, one self-contained HTML page and a W&B dashboard out.

May import: configuration, evaluation, runs, training. Loads no torch.
"""
