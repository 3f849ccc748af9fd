import warnings

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from PIL import Image

from omasgan.errors import UserError
from omasgan.evaluation import plots
from omasgan.evaluation.colours import COLOURS, SERIES
from omasgan.evaluation.metrics import auprc, auroc
from omasgan.evaluation.scores import ScoreTable

pytestmark = pytest.mark.usefixtures("pictures")


@pytest.fixture(autouse=True)
def _without_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    label = np.arange(400) % 5 == 0
    terms = {"Task 1": rng.normal(size=400) + label, "J": rng.normal(size=400) + 3 * label}
    return ScoreTable(np.arange(400), np.arange(400) % 5, label, terms, tuple("abcde"))


def pixels(figure, ax):
    """What lies inside the axes, as (height, width, 3) in [0, 1]."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    x0, y0, x1, y1 = ax.get_window_extent().extents.astype(int)
    image = np.asarray(canvas.buffer_rgba())[::-1]
    return image[y0 + 2 : y1 - 2, x0 + 2 : x1 - 2, :3] / 255


def shows(figure, ax, colour):
    """Whether the axes hold pixels of a colour's hue, even where it is drawn transparent on white."""
    ink = 1 - pixels(figure, ax).reshape(-1, 3)
    wanted = 1 - np.array(to_rgb(colour))
    strength = np.linalg.norm(ink, axis=1)
    cosine = ink @ wanted / (np.linalg.norm(wanted) * np.maximum(strength, 1e-9))
    return np.sum((strength > 0.2) & (cosine > 0.99)) > 10


