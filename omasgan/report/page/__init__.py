"""The page: one HTML file that holds its data, its pictures and its plotting library, and asks no network."""

from __future__ import annotations

import base64
import gzip
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from omasgan.report.comparison import Scores
from omasgan.report.folders import DamagedError, Run, curves
from omasgan.report.methods import METRICS, Study
from omasgan.report.published import PUBLISHED
from omasgan.report.tables import cells, columns
from omasgan.text import heading

CURVE_VALUES = 200_000
"""Values of all learning curves in the page: about 0.6 MB of it."""

FEWEST_POINTS, MOST_POINTS = 8, 200

PICTURES = {"samples": "Samples", "plane": "Boundary"}
"""Pictures of a run that are embedded, by file name; the page draws the others itself."""

PICTURE_WIDTH = 900

Curves = Mapping[str, Mapping[str, tuple[list[int], list[float | None]]]]


@dataclass
class Pictures:
    """WebP pictures as data URLs: run -> name -> URL; left_out: how many runs' were one too many."""

    urls: dict[int, dict[str, str]] = field(default_factory=dict)
    left_out: int = 0
    problems: list[str] = field(default_factory=list)


def pictures(runs: Sequence[Run], limit: int) -> Pictures:
    """The pictures of at most `limit` runs, spread evenly over those that have some."""
    result = Pictures()
    have = [
        n for n, run in enumerate(runs) if any((run.folder / "plots" / f"{name}.png").is_file() for name in PICTURES)
    ]
    step = max(len(have) / limit, 1) if limit else math.inf
    chosen = [have[int(i * step)] for i in range(min(limit, len(have)))]
    result.left_out = len(have) - len(chosen)
    for number in chosen:
        for name in PICTURES:
            path = runs[number].folder / "plots" / f"{name}.png"
            if path.is_file():
                try:
                    result.urls.setdefault(number, {})[name] = _data_url(path)
                except (OSError, ValueError, SyntaxError) as error:
                    result.problems.append(f"{path} is no picture: {' '.join(str(error).split())}")
    return result


def _data_url(path: Path) -> str:
    with Image.open(path) as image:
        picture = image.convert("RGBA")
    backed = Image.new("RGBA", picture.size, "white")  # a transparent one would be black on black in dark mode
    backed.alpha_composite(picture)
    shown = backed.convert("RGB")
    if shown.width > PICTURE_WIDTH:
        shown = shown.resize(
            (PICTURE_WIDTH, round(shown.height * PICTURE_WIDTH / shown.width)), Image.Resampling.LANCZOS
        )
    file = io.BytesIO()
    shown.save(file, "webp", quality=82)
    return f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode()}"


def data(study: Study, scores: Scores, shown: Pictures, problems: Sequence[str], created: str) -> dict[str, Any]:
    """All that the page shows, as plain types. Figures have six decimals, and null where there is none."""
    curve_of, damaged = _curves(study.runs)
    settings = []
    for number, setting in enumerate(study.settings):
        pairs = scores.pairs[number]
        known = PUBLISHED.get((setting.dataset, setting.protocol))
        settings.append(
            {
                **asdict(setting),
                "columns": columns(study, number),
                "published": asdict(known) if known else None,
                "pairs": {"methods": pairs.methods, "deviation": bfloat16(pairs.deviation)},
            }
        )
    where: dict[int, tuple[int | None, str, dict[str, Any]]] = {}
    methods = []
    for number, method in enumerate(study.methods):
        rows = {metric: cells(study, scores, number, metric) for metric in METRICS}
        first = rows["auroc"]
        methods.append(
            {
                "setting": method.setting,
                "label": method.label,
                "name": method.name,
                "term": method.term,
                "heading": heading(method.term),
                "floor": method.floor,
                "main": method.main,
                "ablation": method.ablation,
                "varied": method.varied,
                "states": [cell.state for cell in first],
                "complete": [cell.complete for cell in first],
                "classes": first[-1].classes,
                "runs": [list(cell.runs) for cell in first[:-1]],
                "cells": {
                    metric: [[_six(v) for v in (c.mean, c.deviation, c.n, c.low, c.high)] for c in row]
                    for metric, row in rows.items()
                },
            }
        )
        if not method.floor or method.name != "floors":
            for numbers in [*method.rest.values(), *(n for seeds in method.done.values() for n in seeds.values())]:
                for index in numbers:
                    where.setdefault(index, (method.setting, method.name, method.varied))
    runs = []
    for number, run in enumerate(study.runs):
        setting_of, name, varied = where.get(number, (None, run.choices.get("detector", ""), {}))
        histograms, rocs = scores.digests.get(number, ({}, {}))
        runs.append(
            {
                "folder": str(run.folder),
                "state": run.state,
                "setting": setting_of,
                "name": name,
                "class": run.cls,
                "seed": run.seed,
                "error": run.error,
                "made": run.made,
                "seconds": {key: round(value, 1) for key, value in run.seconds.items()},
                "support": {key: {k: _six(v) for k, v in of.items()} for key, of in run.support.items()},
                "varied": varied,
                "metrics": {
                    term: [_six(values.get(key, math.nan)) for key in (*METRICS, "auroc_low", "auroc_high")]
                    for term, values in run.metrics.items()
                },
                "histograms": histograms,
                "rocs": rocs,
                "curves": curve_of.get(number, {}),
                "pictures": shown.urls.get(number, {}),
            }
        )
    return {
        "created": created,
        "metrics": METRICS,
        "pictures": PICTURES,
        "pictures_left_out": shown.left_out,
        "settings": settings,
        "methods": methods,
        "runs": runs,
        "problems": [*problems, *shown.problems, *damaged],
    }


