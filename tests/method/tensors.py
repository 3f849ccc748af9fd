"""Tensors, gradients and distances for the tests of the method."""

import torch


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def gradients(loss, *inputs):
    return torch.autograd.grad(loss, inputs)


def draws(n, seed, k=3):
    return normal(n, k, seed=seed)


def nearest_by_definition(x, bank, n):
    return torch.linalg.vector_norm(x.double()[:, None] - bank.double()[None], dim=2).sort(dim=1).values[:, :n].float()
