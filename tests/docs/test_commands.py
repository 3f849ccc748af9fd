"""Every command line of the documentation names groups, options and settings that are there."""

import re
import shlex

import pytest

from omasgan.configuration.command_line import arranged
from tests.docs.conftest import ROOT

PAGES = [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "multirun_sweeps" / "README.md"]
NEEDS_PLUGIN = re.compile(r"hydra/launcher=(slurm|ray)|<name>| \.\.\.")


def commands():
    """The arguments of each `omasgan ...` line in a block of code, once."""
    for page in PAGES:
        for line in re.findall(r"^(?: {4})?omasgan (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE):
            line = re.sub(r"<[^>]*>", "somewhere", line.partition("  #")[0])
            if not NEEDS_PLUGIN.search(line):
                yield " ".join(shlex.quote(word) for word in shlex.split(line) if not word.startswith("-"))


@pytest.mark.parametrize("line", sorted(set(commands())))
def test_a_command_composes(composed, line):
    overrides = [word for word in shlex.split(line) if "(" not in word]  # a sweeper's own notation
    # Of the values of a sweep, the first.
    overrides = [re.sub(r"=([^\[\]{},=]*),.*", r"=\1", word) for word in overrides]
    composed(*arranged(overrides), hydra=True)


def test_many_commands_are_found():
    assert len(set(commands())) > 25
