"""Writes run folders as a sweep would leave them, with made-up scores: for the report's tests and its benchmark.

python experiments/speed/fake_runs.py FOLDER 1000
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import OmegaConf
from PIL import Image

from omasgan.configuration.identity import identity_of
from omasgan.evaluation import metrics
from omasgan.evaluation.objective import Objective
from omasgan.evaluation.scores import ScoreTable
from omasgan.runs import results

TERMS = {"task1": 0.2, "task3": 0.7, "j": 0.5, "divergence": 0.7, "full": 1.3}
"""How far apart a term puts the classes, in deviations."""

BASELINES = {"nearest_neighbour": 1.4, "pca": 0.9, "mahalanobis": 0.8, "isolation_forest": 0.4}
STAGES = {"task1": 100, "critic": 20, "task2": 30, "task3": 60, "j": 30}
CHOICES = {
    "dataset": "mnist",
    "protocol": "loo",
    "detector": "omasgan",
    "architecture": "dcgan",
    "divergence": "gan",
    "ablation": "none",
    "augmentation": "none",
    "boundary": "default",
    "budget": "default",
}


def config(mu: float = 0.02, nu: float = 0.1, beta: float = 0.7) -> dict[str, Any]:
    """What a run's config.yaml holds, as far as the report reads it."""
    groups: dict[str, Any] = {
        "divergence": {"_target_": "omasgan.method.divergences.GAN"},
        "architecture": {"_target_": "omasgan.networks.dcgan.DCGAN", "latent": 128, "width": 32},
        "augmentation": {"_target_": "omasgan.training.augmentation.NoAugmentation"},
        "optimisation": {"_target_": "omasgan.training.settings.Optimisation", "lr_generator": 0.0002, "ema": 0.995},
        "boundary": {
            "_target_": "omasgan.method.settings.Boundary",
            "trained": True,
            "mu": mu,
            "nu": nu,
            "N": 512,
            "Q": 1024,
        },
        "retraining": {"_target_": "omasgan.method.settings.Retraining", "alpha": 0.3, "beta": beta, "gamma": 0.4},
        "inference": {"_target_": "omasgan.method.settings.Inference", "delta": 0.5, "lambda_": 1.0},
        "budget": {"_target_": "omasgan.training.settings.Budget", "task1": 2000, "batch": 128},
    }
    baselines = {name: {"_target_": f"omasgan.detectors.baselines.{name}"} for name in BASELINES}
    return {
        "dataset": {"_target_": "omasgan.data.benchmarks.mnist", "root": "somewhere"},
        "protocol": {"_target_": "omasgan.data.protocols.LeaveOneOut", "abnormal_class": 0},
        "detector": {"_target_": "omasgan.detectors.omasgan.OMASGAN", **groups},
        "baselines": baselines,
        **groups,
        "logger": {"wandb": {"_target_": "omasgan.runs.wandb.WandbLogger", "mode": "offline"}},
        "abnormal_dataset": None,
        "seed": 0,
        "task": "run",
    }


def scores(cls: int, samples: int, seed: int, lift: float = 0.0, classes: int = 10) -> ScoreTable:
    """A test split's scores; those of a baseline depend on the class alone, since training does not change them."""
    label_source = np.random.default_rng(99)
    class_index = label_source.permutation(np.arange(samples) % classes)
    label = class_index == cls
    common = np.random.default_rng(cls).normal(size=samples)  # what makes a sample hard is so for every method
    own = np.random.default_rng([cls, seed, 7])
    terms = {name: common + own.normal(size=samples) + (gap + lift) * label for name, gap in TERMS.items()}
    baseline_noise = np.random.default_rng([cls, 8])
    terms |= {name: common + baseline_noise.normal(size=samples) + gap * label for name, gap in BASELINES.items()}
    names = tuple(str(number) for number in range(classes))
    return ScoreTable(np.arange(samples), class_index, label, terms, names)


def measured(table: ScoreTable) -> dict[str, dict[str, float]]:
    """The metrics of every term; an interval of two hundredths, for the true one takes a second a run."""
    found = {}
    for term, values in table.terms.items():
        area = metrics.auroc(table.label, values)
        found[term] = {
            "auroc": area,
            "auroc_low": area - 0.01,
            "auroc_high": area + 0.01,
            "auprc": metrics.auprc(table.label, values),
            "auprc_balanced": metrics.auprc_balanced(table.label, values),
            "prevalence": float(table.label.mean()),
            "fpr95": metrics.fpr_at_tpr(table.label, values),
        }
    return found


