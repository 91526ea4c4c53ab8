"""VisualCheXbert end to end: image model, soft labels, report encoder, image labels from text (Jain et al. 2021, 4.6).

The stages are in `_visualchexbert_models`, the tables in `_visualchexbert_tables`, the page in `_visualchexbert_page`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from hilum.analyses._output import check_folder
from hilum.core.errors import InputError, MissingExtraError, UnknownNameError
from hilum.core.matrix import LabelMatrix
from hilum.core.results import ResultPage
from hilum.labelers import LABELERS
from hilum.metrics.finding_ranks import Ranks
from hilum.recipes._visualchexbert_answers import WAYS, Answers, Cut, Judged, answer, map_reports
from hilum.recipes._visualchexbert_models import LABELED, Learner
from hilum.recipes._visualchexbert_page import make_page
from hilum.recipes._visualchexbert_sets import (
    BY_LABELER,
    IMAGE_TRAIN,
    REPORT_TRAIN,
    TEST,
    VALID,
    VOCABULARY,
    Needs,
    StudySet,
    check_apart,
    choose_findings,
    label_texts,
    parse_source,
    read_set,
    stand_in,
    truth_of,
)
from hilum.recipes._visualchexbert_stages import (
    STAGES,
    checksum,
    is_ours,
    opened,
    read_answers,
    read_json,
    read_values,
    text_checksum,
    write_json,
    write_values,
)
from hilum.recipes._visualchexbert_tables import CONTROL, Results, TestSide, rank_test

if TYPE_CHECKING:
    from hilum.train.loop import Progress

__all__ = ["STAGES", "VisualChexbertStudy", "visualchexbert_study"]

_PACKAGES = (
    "torch",
    "transformers",
    "safetensors",
    "accelerate",
    "tensorboard",
    "cv2",
    "sklearn",
    "matplotlib",
)
"""What the stages need, of the extras `neural`, `images` and `study`."""

_ANSWERS, _NOTES = "answers.csv", "notes.json"


@dataclass(frozen=True)
class VisualChexbertStudy:
    """What to study and how. The four sets are `NAME:ROOT[:SPLIT][@PART/PARTS]` of `hilum.datasets`.

    `image_train`: images that the classifier learns, with labels of `labeler` on their reports, or of the source
    `image_labels` of the data set. `report_train`: images that it labels, and reports that the encoder learns with
    these. `valid`, `test`: reports with image truth, source `truth`
    ("labeler": labels of the reports stand in for it). `swap`: also the other way round.
    `control`: also the same encoder, taught by labels of the reports of `report_train` instead of by images.
    `uncertain` is the way with uncertain labels (a name of `train.classifier_config.UNCERTAIN`). `image_recipe` is a
    recipe of classifiers, `classifier` further choices of it, `image_init` weights to start from. `init` is a
    pretrained encoder (folder or id); without it a small one learns from scratch, with `encoder` as further choices.
    `findings`: the evaluation findings; else those positive on a share `least_positives` of the test set.
    """

    image_train: str
    report_train: str
    valid: str
    test: str
    swap: bool = False
    control: bool = False
    section: str = "impression"
    views: str = "frontal"
    labeler: str = "rules"
    image_labels: str = ""
    truth: str = "image"
    uncertain: str = "ones"
    image_recipe: str = "mini"
    image_init: str | None = None
    classifier: Mapping[str, Any] = field(default_factory=dict)
    init: str | None = None
    encoder: Mapping[str, Any] = field(default_factory=dict)
    findings: tuple[str, ...] = ()
    least_positives: float = 0.1
    replicates: int = 1000
    seed: int = 0
    device: str = "auto"
    threads: int | None = None
    workers: int | None = None

    def __post_init__(self) -> None:
        if self.labeler not in LABELERS.names():
            raise UnknownNameError("labeler", self.labeler, LABELERS.names())
        if not 0 <= self.least_positives <= 1:
            raise InputError(f"least_positives is {self.least_positives}; allowed: 0 to 1.")


def visualchexbert_study(
    study: VisualChexbertStudy,
    folder: Path | str,
    *,
    force: bool = False,
    fresh: bool = False,
    tell: Callable[[str], object] = lambda _: None,
    meter: Callable[[Progress], None] = lambda _: None,
) -> ResultPage:
    """Run the study, or go on with it: each stage is kept in `folder/stages`, and what is done is not done again.

    The same study gives the same page, stopped and resumed or not (on a CPU, with the same libraries and number of
    threads). `tell` gets lines in words, `meter` the steps of the trainings; `fresh` forgets all stages. Nothing but
    the stages is written.

    Raises InputError for sets that lack what is needed or share patients, OutputError and ResumeError for the folder,
    KeyboardInterrupt when a training was asked to stop, after it was saved.
    """
    _check_extras()
    home = Path(folder)
    check_folder(home, force=force or is_ours(home))
    sets = read_sets(study, tell=tell)
    warnings = check_apart(list(sets.values()))
    truths = {role: truth_of(sets[role].states(study.truth), VOCABULARY.names) for role in (VALID, TEST)}
    chosen = choose_findings(truths[TEST], study.findings, least=study.least_positives)
    places = [VOCABULARY.index(name) for name in chosen]
    valid, test = (
        TestSide(sets[role], truths[role][:, places], label_matrix(sets[role], study))
        for role in (VALID, TEST)
    )
    sides = Sides(valid, test, chosen)
    encoders: dict[str, Answers] = {}
    ranks: dict[str, Ranks] = {}
    with opened(home, fresh=fresh, tell=tell) as stages:
        learner = Learner(study, stages, tell, meter)
        mapped, notes = _mapped(learner, sides)
        for images, reports in [
            (IMAGE_TRAIN, REPORT_TRAIN),
            *([(REPORT_TRAIN, IMAGE_TRAIN)] if study.swap else []),
        ]:
            encoders[reports] = _direction(learner, sets[images], sets[reports], sides, ranks=ranks)
        if study.control:
            encoders[CONTROL] = _control(learner, sets[REPORT_TRAIN], sides, ranks=ranks)
    tell(f"tables, {study.replicates:,} replicates")
    return make_page(Results(study, sets, chosen, test, mapped, encoders, ranks, notes, warnings))


def _check_extras() -> None:
    """Raises MissingExtraError now, not after hours, for what a later stage needs."""
    for package in _PACKAGES:
        if find_spec(package) is None:
            raise MissingExtraError(package, "neural,images,study")


class Sides(NamedTuple):
    """What has image truth: the validation set, the test set, and the findings that are compared."""

    valid: TestSide
    test: TestSide
    findings: tuple[str, ...]

    def decides(self) -> dict[str, Any]:
        """What of them decides an answer."""
        return {"truth": [self.valid.digest(), self.test.digest()], "findings": self.findings}


def read_sets(study: VisualChexbertStudy, *, tell: Callable[[str], object]) -> dict[str, StudySet]:
    """The four sets by role, those to learn images from with labels `LABELED`."""
    named = {
        IMAGE_TRAIN: study.image_train, REPORT_TRAIN: study.report_train, VALID: study.valid, TEST: study.test,
    }  # fmt: skip
    sources = {role: parse_source(said, option=role) for role, said in named.items()}
    by_labeler = not study.image_labels
    truth = "" if study.truth == BY_LABELER else study.truth
    learns_images, both = Needs(by_labeler, True, study.image_labels), Needs(True, True)
    needs = {
        IMAGE_TRAIN: Needs(True, True, study.image_labels) if study.swap else learns_images,
        REPORT_TRAIN: Needs(True, True, study.image_labels) if study.swap else both,
        VALID: Needs(text=True, labels=truth),
        TEST: Needs(text=True, labels=truth),
    }
    sets = {}
    for role, source in sources.items():
        tell(f"reading {role}: {source.said}")
        sets[role] = read_set(
            source, role=role, needs=needs[role], section=study.section, views=study.views, tell=tell
        )
    for role in (IMAGE_TRAIN, *([REPORT_TRAIN] if study.swap else [])):
        one = sets[role]
        if by_labeler:
            tell(f"labels of {role} by {study.labeler}")
            labels = label_texts(one.texts, labeler=study.labeler)
        else:
            labels = [study_.labels[study.image_labels] for study_ in one.studies]
        sets[role] = one.with_labels(LABELED, labels)
    for role in (VALID, TEST) if study.truth == BY_LABELER else ():
        labels = [stand_in(one) for one in label_texts(sets[role].texts, labeler=study.labeler)]
        sets[role] = sets[role].with_labels(BY_LABELER, labels)
    return sets


def label_matrix(one: StudySet, study: VisualChexbertStudy) -> LabelMatrix:
    """Labels of the labeler on the reports of a set."""
    labels = label_texts(one.texts, labeler=study.labeler)
    states_NF = np.array([found.states for found in labels], dtype=np.int8)
    return LabelMatrix(f"labels of {study.labeler}", VOCABULARY, VOCABULARY.names, one.ids, states_NF)


def _direction(
    learner: Learner,
    images: StudySet,
    reports: StudySet,
    sides: Sides,
    *,
    ranks: dict[str, Ranks],
) -> Answers:
    """One classifier, its probabilities of the other set, the encoder of that set's reports, and its answers."""
    model = learner.classifier(images)
    soft = learner.image_probabilities(model, reports, name=f"soft-labels-of-{reports.role}")
    if sides.test.studies.images:
        seen = learner.image_probabilities(model, sides.test.studies, name=f"test-images-by-{images.role}")
        ranks[f"Classifier on {images.role}"] = rank_test(sides.test, seen, learner.study)
    ids, _, _ = read_values(soft)
    return _taught(learner, reports.keep(ids), soft, sides, name=reports.role, ranks=ranks)


