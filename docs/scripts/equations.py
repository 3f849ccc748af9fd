"""Converts TeX between dollars to MathML, which browsers draw without a script, a font file or the network."""

from __future__ import annotations

import html
import re

from latex2mathml.converter import convert

TEX = re.compile(r'<(span|div) class="arithmatex">(?:\\\((.*?)\\\)|\\\[(.*?)\\\])</\1>', re.DOTALL)
"""An equation in the output of pymdownx.arithmatex."""

NUMBER = re.compile(r"\\tag\{(.*?)\}")

PRIME = re.compile(r"<msup>(<mi>\w</mi>)<mi>&#x02032;</mi></msup>")
"""A letter with a prime, which is too small to be seen as a superscript."""

FUNCTION = re.compile(r'(</m[in]>|</msu[bp]>|&#x00029;</mo>)?<mi>(log|sup)</mi>(?=(<mo stretchy="false">&#x00028;)?)')
"""The name of a function, which needs space on the sides without a bracket."""


def rendered(page: str) -> str:
    """A page with its equations in MathML; the title of each element holds the TeX."""
    return TEX.sub(_equation, page)


def _equation(found: re.Match[str]) -> str:
    kind, inline, block = found.groups()
    tex = html.unescape(inline if block is None else block).strip()
    title = html.escape(" ".join(NUMBER.sub("", tex).split()), quote=True)
    mathml = convert(NUMBER.sub("", tex), display="inline" if block is None else "block")
    mathml = PRIME.sub(r'\1<mo lspace="0" rspace="0">&#x02032;</mo>', FUNCTION.sub(_spaced, mathml))
    number = "".join(f'<span class="number">({text})</span>' for text in NUMBER.findall(tex))
    return f'<{kind} class="equation" title="{title}">{mathml}{number}</{kind}>'


def _spaced(found: re.Match[str]) -> str:
    before, name, bracket = found.groups()
    left, right = ("0.17em" if before else "0"), ("0" if bracket else "0.17em")
    return f'{before or ""}<mo lspace="{left}" rspace="{right}">{name}</mo>'
