"""What the stages see of a sample: the sample itself, or codes that a network learned from the normal class."""
