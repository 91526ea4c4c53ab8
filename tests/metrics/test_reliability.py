"""Reliability by bins, calibration error and temperatures, against scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import log_loss as outside_log_loss

from hilum.core.errors import InputError
from hilum.core.matrix import LEFT_OUT
from hilum.core.rng import rng_for
from hilum.metrics.reliability import calibration_error, fit_temperature, log_loss, reliability


def invented(n: int = 4000, heat: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Truth that happens as often as log odds say, and these log odds times `heat`."""
    draws = rng_for(0, "reliability")
    odds = draws.normal(size=n) * 2
    truth = (draws.random(n) < 1 / (1 + np.exp(-odds))).astype(np.int8)
    return truth, odds * heat


def test_bins_are_those_of_scikit_learn() -> None:
    truth, odds = invented()
    values = 1 / (1 + np.exp(-odds))
    found = reliability(truth, values, bins=10)
    happened, predicted = calibration_curve(truth, values, n_bins=10)
    np.testing.assert_allclose(found.predicted, predicted)
    np.testing.assert_allclose(found.happened, happened)
    assert found.rows.sum() == len(truth)
    few = reliability([1, 0, LEFT_OUT], [0.95, 1.0, 0.1])
    assert few.rows.tolist() == [2]


def test_a_temperature_undoes_what_was_done_to_the_log_odds() -> None:
    for heat in (0.5, 1.0, 3.0):
        truth, odds = invented(heat=heat)
        found = fit_temperature(truth, odds)
        assert found == pytest.approx(heat, rel=0.1)
        assert log_loss(truth, odds, temperature=found) <= log_loss(truth, odds) + 1e-12
    truth, odds = invented(heat=3.0)
    before, after = 1 / (1 + np.exp(-odds)), 1 / (1 + np.exp(-odds / 3))
    assert calibration_error(truth, after) < 0.03 < calibration_error(truth, before)
    assert log_loss(truth, odds) == pytest.approx(outside_log_loss(truth, before))


def test_without_rows_or_with_one_class() -> None:
    assert math.isnan(log_loss([], []))
    assert math.isnan(calibration_error([LEFT_OUT], [0.5]))
    with pytest.raises(InputError, match="positives and negatives"):
        fit_temperature([1, 1, LEFT_OUT], [0.1, 0.2, 0.3])
    with pytest.raises(InputError, match="one length"):
        log_loss([1, 0], [0.1])
