"""The progress of embedding many images."""

import logging

import torch

from omasgan.training import progress


def test_parts_pass_unchanged_and_only_many_are_counted(caplog):
    x = torch.arange(20).view(20, 1)
    with caplog.at_level(logging.INFO):
        few = list(progress.with_progress(x[:9].split(2), "few"))
        assert "few" not in caplog.text
        many = list(progress.with_progress(x.expand(20, 3).repeat(60, 1).split(100), "many"))
    assert torch.equal(torch.cat(few), x[:9])
    assert torch.equal(torch.cat(many), x.expand(20, 3).repeat(60, 1))
    assert "many 1200/1200" in caplog.text
