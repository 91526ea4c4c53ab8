"""Reports to labels, one batch at a time: the steps that a file, a list and one text have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from hilum.core.errors import HilumError
from hilum.core.records import Labels, RowStatus, Section, propagate_parents
from hilum.core.vocabulary import State
from hilum.labelers import Labeler, ModelLabels, ReportSpans, Traits
from hilum.labelers._base import Explainer
from hilum.tables.columns import NAMED_FOR_A_SECTION, section_of_column
from hilum.text.sections import SectionCoverage, select_sections


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


class Reading(NamedTuple):
    """Which text of a report is labeled.

    `section` is a choice of SECTION_CHOICES. `headless_as` is the section that a report without any heading
    is. `whole`: the text is that section whatever headings stand in it.
    """

    section: str
    headless_as: str | None = None
    whole: bool = False


def reading_of(section: str | None, traits: Traits, *, column: str = "") -> Reading:
    """What of a report is labeled when `section` (or nothing) was asked for, in a text column of that name.

    A labeler made for one section takes texts without headings for it, and the texts of a column that is
    named for it whole, as the original programs do.
    """
    chosen = section or traits.section
    named = section_of_column(column)
    own = traits.section if traits.section in NAMED_FOR_A_SECTION.values() else None
    return Reading(chosen, named or own, own is not None and chosen == own == named)


def label_reports(
    labeler: Labeler,
    reports: Sequence[Given],
    *,
    section: str,
    headless_as: str | None,
    parents: bool,
    coverage: SectionCoverage | None = None,
    whole: bool = False,
    explained: int = 0,
) -> list[Labeled]:
    """One `Labeled` per report, in order.

    `headless_as` is the section that a report without any heading is ("impression" for a column of that
    name); with `whole` every text is that section. `parents` makes the ancestors of positive and uncertain
    findings at least as strong. The headings of every text are counted in `coverage`. The first `explained`
    reports get evidence even where it costs much (rules always give it).
    """
    counts = coverage or SectionCoverage()
    sections: list[tuple[Section, ...]] = []
    for report in reports:
        found: tuple[Section, ...] = ()
        if _has_text(report):
            text = report.text or ""
            headings = [Section(headless_as or "", *_trimmed(text))] if whole else counts.add(text)
            found = select_sections(text, section, headless_as=headless_as, sections=headings)
        sections.append(found)
    chosen = [i for i, found in enumerate(sections) if found]
    spans = [ReportSpans(reports[i].text or "", sections[i]) for i in chosen]
    given = _explained(labeler, spans, _label(labeler, spans), sum(i < explained for i in chosen))
    labels = dict(zip(chosen, given, strict=True))
    results = []
    for i, report in enumerate(reports):
        result = labels.get(i)
        if isinstance(result, Labels):
            done = _with_parents(result) if parents else result
            failure = result.problem if isinstance(result, ModelLabels) else ""
            status = RowStatus.FAILED if failure else report.status or RowStatus.LABELED
            problem = "; ".join(filter(None, (report.problem, failure)))
            results.append(Labeled(_with_status(done, status), sections[i], problem))
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


def _trimmed(text: str) -> tuple[int, int]:
    return len(text) - len(text.lstrip()), len(text.rstrip())


def _explained(
    labeler: Labeler, spans: Sequence[ReportSpans], labels: Sequence[Labels | str], first: int
) -> Sequence[Labels | str]:
    """The same with evidence for the `first` of them, where it is made on request."""
    if not first or not isinstance(labeler, Explainer):
        return labels
    given = [(i, one) for i, one in enumerate(labels[:first]) if isinstance(one, Labels)]
    done = labeler.explain_batch([spans[i] for i, _ in given], [one for _, one in given])
    results = list(labels)
    for (i, _), one in zip(given, done, strict=True):
        results[i] = one
    return results


def _with_parents(labels: Labels) -> Labels:
    return replace(labels, states=propagate_parents(labels).states)


def _label(labeler: Labeler, spans: Sequence[ReportSpans]) -> Sequence[Labels | str]:
    """Labels of each report, or what went wrong with it: a report that a labeler fails on costs no other.

    A labeler that fails on each of several reports is broken itself, and its error is raised; so is an error that
    hilum raises on purpose, since it is none of a text.
    """
    try:
        return labeler.label_batch(spans)
    except HilumError:
        raise
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
    return replace(labels, status=status)
