"""Representations: the pixels, or embeddings learned from the normal class, in which the four tasks are carried out.

May import: data, networks, training. There is one file for each representation, and one that joins several.
"""
