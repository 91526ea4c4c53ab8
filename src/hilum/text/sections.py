"""Sections of a report: where each heading's body lies in the original text, and which bodies to label.

What a heading is stands in `headings.toml`; where they stand in a text is found by `_heading_scan`. Here
headings become sections: sub-headings stay inside findings and impression, and nothing is dropped.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Self
from zlib import crc32

from hilum.core.errors import InputError
from hilum.core.records import Section
from hilum.text._heading_scan import HEADING, LINE, RUN_ON, Hit, scan_headings
from hilum.text._headings import UNKNOWN

SECTION_CHOICES = ("impression", "findings", "both", "all")
BODY = "body"
OTHER = "other"
_BEFORE_FINDINGS = frozenset({"indication", "history", "comparison", "technique", "examination"})
_FINDINGS = frozenset({"findings", "findings and impression"})
_SELECTED = {
    "impression": frozenset({"impression", "findings and impression"}),
    "findings": _FINDINGS,
    "both": _FINDINGS | {"impression", "addendum"},
}
_KNOWN_ROLES = frozenset({"content", "header", "closing", "view"})
_SPACES = re.compile(r"\s*")
_BLANK_LINE = re.compile(r"(?:\r\n|\n|\r(?!\n))[^\S\n\r]*[\n\r]")
_WORD = re.compile(r"[A-Za-z]{2,}")
_LOOKED_AT = 200


class Parsed(NamedTuple):
    """Sections of one text, whether any heading was known, and the heading-like phrases that were not."""

    sections: list[Section]
    has_headings: bool
    unrecognised: list[str]


def find_sections(text: str) -> list[Section]:
    """Sections of `text` in order, not overlapping, with the spans of their bodies (may be empty).

    Names: findings, impression, "findings and impression", indication, history, comparison, technique,
    examination, recommendation, notification, addendum, preliminary, signature; "other" for the body of an
    unknown heading, "body" for text without one. Text that is all space has no sections.
    """
    return parse_sections(text).sections


def parse_sections(text: str) -> Parsed:
    """Sections of `text` together with what was not recognised."""
    hits = scan_headings(text)
    if not hits:
        span = _trim(text, 0, len(text))
        return Parsed([Section(BODY, *span)] if span else [], False, [])
    unknown = [hit.name for hit in hits if hit.role == UNKNOWN]
    has_headings = any(hit.role in _KNOWN_ROLES for hit in hits)
    if not has_headings:
        hits = [hit for hit in hits if hit.role == "banner"]
    return Parsed(_split_paragraphs(text, _assemble(text, hits)), has_headings, unknown)


def select_sections(
    text: str, which: str, *, headless_as: str | None = None, sections: Sequence[Section] | None = None
) -> tuple[Section, ...]:
    """The non-empty sections to label; an empty tuple means that the report has no such section.

    `which` is one of SECTION_CHOICES. "both" takes findings, impressions and addenda; text without a heading
    stands in for findings that have none, and a preliminary reading for a report that has nothing else.
    `headless_as` ("impression" or "findings") says what a text without any heading is, e.g. by its column.
    `sections` saves finding them again. Raises InputError for another `which`.
    """
    if which not in SECTION_CHOICES:
        raise InputError(f"There is no section choice {which!r}; allowed: {', '.join(SECTION_CHOICES)}.")
    found = find_sections(text) if sections is None else sections
    full = tuple(s for s in found if s.end > s.start)
    if which == "all":
        return full
    if headless_as == which and all(s.name == BODY for s in found):
        return full
    chosen = tuple(s for s in full if s.name in _SELECTED[which])
    if which != "both":
        return chosen
    if not any(s.name in _FINDINGS for s in chosen):
        chosen = tuple(s for s in full if s.name == BODY or s.name in _SELECTED[which])
    return chosen or tuple(s for s in full if s.name == "preliminary")


def _assemble(text: str, hits: list[Hit]) -> list[Section]:
    last_findings = last_content = -1
    for k, hit in enumerate(hits):
        if hit.role == "content":
            last_content = k
            if hit.name in _FINDINGS:
                last_findings = k
    sections: list[Section] = []
    name, role, start = BODY, "banner", 0
    for k, hit in enumerate(hits):
        following = hits[k + 1].start if k + 1 < len(hits) else len(text)
        if role == "content":
            splits = _ends_content(text, start, hit, k < last_content, k < last_findings)
        else:
            splits = _ends_other(hit, name, k < last_findings)
        if not splits:
            continue
        _close(text, sections, name, start, hit.start)
        name, role, start = hit.name, hit.role, hit.end
        if hit.role == UNKNOWN:
            name = OTHER
        elif hit.role == "anatomy":
            name, role, start = "findings", "content", hit.start
        elif hit.role == "view" and k > last_findings and _says_something(text, hit.end, following):
            name, role = "findings", "content"
    _close(text, sections, name, start, len(text))
    return sections


def _ends_content(text: str, start: int, hit: Hit, content_follows: bool, findings_follow: bool) -> bool:
    """Whether a heading ends findings, impression or the like; a remark inside them does not."""
    if hit.role in ("view", "anatomy", UNKNOWN) or hit.weak:
        return False
    if hit.role != "header":
        return True
    if start >= hit.start or _trim(text, start, min(hit.start, start + _LOOKED_AT)) is None:
        return findings_follow
    return hit.place == LINE or (hit.place != RUN_ON and content_follows)


def _ends_other(hit: Hit, name: str, findings_follow: bool) -> bool:
    """Whether a heading ends a section that is no content."""
    if hit.role == "anatomy":
        return name in _BEFORE_FINDINGS and not findings_follow
    return not (hit.weak and hit.place == HEADING)


def _says_something(text: str, start: int, end: int) -> bool:
    words = _WORD.findall(text, start, min(end, start + _LOOKED_AT))
    return sum(bool(word.strip("Xx")) for word in words) >= 3


def _close(text: str, sections: list[Section], name: str, start: int, end: int) -> None:
    """Adds the section with its body trimmed; text without a heading only when there is any."""
    body = _trim(text, start, end)
    if body is not None:
        sections.append(Section(name, *body))
    elif name != BODY:
        sections.append(Section(name, start, start))


def _trim(text: str, start: int, end: int) -> tuple[int, int] | None:
    """The span without the space around it; None when there is nothing else."""
    if start < end and text[start].isspace():
        match = _SPACES.match(text, start, end)
        start = match.end() if match else start
    if start < end and text[end - 1].isspace():
        end = start + len(text[start:end].rstrip())
    return (start, end) if start < end else None


def _split_paragraphs(text: str, sections: list[Section]) -> list[Section]:
    """In a report without findings, paragraphs after the last header's own are text without a heading."""
    if any(s.name in _FINDINGS for s in sections):
        return sections
    result: list[Section] = []
    for k, section in enumerate(sections):
        following = sections[k + 1].name if k + 1 < len(sections) else ""
        gap = None
        if section.name in _BEFORE_FINDINGS and following not in _BEFORE_FINDINGS:
            gap = _BLANK_LINE.search(text, section.start, section.end)
        if gap is None or not _says_something(text, gap.end(), section.end):
            result.append(section)
            continue
        _close(text, result, section.name, section.start, gap.start())
        _close(text, result, BODY, gap.end(), section.end)
    return result


