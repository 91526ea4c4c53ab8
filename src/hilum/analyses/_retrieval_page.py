"""The page of the study of retrieved reports: its sections, the figure, examples, and what they mean in words."""

from __future__ import annotations

from collections.abc import Sequence

from hilum.analyses._labelers_page import WHAT_IS_F1
from hilum.analyses._labelers_tables import AVERAGE, gold_table
from hilum.analyses._retrieval_inputs import BY_LABELER, PRESETS, RetrievalStudy, text_of
from hilum.analyses._retrieval_labels import Labeled, joined
from hilum.analyses._retrieval_near import Similar, check_leaks
from hilum.analyses._retrieval_tables import (
    averages_table,
    changed_cells,
    damaged_table,
    findings_table,
    lengths_table,
    moves_table,
    passed_table,
    sets_table,
    similarity_table,
    stamp_of,
    states_table,
    told_change,
)
from hilum.analyses._retrieval_values import Changes
from hilum.core.results import Example, ResultExamples, ResultFigure, ResultPage, ResultSection
from hilum.core.version import VERSION
from hilum.core.vocabulary import State
from hilum.pages.figures import differences

_APPENDED = (
    "The test report stands as it is; behind it, after a blank line and the marker, each similar report. A labeler "
    "reads of the test report what it reads of it alone, and then each appended report as a section of its own: no "
    "heading of an appended report makes a part of it a section of the test report, and nothing is cut. The labels of "
    "an appended report are wrong for the test report wherever the two patients differ, so a labeler that "
    "reads all of it loses; only one that can tell whose report is whose could keep its score."
)
_PAPER = (
    "Source: LLM labeler paper, Ablation Studies. There the images are those of 687 annotated MIMIC-CXR reports, the "
    "datastore its training set, the model MedCLIP, and the LLM got worse. The paper gives neither k nor the wording "
    "between reports, and no numbers."
)


def make_page(
    study: RetrievalStudy, similar: Similar, labeled: Sequence[Labeled], changes: Changes
) -> ResultPage:
    """The whole page."""
    pairs = check_leaks(similar)
    warnings = [*similar.sets.warnings]
    if study.gold == BY_LABELER:
        warnings.insert(
            0,
            "The gold is what the rules said of the plain reports (--gold labeler): it shows what the appended reports "
            "change, and not how good a labeler is. The rules alone score 1 by construction.",
        )
    warnings += [
        f"{one.name}: {len(one.left_out):,} reports have no labels and were left out of its scores, before and "
        f"after: {'; '.join(one.left_out[:3])}{' ...' if len(one.left_out) > 3 else ''}."
        for one in labeled
        if one.left_out
    ]
    if similar.test.synthetic or similar.stored.synthetic:
        warnings.append("Synthetic studies are among these; they are of no patient.")
    sections = [
        _what(study, similar, labeled, changes, pairs),
        _changed(study, changes),
        _examples(study, similar, labeled, changes),
    ]
    stamp = {
        **stamp_of(study),
        "model of similarity": similar.how,
        **{f"labeler {one.name}": f"{one.said}: {one.stamp}" for one in labeled},
        "hilum": VERSION,
    }
    return ResultPage(
        f"Similar reports appended: {', '.join(changes.names)}",
        _lead(study, similar, changes),
        tuple(sections),
        warnings=tuple(warnings),
        stamp=stamp,
    )


def _lead(study: RetrievalStudy, similar: Similar, changes: Changes) -> tuple[str, ...]:
    told = "; ".join(
        told_change(name, changes.average(study.preset, place)[2]) for place, name in enumerate(changes.names)
    )
    what = (
        f"To each of {len(similar.test):,} test reports the reports of the {study.k} most similar studies of other "
        f"patients were appended, found by {similar.how}. Every labeler labeled the report alone and with them."
    )
    change = (
        f"Change of the average weighted F1 ({study.preset}): {told}. In brackets: 95 % bootstrap intervals, "
        f"{study.replicates:,} replicates of patients; before and after are scored on the same resamples."
    )
    return what, change, WHAT_IS_F1


