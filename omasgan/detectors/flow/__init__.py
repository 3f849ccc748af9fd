"""Detectors with the density of a normalising flow."""
