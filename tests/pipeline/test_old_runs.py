"""A run folder that an earlier version wrote scores new samples as it did then."""

import csv
import shutil

import numpy as np
import pytest
import torch
import yaml

from omasgan.configuration.old_names import PART_SETTINGS, PARTS
from tests.pipeline.running import DIGITS

MOVED = {
    "omasgan.method.settings.": "omasgan.settings.",
    "omasgan.training.settings.": "omasgan.settings.",
    "omasgan.method.divergences.": "omasgan.divergences.",
    "omasgan.networks.": "omasgan.architectures.",
    "omasgan.training.augmentation.": "omasgan.data.augmentation.",
    "omasgan.detectors.baselines.": "omasgan.detectors.floors.",
    "omasgan.representations.visual_words.VisualWords": "omasgan.representations.patches.Patches",
    "omasgan.representations.pca.PCA": "omasgan.representations.principal.Principal",
    "omasgan.representations.rotation_prediction.RotationPrediction": "omasgan.representations.turns.Turns",
}
SETTINGS = {
    "baselines": "floors",
    "j_features": "j_sees",
    "memory_bank": "bank",
    "memory_bank_size": "bank_size",
    "density_exponent": "locality",
    "mixing_min": "reach_min",
    "mixing_max": "reach_max",
    "auxiliary_weight": "doubt",
    "noise_scale": "halo",
}
VALUES = {
    ("j_features", "neighbours"): "distances",
    ("critic", "noise_contrastive"): "halo",
    ("unit", "quantile"): "spacing",
}
OLD_PARTS = {new: old for old, new in PARTS.items()}
OLD_PART_SETTINGS = {new: old for old, new in PART_SETTINGS.items()}


def old_target(path):
    for new, old in MOVED.items():
        if path.startswith(new):
            return path.replace(new, old)
    return path


def old_config(node, key=""):
    """A configuration of today as an earlier version would have written it."""
    if not isinstance(node, dict):
        return old_target(node) if key == "_target_" else VALUES.get((key, str(node)), node)
    if key == "representation":
        parts = {
            OLD_PARTS.get(name, name): {OLD_PART_SETTINGS.get(k, k): old_config(v, k) for k, v in part.items()}
            for name, part in node.items()
        }
        joined = {"_target_": "omasgan.representations.joint.TurnedPhotographs", "_partial_": True}
        return {**parts, **joined} if len(parts) > 1 else next(iter(parts.values()))
    return {SETTINGS.get(name, name): old_config(child, name) for name, child in node.items()}


def old_state(detector):
    """What an earlier version would have saved of a detector."""
    parts = {OLD_PARTS.get(name, name): state for name, state in detector["representation"].items()}
    for state in parts.values():
        networks = state.get("networks", {})
        for name in {"rotation_classifier"} & networks.keys():
            networks["teller"] = networks.pop(name)
    own = detector["detector"]
    features = own.pop("neighbour_features")
    own["sight"] = features and {("spacings" if k == "density_scales" else k): v for k, v in features.items()}
    own["scales"] = {("doubt" if name == "auxiliary" else name): scale for name, scale in own["scales"].items()}
    return {"representation": parts if len(parts) > 1 else next(iter(parts.values())), "detector": own}


@pytest.mark.parametrize(
    ("parts", "settings"),
    [
        (
            "[visual_words,pca,rotation_prediction]",
            ["inference.auxiliary_weight=2", "representation.visual_words.words=20"],
        ),
        ("contrastive", ["boundary.neighbours=8"]),
        ("rotation_prediction", ["inference.auxiliary_weight=1"]),
        ("pixels", ["inference.j_features=sample", "inference.divergence_term=variational"]),
    ],
)
def test_an_old_run_scores_as_it_did(start, no_pictures, tmp_path, parts, settings):
    method = ("architecture=mlp", "inference.j_features=neighbours")
    folder = start(*DIGITS, *method, f"representation={parts}", *settings)
    old = shutil.copytree(folder, tmp_path / "old")
    config = old_config(yaml.safe_load((folder / "config.yaml").read_text()))
    (old / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    content = torch.load(folder / "detector.pt", weights_only=True)
    content["state"]["detector"] = old_state(content["state"]["detector"])
    torch.save(content, old / "detector.pt")

    samples = np.random.default_rng(0).integers(0, 256, (20, 1, 8, 8), dtype=np.uint8)
    np.save(tmp_path / "new.npy", samples)
    scores = []
    for run in (folder, old):
        output = tmp_path / f"{run.name}.csv"
        start("task=score", f"score.run={run}", f"score.input={tmp_path}/new.npy", f"score.output={output}")
        with output.open(newline="") as file:
            scores.append(list(csv.DictReader(file)))
    assert scores[0] == scores[1]
    assert len({row["score"] for row in scores[0]}) == 20
