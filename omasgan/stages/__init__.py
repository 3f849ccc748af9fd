"""The four stages of the method, a plain loop each."""
