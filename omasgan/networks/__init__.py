"""Generators, discriminators and encoders for samples of any shape: mlp, dcgan, resnet, wide_resnet.

May import: no other package. Knows no data set, by name or size.
"""
