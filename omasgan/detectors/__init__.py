"""Detectors: their interface (`base`), OMASGAN, f-GAN (its Task 1 alone) and the baselines.

May import: data, method, networks, representations, training. `represented` lets any of them work on embeddings. The
baselines share the file `baselines`.
"""
