"""`hilum audit`: how far labels can be trusted on reports of one's own."""

from __future__ import annotations

from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from hilum.api.audit import AuditSource

_WIDEST = 60


def audit(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="A label file with its reports, or reports alone, which are labeled first.",
            show_default=False,
        ),
    ],
    *,
    sample: Annotated[
        int | None, typer.Option(metavar="N", help="Step 1: draw N reports and write the form; 200 is usual.")
    ] = None,
    answers: Annotated[
        list[Path] | None,
        typer.Option(metavar="ANSWERS.json", help="Step 2: what a reader saved; again for a second reader."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="Folder of the audit; NAME.audit without it."),
    ] = None,
    policy: Annotated[
        str,
        typer.Option(metavar="NAME", help="Uncertain counts as: uncertain-to-zero, -to-one or -ignored."),
    ] = "uncertain-to-zero",
    section: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="What was labeled and is shown: impression, findings, both or all. Without it: what the record "
            "of the labels says, else both.",
        ),
    ] = None,
    column: Annotated[
        str | None, typer.Option(metavar="NAME", help="The column with the reports, if it is not found.")
    ] = None,
    labeler: Annotated[str, typer.Option(metavar="NAME", help="How reports alone are labeled.")] = "rules",
    vocabulary: Annotated[
        str | None, typer.Option(metavar="NAME|FILE.toml", help="Findings; chexpert14 for reports alone.")
    ] = None,
    convention: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Meaning of labels made here: house (without it) or chexpert."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the drawing.")] = 0,
    force: Annotated[bool, typer.Option("--force", help="Write over an earlier audit in DIR.")] = False,
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

    start = start_audit(source, folder, sample=sample, seed=seed, force=force)
    for note in start.notes:
        typer.echo(f"note: {note}", err=True)
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
    from hilum.cli._options import show_written
    from hilum.cli._tables import print_table
    from hilum.core.results import ResultTable

    page, written = run(source, answers, folder=folder, policy=policy, force=force)
    typer.echo(page.title)
    for line in page.lead[1:]:
        typer.echo(line)
    for block in page.blocks():
        if isinstance(block, ResultTable) and block.name.startswith(("findings", "agreement")):
            print_table(block)
    show_written(page, written)
