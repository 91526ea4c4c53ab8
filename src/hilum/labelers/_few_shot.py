"""Examples that a language model is shown before a report: a small file of reports with their labels."""

from __future__ import annotations

from pathlib import Path

from hilum.core.errors import InputError
from hilum.core.matrix import LEFT_OUT
from hilum.core.vocabulary import State, Vocabulary
from hilum.labelers._base import ReportSpans
from hilum.labelers._neural import clean, joined_text
from hilum.labelers._prompt import Example
from hilum.tables.labels import read_labels
from hilum.text.sections import SECTION_CHOICES, select_sections

MOST_EXAMPLES = 16
"""Each example is read with each report."""


def read_examples(path: str | Path, vocabulary: Vocabulary) -> tuple[Example, ...]:
    """The reports of a csv, tsv, jsonl or parquet file with a column per finding, in the order of the file.

    Texts are taken as they stand there. What No Finding cannot be is read as blank.
    Raises InputError for a file without reports or without the column of a finding, for more than MOST_EXAMPLES, and
    for a row without a report.
    """
    found = read_labels(path, vocabulary=vocabulary, left_out=True)
    where = f"--few-shot {path}"
    if found.texts is None:
        raise InputError(
            f"{where}: there is no column of reports beside the labels. Next step: call it 'report' (or 'text')."
        )
    missing = [name for name in vocabulary.names if name not in found.matrix.findings]
    if missing:
        raise InputError(
            f"{where}: there is no column for {', '.join(missing)}. An example answers for every finding. "
            f"Next step: add {'it' if len(missing) == 1 else 'them'} (empty cells are blank), or name the "
            "vocabulary of the file with --vocabulary."
        )
    if len(found.texts) > MOST_EXAMPLES:
        raise InputError(
            f"{where}: has {len(found.texts):,} examples; at most {MOST_EXAMPLES} are shown, because each of them is "
            "read with each report. Next step: choose the most telling ones; hilum train llm learns from more."
        )
    places = [found.matrix.findings.index(name) for name in vocabulary.names]
    examples = []
    for row, (text, codes) in enumerate(zip(found.texts, found.matrix.states_NF.tolist(), strict=True), 1):
        if text is None:
            raise InputError(f"{where}: row {row} has no report. Next step: fill it in, or remove the row.")
        if LEFT_OUT in codes:
            raise InputError(
                f"{where}: row {row} is not labeled, or not for every finding (columns status and abstained), and an "
                "example answers for all. Next step: fill its labels in and empty these columns, or remove the row."
            )
        states = [State(codes[place]) for place in places]
        examples.append(Example(clean(text), allowed_states(states, vocabulary)))
    return tuple(examples)


def allowed_states(states: list[State], vocabulary: Vocabulary) -> tuple[State, ...]:
    """The states with those that a finding of the role `none` cannot have as blank."""
    return tuple(
        State.BLANK if finding.role == "none" and state is not State.POSITIVE else state
        for finding, state in zip(vocabulary.findings, states, strict=True)
    )


def readings_of(report: str) -> frozenset[str]:
    """All that a labeler can read of a report: the whole of it, and each choice of sections without headings."""
    found = [select_sections(report, choice) for choice in SECTION_CHOICES]
    return frozenset(joined_text(ReportSpans(report, sections)).strip() for sections in ((), *found))
