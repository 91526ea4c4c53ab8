"""The small frozen records that rooms hand to each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from hilum.core.vocabulary import PRECEDENCE, State, Vocabulary


class Span(NamedTuple):
    """A half-open range of characters `[start, end)` of the ORIGINAL report text."""

    start: int
    end: int


class Section(NamedTuple):
    """One section of a report: its canonical name and the span of its body (heading not included)."""

    name: str
    start: int
    end: int


class Evidence(NamedTuple):
    """Why a finding has a state: one mention, with the words that decided it.

    All offsets are characters of the original text. `cue` is the id of the cue rule that set the state, or
    "" when the mention stands by itself; then `cue_start == cue_end == -1`.
    """

    finding: str
    state: State
    start: int
    end: int
    entry: str
    cue: str
    cue_start: int
    cue_end: int
    sentence_start: int
    sentence_end: int
    section: str


class RowStatus(StrEnum):
    """What became of one input row. Every row of an output carries one of these."""

    LABELED = "labeled"
    EMPTY = "empty"
    NO_SUCH_SECTION = "no such section"
    UNREADABLE = "unreadable"
    CUT = "cut"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Labels:
    """States of one report, in the order of `vocabulary`, with the evidence for every state.

    `probabilities`, where a labeler has them, are of the state POSITIVE, in [0, 1], same order.
    """

    vocabulary: Vocabulary
    states: tuple[State, ...]
    evidence: tuple[Evidence, ...] = ()
    status: RowStatus = RowStatus.LABELED
    probabilities: tuple[float, ...] | None = None

    def __getitem__(self, finding: str) -> State:
        return self.states[self.vocabulary.index(finding)]

    def as_dict(self) -> dict[str, State]:
        """Finding name -> state, in order."""
        return dict(zip(self.vocabulary.names, self.states, strict=True))

    def deciding(self, finding: str) -> tuple[Evidence, ...]:
        """The evidence that decided the label of `finding`, in the order of the text."""
        name = self.vocabulary.names[self.vocabulary.index(finding)]
        state = self[name]
        return tuple(e for e in self.evidence if e.finding == name and e.state == state)


def propagate_parents(labels: Labels) -> Labels:
    """Labels in which each ancestor of a finding is at least as strong as the finding.

    A positive child makes its ancestors positive, an uncertain one makes blank and negative ancestors
    uncertain; a negative child says nothing of its parent (hierarchy of CheXpert, Figure 1).
    """
    states = dict(labels.as_dict())
    for child, state in labels.as_dict().items():
        if state in (State.POSITIVE, State.UNCERTAIN):
            for parent in labels.vocabulary.ancestors(child):
                states[parent] = strongest(states[parent], state)
    return Labels(
        labels.vocabulary, tuple(states.values()), labels.evidence, labels.status, labels.probabilities
    )


def strongest(*states: State) -> State:
    """The state that wins when several are given: positive > uncertain > negative > blank."""
    return min(states, key=PRECEDENCE.index, default=State.BLANK)


@dataclass(frozen=True)
class Report:
    """One report as a data set or a reader yields it: an id, the original text, and sections if known."""

    id: str
    text: str
    sections: tuple[Section, ...] | None = None
    meta: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Score:
    """One number that says how good something is, with all that is needed to read it.

    `lowest` and `highest` are the ends of its range; `preset` names the choices behind it (tokenisation, what
    uncertain and blank count as); `version` is that of the definition, and changes when values may change.
    `per_sample`, where asked for, has one value per row (NaN where it is not defined). A score of one finding
    names it, and `support` is the number of its positives in the references. `note` says what to know of it.
    """

    name: str
    value: float
    version: str
    higher_is_better: bool
    lowest: float
    highest: float
    preset: str = ""
    per_sample: tuple[float, ...] | None = None
    finding: str = ""
    support: int | None = None
    note: str = ""
