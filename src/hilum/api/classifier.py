"""Training of image classifiers, by recipe, with a page of how good they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hilum.analyses._output import write_page
from hilum.core.errors import MissingExtraError
from hilum.core.matrix import LEFT_OUT
from hilum.core.results import ResultFigure, ResultPage, ResultSection
from hilum.core.version import VERSION
from hilum.metrics.reliability import reliability
from hilum.recipes.classifier import RECIPES, recipe
from hilum.train.classifier import ClassifierResult, ClassifierTraining, DevScores, ImageSet
from hilum.train.classifier import train_classifier as run

if TYPE_CHECKING:
    from hilum.train.loop import Progress

__all__ = [
    "RECIPES",
    "ClassifierResult",
    "ClassifierTraining",
    "ImageSet",
    "train_classifier",
    "training_page",
]

_PAGE = "page"
_PATHS = ("root", "images", "dev_images", "labels", "checkpoint", "cache")


def train_classifier(
    name: str,
    output: str | Path,
    *,
    images: ImageSet | str | Path | None = None,
    dev: ImageSet | None = None,
    fresh: bool = False,
    progress: Callable[[Progress], None] = lambda _: None,
    tell: Callable[[str], None] = lambda _: None,
    **choices: Any,
) -> ClassifierResult:
    """Train an image classifier by the recipe `name` into the folder `output`, or go on with a stopped run.

    `images` is a table of images, or images in memory (with `dev`, those to choose the checkpoint by); else name a
    data set with `data`. `choices` are fields of `ClassifierTraining` that differ from the recipe; None leaves the
    recipe's. The model is in `output/model`, a page in `output/page` (with the extra `study`). Raises InputError for
    inputs that cannot be learned from, OutputError and ResumeError for a folder that cannot be used,
    MissingExtraError without the extras `neural` and `images`.
    """
    given = {k: Path(v) if k in _PATHS else v for k, v in choices.items() if v is not None}
    held = images if isinstance(images, ImageSet) else None
    if images is not None and held is None:
        given["images"] = Path(images)  # type: ignore[arg-type]
    config = recipe(name)(Path(output), **given)
    result = run(config, images=held, dev=dev, progress=progress, tell=tell, fresh=fresh)
    if result.finished and not (result.folder / _PAGE / "index.html").is_file():
        try:
            page = training_page(result, config)
        except MissingExtraError as error:
            tell(f"there is no page of this training: {error}")
        else:
            write_page(page, result.folder / _PAGE)
    return result


def training_page(result: ClassifierResult, config: ClassifierTraining) -> ResultPage:
    """A page of a finished training: what was learned from, ranks, calibration and their figures.

    Raises MissingExtraError without the extra `study`.
    """
    sections = [
        ResultSection("What was learned from", tuple(f"{_sentence(note)}" for note in result.notes)),
        ResultSection(
            "How well findings are ranked", _steps(result), (result.tables[0], *_curves(result.dev))
        ),
        ResultSection(
            "How honest probabilities are",
            ("The lines join the bins of a finding; on the diagonal, what was predicted came true.",),
            (result.tables[1], *_reliability(result.dev)),
        ),
    ]
    stamp = {"hilum": VERSION, "recipe": config.recipe, "seed": str(config.seed)}
    lead = (
        (
            f"An image classifier of {len(result.tables[0].rows) - 1} findings, recipe {config.recipe!r}, "
            f"{config.size_px} pixels, uncertain labels: {config.uncertain}."
        ),
        "Numbers are of the images that the checkpoint was chosen by. Judge a model by images that played no part.",
    )
    return ResultPage("Training of an image classifier", lead, tuple(sections), stamp=stamp)


def _sentence(note: str) -> str:
    return note[:1].upper() + note[1:] + "."


def _steps(result: ClassifierResult) -> tuple[str, ...]:
    return tuple(
        f"{_sentence(step.name)[:-1]}: {step.train_rows:,} images, {step.epochs} epochs; kept is that after epoch "
        f"{step.best_epoch}, with a {step.metric} of {step.best:.4f}."
        for step in result.steps
    )


def _known(dev: DevScores) -> list[int]:
    return [f for f in range(len(dev.findings)) if {0, 1} <= set(dev.truth_NF[:, f].tolist())]


def _curves(dev: DevScores | None) -> list[ResultFigure]:
    if dev is None or not _known(dev):
        return []
    from hilum.metrics.ranking import precision_recall, roc  # noqa: PLC0415
    from hilum.pages.figures import Line, Panel, curves  # noqa: PLC0415

    rankings, precisions = [], []
    for f in _known(dev):
        truth, odds = dev.truth_NF[:, f], dev.log_odds_NF[:, f]
        one, other = roc(truth, odds), precision_recall(truth, odds)
        base = float((truth == 1).sum() / (truth != LEFT_OUT).sum())
        rankings.append(Panel(dev.findings[f], [Line("classifier", one.x, one.y)]))
        precisions.append(Panel(dev.findings[f], [Line("classifier", other.x, other.y)], base=base))
    return [
        curves("roc", "ROC on the dev set", panels=rankings),
        curves("precision-recall", "Precision and recall on the dev set", panels=precisions, kind="pr"),
    ]


def _reliability(dev: DevScores | None) -> list[ResultFigure]:
    if dev is None or not _known(dev):
        return []
    from hilum.pages.figures import Line, Panel, curves  # noqa: PLC0415

    panels = []
    for f in _known(dev):
        lines = []
        for name, heat in (("before", 1.0), ("after", dev.temperatures[f])):
            values = np.exp(-np.logaddexp(0.0, -dev.log_odds_NF[:, f] / heat))
            found = reliability(dev.truth_NF[:, f], values)
            lines.append(Line(f"{name} the temperature", found.predicted, found.happened))
        panels.append(Panel(dev.findings[f], lines))
    return [curves("reliability", "Reliability on the dev set", panels=panels, kind="reliability")]
