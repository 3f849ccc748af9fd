"""The schema of the configuration, its checks, the identity of a run, and one-line explanations of errors.

May import: data, training. Loads no torch by itself: `check` imports what a `_target_` names.
"""
