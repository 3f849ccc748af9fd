"""Data sources, which return arrays, and protocols, which say which classes are normal; neither uses the other.

May import: training. Nothing here depends on a detector.
"""
