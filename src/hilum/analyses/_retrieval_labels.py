"""Labels of test reports alone and with the similar reports behind them, by any labelers."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hilum.analyses._retrieval_inputs import RetrievalStudy, appended_text, read_sections, text_of
from hilum.analyses._retrieval_near import Similar
from hilum.analyses._retrieval_store import Kept
from hilum.core.errors import InputError
from hilum.core.imaging import Study
from hilum.core.matrix import LEFT_OUT, LabelMatrix
from hilum.core.records import Labels, RowStatus, Section
from hilum.labelers import Labeler, ReportSpans, Traits, get_labeler, labeler_options, traits_of
from hilum.models.batches import token_ids

APPENDED = "similar report"
"""Name of the section that an appended report is."""

_OPTION = re.compile(r"[,\s]+(?=[A-Za-z_-]+=)")
_BATCH = 64
_TELL_EVERY = 10
_WORDS: dict[str, object] = {"true": True, "false": False}

Tell = Callable[[str], object]


class Counted(NamedTuple):
    """What a labeler read of reports: characters, words, windows and, of a model with a tokenizer, tokens; [N] each."""

    characters: npt.NDArray[np.int64]
    words: npt.NDArray[np.int64]
    windows: npt.NDArray[np.int64]
    cut: int
    tokens: npt.NDArray[np.int64] | None = None


@dataclass(frozen=True, eq=False)
class Labeled:
    """The labels of one labeler, before and after; a report without labels in either is LEFT_OUT of both."""

    name: str
    said: str
    before: LabelMatrix
    after: LabelMatrix
    read: tuple[Counted, Counted]
    left_out: tuple[str, ...]
    stamp: str


def parse_labelers(said: Sequence[str]) -> list[tuple[str, str, dict[str, object]]]:
    """(name to show, labeler, options) of each `NAME[,option=value...]`; spaces may stand for the commas.

    Raises InputError for one that is given twice.
    """
    parsed = []
    for text in said:
        name, *options = _OPTION.split(text.strip())
        pairs = [option.partition("=") for option in options]
        parsed.append((text.strip(), name, {key.replace("-", "_"): _value(value) for key, _, value in pairs}))
    names = [name for _, name, _ in parsed]
    if len({text for text, _, _ in parsed}) < len(parsed):
        raise InputError(f"One labeler is given twice: {', '.join(said)}. Next step: leave one out.")
    return [(name if names.count(name) == 1 else text, name, options) for text, name, options in parsed]


def build_labelers(study: RetrievalStudy) -> list[tuple[str, str, Labeler]]:
    """(name to show, what was said, labeler) of each labeler. Raises what `get_labeler` raises."""
    return [
        (shown, said, get_labeler(name, **labeler_options(name, options)))
        for (shown, name, options), said in zip(parse_labelers(study.labelers), study.labelers, strict=True)
    ]


def joined(
    study: Study, others: Sequence[Study], *, sections: Sequence[Section], marker: str, append: str
) -> ReportSpans:
    """A report with others behind it: its text as it stands, then each other after a blank line and `marker`.

    The sections that are read are those of the report itself, and each other with its marker as one more. No heading
    is looked for in what was appended, so nothing of it becomes a section of the report itself; no text is cut.
    """
    text, found = text_of(study).rstrip(), list(sections)
    for number, other in enumerate(others, start=1):
        head = marker.replace("{n}", str(number))
        block = f"{head}\n{appended_text(other, append)}" if head else appended_text(other, append)
        text += "\n\n"
        found.append(Section(APPENDED, len(text), len(text) + len(block)))
        text += block
    return ReportSpans(text, tuple(found))


def label_both(
    study: RetrievalStudy,
    similar: Similar,
    labeler: Labeler,
    *,
    name: str,
    said: str,
    home: Path | None,
    tell: Tell,
) -> Labeled:
    """Labels of every test report alone and with its neighbours."""
    spans, why = _spans(study, similar, traits_of(labeler))
    stamp = json.dumps(dict(labeler.stamp), sort_keys=True)
    kept = Kept(home, "labels", stamp)
    rows = [_label(labeler, part, kept, f"{name}, {what}", tell) for what, part in _parts(spans)]
    for place in range(len(similar.test)):
        if any(isinstance(row[place], str) for row in rows) and place not in why:
            why[place] = next(row[place] for row in rows if isinstance(row[place], str))
    count = len(labeler.vocabulary)
    matrices = []
    for row in rows:
        states_NF = np.full((len(row), count), LEFT_OUT, dtype=np.int8)
        for place, one in enumerate(row):
            if place not in why:
                states_NF[place] = one[:count]
        matrices.append(
            LabelMatrix(name, labeler.vocabulary, labeler.vocabulary.names, similar.test.ids, states_NF)
        )
    used = [place for place in range(len(similar.test)) if place not in why]
    read = [
        _counted(labeler, [part[p] for p in used], [row[p] for p in used])
        for (_, part), row in zip(_parts(spans), rows, strict=True)
    ]
    left_out = tuple(f"{similar.test.ids[place]}: {reason}" for place, reason in sorted(why.items()))
    return Labeled(name, said, matrices[0], matrices[1], (read[0], read[1]), left_out, stamp)


def _parts(spans: Any) -> Iterator[tuple[str, list[ReportSpans]]]:
    return zip(("report alone", "with similar reports"), spans, strict=True)


def _spans(
    study: RetrievalStudy, similar: Similar, traits: Traits
) -> tuple[tuple[list[ReportSpans], list[ReportSpans]], dict[int, str]]:
    """Each report alone and with its neighbours, as this labeler reads it; why a report cannot be read."""
    section = study.section or traits.section
    headless = traits.section if traits.section in ("impression", "findings") else None
    alone: list[ReportSpans] = []
    longer: list[ReportSpans] = []
    why: dict[int, str] = {}
    for place, one in enumerate(similar.test.studies):
        sections = read_sections(one, section, headless_as=headless)
        others = [similar.stored.studies[k] for k in similar.neighbours(place)]
        if not sections:
            why[place] = f"nothing in the section {section!r}"
        alone.append(ReportSpans(text_of(one), sections))
        longer.append(joined(one, others, sections=sections, marker=study.marker, append=study.append))
    return (alone, longer), why


def _label(labeler: Labeler, spans: Sequence[ReportSpans], kept: Kept, what: str, tell: Tell) -> list[Any]:
    """A row of numbers per report (states, windows, cut), or why it has none."""
    keys = [_key(one) for one in spans]
    rows: dict[str, Any] = {}
    todo = {key: one for key, one in zip(keys, spans, strict=True) if key not in kept.rows and one.sections}
    tell(f"{what}: {len(todo):,} reports to label, {len(spans) - len(todo):,} are known")
    every = list(todo.items())
    for number, start in enumerate(range(0, len(every), _BATCH), start=1):
        part = every[start : start + _BATCH]
        labels = labeler.label_batch([one for _, one in part])
        for (key, _), one in zip(part, labels, strict=True):
            rows[key] = _row(one)
        kept.add({key: rows[key] for key, _ in part if not isinstance(rows[key], str)})
        if number % _TELL_EVERY == 0:
            tell(f"{what}: {start + len(part):,} of {len(every):,}")
    return [rows.get(key, kept.rows.get(key, "nothing to read")) for key in keys]


def _row(labels: Labels) -> list[float] | str:
    if labels.status in (RowStatus.LABELED, RowStatus.EMPTY):
        return [*map(int, labels.states), getattr(labels, "windows", 1), float(getattr(labels, "cut", False))]
    return getattr(labels, "problem", "") or labels.status.value


def _key(one: ReportSpans) -> str:
    read = json.dumps([[one.text[s.start : s.end], s.name] for s in one.sections])
    return hashlib.sha256(read.encode("utf-8", "surrogatepass")).hexdigest()


def _counted(labeler: Labeler, spans: Sequence[ReportSpans], rows: Sequence[Any]) -> Counted:
    count = len(labeler.vocabulary)
    bodies = [[one.text[s.start : s.end] for s in one.sections] for one in spans]
    return Counted(
        np.array([sum(map(len, parts)) for parts in bodies], dtype=np.int64),
        np.array([sum(len(part.split()) for part in parts) for parts in bodies], dtype=np.int64),
        np.array([row[count] for row in rows], dtype=np.int64),
        sum(bool(row[count + 1]) for row in rows),
        _tokens(labeler, spans),
    )


def _tokens(labeler: Any, spans: Sequence[ReportSpans]) -> npt.NDArray[np.int64] | None:
    """Tokens of what a model reads of each report, without a prompt; None for a labeler that has no tokenizer."""
    tokenizer = getattr(getattr(labeler, "engine", None), "tokenizer", None)
    text_of_report = getattr(labeler, "text_of", None)
    if tokenizer is None or text_of_report is None:
        return None
    ids = token_ids(tokenizer, [text_of_report(one) for one in spans])
    return np.array([len(one) for one in ids], dtype=np.int64)


def _value(text: str) -> object:
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
