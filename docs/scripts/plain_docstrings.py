"""A griffe extension: docstrings are plain text, and are shown as they are written.

Markdown would make italics of what lies between '(n, *shape)' and 'f*(t)', and an HTML tag of '<class>'. Griffe takes a
type such as 'Tensor (n,)' for Python, and would show 'Tensor(n)'.
"""

from __future__ import annotations

import re
from typing import Any

from griffe import Docstring, DocstringSection, DocstringSectionKind, Extension, Object

CODE = re.compile(r"(`+[^`]+`+|^(?: {4}|\t)[^\n]*$)", re.MULTILINE)
MARKS = re.compile(r"([*_<\[\\])")

TITLES = {
    DocstringSectionKind.parameters: "Parameters",
    DocstringSectionKind.other_parameters: "Other Parameters",
    DocstringSectionKind.attributes: "Attributes",
    DocstringSectionKind.returns: "Returns",
    DocstringSectionKind.yields: "Yields",
}
"""Sections whose entries have a type."""


def plain(text: str) -> str:
    """The text with Markdown's marks escaped, but for code."""
    parts = CODE.split(text)
    parts[::2] = [MARKS.sub(r"\\\1", part).replace("\\<", "&lt;") for part in parts[::2]]
    return "".join(parts)


def types(docstring: str, title: str) -> list[str]:
    """The types of a section's entries as they are written; empty ones where there are none.

    docstring: without indentation. 'mu, nu : float' are two entries, of one type.
    """
    lines = docstring.splitlines()
    found: list[str] = []
    section = ""
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if following.startswith("---"):
            section = line.strip()
        elif section == title and line[:1].strip() and not line.startswith("---"):
            names, colon, kind = line.partition(" : ")
            nameless = names if title in ("Returns", "Yields") else ""
            found += [kind if colon else nameless] * (names.count(",") + 1 if colon else 1)
    return found


class PlainDocstring(Docstring):
    """A docstring whose sections are plain text."""

    def parse(self, *arguments: Any, **options: Any) -> list[DocstringSection]:
        """Parse it into sections, with their texts escaped and their types as they are written."""
        sections = super().parse(*arguments, **options)
        for section in sections:
            if section.kind is DocstringSectionKind.text:
                section.value = plain(section.value)
            elif section.kind is DocstringSectionKind.admonition:
                section.value.contents = plain(section.value.contents)
            elif isinstance(section.value, list):
                self._entries(section)
        return sections

    def _entries(self, section: DocstringSection) -> None:
        items = [item for item in section.value if hasattr(item, "description")]
        for item in items:
            item.description = plain(item.description)
        written = types(self.value, TITLES[section.kind]) if section.kind in TITLES else []
        for item, kind in zip(items, written, strict=True) if len(written) == len(items) else ():
            item.annotation = kind or item.annotation
        known = getattr(self.parent, "parameters", ())
        for item in items if section.kind is DocstringSectionKind.parameters else ():
            item.value = known[item.name].default if item.name in known else None


class PlainDocstrings(Extension):
    """Makes every docstring a `PlainDocstring`."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Called by griffe with each object that it has read."""
        old = obj.docstring
        if old is not None and type(old) is Docstring:
            obj.docstring = PlainDocstring(
                old.value,
                lineno=old.lineno,
                endlineno=old.endlineno,
                parent=old.parent,
                parser=old.parser,
                parser_options=old.parser_options,
            )
