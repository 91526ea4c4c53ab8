from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from scipy.stats import fisher_exact
from sklearn.linear_model import LogisticRegression
from statsmodels.discrete.discrete_model import Logit

from hilum.core.errors import InputError
from hilum.core.rng import rng_for
from hilum.stats.regression import cross_validate, fit_logistic, leave_one_out, odds_ratios

NAMES = tuple("abcde")


def invented(n: int = 400, *, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = rng_for(seed, "regression test")
    X = (rng.random((n, 5)) < (0.5, 0.4, 0.3, 0.3, 0.5)).astype(float)
    log_odds = -0.5 + X @ (1.5, -1.2, 0.8, 0.0, 0.0)
    return X, (rng.random(n) < 1 / (1 + np.exp(-log_odds))).astype(int)


def test_odds_ratios_are_those_of_statsmodels() -> None:
    X, y = invented()
    design = np.column_stack([np.ones(len(y)), X])
    direct = Logit(y, design).fit_regularized(alpha=[0, 0.5, 0.5, 0.5, 0.5, 0.5], disp=0, maxiter=1000)
    found = odds_ratios(X, y, names=NAMES)
    assert found.converged
    assert (found.n, found.positives, found.notes) == (400, int(y.sum()), ())
    assert found.intercept == pytest.approx(direct.params[0])
    for place, row in enumerate(found.rows, start=1):
        low, high = np.exp(direct.conf_int()[place])
        assert row.status == "estimated"
        assert row.odds_ratio == pytest.approx(np.exp(direct.params[place]))
        assert (row.low, row.high) == (pytest.approx(low), pytest.approx(high))
        assert row.p == pytest.approx(direct.pvalues[place])
        has = X[:, place - 1] == 1
        assert (row.n, row.n_positive) == (has.sum(), y[has].sum())


def test_true_odds_are_found_in_many_rows() -> None:
    X, y = invented(20_000)
    rows = odds_ratios(X, y, names=NAMES).rows
    assert [round(math.log(row.odds_ratio), 0) for row in rows] == [2, -1, 1, 0, 0]
    assert np.log([row.odds_ratio for row in rows]) == pytest.approx([1.5, -1.2, 0.8, 0, 0], abs=0.12)
    assert [row.name for row in odds_ratios(X, y, names=NAMES).shown(p_below=1e-6)] == ["a", "b", "c"]


def test_constant_and_dependent_columns_are_left_out_and_said() -> None:
    X, y = invented()
    wide = np.column_stack([X[:, 0], np.zeros(400), X[:, 0], 1 - X[:, 0], X[:, 1], X[:, 0] - X[:, 1]])
    found = odds_ratios(wide, y, names=("a", "none", "again", "not a", "b", "a less b"))
    assert {row.name: (row.status, row.note) for row in found.rows if row.status != "estimated"} == {
        "none": ("constant", "is 0 in every row"),
        "again": ("collinear", "equals a"),
        "not a": ("collinear", "equals 1 - a"),
        "a less b": ("collinear", "equals a - b"),
    }
    assert all(math.isnan(found.row(name).odds_ratio) for name in ("none", "again", "not a", "a less b"))
    plain = odds_ratios(wide[:, [0, 4]], y, names=("a", "b"))
    assert found.row("b") == plain.row("b")
    assert any("again, not a, a less b" in note for note in found.notes)
    with pytest.raises(KeyError):
        found.row("z")


def test_a_column_of_one_class_is_separated_and_not_shown() -> None:
    X, y = invented()
    only = np.where((np.arange(400) % 3 == 0) & (y == 1), 1.0, 0.0)
    found = odds_ratios(np.column_stack([X[:, :2], only]), y, names=("a", "b", "only"))
    row = found.row("only")
    assert row.status == "separated"
    assert row.odds_ratio > 1
    assert np.isnan([row.low, row.high, row.p]).all()
    assert row.n == row.n_positive == only.sum()
    table = [[only.sum(), (y == 1).sum() - only.sum()], [0, (y == 0).sum()]]
    assert row.crude_p == pytest.approx(fisher_exact(table).pvalue)
    assert "only" not in [shown.name for shown in found.shown(p_below=1.0)]
    assert found.row("a").status == "estimated"
    assert any("1 of 3 columns finite only by the penalty" in note for note in found.notes)


def test_columns_that_separate_only_together_are_found() -> None:
    cells = {(0, 0): (0,), (1, 0): (0, 1), (0, 1): (0, 1), (1, 1): (1,)}
    rows = [(a, b, y) for (a, b), ys in cells.items() for y in ys for _ in range(10)]
    table = np.array(rows, dtype=float)
    found = odds_ratios(table[:, :2], table[:, 2], names=("a", "b"))
    assert [row.status for row in found.rows] == ["separated", "separated"]
    assert "with others" in found.row("a").note
    assert not any("completely" in note for note in found.notes)


def test_complete_separation_is_said() -> None:
    y = np.repeat([0, 1], 20)
    found = odds_ratios(y[:, None].astype(float), y, names=("a",))
    assert found.row("a").status == "separated"
    assert any("apart completely" in note for note in found.notes)


def test_the_penalty_sets_columns_to_one() -> None:
    X, y = invented()
    found = odds_ratios(X, y, names=NAMES, alpha=1000.0)
    assert {(row.status, row.odds_ratio, row.note) for row in found.rows} == {
        ("zero", 1.0, "set to 0 by the penalty")
    }
    assert found.intercept == pytest.approx(math.log(y.mean() / (1 - y.mean())), abs=1e-3)  # not penalised


def test_no_column_left_is_no_error() -> None:
    found = odds_ratios(np.ones((20, 1)), np.arange(20) % 2, names=("one",))
    assert found.row("one").status == "constant"
    assert found.shown() == ()


def test_a_fit_that_did_not_converge_gives_no_odds() -> None:
    X, y = invented()
    found = odds_ratios(X, y, names=NAMES, max_iter=1)
    assert not found.converged
    assert {row.status for row in found.rows} == {"not converged"}
    assert all(math.isnan(row.odds_ratio) for row in found.rows)
    assert any("did not converge" in note for note in found.notes)


def test_columns_on_other_scales_are_fitted() -> None:
    X, y = invented()
    dose = X[:, :1] * 3.0 + rng_for(0, "dose").random((400, 1))
    found = odds_ratios(np.column_stack([dose, X[:, 1:]]), y, names=NAMES)
    assert found.converged
    assert found.row("a").status == "estimated"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda X, y: (X, np.ones_like(y)), "both classes"),
        (lambda X, y: (X, y + 1), "0 or 1"),
        (lambda X, y: (np.where(X == 1, np.nan, X), y), "NaN or infinite"),
        (lambda X, y: (X[:, :4], y), "5 names"),
        (lambda X, y: (X, y[:-1]), "names one per column"),
    ],
)
def test_odds_ratios_refuse(change, words) -> None:  # type: ignore[no-untyped-def]
    X, y = change(*invented(60))
    with pytest.raises(InputError, match=words):
        odds_ratios(X, y, names=NAMES)