def _control(learner: Learner, reports: StudySet, sides: Sides, *, ranks: dict[str, Ranks]) -> Answers:
    """The answers of an encoder that was taught by labels of the reports."""
    soft = learner.report_labels(reports, name="labels-of-report-train")
    return _taught(learner, reports, soft, sides, name=CONTROL, ranks=ranks)


def _taught(
    learner: Learner, reports: StudySet, soft: Path, sides: Sides, *, name: str, ranks: dict[str, Ranks]
) -> Answers:
    """An encoder of reports, taught by a table of probabilities, and its answers."""
    short = name.replace(" ", "-")
    encoder = learner.encoder(reports, soft, name=f"encoder-on-{short}")
    read = {
        side.studies.role: learner.report_probabilities(
            encoder, side.studies, name=f"{side.studies.role}-reports-by-{short}"
        )
        for side in (sides.valid, sides.test)
    }
    ranks[f"Encoder on {name}"] = rank_test(sides.test, read[TEST], learner.study)
    return _answered(learner, short, read, sides)


def _answered(learner: Learner, short: str, read: Mapping[str, Path], sides: Sides) -> Answers:
    valid, test, chosen = sides

    def make(folder: Path) -> None:
        (_, columns, valid_NF), (_, _, test_NF) = (read_values(read[role]) for role in (VALID, TEST))
        learned, judged = Judged(valid_NF, valid.truth_NF), Judged(test_NF, test.truth_NF)
        found = answer(columns, learned, judged, chosen, tell=learner.tell)
        _write(folder, sides, found.ways, found.notes, cuts=[cut._asdict() for cut in found.cuts])

    probabilities = {side: checksum(path) for side, path in read.items()}
    decides = {"probabilities": probabilities, **sides.decides()}
    folder = learner.stages.run(f"answers-of-{short}", decides, make)
    ways, record = _read(folder, WAYS)
    return Answers(ways, tuple(Cut(**cut) for cut in record["cuts"]), tuple(record["notes"]))


