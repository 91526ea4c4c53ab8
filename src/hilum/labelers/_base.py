"""What every labeler is: a batch of report spans in, one `Labels` each out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from hilum.core.records import Labels, Section
from hilum.core.vocabulary import Vocabulary


class ReportSpans(NamedTuple):
    """A report's original text and the sections of it to label; no sections means: the whole text."""

    text: str
    sections: tuple[Section, ...] = ()


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
