"""The sentences behind a model's labels: those without which it would give the label less probability.

Each sentence is left out in turn and the rest is read again (occlusion; Zeiler and Fergus 2014, section 4, do it
with patches of images). Two sentences that say the same stand in for each other, so that neither of them changes
much; where no sentence does, the one is given that says the label most clearly when it is read alone. All of this
says what the model's answer hangs on, not whether the answer is right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Protocol

import numpy as np

from hilum.core.records import Evidence, Labels, Span
from hilum.core.vocabulary import State, Vocabulary
from hilum.labelers._base import ModelLabels, ReportSpans
from hilum.labelers._neural import sections_of
from hilum.text.sentences import find_sentences

if TYPE_CHECKING:
    from hilum.labelers._decide import Floats

ENTRY, ALONE = "occlusion", "alone"
"""Ends of the entry of such evidence: the sentence was left out, or read alone."""

LEAST_CHANGE = 0.1
MOST_SENTENCES = 3
"""Evidence of one label: sentences that lower its probability by at least that, the strongest, at most so many."""

MOST_PARTS, MOST_PASSES = 40, 200
"""Parts that a report is cut into, and windows that may be read for it; in longer reports a part is several
sentences."""


class Reader(Protocol):
    """What is asked of a labeler whose labels are to be explained.

    `places` are the findings of its vocabulary that it answers for; those in `unsaid` are negative whenever it has not
    seen them, which says nothing.
    """

    name: ClassVar[str]
    vocabulary: Vocabulary
    places: tuple[int, ...]
    unsaid: frozenset[int]

    def text_of(self, report: ReportSpans, *, without: tuple[int, int] | None = None) -> str:
        """What it reads of a report; `without` is a span of the original text that is left out."""
        ...

    def prepared(self, text: str) -> str:
        """A text as it reads it."""
        ...

    def deciding(self, texts: Sequence[str]) -> Floats:
        """Probabilities of the states [N, F, 4] of N such texts, F as `places`; NaN where there is no answer."""
        ...


class Part(NamedTuple):
    """Some sentences: the span without the marks around them, and the span that is left out."""

    start: int
    end: int
    first: int
    last: int
    section: str


class _Case(NamedTuple):
    """A report with labels to explain: its place, heads with the states they gave, and parts.

    `asked` are the places among `heads` that leaving parts out has told nothing of.
    """

    place: int
    heads: list[int]
    states: list[int]
    parts: list[Part]
    asked: tuple[int, ...] = ()


def sentences_behind(
    labeler: Reader, reports: Sequence[ReportSpans], labels: Sequence[Labels]
) -> list[tuple[Evidence, ...]]:
    """Evidence for each label that is not blank, in the order of the text.

    The negative labels of heads of one logit have none: such a model says 0 of whatever it has not seen.
    """
    made = (_case(labeler, place, reports[place], one) for place, one in enumerate(labels))
    cases = [case for case in made if case.heads and case.parts]
    whole = _read(labeler, [[labeler.text_of(reports[case.place])] for case in cases])
    without = _read(
        labeler,
        [
            [labeler.text_of(reports[case.place], without=(part.first, part.last)) for part in case.parts]
            for case in cases
        ],
    )
    found: dict[int, list[Evidence]] = {}
    silent: list[_Case] = []
    for case, whole_1FS, without_PFS in zip(cases, whole, without, strict=True):
        falls_PH = np.nan_to_num(np.round((whole_1FS - without_PFS)[:, case.heads, case.states], 4))
        strong_H = falls_PH.max(axis=0) >= LEAST_CHANGE
        found[case.place] = [
            _evidence(labeler, case, column, part, ENTRY)
            for column in np.flatnonzero(strong_H).tolist()
            for part in np.argsort(-falls_PH[:, column], kind="stable")[:MOST_SENTENCES].tolist()
            if falls_PH[part, column] >= LEAST_CHANGE
        ]
        if not strong_H.all():
            silent.append(case._replace(asked=tuple(np.flatnonzero(~strong_H).tolist())))
    alone = _read(
        labeler,
        [
            [labeler.prepared(reports[case.place].text[part.first : part.last]) for part in case.parts]
            for case in silent
        ],
    )
    for case, alone_PFS in zip(silent, alone, strict=True):
        said_PH = np.nan_to_num(np.round(alone_PFS[:, case.heads, case.states], 4))
        best_H = said_PH.argmax(axis=0).tolist()
        found[case.place] += [_evidence(labeler, case, c, best_H[c], ALONE) for c in case.asked]
    order = _order(labeler)
    return [tuple(sorted(found.get(place, ()), key=order)) for place in range(len(labels))]


def _read(labeler: Reader, texts: Sequence[Sequence[str]]) -> list[Floats]:
    """Probabilities [P, F, 4] of the P texts of each case, all read together."""
    every = [text for of_case in texts for text in of_case]
    if not every:
        return []
    values_NFS = labeler.deciding(every)
    ends = list(accumulate(map(len, texts), initial=0))
    return [values_NFS[start:end] for start, end in pairwise(ends)]


def _case(labeler: Reader, place: int, report: ReportSpans, labels: Labels) -> _Case:
    heads, states = [], []
    for head, at in enumerate(labeler.places):
        state = labels.states[at]
        silent = state is State.NEGATIVE and at in labeler.unsaid
        if state is not State.BLANK and not silent:
            heads.append(head)
            states.append(int(state))
    windows = labels.windows if isinstance(labels, ModelLabels) else 1
    most = max(2, min(MOST_PARTS, MOST_PASSES // windows))
    return _Case(place, heads, states, _joined(list(_parts(report)), most) if heads else [])


def _parts(report: ReportSpans) -> Iterator[Part]:
    """One part per sentence. What is left out goes on to the next sentence, so that no mark stays alone."""
    for section in sections_of(report):
        body = report.text[section.start : section.end]
        spans = find_sentences(body) or _all_of(body)
        starts = [section.start + span.start for span in spans]
        edges = [section.start, *starts[1:], section.end]
        for (first, last), start, span in zip(pairwise(edges), starts, spans, strict=False):
            yield Part(start, section.start + span.end, first, last, section.name)


def _all_of(body: str) -> list[Span]:
    """A text without a sentence is one, if there is any."""
    start = len(body) - len(body.lstrip())
    end = len(body.rstrip())
    return [Span(start, end)] if start < end else []


def _joined(parts: list[Part], most: int) -> list[Part]:
    """At most about `most` parts: neighbours of one section are put together when there are more."""
    size = -(-len(parts) // most)
    joined: list[Part] = []
    held = 0
    for part in parts:
        if held and held < size and joined[-1].section == part.section and joined[-1].last == part.first:
            joined[-1] = joined[-1]._replace(end=part.end, last=part.last)
            held += 1
        else:
            joined.append(part)
            held = 1
    return joined


def _evidence(labeler: Reader, case: _Case, column: int, place: int, entry: str) -> Evidence:
    part, span = case.parts[place], (case.parts[place].start, case.parts[place].end)
    finding = labeler.vocabulary.names[labeler.places[case.heads[column]]]
    state = State(case.states[column])
    return Evidence(finding, state, *span, f"{labeler.name}/{entry}", "", -1, -1, *span, part.section)


def _order(labeler: Reader) -> Callable[[Evidence], tuple[int, int]]:
    return lambda one: (one.start, labeler.vocabulary.index(one.finding))
