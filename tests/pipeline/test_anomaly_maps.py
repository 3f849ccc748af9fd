import numpy as np

from omasgan.pipeline.anomaly_maps import SHOWN, _most_anomalous


def test_every_class_is_on_the_sheet_with_its_highest_scores():
    scores, classes = np.array([1.0, 9.0, 8.0, 7.0, 3.0, 2.0]), np.array([0, 1, 1, 1, 0, 2])
    assert _most_anomalous(scores, classes) == [1, 4, 5, 2, 0, 3]
    assert len(_most_anomalous(np.arange(100.0), np.arange(100) % 3)) == SHOWN
