"""The options of `hilum generate`: images, words, labels, pictures and page, machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_IMAGES, _WORDS, _LABELS, _PICTURES, _MACHINE = "Images", "Words", "Labels", "Pictures and page", "Machine"

Images = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="IMAGES...",
        help="Image files, folders of them, or one table with an image in each row.",
        show_default=False,
    ),
]
Table = Annotated[
    Path | None,
    typer.Option(
        "--images", metavar="TABLE", help="A table with an image in each row.", rich_help_panel=_IMAGES,
        show_default=False,
    ),
]  # fmt: skip
Model = Annotated[
    Path,
    typer.Option(
        "--model", "--weights", "-w", metavar="DIR",
        help="A report generator: the folder model of what `hilum train generator` wrote.",
    ),
]  # fmt: skip
Output = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", metavar="OUT",
        help="Format by extension: .csv .tsv .parquet .jsonl. Without it up to 5 reports are shown, and more go to "
        "standard output as csv.",
        show_default=False,
    ),
]  # fmt: skip
PathColumn = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN",
        help="The column of image files in a table.",
        show_default="by name",
        rich_help_panel=_IMAGES,
    ),
]
Root = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR", help="What the paths of a table are relative to.", show_default="its folder",
        rich_help_panel=_IMAGES,
    ),
]  # fmt: skip
CropBorders = Annotated[
    bool, typer.Option("--crop-borders", help="Cut even margins of images first.", rich_help_panel=_IMAGES)
]
Decode = Annotated[
    str,
    typer.Option(
        "--decode", metavar="WAY",
        help="greedy (the most probable word each time), beam (a search) or sample (words and stops are drawn).",
        rich_help_panel=_WORDS,
    ),
]  # fmt: skip
Beams = Annotated[
    int, typer.Option(min=1, metavar="N", help="Sentences that a search follows.", rich_help_panel=_WORDS)
]
Seed = Annotated[int, typer.Option(metavar="N", help="Seed of what is drawn.", rich_help_panel=_WORDS)]
Temperature = Annotated[
    float,
    typer.Option(
        metavar="T",
        help="Of drawn words: below 1 likely words, above 1 others more often.",
        rich_help_panel=_WORDS,
    ),
]
NoRepeat = Annotated[
    bool,
    typer.Option(
        "--no-repeat/--keep-repeats", help="Never write a sentence that the report has already.",
        rich_help_panel=_WORDS,
    ),
]  # fmt: skip
RemoveRepeats = Annotated[
    bool,
    typer.Option(
        "--remove-repeats",
        help="Instead, take repeated sentences out afterwards, as Liu et al. 2019 did.",
        rich_help_panel=_WORDS,
    ),
]
NoRepeatNgram = Annotated[
    int,
    typer.Option(
        min=0,
        metavar="N",
        help="Never write N words in a row twice in one sentence; 0: they may repeat.",
        rich_help_panel=_WORDS,
    ),
]
LabelerName = Annotated[
    str,
    typer.Option(
        "--labeler", metavar="NAME", help="What labels the reports: rules, chexbert, visualchexbert, mini, ...",
        rich_help_panel=_LABELS,
    ),
]  # fmt: skip
LabelerWeights = Annotated[
    Path | None,
    typer.Option(
        "--labeler-weights", metavar="DIR", help="The folder of that labeler's model, if it has one.",
        rich_help_panel=_LABELS, show_default=False,
    ),
]  # fmt: skip
Evidence = Annotated[
    Path | None,
    typer.Option(
        metavar="OUT.jsonl",
        help="Also write the words behind each label.",
        rich_help_panel=_LABELS,
        show_default=False,
    ),
]
Attention = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR", help="Also write a PNG per word that a label rests on: where it looked.",
        rich_help_panel=_PICTURES, show_default=False,
    ),
]  # fmt: skip
AttentionWords = Annotated[
    str,
    typer.Option(
        metavar="WHICH", help="named (those that labels rest on) or all words.", rich_help_panel=_PICTURES
    ),
]
Html = Annotated[
    Path | None,
    typer.Option(
        metavar="OUT.html", help="Also write a page: images, reports, evidence, maps of words.",
        rich_help_panel=_PICTURES, show_default=False,
    ),
]  # fmt: skip
HtmlLimit = Annotated[
    int, typer.Option(min=1, metavar="N", help="Reports on that page.", rich_help_panel=_PICTURES)
]
Device = Annotated[
    str, typer.Option(metavar="NAME", help="auto, cpu, cuda or cuda:1.", rich_help_panel=_MACHINE)
]
BatchSize = Annotated[
    int,
    typer.Option(
        min=1,
        metavar="N",
        help="Reports that are written together; changes speed alone.",
        rich_help_panel=_MACHINE,
    ),
]
Workers = Annotated[
    int, typer.Option(min=1, metavar="N", help="Threads that read images.", rich_help_panel=_MACHINE)
]
Fresh = Annotated[
    bool, typer.Option("--fresh", help="Forget the parts of an unfinished run and start again.")
]
