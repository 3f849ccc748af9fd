"""Detectors whose score is how badly a network reconstructs a sample, in its values or in hidden layers."""