def _curves(runs: Sequence[Run]) -> tuple[dict[int, Any], list[str]]:
    """The runs' learning curves, evenly thinned until all of them fit: run -> stage -> (steps, name -> values)."""
    found: dict[int, Curves] = {}
    problems = []
    for number, run in enumerate(runs):
        try:
            found[number] = curves(run.folder)
        except DamagedError as error:
            problems.append(str(error))
    series = sum(len(names) for stages in found.values() for names in stages.values())
    points = max(FEWEST_POINTS, min(MOST_POINTS, CURVE_VALUES // max(series, 1)))
    thinned: dict[int, Any] = {}
    for number, stages in found.items():
        for stage, names in stages.items():
            for name, (steps, values) in names.items():
                kept = np.unique(np.linspace(0, len(steps) - 1, min(points, len(steps))).round().astype(int))
                short = [None if values[i] is None else _short(values[i]) for i in kept]
                entry = thinned.setdefault(number, {}).setdefault(stage, {})
                entry[name] = [[steps[i] for i in kept], short]
    return thinned, problems


def _short(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(f"{value:.3g}")


def _six(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    return value


def bfloat16(values: np.ndarray[Any, Any]) -> str:
    """Float32 as base64 of the upper half of its bits, rounded: three figures, which an interval's width needs."""
    bits = np.ascontiguousarray(values, "<f4").view("<u4")
    rounded = np.where(np.isnan(values), np.uint32(0x7FC0), (bits + np.uint32(0x7FFF)) >> 16)
    return base64.b64encode(rounded.astype("<u2").tobytes()).decode()


SCRIPTS = (
    *("state", "elements", "theme", "plots"),
    *("table", "details", "classes_and_ablation", "comparison", "sweeps", "side_by_side", "runs"),
    "start",
)
"""The page's JavaScript files, in the order in which they are joined: what all share, a file a section, the start."""


def render(content: Mapping[str, Any], title: str) -> str:
    """The page as one HTML text."""
    plotly = files("plotly").joinpath("package_data", "plotly.min.js").read_bytes()
    text = _part("page.html")
    filled = {
        "title": title.replace("&", "&amp;").replace("<", "&lt;"),
        "style": _part("page.css"),
        "script": "\n".join(_part("script", f"{name}.js") for name in SCRIPTS),
        "plotly": packed(plotly),
        "data": packed(json.dumps(content, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()),
    }
    for name, value in filled.items():
        text = text.replace(f"<!--{name}-->", value)
    return text


def _part(*path: str) -> str:
    return files("omasgan.report.page").joinpath(*path).read_text(encoding="utf-8")


def packed(content: bytes) -> str:
    """Base64 of gzip, of the same bytes for the same content."""
    return base64.b64encode(gzip.compress(content, 9, mtime=0)).decode()


def content_of(page: str) -> dict[str, Any]:
    """The data that a page holds."""
    start = page.index('id="data">') + len('id="data">')
    content: dict[str, Any] = json.loads(gzip.decompress(base64.b64decode(page[start : page.index("<", start)])))
    return content
