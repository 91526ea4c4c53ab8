"""Reports to labels, one batch at a time: the steps that a file, a list and one text have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from hilum.core.records import Labels, RowStatus, Section, propagate_parents
from hilum.core.vocabulary import State
from hilum.labelers import Labeler, ReportSpans
from hilum.tables.columns import column_key
from hilum.text.sections import SectionCoverage, select_sections

_NAMED_FOR_A_SECTION = {"impression": "impression", "reportimpression": "impression", "findings": "findings"}


class Given(NamedTuple):
    """A report as it came: its text, and UNREADABLE or CUT with the reason when something was wrong."""

    text: str | None
    status: RowStatus | None = None
    problem: str = ""


class Labeled(NamedTuple):
    """What became of a report: its labels (with the row status), the sections they come from, any problem."""

    labels: Labels
    sections: tuple[Section, ...]
    problem: str


def section_of_column(column: str) -> str | None:
    """The section that a text column is named for ("Report Impression" is "impression"), or None."""
    return _NAMED_FOR_A_SECTION.get(column_key(column))


def label_reports(
    labeler: Labeler,
    reports: Sequence[Given],
    *,
    section: str,
    headless_as: str | None,
    parents: bool,
    coverage: SectionCoverage | None = None,
) -> list[Labeled]:
    """One `Labeled` per report, in order.

    `headless_as` is the section that a report without any heading is ("impression" for a column of that
    name). `parents` makes the ancestors of positive and uncertain findings at least as strong. The headings
    of every text are counted in `coverage`.
    """
    counts = coverage or SectionCoverage()
    sections = [
        select_sections(
            report.text or "", section, headless_as=headless_as, sections=counts.add(report.text or "")
        )
        if _has_text(report)
        else ()
        for report in reports
    ]
    chosen = [i for i, found in enumerate(sections) if found]
    spans = [ReportSpans(reports[i].text or "", sections[i]) for i in chosen]
    labels = dict(zip(chosen, _label(labeler, spans), strict=True))
    results = []
    for i, report in enumerate(reports):
        result = labels.get(i)
        if isinstance(result, Labels):
            done = propagate_parents(result) if parents else result
            status = report.status or RowStatus.LABELED
            results.append(Labeled(_with_status(done, status), sections[i], report.problem))
        else:
            status = _status_of_unlabeled(report, failed=result is not None)
            problem = "; ".join(filter(None, (report.problem, result or "")))
            results.append(Labeled(_blank(labeler, status), (), problem))
    return results


def _has_text(report: Given) -> bool:
    return (
        report.status is not RowStatus.UNREADABLE
        and report.text is not None
        and not report.text.isspace()
        and report.text != ""
    )


def _label(labeler: Labeler, spans: Sequence[ReportSpans]) -> Sequence[Labels | str]:
    """Labels of each report, or what went wrong with it: a report that a labeler fails on costs no other.

    A labeler that fails on each of several reports is broken itself, and its error is raised.
    """
    try:
        return labeler.label_batch(spans)
    except Exception as error:
        one_by_one = [_label_one(labeler, report) for report in spans]
        if len(spans) > 1 and not any(isinstance(result, Labels) for result in one_by_one):
            raise error from None
        return one_by_one


def _label_one(labeler: Labeler, report: ReportSpans) -> Labels | str:
    try:
        return labeler.label_batch([report])[0]
    except Exception as error:  # noqa: BLE001  (counted and told with its row)
        return f"the labeler failed: {type(error).__name__}: {error}"


def _status_of_unlabeled(report: Given, *, failed: bool) -> RowStatus:
    if failed or report.status is RowStatus.UNREADABLE:
        return RowStatus.UNREADABLE
    return RowStatus.NO_SUCH_SECTION if _has_text(report) else RowStatus.EMPTY


def _blank(labeler: Labeler, status: RowStatus) -> Labels:
    return Labels(labeler.vocabulary, (State.BLANK,) * len(labeler.vocabulary), status=status)


def _with_status(labels: Labels, status: RowStatus) -> Labels:
    if labels.status is status:
        return labels
    return Labels(labels.vocabulary, labels.states, labels.evidence, status, labels.probabilities)