def test_odds_ratios_refuse_odd_options() -> None:
    X, y = invented(60)
    with pytest.raises(InputError, match="same name"):
        odds_ratios(X, y, names=("a",) * 5)
    with pytest.raises(InputError, match="alpha must be above 0"):
        odds_ratios(X, y, names=NAMES, alpha=0.0)


def test_one_fit_is_that_of_scikit_learn() -> None:
    X, y = invented()
    direct = LogisticRegression(C=1.0, max_iter=500, class_weight="balanced").fit(X, y)
    fit = fit_logistic(X, y)
    assert fit.converged
    assert fit.intercept == pytest.approx(direct.intercept_[0], abs=1e-9)
    assert fit.coefficients_K == pytest.approx(direct.coef_[0], abs=1e-9)
    assert fit.log_odds(X) == pytest.approx(direct.decision_function(X), abs=1e-9)


def naive(X: np.ndarray, y: np.ndarray, held: np.ndarray) -> np.ndarray:
    model = LogisticRegression(C=1.0, max_iter=500, class_weight="balanced").fit(X[~held], y[~held])
    return np.asarray(model.decision_function(X[held]))


def test_leave_one_out_is_the_plain_loop() -> None:
    X, y = invented(90)
    calls: list[tuple[int, int]] = []
    found = leave_one_out(X, y, progress=lambda done, total: calls.append((done, total)))
    expected = np.concatenate([naive(X, y, np.arange(90) == row) for row in range(90)])
    assert found.log_odds_N == pytest.approx(expected, abs=1e-8)
    assert (found.predictions_N == (expected > 0)).all()
    assert found.fits == len(np.unique(np.column_stack([X, y]), axis=0)) < 90
    assert calls == [(done, found.fits) for done in range(1, found.fits + 1)]
    assert found.unconverged == 0


