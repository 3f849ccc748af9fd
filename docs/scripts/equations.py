"""TeX between dollars to MathML, which browsers draw themselves: no script, no font file and no network."""

from __future__ import annotations

import html
import re

from latex2mathml.converter import convert

TEX = re.compile(r'<(span|div) class="arithmatex">(?:\\\((.*?)\\\)|\\\[(.*?)\\\])</\1>', re.DOTALL)
"""What pymdownx.arithmatex leaves of an equation."""

NUMBER = re.compile(r"\\tag\{(.*?)\}")

PRIME = re.compile(r"<msup>(<mi>\w</mi>)<mi>&#x02032;</mi></msup>")
"""A primed letter: as a superscript, the prime is too small to be seen."""

FUNCTION = re.compile(r'(</m[in]>|</msu[bp]>|&#x00029;</mo>)?<mi>(log|sup)</mi>(?=(<mo stretchy="false">&#x00028;)?)')
"""The name of a function, which needs space on the sides that no bracket is on."""


def rendered(page: str) -> str:
    """The page with its equations as MathML; the TeX is kept as the element's title."""
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
