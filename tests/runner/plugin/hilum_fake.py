"""A labeler as a third party would ship it, by entry point; for the tests of the job."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Sequence

from hilum.core.records import Evidence, Labels
from hilum.core.vocabulary import CHEXPERT14, State
from hilum.labelers import ReportSpans


class Fake:
    """Edema is positive where "edema" stands, negative after "no"; "BOOM" is a bug of this labeler."""

    name = "fake"
    vocabulary = CHEXPERT14

    def __init__(self, vocabulary: str, convention: str) -> None:
        self.stamp = {"labeler": "fake", "vocabulary": vocabulary, "convention": convention, "version": "1"}

    def label_batch(self, reports: Sequence[ReportSpans]) -> list[Labels]:
        time.sleep(float(os.environ.get("HILUM_FAKE_SECONDS", "0")))
        return [self._label(report) for report in reports]

    def _label(self, report: ReportSpans) -> Labels:
        if "BOOM" in report.text:
            raise ValueError("boom")
        states = dict.fromkeys(CHEXPERT14.names, State.BLANK)
        evidence = []
        for section in report.sections:
            for found in re.finditer(
                r"(no )?(edema)", report.text[section.start : section.end], re.IGNORECASE
            ):
                state = State.NEGATIVE if found[1] else State.POSITIVE
                states["Edema"] = state
                start, end = (section.start + place for place in found.span(2))
                cue = (
                    (found.start(1) + section.start, found.end(1) + section.start - 1)
                    if found[1]
                    else (-1, -1)
                )
                sentence = (section.start, section.end)
                cue_id = "no" if found[1] else ""
                evidence.append(
                    Evidence("Edema", state, start, end, "fake/edema", cue_id, *cue, *sentence, section.name)
                )
        return Labels(CHEXPERT14, tuple(states.values()), tuple(evidence))


def build(**options: str) -> Fake:
    return Fake(**options)
