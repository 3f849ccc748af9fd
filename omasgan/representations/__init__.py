"""Representations: the pixels, or embeddings learned from the normal class, in which the four tasks are carried out.

May import: data, networks, training. `Pixels` is in `base`, each other one has its own file; `joined` joins several.
"""
