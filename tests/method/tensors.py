"""Tensors and gradients for the tests of losses."""

import torch


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def gradients(loss, *inputs):
    return torch.autograd.grad(loss, inputs)
