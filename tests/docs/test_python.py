"""The Python of docs/how_to/python.md runs as it stands, with fewer steps."""

import re
from pathlib import Path

import numpy as np

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
