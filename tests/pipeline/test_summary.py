import pytest

from omasgan.pipeline import summary

METRICS = {"task1": {"auroc": 0.7}, "full": {"auroc": 0.9}, "nearest_neighbour": {"auroc": 0.95}, "pca": {"auroc": 0.8}}


@pytest.mark.parametrize(
    ("baselines", "expected"),
    [
        ([], "AUROC of full .900: +0.200 against Task 1"),
        (["elsewhere"], "AUROC of full .900: +0.200 against Task 1"),
        (["pca"], "AUROC of full .900: +0.200 against Task 1, +0.100 against the best baseline (PCA, .800)"),
        (
            ["pca", "nearest_neighbour"],
            "AUROC of full .900: +0.200 against Task 1, -0.050 against the best baseline (1-NN, .950)",
        ),
    ],
)
def test_the_last_line_compares_the_whole_score_to_what_there_is(baselines, expected):
    lines = summary.text({"0": METRICS, "1": METRICS}, "abnormal", baselines, "test").splitlines()
    assert lines[0] == "AUROC on the test split"
    assert lines[-1] == expected
    assert lines[-2].startswith("    mean")


def test_a_detector_without_a_whole_score_has_a_table_alone():
    lines = summary.text({"0": {"task1": {"auroc": 0.7}}}, "abnormal", ["pca"], "pseudo").splitlines()
    assert "pseudo-anomalies" in lines.pop(0)
    assert [line.split() for line in lines if "-" not in line] == [["abnormal", "Task", "1"], ["0", ".700"]]
    assert lines[-1].split() == ["0", ".700"]


def test_a_pretrained_network_is_said_above_the_table():
    runs = {"0": METRICS}
    assert summary.text(runs, "", [], "test", True).startswith("AUROC on the test split, with a pretrained network")
