"""Detectors that learn where the normal class ends: a sphere around its embeddings, or a shell around its samples."""
