"""What every training loop shares: steps and checkpoints, batches, augmentation, random streams, progress.

May import: no other package. Knows no equation of the paper.
"""
