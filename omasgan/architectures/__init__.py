"""Generators and discriminators; the shape of a sample is given to them, they know no data set."""
