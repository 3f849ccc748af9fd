"""One run: data, training, scores, metrics and plots in one folder; the abnormal class is touched at its end alone."""

from __future__ import annotations

import json
import logging
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf

from omasgan.configuration.identity import class_folder, class_of, digest, weights_of
from omasgan.data.dataset import Dataset, Spec
from omasgan.data.protocols import IndexSplit, Protocol
from omasgan.data.support import boundary_report
from omasgan.detectors.base import Detector
from omasgan.detectors.represented import Represented
from omasgan.errors import UserError
from omasgan.evaluation import plots
from omasgan.evaluation.scores import ScoreTable, metrics_of
from omasgan.files import make_folder, write_json, write_text
from omasgan.pipeline import build
from omasgan.runs import folder as runs
from omasgan.runs import reuse
from omasgan.runs.lock import claimed
from omasgan.runs.logger import Identity, loggers
from omasgan.runs.provenance import provenance
from omasgan.runs.record import history, open_record
from omasgan.training import checkpoint
from omasgan.training.record import Record
from omasgan.training.stage import Workspace

log = logging.getLogger("omasgan")

Metrics = dict[str, dict[str, float]]
"""Term -> metric -> value; empty where the test split has no anomalies, or nothing else."""

DETECTOR = "detector.pt"
"""A run's file for `task=score`: what was trained, and the scores of the normal test samples."""

GRID_SAMPLES = 36
PLANE_SAMPLES = 2000
SUPPORT_SAMPLES = 8192


@dataclass(frozen=True)
class Job:
    """One run's place and configuration (checked and resolved); `choices` are the chosen group options by group.

    sweep: what the run's sweep is called, None where it is part of none.
    """

    config: Mapping[str, Any]
    identity: str
    choices: Mapping[str, str]
    folder: Path
    sweep: str | None = None

    @property
    def debug(self) -> str | None:
        """The option of `debug` that the run is made with, if it is."""
        option = str(self.choices.get("debug"))
        return None if option == "None" else option

    @property
    def wandb(self) -> Identity:
        """How W&B lists the run: everything from the science keys."""
        names = [self.choices[group] for group in ("dataset", "protocol", "detector", "architecture", "divergence")]
        ablation = self.choices["ablation"]
        which = class_folder(self.config["protocol"])
        seed = f"seed_{self.config['seed']}"
        dataset, protocol, detector = names[:3]
        weights = weights_of(self.config)
        return Identity(
            name=" ".join(part for part in (dataset, protocol, detector, which, seed) if part),
            group=self.sweep or f"{dataset}_{protocol}_{detector}-{self.identity}",
            job_type=detector if ablation == "none" else f"{detector}_{ablation}",
            tags=tuple(part for part in (*names, which, seed, ablation, *weights) if part and part != "none"),
        )


def run(job: Job, dataset: Dataset, protocol: Protocol) -> Metrics:
    """Train and evaluate; the metrics of every term and floor. A finished run is read back, not run again.

    An interrupted one, or one that lacks a floor, goes on from its last checkpoint. Raises HeldError where another
    process has the run, UserError where the folder belongs to another configuration or to other data, where training
    diverges, and for all that is wrong with data or disk; `failed.json` then says so.
    """
    split = protocol.split(dataset.train.y, dataset.test.y, dataset.class_names)
    if not _done(job):
        with claimed(job.folder):
            if not _done(job):  # or else its last holder has finished it since
                return _claimed_run(job, dataset, split)
    _check(job, dataset, split)
    metrics = finished_metrics(job.folder / runs.METRICS)
    log.info("finished before: %s", job.folder)
    return metrics


def _done(job: Job) -> bool:
    """Whether the run is finished, and was compared to all the floors that are wanted now."""
    if _begins_anew(job):
        return False
    return (job.folder / runs.METRICS).exists() and not runs.lacking_floors(job.folder, job.config["floors"])


def _begins_anew(job: Job) -> bool:
    """Whether a run that is being debugged was made before: the code may be another by now."""
    before = runs.read(job.folder / runs.RECORD).get("choices", {}).get("debug")
    return job.debug is not None and before == job.debug


def _claimed_run(job: Job, dataset: Dataset, split: IndexSplit) -> Metrics:
    workspace = build.workspace(job.config, job.folder)
    if _begins_anew(job):
        runs.clear(job.folder)
    if (job.folder / runs.RECORD).exists():
        _check(job, dataset, split)
        if (job.folder / runs.METRICS).exists():
            wanted = job.config["floors"]
            log.info("finished before but for %s", ", ".join(runs.lacking_floors(job.folder, wanted)))
            floors = {**runs.floors_of(job.folder), **wanted}  # what it has, it keeps
            job = replace(job, config={**job.config, "floors": floors})
    else:
        _claim(job, dataset, workspace)
    failed = job.folder / runs.FAILED
    failed.unlink(missing_ok=True)  # of the last attempt
    try:
        with open_record(job.folder, job.wandb, dict(job.config), loggers(job.config["logger"])) as record:
            metrics = _run(job, dataset, split, replace(workspace, record=record))
    except Exception as error:
        with suppress(UserError):
            write_json(failed, {"error": str(error), "traceback": traceback.format_exc()})
        raise
    return metrics