def _mapped(learner: Learner, sides: Sides) -> tuple[dict[str, Any], tuple[str, ...]]:
    """0/1 labels of the mappings of report labels, and notes."""
    valid, test, chosen = sides

    def make(folder: Path) -> None:
        learned, judged = Judged(valid.report, valid.truth_NF), Judged(test.report, test.truth_NF)
        found = map_reports(judged, learned, chosen, tell=learner.tell)
        _write(folder, sides, found.ways, found.notes, names=list(found.ways))

    labels = [text_checksum(side.report.states_NF.tobytes().hex()) for side in (valid, test)]
    folder = learner.stages.run("mappings", {"labels": labels, **sides.decides()}, make)
    ways, record = _read(folder, read_json(folder / _NOTES)["names"])
    return ways, tuple(record["notes"])


def _write(folder: Path, sides: Sides, ways: Mapping[str, Any], notes: Any, **more: Any) -> None:
    columns = [f"{finding}: {way}" for way in ways for finding in sides.findings]
    values_NF = np.concatenate(list(ways.values()), axis=1)
    write_values(folder / _ANSWERS, sides.test.studies.ids, columns, values_NF)
    write_json(folder / _NOTES, {"notes": list(notes), **more})


def _read(folder: Path, ways: Any) -> tuple[dict[str, Any], Any]:
    _, values_NF = read_answers(folder / _ANSWERS)
    parts = np.split(values_NF, len(ways), axis=1)
    return dict(zip(ways, parts, strict=True)), read_json(folder / _NOTES)
