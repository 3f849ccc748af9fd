"""What `logger=csv` and `logger=tensorboard` keep of a run is what its record keeps, however often it was resumed."""

import csv
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from omasgan.errors import UserError
from omasgan.runs.csv import CSVLogger
from omasgan.runs.record import history, open_record
from omasgan.runs.tensorboard import RESULTS, TensorBoardLogger
from omasgan.training.stage import Stage
from tests.runs.common import WHO, lines

pytestmark = pytest.mark.usefixtures("no_pictures")

TINY = (
    *("experiment=pixels", "dataset=digits", "budget=smoke", "architecture.width=8", "protocol.abnormal_class=0"),
    *("baselines=none", "device=cpu", "precision=float32", "log_every=1"),
)


@pytest.fixture
def accumulated():
    """The events of a folder, as TensorBoard's own reader gives them."""
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    return lambda folder: reader.EventAccumulator(str(folder)).Reload()


def tables(folder):
    """Stage -> rows of its CSV file."""
    found = {}
    for path in (folder / "csv").glob("*.csv"):
        with path.open(newline="") as file:
            found[path.stem] = list(csv.DictReader(file))
    return found


def check_tables(folder):
    """The CSV files hold the stages of the record, line by line and value by value, and nothing else."""
    found = {}
    for line in lines(folder):
        values = {name: "nan" if value is None else str(value) for name, value in line.items() if name != "stage"}
        found.setdefault(line["stage"], []).append(values)
    seen = {
        stage: [{name: value for name, value in row.items() if value != ""} for row in rows]
        for stage, rows in tables(folder).items()
    }
    assert {stage: rows for stage, rows in seen.items() if stage in found} == found
    assert seen.keys() - found.keys() <= {"summary", "ablation", "hardest_samples"}


def check_events(folder, accumulated):
    """TensorBoard shows the curves of the record, and every point once."""
    curves = history(folder)
    folders = {path.name for path in (folder / "tensorboard").iterdir()} - {RESULTS}
    assert folders == curves.keys()
    for stage, values in curves.items():
        events = accumulated(folder / "tensorboard" / stage)
        assert set(events.Tags()["scalars"]) == values.keys()
        for name, (steps, recorded) in values.items():
            points = events.Scalars(name)
            assert [point.step for point in points] == steps
            assert [point.value for point in points] == pytest.approx(recorded, nan_ok=True)


# A run's life: what is recorded and rewound, and where the process begins anew, with loggers or without.
LIVES = st.lists(
    st.one_of(
        st.tuples(
            st.just("scalars"),
            st.sampled_from(["task1", "j"]),
            st.integers(1, 9),
            st.dictionaries(
                st.sampled_from(["loss/G", "a, b", 'gap "x"']), st.floats(allow_infinity=False), min_size=1
            ),
        ),
        st.tuples(st.just("rewind"), st.sampled_from(["task1", "j"]), st.integers(0, 9)),
        st.tuples(st.just("anew"), st.booleans()),
    ),
    max_size=12,
)


@given(LIVES)
def test_csv_is_the_record_whatever_a_run_goes_through(tmp_path_factory, life):
    folder = tmp_path_factory.mktemp("run")
    parts = [[("anew", True)]]
    for event in life:
        parts.append([event]) if event[0] == "anew" else parts[-1].append(event)
    parts.append([("anew", True)])
    for (_, logged), *events in parts:
        with open_record(folder, WHO, {}, [CSVLogger()] if logged else []) as record:
            for stage in ("task1", "j"):  # as every stage does when it begins
                record.rewind(stage, 9)
            for method, *given in events:
                getattr(record, method)(*given)
            if logged:
                check_tables(folder)


def test_a_csv_file_that_a_kill_cut_short_is_whole_after_a_resume(tmp_path):
    for step in (3, 2):
        with open_record(tmp_path, WHO, {}, [CSVLogger()]) as record:
            record.rewind("task1", step - 1)
            for at in range(step, 5):
                record.scalars("task1", at, {"loss": at / step})
        path = tmp_path / "csv" / "task1.csv"
        path.write_bytes(path.read_bytes()[:-3])
    with open_record(tmp_path, WHO, {}, [CSVLogger()]) as record:
        record.rewind("task1", 4)
    check_tables(tmp_path)
    assert len(tables(tmp_path)["task1"]) == 3