def test_leave_one_out_does_not_depend_on_the_order_of_rows() -> None:
    X, y = invented(90)
    order = rng_for(3, "order").permutation(90)
    assert (leave_one_out(X[order], y[order]).log_odds_N == leave_one_out(X, y).log_odds_N[order]).all()


def test_cross_validation_is_the_plain_loop_over_its_folds() -> None:
    X, y = invented(90)
    found = cross_validate(X, y, folds=5, rng=rng_for(0, "folds"))
    rng, fold = rng_for(0, "folds"), np.empty(90, dtype=int)
    for label in (0, 1):
        rows = rng.permutation(np.flatnonzero(y == label))
        fold[rows] = np.arange(len(rows)) % 5
    for number in range(5):
        held = fold == number
        assert found.log_odds_N[held] == pytest.approx(naive(X, y, held), abs=1e-8)
    assert found.fits == 5


def test_fits_that_stop_early_are_counted_without_a_warning() -> None:
    X, y = invented(60)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not fit_logistic(X, y, max_iter=1).converged
        found = leave_one_out(X, y, max_iter=1)
    assert found.unconverged == found.fits > 0


def test_too_few_rows_of_a_class_are_refused() -> None:
    X, _ = invented(30)
    one = (np.arange(30) == 3).astype(int)
    with pytest.raises(InputError, match="got 0 of class 1 and 30 of class 0"):
        fit_logistic(X, np.zeros(30, dtype=int))
    with pytest.raises(InputError, match="2 or more rows of each class, got 1 of class 1"):
        leave_one_out(X, one)
    with pytest.raises(InputError, match="folds must be 2"):
        cross_validate(X, one, folds=1, rng=rng_for(0))
    with pytest.raises(InputError, match="3 or more rows"):
        cross_validate(X, one, folds=3, rng=rng_for(0))
    with pytest.raises(InputError, match="0 or 1"):
        fit_logistic(X, one * 2)
    with pytest.raises(InputError, match="NaN"):
        fit_logistic(X * np.nan, one)
    with pytest.raises(InputError, match="X must be"):
        fit_logistic(X[0], one)


@pytest.mark.parametrize("seed", range(30))
def test_separation_is_where_the_plain_estimate_runs_away(seed: int) -> None:
    rng = rng_for(seed, "separation")
    X = (rng.random((14, 3)) < 0.5).astype(float)
    y = (rng.random(14) < 0.5).astype(int)
    if np.linalg.matrix_rank(np.column_stack([np.ones(14), X])) < 4 or y.min() == y.max():
        pytest.skip("columns depend on each other, or there is one class only")
    sizes = []
    for C in (1e4, 1e8):
        model = LogisticRegression(C=C, solver="newton-cholesky", tol=1e-10, max_iter=1000).fit(X, y)
        sizes.append(np.abs(model.coef_[0]))
    runs_away = sizes[1] - sizes[0] > 1
    found = odds_ratios(X, y, names=("a", "b", "c"))
    flagged = ["class" in row.note or "with others" in row.note for row in found.rows]
    assert flagged == runs_away.tolist()
