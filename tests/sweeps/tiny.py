"""Runs of seconds."""

TINY = ("experiment=pixels", "budget=smoke", "baselines=none", "logger=none", "architecture=mlp", "device=cpu")
TOY = (*TINY, "dataset=toy_blobs", "protocol=novelty", "dataset.train_size=200", "dataset.test_size=100")
