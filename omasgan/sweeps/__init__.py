"""Sweeps: many jobs of one command, their books, and where they run."""