def finished_metrics(path: Path) -> Metrics:
    """The metrics of every term in a run's metrics.json. Raises UserError where it is damaged."""
    try:
        metrics: Metrics = json.loads(path.read_text())["metrics"]
    except (OSError, ValueError, KeyError, TypeError):
        raise UserError(f"{path} is damaged: delete it, and the run's scores are made again") from None
    return metrics


def _which(job: Job) -> dict[str, Any]:
    """What tells a run from every other, beside its data."""
    name = class_of(job.config["protocol"])[1]
    return {"identity": job.identity, "seed": job.config["seed"], "class": name}


def _check(job: Job, dataset: Dataset, split: IndexSplit) -> None:
    """Make sure that the folder holds this very configuration, trained and, once it is, tested on these very data."""
    record = job.folder / runs.RECORD
    try:
        written = json.loads(record.read_text())
        other = [f"{key} {written[key]}, not {value}" for key, value in _which(job).items() if written[key] != value]
        trained_on = written["data"]
    except (OSError, ValueError, KeyError, TypeError):
        raise UserError(f"{record} is damaged: choose another folder, or delete this one") from None
    if other:
        raise UserError(
            f"{job.folder} holds a run of another configuration ({', '.join(other)}): "
            f"leave out hydra.run.dir, choose another folder, or delete this one"
        )
    data = {"training": (trained_on, dataset.train)}
    if tested_on := runs.read(job.folder / runs.METRICS).get("tested"):
        data["test"] = (tested_on, split.tested(dataset))
    for role, (known, samples) in data.items():
        if known != samples.digest:
            raise UserError(
                f"{job.folder} holds a run of other {role} data: samples or labels were added, changed or removed "
                f"since; delete it, or keep it and choose another folder by runs=..."
            )


def _claim(job: Job, dataset: Dataset, workspace: Workspace) -> None:
    """Write the run's record before its first step, and take over what a finished run has trained alike."""
    make_folder(job.folder / "checkpoints")
    _write_config(job)
    arithmetic = {"device": workspace.device.type, "arithmetic": str(workspace.dtype or torch.float32)}
    made = {"data": dataset.train.digest, **arithmetic, **provenance()}
    source = None if job.debug else reuse.donor(job.folder, job.identity, job.config, made)
    taken = {"trained_in": str(source.folder), "stages_taken": source.stages} if source else {}
    write_json(job.folder / runs.RECORD, {**_which(job), **taken, "choices": dict(job.choices), **made})
    if source:
        log.info("trained before, in %s: %s", source.folder, ", ".join(source.stages))
        reuse.take_over(source, job.folder)


def _write_config(job: Job) -> None:
    write_text(job.folder / runs.CONFIG, OmegaConf.to_yaml(OmegaConf.create(dict(job.config))))


def _run(job: Job, dataset: Dataset, split: IndexSplit, workspace: Workspace) -> Metrics:
    normals = dataset.train.x[split.train]
    started = time.monotonic()
    detector = _detector(job, dataset, normals, workspace)
    seconds = {"fit": time.monotonic() - started}

    started = time.monotonic()
    tested = split.tested(dataset).x[split.test]
    own_terms = detector.terms(tested)
    seconds["score"] = time.monotonic() - started
    normal_scores = own_terms[detector.main_term][~split.abnormal]
    state = {"shape": list(dataset.spec.shape), "normal_scores": normal_scores, "detector": detector.state_dict()}
    checkpoint.save(job.folder / DETECTOR, "detector", state)

    # A detector of one term is called by its own name, as the floors are.
    terms = {job.choices["detector"] if name == "score" else name: term for name, term in own_terms.items()}
    started = time.monotonic()
    for name, floor in _floors(job, dataset, detector, workspace):
        floor.fit(normals)
        terms[name] = floor.score(tested)
    seconds["floors"] = time.monotonic() - started

    table = score_table(dataset, split, terms)
    table.save(job.folder / "scores.npz")
    both = bool(split.abnormal.any()) and not bool(split.abnormal.all())
    metrics = metrics_of(table, seed=job.config["seed"]) if both else {}
    _draw(job, dataset, split, detector, table, metrics, workspace.record)
    _mirror(metrics, workspace.record)
    # Of a run that was finished before and got a floor, the time in which it was trained and scored counts.
    before = runs.read(job.folder / runs.METRICS).get("seconds", {})
    seconds |= {name: before[name] for name in ("fit", "score") if name in before}
    whole = {"metrics": metrics, "seconds": seconds, "support": _support(dataset, detector)}
    write_json(job.folder / runs.METRICS, {**whole, "tested": split.tested(dataset).digest})
    _write_config(job)  # the floors may be others than when it began
    return metrics