class SectionCoverage:
    """Counts what was found and what was not: per section name, without headings, and unknown headings.

    At most `limit` unknown headings are kept, those of the lowest checksum, so that counts are exact and
    the same in every order of adding and merging; the number of all of them is always kept.
    """

    def __init__(self, *, limit: int = 2000) -> None:
        self.limit = limit
        self.reports = 0
        self.without_headings = 0
        self.sections: dict[str, int] = {}
        self.empty: dict[str, int] = {}
        self.unrecognised_total = 0
        self._unrecognised: dict[str, int] = {}

    @property
    def unrecognised(self) -> dict[str, int]:
        """Unknown heading -> count, most frequent first."""
        self._prune(self.limit)
        return dict(sorted(self._unrecognised.items(), key=lambda item: (-item[1], item[0])))

    def add(self, text: str) -> list[Section]:
        """Counts one report; returns its sections, so that they need not be found twice."""
        parsed = parse_sections(text)
        self.reports += 1
        self.without_headings += not parsed.has_headings
        for section in parsed.sections:
            _count(self.sections, section.name)
            if section.start == section.end:
                _count(self.empty, section.name)
        for heading in parsed.unrecognised:
            self._count_unknown(heading, 1)
        return parsed.sections

    def merge(self, other: SectionCoverage) -> None:
        """Adds the counts of another coverage, e.g. of another worker."""
        self.reports += other.reports
        self.without_headings += other.without_headings
        self.limit = min(self.limit, other.limit)
        for mine, theirs in ((self.sections, other.sections), (self.empty, other.empty)):
            for name, count in theirs.items():
                _count(mine, name, count)
        dropped = other.unrecognised_total - sum(other._unrecognised.values())
        for heading, count in other._unrecognised.items():
            self._count_unknown(heading, count)
        self.unrecognised_total += dropped

    def to_dict(self) -> dict[str, Any]:
        """All counts as plain numbers, texts and dicts, ready for json; the same for the same reports."""
        return {
            "reports": self.reports,
            "without_headings": self.without_headings,
            "sections": dict(sorted(self.sections.items())),
            "empty_sections": dict(sorted(self.empty.items())),
            "unrecognised_total": self.unrecognised_total,
            "unrecognised": self.unrecognised,
            "unrecognised_limit": self.limit,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The coverage that `to_dict` wrote."""
        made = cls(limit=data["unrecognised_limit"])
        made.reports, made.without_headings = data["reports"], data["without_headings"]
        made.sections, made.empty = dict(data["sections"]), dict(data["empty_sections"])
        made.unrecognised_total = data["unrecognised_total"]
        made._unrecognised = dict(data["unrecognised"])
        return made

    def _count_unknown(self, heading: str, count: int) -> None:
        self.unrecognised_total += count
        _count(self._unrecognised, heading, count)
        if len(self._unrecognised) > 2 * self.limit:
            self._prune(self.limit)

    def _prune(self, limit: int) -> None:
        if len(self._unrecognised) > limit:
            kept = sorted(self._unrecognised, key=lambda h: (crc32(h.encode("utf-8", "replace")), h))[:limit]
            self._unrecognised = {heading: self._unrecognised[heading] for heading in kept}


def _count(counts: dict[str, int], name: str, by: int = 1) -> None:
    counts[name] = counts.get(name, 0) + by