def _what(
    study: RetrievalStudy, similar: Similar, labeled: Sequence[Labeled], changes: Changes, pairs: int
) -> ResultSection:
    told = [f"{line[0].upper()}{line[1:]}." for line in (*similar.sets.told, *similar.told)]
    marker = (
        f"The marker is {study.marker!r}." if study.marker else "There is no marker, only the blank line."
    )
    tables = [
        sets_table(similar),
        *([damaged_table(similar)] if any(similar.damaged.values()) else []),
        lengths_table(labeled),
        similarity_table(similar, study.k),
        passed_table(similar, pairs),
        gold_table(changes.compared),
    ]
    return ResultSection(
        "What was compared", (_PAPER, f"{_APPENDED} {marker}", *told, *changes.told), tuple(tables)
    )


def _changed(study: RetrievalStudy, changes: Changes) -> ResultSection:
    order = sorted(PRESETS, key=lambda name: name != study.preset)
    tables = [findings_table(changes, preset) for preset in order]
    return ResultSection(
        "What changed",
        ("A change below 0: the labeler is worse with the similar reports than without.",),
        (
            averages_table(changes),
            _figure(study, changes),
            tables[0],
            moves_table(changes),
            states_table(changes),
            *tables[1:],
        ),
    )


def _figure(study: RetrievalStudy, changes: Changes) -> ResultFigure:
    return differences(
        "change",
        f"Change of weighted F1 per finding, {study.preset}",
        labels=[*changes.findings, AVERAGE],
        estimates={name: changes.change(study.preset, place) for place, name in enumerate(changes.names)},
        xlabel=f"change of weighted F1 ({study.preset}) by {study.k} similar reports",
    )


def _examples(
    study: RetrievalStudy, similar: Similar, labeled: Sequence[Labeled], changes: Changes
) -> ResultSection:
    """The test reports whose labels changed most, all labelers together."""
    counts = sum(changed_cells(changes, place).sum(axis=1) for place in range(len(labeled)))
    order = sorted(range(len(similar.test)), key=lambda place: (-int(counts[place]), place))[: study.examples]
    examples = tuple(
        Example(
            f"{similar.test.ids[place]}: {int(counts[place])} labels changed",
            _example_text(study, similar, changes, place),
        )
        for place in order
    )
    return ResultSection(
        "Examples",
        ("Those whose labels changed most, all labelers together.",),
        (ResultExamples("examples", "Report, similar reports, and labels before and after", examples),)
        if examples
        else (),
    )


def _example_text(study: RetrievalStudy, similar: Similar, changes: Changes, place: int) -> str:
    one = similar.test.studies[place]
    others = [similar.stored.studies[k] for k in similar.neighbours(place)]
    text = joined(one, others, sections=(), marker=study.marker, append=study.append).text
    named = ", ".join(f"{n.id} ({n.similarity:.3f})" for n in similar.nearest[place].neighbours)
    lines = [
        text,
        "",
        f"Similar studies (cosine similarity): {named}",
        "",
        "Labels (gold: before, then after):",
    ]
    gold = changes.compared.gold.states_NF[place]
    for labeler, name in enumerate(changes.names):
        before, after = (matrix.states_NF[place] for matrix in changes.pair(labeler))
        changed = changed_cells(changes, labeler)[place]
        parts = [
            f"{finding} ({_word(gold[f])}): {_word(before[f])}, then {_word(after[f])}"
            for f, finding in enumerate(changes.findings)
            if changed[f]
        ]
        lines.append(f"{name}: {'; '.join(parts) or 'no label changed'}")
    assert text.startswith(text_of(one).rstrip())  # noqa: S101  (nothing of the report is cut)
    return "\n".join(lines)


def _word(state: int) -> str:
    return State(int(state)).name.lower()
