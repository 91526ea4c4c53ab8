"""`hilum agree`: two label files in one table."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hilum.cli import _table_options as tables

if TYPE_CHECKING:
    from hilum.core.results import ResultPage

_QUIET_SECONDS = 2.0

Truth = Annotated[
    Path, typer.Argument(metavar="A", help="Label file taken as the truth.", show_default=False)
]
Compared = Annotated[Path, typer.Argument(metavar="B", help="Label file to compare.", show_default=False)]
Policy = Annotated[
    str,
    typer.Option(metavar="NAME", help="What uncertain counts as: uncertain-to-zero, -to-one or -ignored."),
]
Findings = Annotated[
    str | None, typer.Option(metavar="A,B", help="Findings to compare; else all that both files have.")
]
Key = Annotated[
    list[str] | None,
    typer.Option(metavar="COLUMN", help="The key column; given twice, that of A and that of B."),
]
MatchKeys = Annotated[
    str, typer.Option(metavar="FORM", help="Form in which keys are compared, e.g. stem or number.")
]
Vocabulary = Annotated[
    str | None, typer.Option(metavar="NAME", help="chexpert14 or nih14; else the one that fits best.")
]
Replicates = Annotated[
    int, typer.Option(min=0, metavar="N", help="Bootstrap replicates of the interval; 0 for none.")
]
Json = Annotated[
    Path | None, typer.Option("--json", metavar="OUT.json", help="Also write the tables as JSON.")
]


def agree(
    a: Truth,
    b: Compared,
    *,
    policy: Policy = "uncertain-to-zero",
    findings: Findings = None,
    align: tables.Align = "auto",
    key: Key = None,
    match_keys: MatchKeys = "exact",
    vocabulary: Vocabulary = None,
    replicates: Replicates = 1000,
    seed: tables.BootstrapSeed = 0,
    json: Json = None,
) -> None:
    """Precision, recall, F1 and kappa of the labels in B against those in A, per finding.

    Columns are matched by name, rows by key; the command stops when keys and labels contradict each other.
    """
    from hilum.api.agree import agree as run
    from hilum.api.agree import write_json
    from hilum.cli._options import list_of
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
    _show(page)
    if json is not None:
        write_json(page, json)


def _show(page: ResultPage) -> None:
    from hilum.cli._options import show_notes, show_warnings
    from hilum.cli._tables import print_table
    from hilum.core.results import ResultTable

    joined, *notes = page.sections[0].paragraphs
    typer.echo(f"{page.lead[0]}\n{joined}")
    show_notes(notes)
    for block in page.blocks():
        if isinstance(block, ResultTable):
            print_table(block)
    show_warnings(page)


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
