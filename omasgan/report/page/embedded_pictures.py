"""The pictures of runs that the page embeds."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from omasgan.report.folders import Run, one_line

PICTURES = {"samples": "Samples", "plane": "Boundary", "maps": "Anomaly maps"}
"""Pictures of a run that are embedded, by file name, and their title; the page draws all other plots itself."""

PICTURE_WIDTH = 900
"""Pixels; a wider picture is scaled down."""


@dataclass(frozen=True)
class Sheet:
    """The pictures of the samples of a setting and class.

    Attributes
    ----------
    url
        One picture that holds them all, as a data URL: `columns` in a row, in the order of the samples; empty where
        there is none.
    columns
        Samples in a row.
    rows
        Rows.
    reason
        Why there is no picture.
    """

    url: str = ""
    columns: int = 0
    rows: int = 0
    reason: str = ""


@dataclass
class Pictures:
    """WebP pictures as data URLs.

    Attributes
    ----------
    urls
        By run and by name of `PICTURES`.
    left_out
        How many runs have pictures that the page lacks.
    problems
        A line for every file that is not a picture.
    sheets
        By setting and class, the test samples that are compared one by one.
    """

    urls: dict[int, dict[str, str]] = field(default_factory=dict)
    left_out: int = 0
    problems: list[str] = field(default_factory=list)
    sheets: dict[tuple[int, str], Sheet] = field(default_factory=dict)


def pictures(runs: Sequence[Run], limit: int) -> Pictures:
    """Embed the pictures of some runs, spread evenly over those that have any.

    Parameters
    ----------
    runs
        All runs.
    limit
        How many runs' pictures are embedded at most; at least 0.

    Returns
    -------
    Pictures
        The pictures by run.
    """
    result = Pictures()
    have = [number for number, run in enumerate(runs) if any(_path(run, name).is_file() for name in PICTURES)]
    step = max(len(have) / limit, 1) if limit else math.inf
    chosen = [have[int(i * step)] for i in range(min(limit, len(have)))]
    result.left_out = len(have) - len(chosen)
    for number in chosen:
        for name in PICTURES:
            path = _path(runs[number], name)
            if path.is_file():
                try:
                    result.urls.setdefault(number, {})[name] = _data_url(path)
                except (OSError, ValueError, SyntaxError) as error:
                    result.problems.append(f"{path} is not a picture: {one_line(str(error))}")
    return result


def _path(run: Run, name: str) -> Path:
    return run.folder / "plots" / f"{name}.png"


def _data_url(path: Path) -> str:
    with Image.open(path) as image:
        picture = image.convert("RGBA")
    backed = Image.new("RGBA", picture.size, "white")  # a transparent one would be black on black in dark mode
    backed.alpha_composite(picture)
    shown = backed.convert("RGB")
    if shown.width > PICTURE_WIDTH:
        height = round(shown.height * PICTURE_WIDTH / shown.width)
        shown = shown.resize((PICTURE_WIDTH, height), Image.Resampling.LANCZOS)
    return webp_url(shown)


def webp_url(picture: Image.Image, lossless: bool = False) -> str:
    """Return a picture as a WebP data URL."""
    file = io.BytesIO()
    picture.save(file, "webp", quality=82, lossless=lossless)
    return f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode()}"
