"""The page of the VisualCheXbert study: its sections, and what they mean in plain words."""

from __future__ import annotations

from hilum.analyses._differences import average_table
from hilum.analyses.baselines import LOGREG, ZERO_ONE
from hilum.core.results import ResultPage, ResultSection
from hilum.core.version import VERSION
from hilum.pages.figures import differences
from hilum.recipes._visualchexbert_answers import BERT_LOGREG, LOGREG_V, THRESHOLDING
from hilum.recipes._visualchexbert_sets import BY_LABELER, IMAGE_TRAIN, REPORT_TRAIN, TEST, VALID
from hilum.recipes._visualchexbert_tables import (
    CONTROL,
    VISUAL,
    Results,
    further_table,
    rank_tables,
    readers_table,
    sets_table,
    table_4,
    table_5,
    table_6,
    thresholds_table,
)
from hilum.train.classifier_config import UNCERTAIN

USES_TEST_TRUTH = (
    f"{LOGREG} and {BERT_LOGREG} are regressions fitted leave-one-out on the test set, as in the paper: each study is "
    "predicted from the image truth of the others, so they use truth of the test set. Columns 'fitted on valid' are "
    "the same regressions fitted on the validation set, and use none."
)
WHICH_IS_VISUAL = (
    f"VisualCheXbert here is {VISUAL}. The caption of the paper's Table 5 names {THRESHOLDING} as VisualCheXbert; its "
    f"section 4.6.1 and the head of the column name {BERT_LOGREG} on MIMIC-CXR. The latter two are followed."
)
OPTIMISTIC = f"{ZERO_ONE} takes the better of two policies for each finding on the test set itself: its most."
NO_TRUTH = (
    "There is no image truth here: labels that the labeler gives the reports stand in for it (blank is negative, "
    "uncertain is left out). So this page shows that the path runs, and how far an encoder taught by images guesses "
    "what reports say. It does not show what is on the images, and mappings of the same labels win by definition."
)
SYNTHETIC = (
    "Synthetic data, of no patient: this tests the method and the program, and says nothing about patients."
)


def make_page(results: Results) -> ResultPage:
    """The whole study as a page."""
    study = results.study
    warnings = [*results.warnings, USES_TEST_TRUTH]
    if study.truth == BY_LABELER:
        warnings.insert(0, NO_TRUTH)
    if any(one.synthetic for one in results.sets.values()):
        warnings.insert(0, SYNTHETIC)
    return ResultPage(
        "VisualCheXbert: image labels from the text of reports",
        _lead(results),
        (
            _used(results),
            ResultSection(
                "How good is the image model?",
                (f"Its labels to learn come from reports; uncertain labels: {UNCERTAIN[study.uncertain]}.",),
                rank_tables(results),
            ),
            ResultSection(
                "What do mappings of report labels reach?", (OPTIMISTIC, *results.notes), (table_4(results),)
            ),
            _encoders(results),
            _improvement(results),
            ResultSection("What do the reports themselves reach?", (), (readers_table(results),)),
        ),
        warnings=tuple(warnings),
        stamp=_stamp(results),
    )


def _lead(results: Results) -> tuple[str, ...]:
    *_, plain, weighted = results.compared.difference(VISUAL, ZERO_ONE)
    chain = (
        f"An image classifier learns the images of {IMAGE_TRAIN} with labels from their reports. It gives "
        f"probabilities for the images of {REPORT_TRAIN}, which it has not seen. A report encoder learns to guess "
        f"these from the reports of {REPORT_TRAIN}. What it guesses from the reports of {TEST} is compared with the "
        "image truth there."
    )
    found = (
        f"VisualCheXbert minus {ZERO_ONE}, F1: {plain.value:.3f} ({plain.low:.3f} to {plain.high:.3f}) on average, "
        f"{weighted.value:.3f} ({weighted.low:.3f} to {weighted.high:.3f}) weighted by positives. In the paper: 0.14 "
        "(0.12 to 0.17) and 0.17 (0.15 to 0.20)."
    )
    return chain, found, f"Evaluation findings, {len(results.findings)}: {', '.join(results.findings)}."


def _used(results: Results) -> ResultSection:
    study = results.study
    labels = (
        f"the source {study.image_labels!r} of the data set"
        if study.image_labels
        else f"the labeler {study.labeler!r}"
    )
    start = study.init or "none: a small BERT from scratch, which is not the paper's BERT-base"
    learned = (
        f"Labels that the classifier learns: {labels}. Section of the reports: {study.section}. Images: "
        f"{study.views}. Recipe of the classifier: {study.image_recipe}; weights to start from: "
        f"{study.image_init or 'none'}. Pretrained report encoder: {start}."
    )
    soft = (
        "A study with several images has the greatest of their probabilities (Irvin et al. 2019, section 4.1). They "
        "are calibrated by temperatures on images kept out of the classifier's training."
    )
    chosen = (
        f"Checkpoints are chosen by parts of both training sets that were kept out, thresholds by {VALID}."
    )
    lines = (f"{role}: {line}." for role, one in results.sets.items() for line in one.told)
    return ResultSection("What was used", (learned, soft, chosen, *lines), (sets_table(results),))


def _encoders(results: Results) -> ResultSection:
    notes = [
        f"Encoder on {role}: {note}" for role, answers in results.encoders.items() for note in answers.notes
    ]
    control = (
        f"'{CONTROL}': the same encoder with labels of the same reports instead of probabilities of their images. "
        "What VisualCheXbert has above it is due to images."
    )
    other = () if results.study.swap else ("The other direction was not asked for (--swap).",)
    return ResultSection(
        "What does the text say of the image?",
        (WHICH_IS_VISUAL, *((control,) if CONTROL in results.encoders else ()), *other, *notes),
        (table_5(results), thresholds_table(results)),
    )


def _improvement(results: Results) -> ResultSection:
    compared = results.compared
    averages = average_table(
        compared, results.further_pairs, name="differences_average", title="Differences in average F1",
        note=f"Paired differences. {results.level} {LOGREG_V}: no truth of the test set on either side.",
    )  # fmt: skip
    figure = differences(
        "differences",
        "VisualCheXbert minus other ways to image labels, F1",
        labels=compared.row_names,
        estimates={
            f"minus {other}": compared.difference(one, other) for one, other in results.further_pairs[:3]
        },
        xlabel="Difference in F1 (right of 0: VisualCheXbert is better)",
    )
    return ResultSection("Is it better?", (), (table_6(results), averages, figure, further_table(results)))


def _stamp(results: Results) -> dict[str, str]:
    study = results.study
    return {
        "image-train": study.image_train,
        "report-train": study.report_train,
        "valid": study.valid,
        "test": study.test,
        "swap": "yes" if study.swap else "no",
        "control": "yes" if study.control else "no",
        "labeler": study.image_labels or study.labeler,
        "uncertain": study.uncertain,
        "seed": str(study.seed),
        "hilum": VERSION,
    }
