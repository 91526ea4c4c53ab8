"""How far, and why, report labels and image labels differ (VisualCheXbert, Tables 1 and 3, section 4.2)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from hilum.analyses._bounds import bounds
from hilum.analyses._inputs import Loaded
from hilum.analyses._reasons import NEED_TEXT, Disagreement, Reason
from hilum.core.matrix import LabelMatrix
from hilum.core.results import Column, Example, ResultExamples, ResultSection, ResultTable, Value
from hilum.core.vocabulary import CSV_CODES, State
from hilum.pages.figures import ranges, stacked_bars

_EXAMPLES = 3
_EXAMPLE_CHARACTERS = 4000


def agreement_section(loaded: Loaded) -> ResultSection:
    """Low and high F1 and kappa per evaluation finding, with averages (Table 1)."""
    found = bounds(loaded.report, loaded.chosen_truth_NF, loaded.chosen)
    values = [column for _, column in found.columns()]
    rows: list[tuple[Value, ...]] = [
        (
            finding,
            int(found.positives[place]),
            int(found.uncertain_positive[place]),
            int(found.uncertain_negative[place]),
            *(float(column[place]) for column in values),
        )
        for place, finding in enumerate(found.findings)
    ]
    plain, weighted = found.averages()
    rows += [("Average", None, None, None, *plain), ("Weighted average", None, None, None, *weighted)]
    table = ResultTable(
        "agreement",
        "Agreement of report labels with image labels",
        (
            Column("finding", "Finding", "text"),
            Column("positives", "Positive on image", "count"),
            Column("uncertain_positive", "Uncertain, image positive", "count"),
            Column("uncertain_negative", "Uncertain, image negative", "count"),
            Column("low_f1", "Low F1"),
            Column("high_f1", "High F1"),
            Column("low_kappa", "Low kappa"),
            Column("high_kappa", "High kappa"),
        ),
        tuple(rows),
        f"{_undefined(values)}Low: every uncertain report label is taken as the opposite of the image label. "
        "High: as the image label. Blank counts as negative. Weights of the last row are the positives on image.",
    )
    figure = ranges(
        "agreement_f1",
        "F1 of report labels as image labels: from every uncertain label wrong to every one right",
        labels=found.findings,
        low=[float(v) for v in found.low_f1],
        high=[float(v) for v in found.high_f1],
        xlabel="F1",
    )
    return ResultSection(
        "How far do they agree?",
        (
            (
                f"On average F1 lies between {plain[0]:.3f} and {plain[1]:.3f}, and Cohen's kappa between "
                f"{plain[2]:.3f} and {plain[3]:.3f}, according to what becomes of the uncertain report labels."
            ),
        ),
        (table, figure),
    )


def _undefined(values: Sequence[np.ndarray]) -> str:
    missing = max(int(np.isnan(column).sum()) for column in values)
    return "A dash is not defined (no positive on either side); averages leave it out. " if missing else ""


def counts_section(loaded: Loaded, found: Sequence[Disagreement]) -> ResultSection:
    """How often image and report differ for each finding, both ways (Table 3), with examples."""
    rows: list[tuple[Value, ...]] = []
    for place, finding in enumerate(loaded.report.findings):
        own = [d for d in found if d.finding == place]
        definite = [d for d in own if d.state is not State.UNCERTAIN]
        hedged = [d for d in own if d.state is State.UNCERTAIN]
        rows.append(
            (
                finding,
                int((loaded.truth_NF[:, place] == 1).sum()),
                sum(d.image_positive for d in definite),
                sum(not d.image_positive for d in definite),
                sum(d.image_positive for d in hedged),
                sum(not d.image_positive for d in hedged),
            )
        )
    table = ResultTable(
        "disagreements",
        "Counts of disagreements",
        (
            Column("finding", "Finding", "text"),
            Column("positives", "Positive on image", "count"),
            Column("image_positive_report_negative", "Positive on image, negative on report", "count"),
            Column("image_negative_report_positive", "Negative on image, positive on report", "count"),
            Column("uncertain_image_positive", "Uncertain on report, image positive", "count"),
            Column("uncertain_image_negative", "Uncertain on report, image negative", "count"),
        ),
        tuple(rows),
        "Negative on report means negative or blank. Uncertain labels stand apart.",
    )
    blocks = [
        _examples(loaded, [d for d in found if d.image_positive is positive], name=name, title=title)
        for positive, name, title in (
            (True, "examples_image_positive", "Examples: positive on image, not on report"),
            (False, "examples_image_negative", "Examples: negative on image, not on report"),
        )
    ]
    text = () if loaded.texts else ("No texts were given (--reports), so there are no examples.",)
    return ResultSection("Where do they differ?", text, (table, *(b for b in blocks if b.examples)))


def reasons_section(loaded: Loaded, found: Sequence[Disagreement]) -> ResultSection:
    """Each disagreement sorted by the first reason that holds, per finding, with examples."""
    findings = loaded.report.findings
    told = [reason for reason in Reason if loaded.texts or reason not in NEED_TEXT]
    counts = Counter((d.finding, d.image_positive, d.reason) for d in found)
    totals = Counter((d.image_positive, d.reason) for d in found)
    rows: list[tuple[Value, ...]] = [
        (finding, _image(positive), *(counts[place, positive, r] if r in told else None for r in Reason))
        for place, finding in enumerate(findings)
        for positive in (True, False)
    ]
    rows += [
        ("All", _image(positive), *(totals[positive, r] if r in told else None for r in Reason))
        for positive in (True, False)
    ]
    table = ResultTable(
        "reasons",
        "Disagreements by reason",
        (
            Column("finding", "Finding", "text"),
            Column("image", "Image", "text"),
            *(Column(reason.name.casefold(), reason.value, "count") for reason in Reason),
        ),
        tuple(rows),
        "Each disagreement is counted once, under the first reason from left to right that holds. "
        + _what_texts_allow(loaded),
    )
    figures = [
        stacked_bars(
            f"reasons_{_image(positive)}",
            f"Reasons for disagreements where the image is {_image(positive)}",
            labels=findings,
            parts={r.value: [counts[place, positive, r] for place in range(len(findings))] for r in told},
            xlabel="Studies",
        )
        for positive in (True, False)
    ]
    examples = [
        _examples(
            loaded,
            [d for d in found if d.reason is reason],
            name=f"examples_{reason.name.casefold()}",
            title=f"Examples: {reason.value}",
        )
        for reason in Reason
    ]
    return ResultSection("Why do they differ?", (), (table, *figures, *(e for e in examples if e.examples)))


def _image(positive: bool) -> str:
    return "positive" if positive else "negative"


def _what_texts_allow(loaded: Loaded) -> str:
    if loaded.texts is None:
        return (
            "No texts were given, so 'mentioned in Findings only' and 'worded against a prior study' cannot be "
            "told: 'never mentioned' means blank in the report labels, and 'rest' that the label is negative "
            "(or positive, where the image is negative)."
        )
    missing = sum(not text for text in loaded.texts)
    return (
        "Mentions in the text are found by the rule labeler; 'worded against a prior study' means that a "
        "sentence with the finding has a word of prior_words.toml. "
        + (f"{missing:,} studies have no text and are sorted by their labels alone." if missing else "")
    )


def _examples(loaded: Loaded, found: Sequence[Disagreement], *, name: str, title: str) -> ResultExamples:
    """The first disagreements with a text, of different findings where there are some."""
    chosen: list[Disagreement] = []
    if loaded.texts:
        with_text = [d for d in found if loaded.texts[d.study]]
        firsts = {d.finding: d for d in reversed(with_text)}
        chosen = [*firsts.values(), *(d for d in with_text if d not in firsts.values())][:_EXAMPLES]
    return ResultExamples(name, title, tuple(_example(loaded, d) for d in chosen))


def _example(loaded: Loaded, one: Disagreement) -> Example:
    text = (loaded.texts[one.study] if loaded.texts else "") or ""
    cut = " [...]" if len(text) > _EXAMPLE_CHARACTERS else ""
    heading = (
        f"{loaded.ids[one.study]}: {loaded.report.findings[one.finding]} is {_image(one.image_positive)} on the image, "
        f"{one.state.name.casefold()} on the report ({one.reason.value})"
    )
    return Example(heading, text[:_EXAMPLE_CHARACTERS] + cut)


def state_counts(report: LabelMatrix) -> ResultTable:
    """How often each finding has each state in the report labels."""
    rows: list[tuple[Value, ...]] = [
        (finding, *(int((report.states_NF[:, place] == state).sum()) for state in CSV_CODES))
        for place, finding in enumerate(report.findings)
    ]
    return ResultTable(
        "report_states",
        "States of the report labels",
        (
            Column("finding", "Finding", "text"),
            *(Column(state.name.casefold(), state.name.capitalize(), "count") for state in CSV_CODES),
        ),
        tuple(rows),
    )
