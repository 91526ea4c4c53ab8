"""Tables of the study of report generation: the paper's, differences, rewards, labels, polarity, attention."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hilum.core.results import Column, Estimate, ResultTable, Value
from hilum.recipes._generation_sets import FINDINGS, positives_of
from hilum.recipes._generation_systems import Found
from hilum.recipes._generation_values import CLINICAL, PER_LABEL, SHAPE, SIMPLE, WORDING, Values
from hilum.recipes.generation import CCR, FULL, LIKELY, MAJOR, NEAREST, NLG, NOISE, SYSTEMS, TIENET

HEADINGS = {
    "cider_d": "CIDEr-D", "cider": "CIDEr", "rouge_l": "ROUGE-L", "bleu_1": "BLEU-1", "bleu_2": "BLEU-2",
    "bleu_3": "BLEU-3", "bleu_4": "BLEU-4", "accuracy": "Accuracy", "precision_macro": "Precision, macro",
    "recall_macro": "Recall, macro", "f1_macro": "F1, macro", "precision_micro": "Precision, micro",
    "recall_micro": "Recall, micro", "f1_micro": "F1, micro", "ccr": "Clinical reward", "words": "Words",
    "sentences": "Sentences", "repeated": "Repeated sentences", "empty": "Empty reports",
    "wrong": "Wrong polarity", "wrong_positive": "Affirmed, not there", "wrong_negative": "Negated, there",
    "wrong_stated": "Wrong, report says so", "mentions": "Mentions by report",
}  # fmt: skip
PAIRS = (
    (FULL, NLG), (FULL, CCR), (FULL, LIKELY), (CCR, NLG), (NLG, LIKELY), (CCR, LIKELY), (FULL, TIENET), (FULL, NEAREST),
    (FULL, NOISE), (FULL, MAJOR), (NLG, NEAREST), (NLG, NOISE), (CCR, NEAREST),
)  # fmt: skip
"""What is compared: the paper's claims first."""

COMPARED = ("cider_d", "rouge_l", "bleu_4", *CLINICAL)


def name_of(system: str) -> str:
    """The name of a system or of a simple report."""
    return SYSTEMS.get(system) or SIMPLE[system]


def level(found: Found) -> str:
    """What the intervals are, in words."""
    many = f"{found.study.replicates:,}"
    return (
        f"95 % intervals: percentiles of {many} bootstrap replicates of patients, the same for all systems."
    )


def pairs_of(values: Values) -> list[tuple[str, str]]:
    """The pairs of which both were studied."""
    return [(a, b) for a, b in PAIRS if a in values.systems and b in values.systems]


def _columns(names: Sequence[str]) -> tuple[Column, ...]:
    return tuple(Column(name, HEADINGS[name]) for name in names)


def _table(
    values: Values, systems: Sequence[str], names: Sequence[str], *, name: str, title: str, note: str
) -> ResultTable:
    rows: list[tuple[Value, ...]] = [
        (name_of(one), *(values.own(one, column) for column in names)) for one in systems
    ]
    return ResultTable(name, title, (Column("system", "System", "text"), *_columns(names)), tuple(rows), note)


def systems_tables(found: Found, values: Values) -> tuple[ResultTable, ...]:
    """The paper's table in two: wording, and labels."""
    systems = [name for name in values.systems if name in SYSTEMS]
    cited = (
        "Document frequencies of CIDEr are those of the test reports. "
        f"{SYSTEMS[LIKELY]} is no row of the paper: it is where the last three begin."
    )
    counted = "; ".join(
        f"{name_of(one)} {known}"
        for one in systems
        if (known := _defined(values, one)) < len(_with_positives(found))
    )
    clinical = (
        f"Of the labels of {found.study.labeler!r} in generated and true report: positive or not, over "
        f"{len(FINDINGS)} labels without No Finding. Precision of a label that a system never affirms is not defined "
        f"and left out of its macro average (labels with a precision: {counted or 'all in every system'}), so read F1. "
        "Clinical reward: equation 1 summed over the labels."
    )
    return (
        _table(
            values, systems, WORDING, name="wording", title="How alike are the words?",
            note=f"{cited} {level(found)}",
        ),
        _table(
            values, systems, CLINICAL, name="clinical", title="Are the findings right?",
            note=f"{clinical} {level(found)}",
        ),
        _table(
            values, [one for one in systems if one != MAJOR], SHAPE, name="shape", title="What do reports look like?",
            note="Means by report. Repeated: of the sentences as they were written, those that stand before in their "
            f"report; {found.study.repeats!r} is what became of them. {level(found)}",
        ),
    )  # fmt: skip


def _defined(values: Values, system: str) -> int:
    return sum(not np.isnan(values.point(system, f"precision {finding}")) for finding in FINDINGS)


def _with_positives(found: Found) -> list[str]:
    counts = positives_of(found.test.states_NF).sum(axis=0)
    return [name for name, n in zip(FINDINGS, counts, strict=True) if n]


def rewards_table(found: Found, values: Values) -> ResultTable:
    """What each system earns, beside what needs no image."""
    systems = [name for name in values.systems if name != MAJOR]
    note = (
        f"The clinical reward is at most {len(FINDINGS)}. Silence is nearly right, because most findings are absent: "
        f"read every reward beside that of the empty report, and recall with it. {level(found)}"
    )
    return _table(
        values, systems, ("ccr", "cider_d", "recall_micro", "precision_micro", "words", "sentences"), name="rewards",
        title="What would each earn as a reward, and what do reports earn that need no image?", note=note,
    )  # fmt: skip


