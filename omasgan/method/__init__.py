"""The paper: divergences, losses (eq. 1-7), Tasks 1 to 3 and J as plain loops, the memory bank and the score (eq. 8).

May import: training. Knows no Hydra, no W&B and no data set.
"""