def _detector(job: Job, dataset: Dataset, normals: torch.Tensor, workspace: Workspace) -> Detector:
    """The trained detector; of a run that is finished but for a floor, as it was saved."""
    if (job.folder / runs.METRICS).exists() and (job.folder / DETECTOR).exists():
        return finished_detector(job.folder, job.config["detector"], workspace)[0]
    detector = build.detector(job.config["detector"], dataset.spec, workspace)
    with workspace.debug.watch(job.folder):
        detector.fit(normals)
    return detector


def finished_detector(folder: Path, node: Mapping[str, Any], workspace: Workspace) -> tuple[Detector, torch.Tensor]:
    """The detector of a finished run, of the settings `node`, and its scores of the run's normal test samples.

    Raises UserError where the file is missing, damaged or of other settings.
    """
    path = folder / DETECTOR
    state = checkpoint.load(path, "detector", workspace.device)
    detector = build.detector(node, Spec(tuple(state["shape"])), workspace)
    checkpoint.restore(path, {"detector": detector}, state)
    return detector, state["normal_scores"]


def _floors(job: Job, dataset: Dataset, detector: Detector, workspace: Workspace) -> Iterator[tuple[str, Detector]]:
    """The floors, untrained, with the codes that the detector has learned where their settings are the same.

    One that bears the detector's name, whatever its settings, would take its place, and is left out. What a floor
    learns otherwise has a folder of its settings, where no checkpoint of others is met.
    """
    learned = build.representations(job.config["detector"])
    for name, node in job.config["floors"].items():
        if name == job.choices["detector"]:
            continue
        own = build.representations(node)
        known = all(representation in learned for representation in own)
        place = workspace if known else workspace.beside(f"{name}-{digest(own)}")
        floor = build.detector(node, dataset.spec, place)
        if isinstance(floor, Represented) and isinstance(detector, Represented) and own == learned:
            floor.share(detector)
        yield name, floor


def _support(dataset: Dataset, detector: Detector) -> dict[str, Any]:
    """Where the generators' samples lie round a support that is known exactly (toy sets); else empty."""
    if dataset.support is None:
        return {}
    samples = detector.samples(SUPPORT_SAMPLES)
    return {name: asdict(boundary_report(x, dataset.support)) for name, x in samples.items()}


def score_table(dataset: Dataset, split: IndexSplit, terms: Mapping[str, torch.Tensor]) -> ScoreTable:
    """All scores of the tested samples, with what they are compared to."""
    chosen, tested = split.test.tolist(), split.tested(dataset)
    return ScoreTable(
        index=split.test.numpy(),
        class_index=tested.y[split.test].numpy(),
        label=split.abnormal.numpy(),
        terms={name: term.numpy() for name, term in terms.items()},
        class_names=dataset.class_names,
        names=tuple(tested.names[i] for i in chosen) if tested.names else (),
    )


def _draw(
    job: Job,
    dataset: Dataset,
    split: IndexSplit,
    detector: Detector,
    table: ScoreTable,
    metrics: Metrics,
    record: Record,
) -> None:
    folder = job.folder / "plots"
    make_folder(folder)
    figures = {}
    if metrics:
        figures["score_histograms"] = plots.score_histograms(table)
        figures["roc_curves"] = plots.roc_curves(table)
        figures["pr_curves"] = plots.pr_curves(table)
    curves = history(job.folder)
    if curves:
        figures["loss_curves"] = plots.loss_curves(curves)
    generated = detector.samples(GRID_SAMPLES if dataset.spec.is_image else PLANE_SAMPLES)
    if generated and dataset.spec.is_image:
        figures["samples"] = plots.sample_grid({"real": dataset.train.x[split.train[:GRID_SAMPLES]], **generated})
    elif generated and dataset.spec.shape == (2,):
        figures["plane"] = plots.plane(
            dataset.train.x[split.train[:PLANE_SAMPLES]],
            generated,
            detector.score,
            split.tested(dataset).x[split.test[split.abnormal]][:PLANE_SAMPLES] if split.abnormal.any() else None,
        )
    for name, figure in figures.items():
        path = folder / f"{name}.png"
        plots.save(figure, path)
        record.picture(name, path)


def _mirror(metrics: Metrics, record: Record) -> None:
    """AUROC and AUPRC of every term, as W&B's summary and as its ablation table."""
    columns = ["auroc", "auroc_low", "auroc_high", "auprc", "auprc_balanced", "fpr95", "prevalence"]
    record.table("ablation", ["term", *columns], [[term, *(m[c] for c in columns)] for term, m in metrics.items()])
    record.summary({f"{term}/{name}": m[name] for term, m in metrics.items() for name in ("auroc", "auprc")})