def curve_lines(seed: int) -> str:
    """A metrics.jsonl."""
    rng = np.random.default_rng(seed)
    lines = []
    for stage, points in STAGES.items():
        losses = np.exp(-np.arange(points) / points)[:, None] + 0.05 * rng.normal(size=(points, 5))
        names = ("loss/D", "loss/G", "divergence/m", "gradient norm/D", "gradient norm/G")
        for point, row in enumerate(losses):
            values = dict(zip(names, row.tolist(), strict=True))
            lines.append(json.dumps({"stage": stage, "step": 1 + 20 * point, "time": 0.5 * point, **values}))
    return "\n".join(lines) + "\n"


def write(
    top: Path,
    cls: int = 0,
    seed: int = 0,
    state: str = "done",
    table: ScoreTable | None = None,
    measures: Mapping[str, Mapping[str, float]] | None = None,
    choices: Mapping[str, str] | None = None,
    pictures: Sequence[str] = (),
    curves: int | None = None,
    search: Mapping[str, Any] | None = None,
    root: str = "somewhere",
    **weights: float,
) -> Path:
    """Write one run below `top`, with its data in `root`; state is 'done', 'failed' or 'interrupted'."""
    cfg = config(**weights)
    cfg["protocol"]["abnormal_class"], cfg["seed"] = cls, seed
    cfg["search"] = search or {"journal": None, "study": None, "trial": None}
    chosen = {**CHOICES, **(choices or {})}
    identity = identity_of(cfg)
    detector = "_".join([chosen["detector"]] + [chosen["ablation"]] * (chosen["ablation"] != "none"))
    place = f"{chosen['dataset']}_{chosen['protocol']}"
    folder = top / place / f"{detector}-{identity}" / f"seed_{seed}" / f"abnormal_{cls}"
    folder.mkdir(parents=True)
    cfg["dataset"]["root"] = root
    (folder / "config.yaml").write_text(OmegaConf.to_yaml(OmegaConf.create(cfg)))
    record = {
        "identity": identity,
        "seed": seed,
        "class": str(cls),
        "choices": chosen,
        "omasgan": "0.1.0",
        "commit": None,
    }
    (folder / "run.json").write_text(json.dumps(record))
    (folder / "metrics.jsonl").write_text(curve_lines(seed if curves is None else curves))
    if state == "failed":
        (folder / "failed.json").write_text(json.dumps({"error": "the loss is not finite", "traceback": "..."}))
    if state == "done":
        table = table or scores(cls, 400, seed)
        table.save(folder / "scores.npz")
        n = int(table.label.sum())
        pseudo = chosen["protocol"].startswith("pseudo")
        objective = Objective("pseudo" if pseudo else "test", (str(cls),), len(table) - n, n)
        figures = results.content(measures or measured(table), objective)
        body = {**figures, "seconds": {"fit": 9.5, "score": 0.5}, "support": {}}
        (folder / "metrics.json").write_text(json.dumps(body))
        (folder / "plots").mkdir()
        for name in pictures:
            coarse = np.random.default_rng([seed, cls, len(name)]).integers(0, 255, (6, 24), np.uint8)
            Image.fromarray(coarse).resize((960, 240), Image.Resampling.BICUBIC).save(folder / "plots" / f"{name}.png")
    return folder


def sweep(top: Path, runs: int, samples: int = 10_000) -> None:
    """As many runs of a sweep over mu, nu and beta, ten classes each; one in fifty failed, one in fifty interrupted."""
    weights = [
        {"mu": mu, "nu": nu, "beta": beta}
        for mu in (0.01, 0.02, 0.05, 0.1, 0.2)
        for nu in (0.05, 0.1, 0.2, 0.25, 0.5)
        for beta in (0.175, 0.35, 0.525, 0.7)
    ]
    for number in range(runs):
        cls, cell = number % 10, number // 10
        state = {13: "failed", 31: "interrupted"}.get(number % 50, "done")
        chosen = weights[cell % len(weights)]
        seed = cell // len(weights)
        lift = 2 * chosen["mu"] - abs(chosen["nu"] - 0.2)
        table = scores(cls, samples, number, lift) if state == "done" else None
        pictures = ("samples",) if state == "done" and number < 100 else ()
        write(top, cls, seed, state, table, pictures=pictures, curves=number, **chosen)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where the runs go")
    parser.add_argument("runs", type=int, help="how many")
    given = parser.parse_args()
    sweep(given.folder, given.runs)
