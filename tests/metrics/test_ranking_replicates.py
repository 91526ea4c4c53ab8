from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from hilum.core.rng import rng_for
from hilum.metrics.ranking_replicates import auroc_replicates, average_precision_replicates


@pytest.mark.parametrize("levels", [3, 10, 1000])
def test_every_replicate_has_the_value_of_scikit_learn(levels: int) -> None:
    rng = rng_for(1, "ranking", levels)
    truth = rng.integers(0, 2, 60)
    score = rng.integers(0, levels, 60) / levels
    weights = rng.integers(0, 4, (40, 60)).astype(float)
    areas = auroc_replicates(truth, score, weights)
    precisions = average_precision_replicates(truth, score, weights)
    for replicate, weight in enumerate(weights):
        want = roc_auc_score(truth, score, sample_weight=weight)
        assert areas[replicate] == pytest.approx(want, abs=1e-12)
        want = average_precision_score(truth, score, sample_weight=weight)
        assert precisions[replicate] == pytest.approx(want, abs=1e-12)


def test_a_replicate_with_one_class_is_not_defined() -> None:
    weights = np.array([[0.0, 0.0, 1.0, 1.0], [1.0, 1.0, 0.0, 0.0]])
    truth, score = [1, 1, 0, 0], [0.9, 0.8, 0.1, 0.2]
    assert np.isnan(auroc_replicates(truth, score, weights)).all()
    only_negatives, only_positives = average_precision_replicates(truth, score, weights)
    assert np.isnan(only_negatives)
    assert only_positives == 1.0
