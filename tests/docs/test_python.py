"""The Python of docs/how_to/python.md and of the notebook beside it runs as it stands, with fewer steps."""

import json
import re
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest

PAGE = Path(__file__).parents[2] / "docs" / "how_to" / "python.md"


def test_the_examples_run(tmp_path, monkeypatch, capsys):
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    runnable = [block for block in blocks if '"photos"' not in block and "from_run" not in block]
    assert len(runnable) == 2
    monkeypatch.chdir(tmp_path)
    names = {"pseudo_anomalies": np.random.default_rng(1).normal(size=(30, 5)) + 4}
    for block in runnable:
        exec(block.replace('budget="quick"', 'budget="smoke"'), names)
    assert (tmp_path / "detector.pt").is_file()
    assert names["detector"].predict(names["new"])[2] == 1
    assert names["search"].best_score_ > 0.9
    assert "divergence:" in capsys.readouterr().out


@pytest.mark.heavy
def test_the_notebook_runs(tmp_path, monkeypatch, capsys):
    notebook = json.loads(PAGE.with_suffix(".ipynb").read_text(encoding="utf-8"))
    monkeypatch.chdir(tmp_path)
    shown = []
    monkeypatch.setattr(plt, "show", lambda: shown.append(plt.gcf()))
    names = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]).replace('budget="quick"', 'budget="smoke"'), names)
    assert {path.name for path in tmp_path.iterdir()} == {"detector.pt", "detector.pt2"}
    assert len(shown[0].axes) == 8
    plt.close("all")
    assert "True" in capsys.readouterr().out.splitlines()
