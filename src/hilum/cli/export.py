"""`hilum export`: weights of a neural labeler to ONNX files, with a check that the labels stay."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from hilum.api.export import Exported
    from hilum.core.results import ResultTable


def export_model(
    weights: Annotated[
        Path,
        typer.Argument(
            metavar="WEIGHTS",
            help="A folder that `hilum convert` or `hilum train labeler` wrote.",
            show_default=False,
        ),
    ],
    *,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="DIR", help="Another folder for the models.", show_default=False
        ),
    ] = None,
    reports: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Reports on which labels are compared; without it, the sentences of the self-test.",
            show_default=False,
        ),
    ] = None,
    column: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="The text column of FILE, if it is not found.")
    ] = None,
    limit: Annotated[int, typer.Option(metavar="N", help="Compare on the first N reports.")] = 2_000,
    least_equal: Annotated[
        float, typer.Option(metavar="SHARE", help="Refuse a model with a smaller share of equal labels.")
    ] = 0.995,
    weight_bits: Annotated[
        int, typer.Option(metavar="8|7", help="7 for processors without VNNI (before about 2019).")
    ] = 8,
) -> None:
    """Write model.onnx (float32) and model.int8.onnx, and say how many labels equal those of torch in float32.

    A model is kept only if enough labels are equal. The comparison is kept beside it, in onnx_export.json. The int8
    model is a quarter of the size or less and several times faster on a processor.
    """
    from hilum.api.export import ExportJob, export
    from hilum.cli._tables import print_table

    job = ExportJob(
        weights=weights,
        output=output,
        reports=reports,
        column=column,
        limit=limit,
        least_equal=least_equal,
        weight_bits=weight_bits,
    )
    done = export(job, progress=_shower())
    print_table(_table(done))
    for precision, path in done.files.items():
        typer.echo(f"{precision}: {path} ({done.sizes[precision] / 1e6:,.1f} MB)")
    typer.echo(f"record: {done.record}")


def _table(done: Exported) -> ResultTable:
    from hilum.core.results import Column, ResultTable

    headings = ("Model", "Labels equal", "Non-blank equal", "Reports all equal", "Worst finding", "It is")
    columns = tuple(Column(heading.lower(), heading, kind="text") for heading in headings)
    rows = tuple(
        (name, *map(_percent, (one.labels, one.said, one.reports, one.least)), one.least_finding)
        for name, one in done.equality.items()
    )
    return ResultTable("equality", f"Labels equal to torch float32 on {done.texts}", columns, rows)


def _percent(share: float | None) -> str | None:
    return None if share is None else f"{share:.2%}"


def _shower() -> Callable[[str, int, int], None]:
    """A function that tells each tenth of each step on standard error."""
    told: dict[str, int] = {}

    def show(step: str, done: int, total: int) -> None:
        tenth = done * 10 // max(total, 1)
        if tenth > told.get(step, -1):
            told[step] = tenth
            typer.echo(f"  {step}: {done:,} of {total:,}", err=True)

    return show
