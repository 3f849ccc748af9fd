"""`task=export`: write the detector of a finished run as a graph that runs without this program."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from omegaconf import DictConfig

from omasgan.commands.finished_run import find_run
from omasgan.configuration.checks import check
from omasgan.errors import UserError
from omasgan.files import make_folder, user_path
from omasgan.pipeline.export import PLAIN, Graph
from omasgan.pipeline.export import export as write
from omasgan.pipeline.fit import load_run
from omasgan.pipeline.score import columns_of


def export(cfg: DictConfig, choices: Mapping[str, str], folder: Path) -> None:
    """Write a run's detector as a program of torch.export (.pt2) or an ONNX file (.onnx).

    The graph computes in float32 on the CPU, whatever the run was trained with.

    Raises
    ------
    UserError
        Where the run is missing or damaged, the output exists or cannot be written, or the detector cannot be exported.
    """
    config = check(cfg)
    settings = config["export"]
    if settings["run"] is None:
        raise UserError("task=export needs export.run: give export.run=<a run's folder>")
    target = user_path(settings["output"])
    if target.exists() and not settings["overwrite"]:
        raise UserError(f"{target} exists: choose another file with export.output=..., or give export.overwrite=true")
    run_folder = find_run(settings["run"], "export.run")
    detector, normal_scores, trained = load_run(run_folder, {**PLAIN, "threads": config["threads"]}, config)
    graph = Graph(detector, normal_scores, settings["maps"])
    make_folder(target.parent)
    write(graph, target, columns_of(run_folder), trained["dataset"].get("bits", 16))
    size = target.stat().st_size / 1e6
    print(f"{run_folder} as a graph from samples to {', '.join(graph.outputs)}, {size:.1f} MB: {target}")