def differences_table(found: Found, values: Values) -> ResultTable:
    """Paired differences."""
    columns = (Column("first", "System", "text"), Column("second", "minus", "text"), *_columns(COMPARED))
    relative = Column("cider_d_relative", "CIDEr-D, of the second")
    rows: list[tuple[Value, ...]] = []
    for a, b in pairs_of(values):
        each = [values.difference(a, b, name) for name in COMPARED]
        rows.append((name_of(a), name_of(b), *each, values.difference(a, b, "cider_d", relative=True)))
    note = f"Paired: both systems on the same replicates. {level(found)}"
    return ResultTable("differences", "Differences", (*columns, relative), tuple(rows), note)


def labels_tables(found: Found, values: Values) -> tuple[ResultTable, ...]:
    """Precision, recall and accuracy of each label."""
    systems = [name for name in values.systems if name in SYSTEMS]
    positives = positives_of(found.test.states_NF).sum(axis=0)
    tables = []
    for name in PER_LABEL:
        rows: list[tuple[Value, ...]] = [
            (finding, int(positives[place]), *(values.own(one, f"{name} {finding}") for one in systems))
            for place, finding in enumerate(FINDINGS)
        ]
        heads = (Column("finding", "Finding", "text"), Column("positives", "Positive", "count"))
        columns = (*heads, *(Column(one, name_of(one)) for one in systems))
        tables.append(
            ResultTable(
                f"{name}_labels", f"{name.capitalize()} by label", columns, tuple(rows),
                f"A dash: not defined, since nothing was affirmed or nothing is positive. {level(found)}",
            )
        )  # fmt: skip
    return tuple(tables)


def polarity_tables(found: Found, values: Values) -> tuple[ResultTable, ...]:
    """The negation control, and differences in it."""
    systems = [name for name in values.systems if name in values.counts and name != "empty"]
    names = ("wrong", "wrong_positive", "wrong_negative", "wrong_stated", "mentions")
    truth = "the image truth where the report does not mention it" if found.study.truth else "nothing else"
    note = (
        "A mention is a place where the labeler finds a finding affirmed or negated in a generated report. It is in "
        "the wrong polarity when the true report says the opposite (or, where that does not mention it, "
        f"{truth}). Mentions that the true report hedges, and those of which nothing is known, are not counted. "
        "'Affirmed, not there' is of affirmed mentions, 'Negated, there' of negated ones; 'Wrong, report says so' of "
        f"those that the true report itself affirms or negates. {level(found)}"
    )
    first = _table(values, systems, names, name="polarity", title="Mentions in the wrong polarity", note=note)
    columns = (
        Column("first", "System", "text"), Column("second", "minus", "text"), *_columns(names[:4]),
    )  # fmt: skip
    wanted = [(NLG, CCR), (NLG, FULL), (NLG, LIKELY), (FULL, LIKELY), (CCR, LIKELY)]
    rows: list[tuple[Value, ...]] = [
        (name_of(a), name_of(b), *(values.difference(a, b, name) for name in names[:4]))
        for a, b in wanted
        if a in values.systems and b in values.systems
    ]
    paired = ResultTable(
        "polarity_differences", "Differences in wrong polarity", columns, tuple(rows), level(found)
    )
    return first, paired


def attention_table(found: Found, values: Values) -> ResultTable:
    """Attention of the words of findings inside the true box, and inside the typical region, against chance."""
    kinds = (
        ("positive", "Affirmed, box of the image", "positive"),
        ("negative", "Negated although it is there, box of the image", "negative"),
        ("positive_typical", "Affirmed, typical region", "positive_typical"),
        ("negative_typical", "Negated, typical region", "negative_typical"),
    )
    rows: list[tuple[Value, ...]] = []
    for system in values.lookers:
        for key, title, counted in kinds:
            ends = ("inside", "share", "lift") if "typical" not in key else ("", "share", "lift")
            each = [values.look(system, "_".join(filter(None, (key, end)))) for end in ends]
            nowhere = values.look(system, f"no_place_{key.split('_')[0]}")
            rows.append((name_of(system), title, values.mentions[system][counted], *each, nowhere))
    columns = (
        Column("system", "System", "text"), Column("words", "Words", "text"), Column("mentions", "Mentions", "count"),
        Column("inside", "Attention inside"), Column("chance", "Chance: share of the image"),
        Column("lift", "More than chance"), Column("no_place", "Looks at no place"),
    )  # fmt: skip
    note = (
        "Mean over mentions of the attention of their words inside the region, of all that looks at a place, against "
        "the share of the image that the region covers. Typical region: the mean of the boxes of the finding in "
        "training images, for findings that have no box here. 'No place' is the visual sentinel; a TieNet has none. "
        f"{level(found)}"
    )
    return ResultTable("attention", "Where do the words of findings look?", columns, tuple(rows), note)


def sets_table(found: Found) -> ResultTable:
    """What was studied."""
    rows: list[tuple[Value, ...]] = []
    for role, one in found.sets.items():
        positive = positives_of(one.states_NF).sum(axis=1)
        rows.append(
            (
                role, one.studies.source.said.split(":")[0], len({row.study for row in one.rows}), len(one),
                len(set(one.groups)), float(np.mean([sum(map(len, s)) for s in one.sentences])),
                float(np.mean([len(s) for s in one.sentences])), float(positive.mean()),
            )
        )  # fmt: skip
    columns = (
        Column("set", "Set", "text"), Column("data", "Data set", "text"), Column("studies", "Studies", "count"),
        Column("images", "Images", "count"), Column("patients", "Patients", "count"),
        Column("words", "Words by report"), Column("sentences", "Sentences"), Column("positives", "Positive labels"),
    )  # fmt: skip
    return ResultTable("sets", "Images and reports", columns, tuple(rows), "Means by image.")


def said(one: Estimate) -> str:
    """An estimate in words."""
    return f"{one.value:+.3f} ({one.low:+.3f} to {one.high:+.3f})"
