"""Models' probabilities against image labels: curves with readers as points, and thresholds by Youden's index."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Literal

import numpy as np
import numpy.typing as npt

from hilum.analyses._inputs import Loaded
from hilum.core.matrix import LEFT_OUT, LabelMatrix
from hilum.core.results import Column, ResultFigure, ResultSection, ResultTable, Value
from hilum.core.rng import rng_for
from hilum.metrics.labels import confusion, f1, precision, recall, specificity
from hilum.metrics.ranking import auroc, average_precision, precision_recall, roc, youden_threshold
from hilum.metrics.ranking_replicates import auroc_replicates, average_precision_replicates
from hilum.pages.figures import Line, Panel, Point, curves
from hilum.stats.intervals import bootstrap, estimate


def thresholded(loaded: Loaded) -> dict[str, npt.NDArray[np.int8]]:
    """0/1 labels of each model at its Youden threshold, int8 [N, F] of the evaluation findings."""
    found = {}
    for name, model in loaded.models.items():
        labels = np.full(loaded.chosen_truth_NF.shape, LEFT_OUT, dtype=np.int8)
        for place, finding in enumerate(loaded.chosen):
            if finding in model.findings:
                scores = model.column(finding)
                cut = youden_threshold(loaded.chosen_truth_NF[:, place], scores)
                labels[:, place] = scores >= cut.value
        found[name] = labels
    return found


def models_section(
    loaded: Loaded, independent: Mapping[str, LabelMatrix], *, replicates: int, seed: int
) -> ResultSection:
    """AUROC, average precision and thresholds of each model, and both kinds of curves.

    `independent` are the readers who are not behind the image labels; they are the points on the curves.
    """
    rows = [row for name in loaded.models for row in _rows(loaded, name, replicates=replicates, seed=seed)]
    table = ResultTable(
        "models",
        "Image models against the image labels",
        (
            Column("model", "Model", "text"),
            Column("finding", "Finding", "text"),
            Column("positives", "Positive", "count"),
            Column("auroc", "AUROC"),
            Column("average_precision", "Average precision"),
            Column("threshold", "Youden threshold"),
            Column("sensitivity", "Sensitivity there"),
            Column("specificity", "Specificity there"),
            Column("f1", "F1 there"),
        ),
        tuple(rows),
        "A score at or above the threshold is positive. The threshold maximises sensitivity + specificity - 1 on "
        "these same studies, so what is measured there is optimistic; choose thresholds on other studies for use.",
    )
    figures: list[ResultFigure] = []
    shown = [f for f in loaded.chosen if any(f in model.findings for model in loaded.models.values())]
    if shown:
        titles: dict[Literal["roc", "pr"], str] = {
            "roc": "ROC curves of the models, readers as points",
            "pr": "Precision-recall curves of the models, readers as points",
        }
        figures = [
            curves(
                f"{kind}_curves",
                title,
                panels=[_panel(loaded, finding, independent, kind=kind) for finding in shown],
                kind=kind,
            )
            for kind, title in titles.items()
        ]
    return ResultSection("Models and readers of the images", _paragraphs(independent), (table, *figures))


def _paragraphs(independent: Mapping[str, LabelMatrix]) -> tuple[str, ...]:
    if not independent:
        return ()
    return (f"Points are the readers who are not behind the image labels: {', '.join(independent)}.",)


def _rows(loaded: Loaded, name: str, *, replicates: int, seed: int) -> list[tuple[Value, ...]]:
    model = loaded.models[name]
    rows: list[tuple[Value, ...]] = []
    for place, finding in enumerate(loaded.chosen):
        if finding not in model.findings:
            continue
        truth, scores = loaded.chosen_truth_NF[:, place], model.column(finding)
        cut = youden_threshold(truth, scores)
        c = confusion(truth[:, None], (scores >= cut.value).astype(np.int8)[:, None])
        values = bootstrap(
            partial(_areas, truth, scores),
            len(truth),
            replicates=replicates,
            rng=rng_for(seed, "models", finding),
        )
        intervals = (
            estimate(auroc(truth, scores), values[:, 0]),
            estimate(average_precision(truth, scores), values[:, 1]),
        )
        rows.append(
            (name, finding, int((truth == 1).sum()), *intervals, float(cut.value),
             float(recall(c)[0]), float(specificity(c)[0]), float(f1(c)[0]))
        )  # fmt: skip
    return rows


def _areas(
    truth_N: npt.NDArray[np.int8], scores_N: npt.NDArray[np.float64], weights_BN: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    return np.stack(
        [
            auroc_replicates(truth_N, scores_N, weights_BN),
            average_precision_replicates(truth_N, scores_N, weights_BN),
        ],
        axis=1,
    )


def _panel(loaded: Loaded, finding: str, independent: Mapping[str, LabelMatrix], *, kind: str) -> Panel:
    truth = loaded.chosen_truth_NF[:, loaded.chosen.index(finding)]
    lines = []
    for name, model in loaded.models.items():
        if finding in model.findings:
            curve = (roc if kind == "roc" else precision_recall)(truth, model.column(finding))
            lines.append(Line(name, curve.x.tolist(), curve.y.tolist()))
    points = []
    for name, reader in independent.items():
        if finding in reader.findings:
            c = confusion(truth[:, None], reader.select([finding]).binary("uncertain-ignored"))
            x, y = (1 - specificity(c), recall(c)) if kind == "roc" else (recall(c), precision(c))
            points.append(Point(name, float(x[0]), float(y[0])))
    return Panel(finding, tuple(lines), tuple(points), base=float((truth == 1).mean()))
