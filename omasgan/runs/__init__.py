"""A run's folder: lock and state, record, loggers, provenance, and the reuse of stages that another run has trained.

May import: configuration, evaluation. Loads no torch.
"""
