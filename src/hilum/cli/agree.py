"""`hilum agree`: two label files in one table."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

_QUIET_SECONDS = 2.0


def agree(
    a: Annotated[
        Path, typer.Argument(metavar="A", help="Label file taken as the truth.", show_default=False)
    ],
    b: Annotated[Path, typer.Argument(metavar="B", help="Label file to compare.", show_default=False)],
    *,
    policy: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="What uncertain counts as: uncertain-to-zero, -to-one or -ignored."
        ),
    ] = "uncertain-to-zero",
    findings: Annotated[
        str | None, typer.Option(metavar="A,B", help="Findings to compare; else all that both files have.")
    ] = None,
    align: Annotated[
        str, typer.Option(metavar="HOW", help="How rows are joined: auto (checked), key or position.")
    ] = "auto",
    key: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN", help="The key column; given twice, that of A and that of B."),
    ] = None,
    match_keys: Annotated[
        str, typer.Option(metavar="FORM", help="Form in which keys are compared, e.g. stem or number.")
    ] = "exact",
    vocabulary: Annotated[
        str | None, typer.Option(metavar="NAME", help="chexpert14 or nih14; else the one that fits best.")
    ] = None,
    replicates: Annotated[
        int, typer.Option(min=0, metavar="N", help="Bootstrap replicates of the interval; 0 for none.")
    ] = 1000,
    seed: Annotated[int, typer.Option(help="Seed of the bootstrap.")] = 0,
    json: Annotated[
        Path | None, typer.Option("--json", metavar="OUT.json", help="Also write the tables as JSON.")
    ] = None,
) -> None:
    """Precision, recall, F1 and kappa of the labels in B against those in A, per finding.

    Columns are matched by name, rows by key; the command stops when keys and labels contradict each other.
    """
    from hilum.api.agree import agree as run
    from hilum.api.agree import write_json
    from hilum.cli._options import list_of
    from hilum.cli._tables import print_table
    from hilum.core.results import ResultTable
    from hilum.tables.write import check_writable

    if key is not None and len(key) > 2:
        raise typer.BadParameter("--key is given once, or twice: for A and for B")
    if json is not None:
        check_writable(json)
    page = run(
        a,
        b,
        key=key[0] if key and len(key) == 1 else key or None,
        vocabulary=vocabulary,
        policy=policy,
        findings=list_of(findings),
        align=align,
        match_keys=match_keys,
        replicates=replicates,
        seed=seed,
        progress=_progress(),
    )
    joined, *notes = page.sections[0].paragraphs
    typer.echo(f"{page.lead[0]}\n{joined}")
    for note in notes:
        typer.echo(f"note: {note}", err=True)
    for block in page.blocks():
        if isinstance(block, ResultTable):
            print_table(block)
    for warning in page.warnings:
        typer.secho("warning: ", fg="yellow", bold=True, nl=False, err=True)
        typer.echo(warning, err=True)
    if json is not None:
        write_json(page, json)


def _progress() -> Callable[[int, int], None]:
    """Tells on standard error how far a long bootstrap is, after two seconds and then every two."""
    last = time.monotonic()

    def tell(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _QUIET_SECONDS and done < total:
            last = now
            typer.echo(f"bootstrap: {done:,} of {total:,} replicates", err=True)

    return tell
