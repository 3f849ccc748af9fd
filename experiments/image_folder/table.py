"""Write the record of this study, record.npz, and print the README's tables.

python experiments/image_folder/table.py runs experiments/image_folder    # from the folders of the runs
python experiments/image_folder/table.py experiments/image_folder         # from the record
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

TERMS = ("full", "patch", "j", "divergence", "statistics", "content")
"""The terms of the tables, where a run has them."""

Record = dict[str, NDArray[np.generic]]


def collect(runs: Path) -> Record:
    """Read the finished runs: for each, the class of each test sample, every term, and the metrics of its maps."""
    record: Record = {}
    for path in sorted(runs.rglob("metrics.json")):
        config = yaml.safe_load((path.parent / "config.yaml").read_text())
        data = "textures" if config["dataset"]["_target_"].endswith("textures") else "tiles"
        key = f"{data}|{next(iter(config['representation']))}|{config['seed']}"
        with np.load(path.parent / "scores.npz") as scores:
            record[f"{key}|class"] = scores["class_names"][scores["class"]]
            for term in TERMS:
                if f"term_{term}" in scores:
                    record[f"{key}|{term}"] = scores[f"term_{term}"].astype(np.float32)
        metrics = json.loads(path.read_text())
        if "localisation" in metrics:
            located = metrics["localisation"]
            record[f"{key}|localisation"] = np.array([located["pixel_auroc"], located["aupro"]])
        record[f"{key}|seconds"] = np.array([metrics["seconds"]["fit"], metrics["seconds"]["score"]])
    return record


def aurocs(record: Record, key: str) -> dict[str, dict[str, float]]:
    """The AUROC of each kind of anomaly against the good test images, by term."""
    classes = record[f"{key}|class"]
    found: dict[str, dict[str, float]] = {}
    for term in TERMS:
        if (scores := record.get(f"{key}|{term}")) is not None:
            kinds = [kind for kind in dict.fromkeys(classes.tolist()) if kind != "good"]
            found[term] = {}
            for kind in kinds:
                chosen = (classes == "good") | (classes == kind)
                found[term][kind] = float(roc_auc_score(classes[chosen] == kind, scores[chosen]))
    return found


def markdown(record: Record) -> str:
    """The README's tables: the mean over the seeds, with the lowest and the highest of `full`."""
    blocks = []
    names = sorted({tuple(key.split("|")[:2]) for key in record}, reverse=True)
    for data, representation in names:
        seeds = sorted({key.split("|")[2] for key in record if key.startswith(f"{data}|{representation}|")})
        runs = [aurocs(record, f"{data}|{representation}|{seed}") for seed in seeds]
        kinds = list(runs[0]["full"])
        lines = [f"`dataset={data}`, `representation={representation}`:" if data == "textures" else ""]
        lines[0] = lines[0] or f"tiles, `representation={representation}`:"
        lines += ["", f"| term | {' | '.join(kinds)} |", f"|---|{'---|' * len(kinds)}"]
        for term in runs[0]:
            cells = []
            for kind in kinds:
                values = [run[term][kind] for run in runs]
                spread = f" ({min(values):.3f}-{max(values):.3f})" if term == "full" else ""
                cells.append(f"{np.mean(values):.3f}{spread}")
            lines.append(f"| {term} | {' | '.join(cells)} |")
        located = [record.get(f"{data}|{representation}|{seed}|localisation") for seed in seeds]
        if located[0] is not None:
            pixel, region = np.mean(np.stack([each for each in located if each is not None]), axis=0)
            lines += ["", f"Pixels: AUROC {pixel:.3f}, AUPRO up to a false-positive rate of 0.3 {region:.3f}."]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def main() -> None:
    """See the module."""
    target = Path(sys.argv[-1])
    if len(sys.argv) == 3:
        np.savez_compressed(target / "record.npz", **collect(Path(sys.argv[1])))
    with np.load(target / "record.npz") as record:
        print(markdown(dict(record)))


if __name__ == "__main__":
    main()
