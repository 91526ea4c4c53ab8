"""How far labels can be trusted on reports of one's own: a sample drawn by the labels, a blind form, estimates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from hilum.analyses._audit_estimates import judge
from hilum.analyses._audit_files import UNANSWERED, Answers, Drawn, Sample, Stratum, labels_digest
from hilum.analyses._audit_strata import make_strata
from hilum.analyses._audit_tables import (
    agreement_table,
    error_examples,
    estimate_of,
    findings_tables,
    strata_table,
)
from hilum.core.errors import InputError, MissingExtraError, UnknownNameError
from hilum.core.matrix import LEFT_OUT, LabelMatrix
from hilum.core.results import (
    Estimate,
    ResultExamples,
    ResultFigure,
    ResultPage,
    ResultSection,
    ResultTable,
)
from hilum.core.rng import rng_for
from hilum.core.version import VERSION
from hilum.core.vocabulary import BINARY_POLICIES, State
from hilum.pages.audit_form import FormReport, audit_form
from hilum.stats.sampling import LEAST, POWER, allocate, draw

LEAST_SAMPLE = 20
_FEW = 100

_HOW = (
    "A reader who did not see the labels read a random sample of the reports, drawn more densely where labels are "
    "rare. The answers are reweighted to the whole file, so the numbers below are estimates for all its reports; "
    "the intervals say how far chance in the drawing can have moved them, not how far the reader may err."
)
_ESTIMATING = (
    "False positives are estimated as a share of the positive labels, whose number is known; missed positives as a "
    "weighted total. They are rare among reports labelled normal, of which each drawn one stands for many: that is "
    "why the intervals of recall are wide. Intervals are Wilson's for an effective sample size."
)


@dataclass(frozen=True, eq=False)
class AuditedFile:
    """N reports with labels: those of a file that have a text to be read.

    `rows` are their rows in the file, from 1; `parts` the texts that were labeled, each with its heading; `options`
    how the labels were read or made; `notes` what was left out or mended.
    """

    labels: LabelMatrix
    rows: tuple[int, ...]
    parts: tuple[tuple[tuple[str, str], ...], ...]
    options: Mapping[str, str]
    notes: tuple[str, ...] = ()

    def text(self, place: int) -> str:
        """The texts of one report, with their headings, as one."""
        return "\n\n".join(
            f"{heading}: {text.strip()}" if heading else text.strip() for heading, text in self.parts[place]
        )

    @property
    def digest(self) -> str:
        """SHA-256 of labels and texts."""
        return labels_digest(self.labels, [self.text(place) for place in range(len(self.labels))])


def draw_sample(file: AuditedFile, sample: int, *, seed: int = 0) -> Sample:
    """A stratified sample of about `sample` reports, in random order; the same file and seed give the same.

    See `_audit_strata.make_strata` and `stats.sampling.allocate`. Raises InputError when `sample` is below 20 and
    the file is larger.
    """
    if sample < min(LEAST_SAMPLE, len(file.labels)):
        raise InputError(
            f"A sample of {sample} is too small to say anything; the least is {LEAST_SAMPLE}, and 200 gives "
            "intervals of some use. Next step: --sample 200."
        )
    strata = make_strata(file.labels, sample)
    drawn_H = allocate(strata.sizes_H, sample)
    places = draw(strata.of_N, drawn_H, rng=rng_for(seed, "audit", "sample"))
    order = rng_for(seed, "audit", "order").permutation(len(places))
    drawn = tuple(
        Drawn(
            number,
            file.rows[place],
            file.labels.ids[place] if file.labels.ids else "",
            int(strata.of_N[place]),
        )
        for number, place in enumerate(places[order].tolist(), start=1)
    )
    counts = zip(strata.names, strata.sizes_H.tolist(), drawn_H.tolist(), strict=True)
    groups = tuple(Stratum(*one) for one in counts)
    return Sample(file.digest, seed, file.labels.findings, groups, drawn, file.options)


def places_of(file: AuditedFile, sample: Sample) -> list[int]:
    """Places in `file` of the reports drawn, in the order of the form.

    Raises InputError when the sample was drawn from other labels or other texts.
    """
    if sample.digest != file.digest:
        raise InputError(
            f"{file.labels.source}: its labels or texts are not those that the sample was drawn from (SHA-256 "
            f"{file.digest[:12]}, not {sample.digest[:12]}; drawn with hilum {sample.options.get('hilum', '?')}, "
            f"this is {VERSION}). Next step: give the file as it was, or draw a new sample."
        )
    place_of = {row: place for place, row in enumerate(file.rows)}
    return [place_of[one.row] for one in sample.drawn]


def form_page(file: AuditedFile, sample: Sample) -> str:
    """The blind form of a sample as HTML: nothing of its labels is in it."""
    return audit_form(
        "What do these reports say?",
        [FormReport(file.parts[place]) for place in places_of(file, sample)],
        vocabulary=file.labels.vocabulary,
        findings=sample.findings,
        sample=sample.id,
        stamp={"form": sample.id, "section": sample.options.get("section", ""), "hilum": VERSION},
    )


def audit_page(
    file: AuditedFile, sample: Sample, answers: Sequence[Answers], *, policy: str = "uncertain-to-zero"
) -> ResultPage:
    """Precision, recall and F1 of the labels in the whole file, by the answers of one reader or more.

    Tables `findings` and `counts` (of the first reader; `findings-2` and so on of the others), `strata`, and
    `agreement-1-2` and so on for each pair of readers. Raises InputError for answers that are too few and labels
    that are not those of the sample, UnknownNameError for an unknown policy.
    """
    if policy not in BINARY_POLICIES:
        raise UnknownNameError("policy", policy, BINARY_POLICIES)
    places = np.array(places_of(file, sample), dtype=np.intp)
    tables: list[ResultTable] = []
    sections: list[ResultSection] = []
    warnings: list[str] = []
    for number, one in enumerate(answers, start=1):
        warnings += _incomplete(one, sample)
        table, counts, examples = _reader(file, sample, one, places, policy=policy, number=number)
        tables.append(table)
        heading = "How far the labels can be trusted" + (
            f": read by {one.reader}" if len(answers) > 1 else ""
        )
        sections.append(ResultSection(heading, (), (table, *_figure(table, number), counts, examples)))
    pairs = tuple(
        agreement_table(answers[a], answers[b], sample.findings, name=f"agreement-{a + 1}-{b + 1}")
        for a, b in combinations(range(len(answers)), 2)
    )
    if pairs:
        sections.append(ResultSection("How far the readers agree", (), pairs))
    sections.append(_drawing(file, sample, answers[0]))
    return ResultPage(
        f"Audit of the labels in {file.labels.source}",
        (_HOW, *(_summary(table, one) for table, one in zip(tables, answers, strict=True))),
        tuple(sections),
        tuple(warnings),
        {
            "file": file.labels.source, "reports": str(len(file.labels)), "sample": sample.id,
            "drawn": str(len(sample.drawn)), "seed": str(sample.seed), "policy": policy,
            **{key: value for key, value in file.options.items() if key != "hilum"}, "hilum": VERSION,
        },
    )  # fmt: skip


def _reader(
    file: AuditedFile, sample: Sample, one: Answers, places: np.ndarray, *, policy: str, number: int
) -> tuple[ResultTable, ResultTable, ResultExamples]:
    answered_nF = one.states_nF != UNANSWERED
    codes = np.where(answered_nF, one.states_nF, State.BLANK).astype(np.int8)
    labels = file.labels
    answer = LabelMatrix(one.reader, labels.vocabulary, labels.findings, (), codes)
    labels_NF, truth_nF = labels.binary(policy), answer.binary(policy)
    judged = judge(
        labels_NF, truth_nF, answered_nF, rows_n=places, sizes_H=sample.sizes_H, strata_n=sample.strata_n
    )
    roles = {f.name: f.role for f in labels.vocabulary.findings}
    tables = findings_tables(
        judged,
        labels_NF[places],
        truth_nF,
        answered_nF,
        findings=sample.findings,
        counted=[place for place, finding in enumerate(sample.findings) if roles[finding] != "none"],
        names=("findings", "counts") if number == 1 else (f"findings-{number}", f"counts-{number}"),
        title=f"Labels of the whole file against {one.reader or 'the reader'} ({policy})",
    )
    compared_nF = answered_nF & (labels_NF[places] != LEFT_OUT) & (truth_nF != LEFT_OUT)
    examples = error_examples(
        sample,
        labels_NF[places],
        truth_nF,
        compared_nF,
        states=(labels.states_NF[places], codes),
        texts=[file.text(place) for place in places.tolist()],
    )
    title = f"Reports in which labels and answers differ: {len(examples)} of those judged"
    return (*tables, ResultExamples(f"errors-{number}", title, examples))


def _incomplete(one: Answers, sample: Sample) -> list[str]:
    answered_nF = one.states_nF != UNANSWERED
    asked_F = answered_nF.any(axis=0)
    some, full = int(answered_nF.any(axis=1).sum()), int(answered_nF[:, asked_F].all(axis=1).sum())
    name, total = one.reader or "The reader", len(sample.drawn)
    told = [f"{name}: {note}." for note in one.notes]
    if not asked_F.all():
        never = [finding for finding, asked in zip(sample.findings, asked_F, strict=True) if not asked]
        told.append(f"{name} answered nothing on {', '.join(never)}.")
    if full < total:
        told.append(
            f"{name} answered {full:,} of {total:,} reports in full and {some - full:,} in part. The others are taken "
            "as not drawn, which is right when they were left out by chance (the form is shuffled), not when the "
            "hard ones were."
        )
    if some < min(_FEW, total):
        told.append(f"{name} judged {some:,} reports: the intervals are wide, and rough below {_FEW}.")
    return told


def _summary(table: ResultTable, one: Answers) -> str:
    found = {key: estimate_of(table, "all together", key) for key in ("f1", "precision", "recall")}
    words = {"f1": "F1", "precision": "precision", "recall": "recall"}
    said = "; ".join(
        f"{words[key]} {value.value:.3f} ({value.low:.3f} to {value.high:.3f})"
        for key, value in found.items()
        if value is not None
    )
    who = f"by {one.reader}" if one.reader else "by the reader"
    return f"All findings together, {who}: {said or 'nothing positive was found'}."


def _figure(table: ResultTable, number: int) -> tuple[ResultFigure, ...]:
    """The table as bars, where matplotlib is installed."""
    try:
        from hilum.pages.figures import grouped_bars  # noqa: PLC0415 - loads matplotlib

        keys = ("precision", "recall")
        columns = [one.key for one in table.columns]
        series = {key: [row[columns.index(key)] for row in table.rows] for key in keys}
        return (
            grouped_bars(
                f"findings-{number}",
                "Precision and recall with 95 % intervals",
                groups=[str(row[0]) for row in table.rows],
                series={
                    k: [v.value if isinstance(v, Estimate) else None for v in c] for k, c in series.items()
                },
                intervals={k: [v if isinstance(v, Estimate) else None for v in c] for k, c in series.items()},
                xlabel="share",
                limits=(0.0, 1.0),
            ),
        )
    except (MissingExtraError, ImportError):
        return ()


def _drawing(file: AuditedFile, sample: Sample, one: Answers) -> ResultSection:
    drawing = (
        f"{len(sample.drawn):,} of {len(file.labels):,} reports were drawn, without replacement, with chances that "
        f"depend on the labels alone (seed {sample.seed}): strata by the rarest positive finding of each report, in "
        f"proportion to their size to the power of {POWER} and at least {LEAST} of each where there are so many."
    )
    return ResultSection(
        "How the sample was drawn",
        (drawing, _ESTIMATING, *file.notes),
        (strata_table(sample, one.states_nF != UNANSWERED),),
    )