def legend_of(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_colours_have_one_meaning_each():
    assert len({*COLOURS.values(), *SERIES}) == len(COLOURS) + len(SERIES)


def test_saved_figures_are_png_at_120_dpi(table, tmp_path):
    plots.save(plots.roc_curves(table), tmp_path / "roc.png")
    with Image.open(tmp_path / "roc.png") as image:
        assert image.format == "PNG"
        assert image.info["dpi"] == pytest.approx((120, 120), abs=0.1)
    assert [path.name for path in tmp_path.iterdir()] == ["roc.png"]
    with pytest.raises(UserError, match="cannot write"):
        plots.save(plots.roc_curves(table), tmp_path / "missing" / "roc.png")


def test_histograms_have_a_panel_a_term_with_its_auroc(table):
    figure = plots.score_histograms(table)
    for ax, (name, scores) in zip(figure.axes, table.terms.items(), strict=True):
        assert ax.get_title() == f"{name}\nAUROC {auroc(table.label, scores):.3f}"
        assert shows(figure, ax, COLOURS["normal"])
        assert shows(figure, ax, COLOURS["abnormal"])
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["normal", "abnormal"]


@pytest.mark.parametrize("terms", [1, 3, 4, 7])
def test_histograms_of_any_number_of_terms_have_no_empty_panel(table, terms):
    scores = table.terms["J"]
    many = ScoreTable(
        table.index, table.class_index, table.label, {str(k): scores for k in range(terms)}, table.class_names
    )
    assert len(plots.score_histograms(many).axes) == terms


@pytest.mark.parametrize("score", [0.0, 1.0, -1e12])
def test_histograms_of_a_saturated_score(table, score):
    nearly = np.where(np.arange(400) % 2, score, np.nextafter(score, 2))
    terms = {"constant": np.full(400, score), "nearly": nearly}
    figure = plots.score_histograms(ScoreTable(table.index, table.class_index, table.label, terms, tuple("abcde")))
    assert all(shows(figure, ax, COLOURS["abnormal"]) or np.ptp(pixels(figure, ax)) > 0.3 for ax in figure.axes)


def test_histograms_are_not_squeezed_by_one_outlier(table):
    table.terms["J"][1] = 1e9
    assert plots.score_histograms(table).axes[1].get_xlim()[1] < 20


@pytest.mark.parametrize(
    ("plot", "area", "last"),
    [(plots.roc_curves, auroc, "0.500  random"), (plots.pr_curves, auprc, "0.200  preval")],
)
def test_curves_share_one_square_and_a_legend_with_their_areas(table, plot, area, last):
    figure = plot(table)
    (ax,) = figure.axes
    *curves, reference = legend_of(ax)
    assert curves == [f"{area(table.label, scores):.3f}  {name}" for name, scores in table.terms.items()]
    assert reference.startswith(last)
    assert shows(figure, ax, SERIES[0])
    assert shows(figure, ax, SERIES[1])


def test_no_two_curves_have_one_colour(table):
    terms = {f"term {number}": table.terms["J"] + number for number in range(12)}
    (ax,) = plots.roc_curves(ScoreTable(table.index, table.class_index, table.label, terms, tuple("abcde"))).axes
    assert len({line.get_color() for line in ax.lines}) == len(terms) + 1


def test_the_drawn_roc_curve_encloses_the_auroc(table):
    (ax,) = plots.roc_curves(table).axes
    for line, scores in zip(ax.lines, table.terms.values(), strict=False):
        assert np.trapezoid(line.get_ydata(), line.get_xdata()) == pytest.approx(auroc(table.label, scores))


@pytest.mark.parametrize("shape", [(40, 1, 28, 28), (40, 3, 32, 32), (5, 3, 8, 8)])
def test_sample_grid_has_a_panel_a_source_with_its_first_36_images(shape):
    x = torch.rand(shape, generator=torch.Generator().manual_seed(0)) * 255
    figure = plots.sample_grid({"real": x, "G": x.half(), "B": x, "G'": x.requires_grad_()})
    assert [ax.get_title() for ax in figure.axes] == ["real", "G", "B", "G'"]
    shown = figure.axes[0].images[0].get_array()
    height, width = shape[2:]
    first = (x[0].detach().permute(1, 2, 0).expand(-1, -1, 3)) / 255
    np.testing.assert_allclose(shown[1 : height + 1, 1 : width + 1], first, atol=1e-6)
    assert shown.shape[1] == min(shape[0], 6) * (width + 1) + 1
    assert all(pixels(figure, ax).std() > 0.1 for ax in figure.axes)


def test_sample_grid_does_not_stretch_dull_images():
    (ax,) = plots.sample_grid({"B": torch.full((36, 1, 8, 8), 127.5)}).axes
    assert ax.images[0].get_array()[1, 1].tolist() == [0.5] * 3


def test_loss_curves_have_a_row_a_stage_and_a_panel_a_group():
    steps = list(range(500))
    falling = [float(np.exp(-step / 50)) for step in steps]
    flat = [1.0 + step / 1000 for step in steps]
    history = {
        "Task 1": {
            "loss/G": (steps, flat),
            "loss/D": (steps, flat[::-1]),
            "gradient norm/G": (steps, falling),
        },
        "Task 2": {"divergence": (steps[:3], flat[:3])},
    }
    figure = plots.loss_curves(history)
    losses, gradients, divergence = figure.axes
    assert [ax.get_title() for ax in figure.axes] == [
        "Task 1: loss",
        "Task 1: gradient norm",
        "Task 2: divergence",
    ]
    assert [ax.get_yscale() for ax in figure.axes] == ["linear", "log", "linear"]
    assert legend_of(losses) == ["G", "D"]
    assert legend_of(gradients) == ["G"]
    assert divergence.get_legend() is None
    assert shows(figure, losses, COLOURS["G"])
    assert shows(figure, divergence, SERIES[0])


def test_a_running_mean_stands_where_its_window_ends():
    steps = np.arange(0, 10_000, 10)
    (ax,) = plots.loss_curves({"J": {"loss": (steps, steps.astype(float))}}).axes
    raw, mean = ax.lines
    assert len(raw.get_xdata()) == 1000
    np.testing.assert_allclose(mean.get_ydata(), mean.get_xdata() - 95, atol=1e-6)


@pytest.mark.parametrize(("broken", "length"), [(float("nan"), 10), (float("inf"), 500), (None, 500)])
def test_a_diverged_loss_is_still_drawn(broken, length):
    values = [1.0] * length + [broken] * 2
    figure = plots.loss_curves({"Task 1": {"loss": (range(length + 2), values), "empty": ([], [])}})
    assert shows(figure, figure.axes[0], SERIES[0])


@pytest.fixture
def ring():
    angle = torch.linspace(0, 6.28, 300)
    return torch.stack([angle.cos(), angle.sin()], dim=1)


def test_plane_shows_the_generators_and_the_score_of_every_place(ring):
    asked = []

    def score(x):
        asked.append(x)
        return x[:, 0].double()

    figure = plots.plane(ring, {"G": ring, "B": 1.5 * ring, "G'": 0.5 * ring}, score, anomalies=3 * ring[:5])
    left, right, bar = figure.axes
    assert legend_of(left) == ["normal", "G", "B", "G'"]
    assert legend_of(right) == ["normal", "abnormal"]
    assert left.get_aspect() == right.get_aspect() == 1
    assert left.get_xlim() == right.get_xlim()
    for kind in ("G", "B", "G'"):
        assert shows(figure, left, COLOURS[kind])
    assert shows(figure, right, COLOURS["abnormal"])
    assert asked[0].dtype == torch.float32
    image = pixels(figure, right).mean(axis=2)
    assert image[:, :10].mean() > image[:, -10:].mean() + 0.1, "the score, which is x, darkens to the right"
    assert np.ptp(pixels(figure, bar)) > 0.2


def test_plane_puts_high_scores_where_they_are_along_y(ring):
    figure = plots.plane(ring, {}, lambda x: x[:, 1].numpy())
    image = pixels(figure, figure.axes[1]).mean(axis=2)  # the first row is the lowest
    assert image[:10].mean() > image[-10:].mean() + 0.1


def test_plane_with_a_constant_score(ring):
    figure = plots.plane(ring, {"G": ring}, lambda x: torch.ones(len(x)))
    assert shows(figure, figure.axes[1], COLOURS["normal"])


def test_comparison_has_a_row_a_class_and_the_mean_of_each_column():
    rows = {
        "cat": {"Task 1": 0.5, "full": 0.9, "nearest neighbour": 0.6},
        r"a folder of $\ome clas$ with a name that does not end anywhere near where a name should end, no": {
            "Task 1": 0.7,
            "nearest neighbour": 0.8,
        },
    }
    figure = plots.bar_comparison(rows, baselines={"nearest neighbour"}, metric="AUPRC")
    (ax,) = figure.axes
    assert legend_of(ax) == ["0.600  Task 1", "0.900  full (1 of 2)", "0.700  nearest neighbour"]
    assert ax.get_xlabel() == "AUPRC"
    first, second = (label.get_text() for label in ax.get_yticklabels())
    assert first == "cat"
    assert second.startswith(r"a folder of $\ome clas$")
    assert len(second.splitlines()) == 3
    task1, full, baseline = ax.collections
    assert task1.get_offsets()[:, 0].tolist() == [0.5, 0.7]
    assert [round(place) for place in task1.get_offsets()[:, 1]] == [0, 1]
    assert baseline.get_sizes() < full.get_sizes()
    assert len(baseline.get_facecolor()) == 0
    assert shows(figure, ax, SERIES[0])
