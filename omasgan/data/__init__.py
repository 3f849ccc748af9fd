"""Sources (arrays and a spec) and protocols (labels to an index split); they do not know each other.

May import: training. Knows no detector.
"""
