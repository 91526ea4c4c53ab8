"""Why a report label and an image label differ, one named reason each (VisualCheXbert, section 4.2)."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hilum.core.matrix import LabelMatrix
from hilum.core.records import Evidence
from hilum.core.vocabulary import State, Vocabulary
from hilum.labelers import Labeler, ReportSpans, get_labeler
from hilum.text.sections import find_sections

_BATCH = 1000
_NOT_LABELED = frozenset({"history", "indication", "comparison", "technique", "examination", "signature"})


class Reason(StrEnum):
    """The reasons, in the order in which they are asked; each disagreement gets the first that holds."""

    CHILD = "child positive in the report"
    UNCERTAIN = "uncertain in the report"
    FINDINGS_ONLY = "mentioned in Findings only"
    PRIOR = "worded against a prior study"
    NEVER = "never mentioned"
    REST = "rest"


NEED_TEXT = frozenset({Reason.FINDINGS_ONLY, Reason.PRIOR})
"""Reasons that cannot be told without the text."""


class Disagreement(NamedTuple):
    """One cell in which report and image differ: place of study and finding, which is positive, and why."""

    study: int
    finding: int
    image_positive: bool
    state: State
    reason: Reason


class Mentions(NamedTuple):
    """What the text of one report says of one finding, read by rules.

    `sections` are those that affirm or hedge it, none where it is only negated; `against_prior` whether a
    sentence that mentions it compares with an earlier study.
    """

    sections: frozenset[str]
    against_prior: bool


@cache
def prior_words() -> re.Pattern[str]:
    """The words of `prior_words.toml` as one pattern."""
    data = files("hilum.analyses").joinpath("prior_words.toml").read_text(encoding="utf-8")
    words = sorted(tomllib.loads(data)["words"], key=len, reverse=True)
    return re.compile(
        rf"\b(?:{'|'.join(re.escape(w).replace(chr(92) + ' ', chr(92) + 's+') for w in words)})\b", re.I
    )


def read_mentions(
    texts: Sequence[str | None],
    vocabulary: Vocabulary,
    *,
    progress: Callable[[int], object] | None = None,
) -> list[Mapping[str, Mentions] | None]:
    """What each text mentions: finding -> Mentions, or None where there is no text.

    All sections but history, comparison and the like are read, with the rule labeler of `vocabulary`.
    """
    labeler = get_labeler("rules", vocabulary=vocabulary.name)
    found: list[Mapping[str, Mentions] | None] = []
    for start in range(0, len(texts), _BATCH):
        found.extend(_batch(labeler, texts[start : start + _BATCH]))
        if progress:
            progress(len(found))
    return found


def _batch(labeler: Labeler, texts: Sequence[str | None]) -> list[Mapping[str, Mentions] | None]:
    places = [place for place, text in enumerate(texts) if text and not text.isspace()]
    spans = []
    for place in places:
        text = texts[place] or ""
        sections = [s for s in find_sections(text) if s.name not in _NOT_LABELED]
        spans.append(ReportSpans(text, tuple(sections)))
    found: list[Mapping[str, Mentions] | None] = [None] * len(texts)
    for place, report, labels in zip(places, spans, labeler.label_batch(spans), strict=True):
        by_finding: dict[str, list[Evidence]] = {}
        for one in labels.evidence:
            by_finding.setdefault(one.finding, []).append(one)
        found[place] = {name: _mentions(report.text, evidence) for name, evidence in by_finding.items()}
    return found


def _mentions(text: str, evidence: Sequence[Evidence]) -> Mentions:
    return Mentions(
        frozenset(one.section for one in evidence if one.state is not State.NEGATIVE),
        any(prior_words().search(text, one.sentence_start, one.sentence_end) for one in evidence),
    )


def disagreements(
    report: LabelMatrix,
    truth_NF: npt.NDArray[np.int8],
    mentions: Sequence[Mapping[str, Mentions] | None] | None = None,
) -> list[Disagreement]:
    """Every cell in which report and image differ, and every uncertain report label, with its reason.

    `truth_NF` has 0, 1 or LEFT_OUT for each study and finding of `report`. Without `mentions` only
    UNCERTAIN, CHILD, NEVER (blank in the labels, whatever the text says) and REST can be told apart. A blank
    "no finding" is REST: it means that something else was mentioned.
    """
    states = report.states_NF
    positive = states == State.POSITIVE
    uncertain = states == State.UNCERTAIN
    differ = (truth_NF >= 0) & (uncertain | (positive != (truth_NF == 1)))
    children = _children(report)
    return [
        Disagreement(
            int(study),
            int(finding),
            bool(truth_NF[study, finding] == 1),
            State(int(states[study, finding])),
            _reason(
                State(int(states[study, finding])),
                image_positive=bool(truth_NF[study, finding] == 1),
                child=any(positive[study, child] for child in children[int(finding)]),
                mentions=mentions[study] if mentions else None,
                name=report.findings[finding],
                is_summary=report.findings[finding] == report.vocabulary.no_finding,
            ),
        )
        for study, finding in np.argwhere(differ)
    ]


def _reason(
    state: State,
    *,
    image_positive: bool,
    child: bool,
    mentions: Mapping[str, Mentions] | None,
    name: str,
    is_summary: bool,
) -> Reason:
    said = mentions.get(name) if mentions is not None else None
    blank = state is State.BLANK
    holds = {
        Reason.CHILD: image_positive and child,
        Reason.UNCERTAIN: state is State.UNCERTAIN,
        Reason.FINDINGS_ONLY: image_positive and blank and said is not None and said.sections == {"findings"},
        Reason.PRIOR: said is not None and said.against_prior,
        Reason.NEVER: blank and said is None and not is_summary,
        Reason.REST: True,
    }
    return next(reason for reason in Reason if holds[reason])


def _children(report: LabelMatrix) -> list[list[int]]:
    """Per finding the places of all findings under it."""
    return [
        [
            place
            for place, other in enumerate(report.findings)
            if finding in report.vocabulary.ancestors(other)
        ]
        for finding in report.findings
    ]
