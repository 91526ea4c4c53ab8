"""The options that commands on tables of reports and labels share: columns, how rows are joined, intervals, output."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ReportColumn = Annotated[
    str | None, typer.Option(metavar="NAME", help="The column with the reports, if it is not found.")
]
Align = Annotated[
    str, typer.Option(metavar="HOW", help="How rows are joined: auto (checked), key or position.")
]
MatchKeys = Annotated[
    str,
    typer.Option(
        metavar="FORM", help="How keys are compared: exact, stem, last-part, number (CXR7 is 7) ..."
    ),
]
Replicates = Annotated[int, typer.Option(min=10, metavar="N", help="Bootstrap replicates.")]
BootstrapSeed = Annotated[int, typer.Option(help="Seed of the bootstrap.")]
StudyFolder = Annotated[
    Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for tables, figures and page.")
]
StudyForce = Annotated[bool, typer.Option("--force", help="Write into a folder that holds other files.")]
