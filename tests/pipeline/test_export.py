"""task=export: a detector as a graph that gives the product's own scores."""

import json
import re
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from PIL import Image

from omasgan import OMASGAN, AnomalyDetector
from omasgan.data.dataset import Spec
from omasgan.data.textures import textures
from omasgan.detectors.base import Detector
from omasgan.errors import UserError
from omasgan.pipeline.export import KEY, PLAIN, Graph, export
from omasgan.pipeline.fit import load_run

PAGE = Path(__file__).parents[2] / "docs" / "how_to" / "export.md"
ROWS = np.random.default_rng(0).normal(size=(300, 6)).astype(np.float32)


@pytest.fixture
def cloth(start):
    return start(
        *("experiment=image_folder", "dataset=textures", "dataset.size=32", "representation=pixel_patches"),
        *("representation.pixel_patches.size=32", "budget=smoke", "logger=none"),
    )


def product(folder):
    return load_run(folder, {**PLAIN, "threads": 1})[:2]


def largest_difference(one, other):
    """Relative to the spread of the scores."""
    return np.abs(one - other).max() / other.std()


@pytest.mark.heavy
def test_an_onnx_file_gives_the_scores_and_maps_of_the_run(cloth, start, tmp_path, capsys):
    model = tmp_path / "new" / "detector.onnx"
    command = ("task=export", f"export.run={cloth}", f"export.output={model}")
    start(*command, "export.maps=true")
    assert "score, p_value, map" in capsys.readouterr().out
    session = onnxruntime.InferenceSession(model)
    told = json.loads(session.get_modelmeta().custom_metadata_map[KEY])
    assert told["shape"] == [3, 32, 32]
    assert told["samples"] == "images"
    assert [value.shape[0] for value in (*session.get_inputs(), *session.get_outputs())] == ["n"] * 4

    detector, normal_scores = product(cloth)
    cloths = textures(train_size=1, size=32, seed=1).test.x
    x = cloths[torch.arange(1000) % len(cloths)].clone()
    x[:, :, :4, :4] = torch.randint(
        0, 60, (1000, 3, 4, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    expected = detector.score(x).numpy()
    score, p_value, maps = session.run(None, {"samples": x.numpy()})
    assert largest_difference(score, expected) < 1e-4
    in_order = score[expected.argsort()]
    assert (np.diff(in_order) > -1e-4 * expected.std()).all()  # equal ranks, but for ties
    expected_maps = detector.maps(x[:20]).numpy()
    close = np.abs(maps[:20] - expected_maps) < 1e-3 * expected_maps.std()
    assert close.mean() > 0.99  # of patches with two neighbours that are equally far, rounding may choose another one
    higher = (normal_scores.numpy() >= score[:, None]).sum(axis=1)
    assert p_value == pytest.approx((1 + higher) / (1 + len(normal_scores)))
    assert session.run(["score"], {"samples": x[:1].numpy()})[0] == pytest.approx(score[:1], rel=1e-5)

    before = model.read_bytes()
    with pytest.raises(UserError, match=r"detector.onnx exists: .* export.overwrite=true"):
        start(*command)
    assert model.read_bytes() == before


def test_a_program_of_torch_gives_the_same_numbers(tmp_path):
    model = OMASGAN(budget="smoke", threads=1, settings={"precision": "float32"}).fit(ROWS)
    model.export(tmp_path / "detector.pt2")
    files = {f"{KEY}.json": ""}
    program = torch.export.load(tmp_path / "detector.pt2", extra_files=files)
    assert json.loads(files[f"{KEY}.json"])["samples"] == "rows"
    for n in (1, 7, 300):
        score, p_value = program.module()(torch.from_numpy(ROWS[:n]))
        assert np.array_equal(score.numpy(), model.anomaly_scores(ROWS[:n]))
        assert np.array_equal(p_value.numpy(), model.p_values(ROWS[:n]))


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".pt2", ".onnx"])
@pytest.mark.parametrize(
    "name",
    [
        *("adae", "autoencoder", "cvae_negatives", "deep_svdd", "drocc", "egbad", "f_anogan", "fence_gan", "fgan"),
        *("ganomaly", "goad", "minlgan", "omasgan", "rumi_gan", "tail_gan", "vae"),
    ],
)
def test_every_detector_that_computes_its_scores_can_be_exported(name, suffix, tmp_path):
    settings = {"architecture": "mlp", "budget": "smoke", "threads": 1, "settings": {"precision": "float32"}}
    detector = AnomalyDetector(name, **settings).fit(ROWS).detector_
    expected = detector.score(torch.from_numpy(ROWS)).numpy()
    path = tmp_path / f"detector{suffix}"
    export(Graph(detector, torch.zeros(3, dtype=torch.float64)), path)
    if suffix == ".pt2":
        score = torch.export.load(path).module()(torch.from_numpy(ROWS))[0].numpy()
    else:
        score = onnxruntime.InferenceSession(path).run(["score"], {"samples": ROWS})[0]
    assert largest_difference(score, expected) < 1e-4


@pytest.mark.heavy
def test_the_page_s_example_scores_a_folder_without_omasgan(cloth, start, tmp_path, monkeypatch, capsys):
    start("task=export", f"export.run={cloth}", f"export.output={tmp_path}/detector.onnx")
    (tmp_path / "new").mkdir()
    for shade in (0, 120):
        Image.new("RGB", (50, 40), (shade, 90, 200)).save(tmp_path / "new" / f"{shade}.png")
    capsys.readouterr()
    monkeypatch.setattr("sys.argv", ["score_folder.py", f"{tmp_path}/detector.onnx", f"{tmp_path}/new"])
    (example,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    exec(example, {})
    printed = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    start("task=score", f"score.run={cloth}", f"score.input={tmp_path}/new", f"score.output={tmp_path}/scores.csv")
    scores = [line.split(",") for line in (tmp_path / "scores.csv").read_text().splitlines()[1:]]
    assert [float(line[1]) for line in printed] == pytest.approx([float(line[1]) for line in scores], rel=1e-3)
    assert [float(line[2]) for line in printed] == pytest.approx([float(line[2]) for line in scores], abs=1e-4)


class Named(Detector):
    """A detector that cannot be traced."""

    def fit(self, train):
        pass

    def terms(self, x):
        return {"score": torch.tensor([float(str(value)) for value in x.sum(dim=1).tolist()], dtype=torch.float64)}

    @property
    def workspace(self):
        return None

    @workspace.setter
    def workspace(self, value):
        pass


def test_what_cannot_be_exported_is_one_line(tmp_path):
    graph = Graph(Named(Spec((2,)), None), torch.zeros(3, dtype=torch.float64))
    with pytest.raises(UserError, match=r"can't be exported as .pt2, because of how it scores"):
        export(graph, tmp_path / "detector.pt2")
    with pytest.raises(UserError, match=r"ends in '.txt': choose a file that ends in .onnx or .pt2"):
        export(graph, tmp_path / "detector.txt")
    graph.detector.searches = True
    with pytest.raises(UserError, match="it searches anew for every sample"):
        export(graph, tmp_path / "detector.pt2")
    with pytest.raises(UserError, match="the detector has none: train it with representation=pretrained_patches"):
        Graph(Named(Spec((2,)), None), torch.zeros(3), maps=True)
    assert not list(tmp_path.iterdir())
