"""What the four tasks work in: pixels, or embeddings that are learned from the normal class first.

May import: data, networks, training. One file a representation, and one that joins any of them.
"""
