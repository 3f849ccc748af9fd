"""The graph of a trained detector, from samples to scores, as a program of torch.export or an ONNX file."""

from __future__ import annotations

import json
import logging
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor, nn

from omasgan.data.dataset import Columns, Spec
from omasgan.detectors.base import Detector
from omasgan.errors import UserError
from omasgan.files import write_atomically

FORMATS = (".onnx", ".pt2")
"""The formats, by the suffix of the file: ONNX, and torch.export."""

MOST = 2**20
"""Largest number of samples that a graph takes at once; torch.export wants a bound."""

PLAIN = {"device": "cpu", "precision": "float32", "feature_cache": None}
"""The keys of a configuration with which a detector is loaded for its export."""

KEY = "omasgan"
"""The name of the JSON that says how to make samples: a key of the ONNX metadata, or an extra file of torch.export."""


COLOUR = re.compile(r"\x1b\[\d+m")
"""What colours text in a terminal."""


class Graph(nn.Module):
    """Scores of samples by a trained detector, as `Detector.score` computes them.

    It holds the detector's own code, and so scaling, representation, networks, memory bank and score.

    Parameters
    ----------
    detector
        The trained detector; on the CPU, and computing in float32.
    normal_scores
        Scores of normal samples, float64 (m,).
    maps
        Whether it gives anomaly maps, too.

    Raises
    ------
    UserError
        Where maps are wanted of a detector that has none.
    """

    def __init__(self, detector: Detector, normal_scores: Tensor, maps: bool = False) -> None:
        super().__init__()
        self.detector, self.normal_scores, self.maps = detector, normal_scores, maps
        if maps and detector.maps(blank(detector.spec, 1)) is None:
            raise UserError(
                "anomaly maps are wanted, but the detector has none: train it with representation=pretrained_patches "
                "or pixel_patches, or export it without maps"
            )

    @property
    def outputs(self) -> list[str]:
        """The names of the outputs, in their order."""
        return ["score", "p_value", *(["map"] if self.maps else [])]

    def forward(self, samples: Tensor) -> tuple[Tensor, ...]:
        """Score samples.

        Parameters
        ----------
        samples
            uint8 images (n, C, H, W), or float32 rows (n, k).

        Returns
        -------
        tuple of Tensor
            Scores (n,), float64, and p-values (n,), float64, see `evaluation.conformal`. With `maps`, also the anomaly
            maps (n, H, W), float32.
        """
        scores = self.detector.score(samples)
        higher = (self.normal_scores >= scores.unsqueeze(1)).sum(dim=1)
        given = (scores, (1 + higher).double() / (1 + len(self.normal_scores)))
        if not self.maps:
            return given
        maps = self.detector.maps(samples)
        assert maps is not None
        return (*given, maps)


def blank(spec: Spec, n: int) -> Tensor:
    """n samples of the shape and type that a detector takes, all zero."""
    return torch.zeros(n, *spec.shape, dtype=torch.uint8 if spec.is_image else torch.float32)


def export(graph: Graph, path: Path, columns: Columns | None = None, bits: int = 16) -> None:
    """Write the graph to a file in the format of its suffix, one of `FORMATS`.

    Parameters
    ----------
    graph
        The graph; its `samples` have any number n.
    path
        The file, in an existing folder.
    columns
        The columns of the table that the detector has learned from, if it was one.
    bits
        How many bits images of 16 bits use.

    Raises
    ------
    UserError
        Where the suffix is another one, the format's package is not installed, or the detector's way of scoring cannot
        be written as a graph.
    """
    if path.suffix not in FORMATS:
        raise UserError(f"export.output={path} ends in '{path.suffix}': choose a file that ends in .onnx or .pt2")
    if graph.detector.searches:
        raise UserError("this detector can't be exported, because it searches anew for every sample: use task=score")
    try:
        number = torch.export.Dim("n", min=1, max=MOST)
        program = torch.export.export(
            graph, (blank(graph.detector.spec, 2),), dynamic_shapes={"samples": {0: number}}, strict=False
        )
        write = (_onnx if path.suffix == ".onnx" else _pt2)(
            program, graph.outputs, json.dumps(_description(graph, columns, bits))
        )
    except UserError:
        raise
    except Exception as error:  # the tracer raises what the code that it traces does not allow, of any kind
        reason = COLOUR.sub("", str(error)).strip().split("\n")[0]
        raise UserError(
            f"this detector can't be exported as {path.suffix}, because of how it scores ({reason}): use task=score"
        ) from error
    write_atomically(path, write)


def _onnx(program: torch.export.ExportedProgram, outputs: list[str], told: str) -> Callable[[BinaryIO], object]:
    try:
        import onnx_ir
        import onnxruntime
        import onnxscript  # noqa: F401
    except ImportError:
        raise UserError(
            "ONNX files need more packages: pip install 'omasgan[onnx]', or give export.output=detector.pt2"
        ) from None
    for library in ("onnxscript", "onnx_ir"):
        logging.getLogger(library).setLevel(logging.WARNING)  # they tell of every node that they simplify
    made = torch.onnx.export(program, dynamo=True, output_names=outputs, verbose=False)
    assert made is not None
    made.model.metadata_props[KEY] = told
    # The tracer calls the number of samples s followed by a number, which would say nothing to a user.
    for value in (*made.model.graph.inputs, *made.model.graph.outputs):
        value.shape = onnx_ir.Shape(["n", *list(value.shape or ())[1:]])
    content = made.model_proto.SerializeToString()
    onnxruntime.InferenceSession(content)  # raises where ONNX Runtime lacks an operation
    return lambda file: file.write(content)


def _pt2(program: torch.export.ExportedProgram, outputs: list[str], told: str) -> Callable[[BinaryIO], object]:
    def write(file: BinaryIO) -> None:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="No complete tensor found")  # of parts that share memory
            torch.export.save(program, file, extra_files={f"{KEY}.json": told})

    return write


def _description(graph: Graph, columns: Columns | None, bits: int) -> dict[str, Any]:
    """What a program that uses the file must know: how to make samples, and what comes out."""
    spec = graph.detector.spec
    told: dict[str, Any] = {"shape": list(spec.shape), "outputs": graph.outputs}
    if spec.is_image:
        return {**told, "samples": "images", "type": "uint8", "bits": bits, "resize": "bilinear, antialiased"}
    told |= {"samples": "rows", "type": "float32"}
    if columns is None:
        return told
    medians = None if columns.medians is None else list(columns.medians)
    return {**told, "columns": None if columns.names is None else list(columns.names), "medians": medians}
