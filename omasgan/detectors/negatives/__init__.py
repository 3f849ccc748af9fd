"""Classifiers of normal samples against negatives that networks trained on the normal samples make."""
