"""`hilum audit`: how far labels can be trusted on reports of one's own."""

from __future__ import annotations

from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Annotated

import typer

from hilum.cli import _table_options as tables

if TYPE_CHECKING:
    from hilum.api.audit import AuditSource

_WIDEST = 60


File = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        help="A label file with its reports, or reports alone, which are labeled first.",
        show_default=False,
    ),
]
Sample = Annotated[
    int | None, typer.Option(metavar="N", help="Step 1: draw N reports and write the form; 200 is usual.")
]
Answers = Annotated[
    list[Path] | None,
    typer.Option(metavar="ANSWERS.json", help="Step 2: what a reader saved; again for a second reader."),
]
Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="DIR", help="Folder of the audit; NAME.audit without it."),
]
Policy = Annotated[
    str, typer.Option(metavar="NAME", help="Uncertain counts as: uncertain-to-zero, -to-one or -ignored.")
]
Section = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="What was labeled and is shown: impression, findings, both or all. Without it: what the record "
        "of the labels says, else both.",
    ),
]
LabelerName = Annotated[str, typer.Option(metavar="NAME", help="How reports alone are labeled.")]
Vocabulary = Annotated[
    str | None, typer.Option(metavar="NAME|FILE.toml", help="Findings; chexpert14 for reports alone.")
]
Convention = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Meaning of labels made here: house (without it) or chexpert."),
]
Seed = Annotated[int, typer.Option(help="Seed of the drawing.")]
Force = Annotated[bool, typer.Option("--force", help="Write over an earlier audit in DIR.")]


def audit(
    file: File,
    *,
    sample: Sample = None,
    answers: Answers = None,
    output: Output = None,
    policy: Policy = "uncertain-to-zero",
    section: Section = None,
    column: tables.ReportColumn = None,
    labeler: LabelerName = "rules",
    vocabulary: Vocabulary = None,
    convention: Convention = None,
    seed: Seed = 0,
    force: Force = False,
) -> None:
    """How far the labels in FILE can be trusted: draw a sample, read it blind, get precision, recall and F1.

    Step 1, --sample N: writes DIR/form.html, in which a reader says what each report says, without seeing labels.
    Step 2, --answers answers.json: estimates for the whole FILE with 95 % intervals, in DIR/results.
    """
    from hilum.api.audit import AuditSource, default_folder
    from hilum.core.errors import InputError

    if (sample is None) == (not answers):
        raise InputError(
            "hilum audit is done in two steps. Next step: --sample 200 to draw reports and write the form, or, when "
            "it is filled in, --answers answers.json."
        )
    source = AuditSource(
        file, section=section, column=column, labeler=labeler, vocabulary=vocabulary, convention=convention
    )
    folder = output or default_folder(source)
    if sample is not None:
        _start(source, folder, sample=sample, seed=seed, force=force)
    else:
        _finish(source, folder, answers=answers or [], policy=policy, force=force)


def _start(source: AuditSource, folder: Path, *, sample: int, seed: int, force: bool) -> None:
    from hilum.api.audit import start_audit
    from hilum.cli._options import show_notes

    start = start_audit(source, folder, sample=sample, seed=seed, force=force)
    show_notes(start.notes)
    names = [shorten(stratum.name, _WIDEST, placeholder=" ...") for stratum in start.sample.strata]
    width = max(map(len, names))
    typer.echo(f"{'labels of the report':{width}}  {'reports':>9}  {'drawn':>6}")
    for name, stratum in zip(names, start.sample.strata, strict=True):
        typer.echo(f"{name:{width}}  {stratum.reports:>9,}  {stratum.drawn:>6,}")
    drawn = len(start.sample.drawn)
    typer.echo(f"\n{drawn:,} reports drawn, in random order, into {start.form}")
    typer.echo("Next step: open the form in a browser, answer, save answers.json, and then")
    typer.echo(f"  hilum audit {source.input} --answers answers.json -o {folder}")


def _finish(source: AuditSource, folder: Path, *, answers: list[Path], policy: str, force: bool) -> None:
    from hilum.api.audit import audit as run
    from hilum.cli._options import show_study
    from hilum.core.results import ResultTable

    page, written = run(source, answers, folder=folder, policy=policy, force=force)
    typer.echo(page.title)
    for line in page.lead[1:]:
        typer.echo(line)
    shown = [block for block in page.blocks() if isinstance(block, ResultTable)]
    shown = [table for table in shown if table.name.startswith(("findings", "agreement"))]
    show_study(page, written, tables=shown)
