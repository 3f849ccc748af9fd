"""The schema of the configuration, its checks, the identity of a run, and errors explained in one line.

May import: no other package. Loads no torch by itself: `check` imports what a `_target_` names.
"""
