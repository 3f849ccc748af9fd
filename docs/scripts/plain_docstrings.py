"""A griffe extension: docstrings are plain text, and each parameter has its own type and default.

Without it, Markdown would make italics of the text between '(n, *shape)' and 'f*(t)', and an HTML tag of '<class>'.
Where several parameters share an entry, as in 'mu, nu', griffe would give each one the type and default of the first.
"""

from __future__ import annotations

import re
from typing import Any

from griffe import Docstring, DocstringSection, DocstringSectionKind, Extension, Object

CODE = re.compile(r"(`+[^`]+`+|^(?: {4}|\t)[^\n]*$)", re.MULTILINE)
MARKS = re.compile(r"([*_<\[\\])")


def plain(text: str) -> str:
    """The text with the special characters of Markdown escaped, except in code."""
    parts = CODE.split(text)
    parts[::2] = [MARKS.sub(r"\\\1", part).replace("\\<", "&lt;") for part in parts[::2]]
    return "".join(parts)


class PlainDocstring(Docstring):
    """A docstring whose sections are plain text."""

    def parse(self, *arguments: Any, **options: Any) -> list[DocstringSection]:
        """Parse the docstring into sections, with their texts escaped."""
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
        known = getattr(self.parent, "parameters", ())
        for item in items:
            item.description = plain(item.description)
        for item in items if section.kind is DocstringSectionKind.parameters else ():
            item.value = None
            if item.name in known:
                item.annotation, item.value = known[item.name].annotation, known[item.name].default


class PlainDocstrings(Extension):
    """Makes a `PlainDocstring` of every docstring."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Replace the docstring of an object; griffe calls this method with each object that it reads."""
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
