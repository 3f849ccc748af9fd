"""The worked examples of CONTRIBUTING.md, done as they stand there: the files are written, the commands run."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from omasgan.data.dataset import Spec
from omasgan.training.stage import Workspace
from tests.docs.conftest import ROOT

TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
EXAMPLES = dict(re.findall(r"^### (.+?)\n(.*?)(?=^##)", TEXT, re.MULTILINE | re.DOTALL))
BLOCK = re.compile(r"(?:^`([\w/.]+)`:\n\n)?^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_examples_are_found():
    assert list(EXAMPLES) == ["Add a divergence", "Add a data set", "Add a detector", "Add a representation"]
    for title, text in EXAMPLES.items():
        kinds = [language for _, language, _ in BLOCK.findall(text)]
        assert kinds[:3] == ["python", "yaml", "sh"], title


@pytest.fixture
def in_a_shell(tmp_path):
    """Runs a block of commands as it stands there; its exit code and what it printed."""

    def run(content):
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        block = ["bash", "-e", "-o", "pipefail", "-c", content]
        streams = {"capture_output": True, "text": True}
        done = subprocess.run(block, cwd=tmp_path, env={**os.environ, "PATH": path}, check=False, **streams)
        return done.returncode, done.stdout + done.stderr

    return run


@pytest.fixture
def in_this_process(command, tmp_path, monkeypatch):
    """Does the same for a block that is one command, without the start of a process and the pictures."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path / "mine"))
    before = set(sys.modules)

    def run(content):
        path, program, *arguments = shlex.split(content.replace("\\\n", " "))
        assert (path, program) == ("PYTHONPATH=mine", "omasgan")
        outcome = command(*arguments)
        return outcome.code, "\n".join([*outcome.output.splitlines(), *outcome.errors])

    yield run
    for name in {path.stem for path in (tmp_path / "mine").glob("*.py")} - before:
        sys.modules.pop(name, None)


@pytest.mark.heavy
@pytest.mark.parametrize("title", EXAMPLES)
def test_an_example_does_what_it_says(title, tmp_path, in_a_shell, in_this_process):
    run = in_a_shell if title == "Add a divergence" else in_this_process
    done = None
    for name, language, content in BLOCK.findall(EXAMPLES[title]):
        if name:
            file = tmp_path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content, encoding="utf-8")
        elif language == "sh":
            assert done is None or done[0] == 0, done
            done = run(content)
        else:
            assert language == "text", "a block that is neither a file nor a command nor what a command prints"
            code, printed = done
            assert printed.splitlines() == content.splitlines()
            assert code == int(content.startswith("omasgan: ")), "an error ends with 1"
            done = None
    assert done is None or done[0] == 0, done
    assert list(tmp_path.glob("runs/**/metrics.json")), "it trained and scored"


@pytest.fixture
def written():
    """What the Python file of an example defines."""

    def load(title):
        module = {"__name__": "example"}
        exec(BLOCK.findall(EXAMPLES[title])[0][2], module)
        return module

    return load


def test_the_divergence_is_one(written):
    divergence = written("Add a divergence")["Triangular"]()
    u = torch.linspace(0.05, 20, 200, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(divergence.f(u).sum(), u)
    u = u.detach()
    torch.testing.assert_close(divergence.conjugate(slope), u * slope - divergence.f(u))  # Fenchel-Young
    torch.testing.assert_close(divergence.activation(u.log()), slope)
    torch.testing.assert_close(divergence.conjugate_of_activation(u.log()), divergence.conjugate(slope))
    assert divergence.f(torch.ones(1)).item() == 0
    assert divergence.activation(torch.zeros(1)).item() == divergence.threshold


def test_the_detector_looks_at_one_sample_at_a_time(written):
    detector = written("Add a detector")["KernelDensity"](Spec((5,)), Workspace(seed=0))
    random = torch.Generator().manual_seed(0)
    detector.fit(torch.randn(60, 5, generator=random))
    x = torch.randn(40, 5, generator=random)
    scores = detector.score(x)
    assert torch.equal(scores, torch.cat([detector.score(one) for one in x.split(1)]))
    assert detector.score(x + 20).min() > scores.max()
    again = written("Add a detector")["KernelDensity"](Spec((5,)), Workspace(seed=1))
    again.load_state_dict(detector.state_dict())
    assert torch.equal(again.score(x), scores)
