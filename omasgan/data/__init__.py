"""Sources (arrays and a shape) and protocols (labels to an index split); they do not know each other."""
