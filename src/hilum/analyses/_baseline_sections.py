"""What report labels say of the image beyond their own finding (VisualCheXbert, Figure 2 and Table 4)."""

from __future__ import annotations

from collections import Counter

import numpy as np

from hilum.analyses._differences import Compared, f1_table
from hilum.analyses._inputs import Loaded
from hilum.analyses.baselines import Baselines, image_odds
from hilum.core.results import Column, Estimate, ResultSection, ResultTable, Value
from hilum.pages.figures import odds_forest
from hilum.pages.result_page import cell_text
from hilum.stats._odds import Status
from hilum.stats.regression import OddsRatio, OddsRatios

ALPHA = 0.5
"""Weight of the L1 penalty (VisualCheXbert, section 4.3.2)."""

P_BELOW = 0.05

_COLUMNS = (
    Column("image", "Image label", "text"),
    Column("report", "Report label", "text"),
    Column("odds_ratio", "Odds ratio"),
    Column("p", "P", "p"),
    Column("n", "Reports with it", "count"),
    Column("n_positive", "Image positive", "count"),
)
_STATUS = (Column("status", "Status", "text"),)
_TOLD: dict[Status, str] = {
    "separated": "Separated: one class only, finite by the penalty alone",
    "collinear": "Left out: given by other labels",
    "constant": "Left out: the same in every report",
    "no interval": "No interval: information matrix singular",
    "not converged": "Not converged",
    "zero": "Set to 0 by the penalty",
}


_FISHER = (
    "Fisher's exact P is that of the report label alone against the image label, not adjusted for others."
)


def odds_section(loaded: Loaded) -> ResultSection:
    """Odds ratios of every report label for every evaluation finding, those with P < 0.05 drawn (Figure 2)."""
    odds = image_odds(loaded.report, loaded.chosen_truth_NF, loaded.chosen, alpha=ALPHA)
    found = odds.by_finding
    shown = {finding: fit.shown(p_below=P_BELOW) for finding, fit in found.items()}
    small = [_row(finding, row) for finding, rows in shown.items() for row in rows]
    every = [(*_row(finding, row), row.status) for finding, fit in found.items() for row in fit.rows]
    note = (
        f"exp(coefficient) of a logistic regression with L1 penalty (alpha {ALPHA}) of the image label on all "
        "one-hot report labels; 95 % intervals and P values are Wald's at the penalised estimate, so they describe "
        "and do not prove. "
    )
    tables = (
        ResultTable(
            "odds_ratios", f"Odds ratios with P < {P_BELOW}", _COLUMNS, tuple(small), note + _not_shown(found)
        ),
        ResultTable(
            "odds_ratios_all", "Odds ratios of all report labels", (*_COLUMNS, *_STATUS), tuple(every), note
        ),
        _trouble(found),
    )
    figure = odds_forest(
        "odds_ratios",
        f"Report labels that raise or lower the odds of a finding in the image (P < {P_BELOW})",
        panels=[
            (finding, [(r.name, r.odds_ratio, r.low, r.high) for r in _by_size(rows)])
            for finding, rows in shown.items()
        ],
    )
    return ResultSection(
        "What do report labels say of the image?",
        odds.notes,
        (tables[0], figure, tables[1]),
    )


def _by_size(rows: tuple[OddsRatio, ...]) -> list[OddsRatio]:
    return sorted(rows, key=lambda row: -row.odds_ratio)


def _row(finding: str, row: OddsRatio) -> tuple[Value, ...]:
    value: Value = Estimate(row.odds_ratio, row.low, row.high)
    if np.isnan(row.low):
        value = None if np.isnan(row.odds_ratio) else row.odds_ratio
    p = None if np.isnan(row.p) else row.p
    return (finding, row.name, value, p, row.n, row.n_positive)


def _not_shown(found: dict[str, OddsRatios]) -> str:
    counts = Counter(row.status for fit in found.values() for row in fit.rows)
    told = ", ".join(f"{count:,} {status}" for status, count in counts.most_common())
    return f"Of all report labels: {told}. Only estimated ones have a P value."


def _trouble(found: dict[str, OddsRatios]) -> ResultTable:
    """Which report labels have no P value for an image label, and why."""
    lines = [
        (finding, told, len(rows), ", ".join(_named(row) for row in rows))
        for finding, fit in found.items()
        for status, told in _TOLD.items()
        if (rows := [row for row in fit.rows if row.status == status])
    ]
    columns = (
        Column("image", "Image label", "text"),
        Column("why", "Why", "text"),
        Column("count", "Labels", "count"),
        Column("labels", "Report labels", "text"),
    )
    return ResultTable(
        "odds_ratios_without_p", "Report labels without a P value", columns, tuple(lines), _FISHER
    )


def _named(row: OddsRatio) -> str:
    if row.status == "separated":
        return f"{row.name} (Fisher's P {cell_text(_COLUMNS[3], row.crude_p)})"
    return f"{row.name} ({row.note})" if row.status == "collinear" else row.name


def baselines_section(fitted: Baselines, compared: Compared, *, folds: int | None) -> ResultSection:
    """F1 of the baselines per finding and on average (Table 4), with bootstrap intervals."""
    judged = f"{folds}-fold cross-validation" if folds else "leave-one-out"
    table = f1_table(
        compared,
        list(fitted.predictions),
        name="baselines",
        title="Report labels mapped to image labels: F1",
        note="Zero-One takes for each finding the better of 'uncertain to zero' and 'uncertain to one' on these "
        f"same studies, which is the most it can reach; LogReg is judged by {judged}. 95 % bootstrap intervals.",
    )
    paragraphs = (
        "The mappings, fitted on all studies, are in the folder mappings; `hilum map` applies them to other labels.",
        *fitted.notes,
    )
    return ResultSection("How much does a mapping gain?", paragraphs, (table,))
