"""What every labeler is: a batch of report spans in, one `Labels` each out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

from hilum.core.records import Labels, Section
from hilum.core.vocabulary import Vocabulary


class ReportSpans(NamedTuple):
    """A report's original text and the sections of it to label; no sections means: the whole text."""

    text: str
    sections: tuple[Section, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelLabels(Labels):
    """The labels of a model, with what a run counts of them.

    `windows` is the number of overlapping parts in which the text was read; `cut` says that the model did not
    see its end. `abstained` are findings whose label was too doubtful to be given: their state is BLANK.
    `problem` says why a report has no labels at all: then its status is FAILED.
    """

    windows: int = 1
    cut: bool = False
    abstained: tuple[str, ...] = ()
    problem: str = ""


class Traits(NamedTuple):
    """How a labeler differs from the rules, as far as a run must know; an attribute `traits` of the labeler.

    `section` is what is labeled when nothing is said: "both", or "impression" or "findings" for a labeler
    that was made for these alone (then a text without headings is that section). `probabilities`: its labels
    have them. `abstains`: its `ModelLabels` may name findings without an answer. `uses_all_cores`: one worker
    is enough. `problems`: a report may get no label, and a column says why. `chunk_size`: so many reports are
    kept together by a run that can resume. `notes` are told to the user. `no_probabilities` is what to do for some.
    `learned`: it was trained on that section, so another one is worth a word.
    """

    section: str = "both"
    probabilities: bool = False
    abstains: bool = False
    uses_all_cores: bool = False
    problems: bool = False
    chunk_size: int = 500
    notes: tuple[str, ...] = ()
    no_probabilities: str = "choose a labeler that has them, such as chexbert"
    learned: bool = False


class Labeler(Protocol):
    """A labeler. Built from a name and plain options, once per worker; it keeps no state between batches.

    `stamp` is written beside every output: labeler, vocabulary, convention, version, digest of its data.
    """

    name: str
    vocabulary: Vocabulary
    stamp: Mapping[str, str]

    def label_batch(self, reports: Sequence[ReportSpans]) -> list[Labels]:
        """One `Labels` per report, in order; the same whatever the batch. Never raises for a text."""
        ...


@runtime_checkable
class Explainer(Protocol):
    """A labeler whose evidence costs much, so that it is worked out only where it is asked for."""

    def explain_batch(self, reports: Sequence[ReportSpans], labels: Sequence[Labels]) -> list[Labels]:
        """The same `labels` (those that `label_batch` gave for `reports`) with their evidence."""
        ...


@runtime_checkable
class Teller(Protocol):
    """A labeler with something to say of a run when it is over."""

    def after_run(self) -> tuple[str, ...]:
        """A sentence or two each, of what was done in this process since the labeler was built."""
        ...


def traits_of(labeler: Labeler) -> Traits:
    """The traits that a labeler states, or those of the rules."""
    traits: Traits = getattr(labeler, "traits", Traits())
    return traits