def test_results_as_csv(tmp_path):
    with open_record(tmp_path, WHO, {}, [CSVLogger()]) as record:
        record.summary({"full/auroc": 0.9})
        record.summary({"pca/auroc": 0.8, "verdict": "fine, so far"})
        record.table("sweep of mnist/loo", ["mu", "auroc"], [[0.1, None]])
        record.bars("AUROC", "term", "AUROC", {"full": 0.9})
    found = tables(tmp_path)
    assert [tuple(row.values()) for row in found.pop("summary")] == [
        ("full/auroc", "0.9"),
        ("pca/auroc", "0.8"),
        ("verdict", "fine, so far"),
    ]
    assert found == {"sweep_of_mnist_loo": [{"mu": "0.1", "auroc": ""}]}


def test_results_in_tensorboard_are_there_once_after_a_resume(tmp_path, accumulated):
    Image.new("L", (4, 4)).save(tmp_path / "samples.png")
    for auroc in (0.5, 0.75):
        with open_record(tmp_path, WHO, {}, [TensorBoardLogger()]) as record:
            record.scalars("task1", 1, {"loss": 1})
            record.picture("samples", tmp_path / "samples.png")
            record.table("scores", ["class", "auroc"], [["3", auroc]])
            record.bars("AUROC", "class", "AUROC", {"3": auroc})
            record.summary({"full/auroc": auroc, "verdict": "fine"})
    events = accumulated(tmp_path / "tensorboard" / RESULTS)
    assert [point.value for point in events.Scalars("full/auroc")] == [0.75]
    (image,) = events.Images("samples")
    assert (image.width, image.height) == (4, 4)
    (text,) = events.Tensors("scores/text_summary")
    assert text.tensor_proto.string_val[0].decode() == "| class | auroc |\n| --- | --- |\n| 3 | 0.75 |"
    assert {tag.partition("/")[0] for tag in events.Tags()["tensors"]} == {"scores", "AUROC", "verdict"}


def test_without_the_package_tensorboard_the_run_does_not_begin(command, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(UserError, match=r"pip install 'omasgan\[tensorboard\]'"):
        TensorBoardLogger()
    outcome = command(*TINY, "logger=[csv,tensorboard]", f"runs={tmp_path}/runs")
    (line,) = outcome.errors
    assert line.startswith("omasgan: logger=tensorboard needs tensorboard")
    assert not list(tmp_path.rglob("*.json*")), "nothing is trained, and nothing left behind"


def test_a_list_of_loggers_follows_a_run_that_is_interrupted(command, tmp_path, monkeypatch, accumulated):
    """Interrupted without them, and in a stage that has a checkpoint: they have the whole run at its end."""
    plain, checkpoints = Stage.record, Stage.__init__

    def often(self, name, steps, workspace, *others, **settings):
        checkpoints(self, name, steps, workspace, *others, **settings)
        object.__setattr__(workspace, "checkpoint_every", 2)

    def killed(self, values):
        plain(self, values)
        if (self.name, self._step) == ("task2", 2):
            raise KeyboardInterrupt

    monkeypatch.setattr(Stage, "__init__", often)
    with monkeypatch.context() as patch:
        patch.setattr(Stage, "record", killed)
        assert command(*TINY, "logger=csv", f"runs={tmp_path}/runs").code == 130
    (folder,) = (path.parent for path in tmp_path.rglob("run.json"))
    check_tables(folder)
    assert [line["step"] for line in lines(folder) if line["stage"] == "task2"] == [1, 2, 3]
    assert not (folder / "metrics.json").exists()

    assert command(*TINY, "logger=[csv,tensorboard]", f"runs={tmp_path}/runs").code == 0
    assert (folder / "metrics.json").exists(), "the logger does not move a run"
    assert [line["step"] for line in lines(folder) if line["stage"] == "task2"] == [1, 2, 3, 4]
    check_tables(folder)
    check_events(folder, accumulated)
    assert {row["name"] for row in tables(folder)["summary"]} >= {
        "test/auroc/full",
        "test/auprc/task1",
        "objective/n_normal",
    }
    assert not (folder / "wandb").exists()
