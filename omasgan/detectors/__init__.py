"""The interface of a detector, OMASGAN, its base f-GAN, the baselines, and any of them on embeddings.

May import: data, method, networks, representations, training. The baselines share a file.
"""
