"""The report's tables in LaTeX."""

import re
import shutil
import subprocess

import pytest

from omasgan.report.latex import latex
from omasgan.report.study import METRICS

PAGE = r"""\documentclass{article}
\usepackage{booktabs,graphicx,tabularx}
\begin{document}
\input{tables.tex}
\end{document}
"""


@pytest.fixture(scope="module")
def written_latex(written):
    return (written / "tables.tex").read_text()


def test_every_table_has_rows_of_one_length_a_label_and_a_caption(written_latex):
    blocks = written_latex.split(r"\begin{table}")[1:]
    assert len(blocks) == len(METRICS) + 1, "of detectors"
    labels = re.findall(r"\\label\{(.*?)\}", written_latex)
    assert len(set(labels)) == len(blocks)
    for block in blocks:
        assert block.count(r"\caption{") == block.count(r"\toprule") == block.count(r"\bottomrule") == 1
        columns = 1 + int(re.search(r"X\*\{(\d+)\}", block)[1]) + 2 * (r"\caption{Detectors" in block)
        assert {line.count(" & ") + 1 for line in block.splitlines() if line.endswith(r"\\")} == {columns}


def test_the_best_of_a_column_and_its_ties_are_bold(written_latex):
    for block in written_latex.split(r"\begin{table}")[1:]:
        if r"\caption{Detectors" in block:
            continue
        body = block.split(r"\midrule", 1)[1].replace(r"\midrule", "")
        lines = [line for line in body.splitlines() if line.endswith(r"\\") and "published" not in line]
        for column in zip(*(line.removesuffix(r" \\").split(" & ")[1:] for line in lines), strict=True):
            numbers = [re.search(r"(?<!\d)(1\.000|\.\d{3})", cell) for cell in column]
            values = [float(number[1]) for number in numbers if number]
            bold = {float(number[1]) for number, cell in zip(numbers, column, strict=True) if r"\textbf" in cell}
            if not values:
                continue
            best = min(values) if "FPR95" in block else max(values)
            assert bold == {best}
            assert sum(r"\textbf" in cell for cell in column) == values.count(best)


def test_a_cell_without_a_value_says_why(written_latex):
    assert re.search(r"\\caption\{.*d damaged; f failed; i interrupted; l lacks classes; m missing", written_latex)
    assert {r"\textit{d}", r"\textit{f}", r"\textit{i}", r"\textit{l}", r"\textit{m}"} <= set(
        re.findall(r"\\textit\{\w\}", written_latex)
    )


def test_what_would_be_read_as_a_command_is_escaped():
    assert latex("a_b & 50 % {x} \\") == r"a\_b \& 50 \% \{x\} \textbackslash{}"


def test_the_tables_fit_a_page_with_one_column(written, tmp_path):
    program = shutil.which("tectonic") or shutil.which("pdflatex")
    if program is None:
        pytest.skip("neither tectonic nor pdflatex is installed")
    shutil.copy(written / "tables.tex", tmp_path)
    (tmp_path / "page.tex").write_text(PAGE)
    options = ["--keep-logs"] if program.endswith("tectonic") else ["-interaction=nonstopmode", "-halt-on-error"]
    ended = subprocess.run(
        [program, *options, "page.tex"], cwd=tmp_path, capture_output=True, text=True, timeout=120, errors="replace"
    )
    assert ended.returncode == 0, ended.stdout[-2000:]
    log = (tmp_path / "page.log").read_text(errors="replace")
    assert "Overfull" not in log, re.findall("Overfull.*", log)
