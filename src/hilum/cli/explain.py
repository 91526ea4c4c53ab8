"""`hilum explain`: one report in the terminal, with the words that decided each label."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

import typer

from hilum.cli import _labeler_options as options
from hilum.core.errors import InputError, OutputError
from hilum.core.records import Labels
from hilum.pages.evidence_page import PageItem, evidence_page
from hilum.tables.encoding import decode

_CONTROLS = tuple(chr(code) for code in range(0x20) if chr(code) not in "\t\n\v\f\r\x1a")
_MOST_CONTROLS = 0.01
_NO_WRAP, _WIDE = 100_000, 120
_TABLES = (".csv", ".tsv", ".parquet", ".jsonl", ".ndjson", ".xml", ".tgz", ".gz", ".zip", ".xlsx")
_FILE_ENDINGS = (*_TABLES, ".txt")


def explain(
    report: Annotated[
        str, typer.Argument(metavar="TEXT|FILE|-", help="The report, a .txt file, or - for stdin.")
    ],
    *,
    labeler: options.LabelerName = "rules",
    vocabulary: options.VocabularyName = None,
    convention: options.ConventionName = None,
    section: options.SectionName = None,
    html: Annotated[
        Path | None, typer.Option(metavar="OUT.html", help="Also write one self-contained page.")
    ] = None,
    weights: options.Weights = None,
    probabilities: options.Probabilities = False,
    calibration: options.Calibration = None,
    abstain_below: options.AbstainBelow = None,
    mapping: options.MappingName = None,
    long: options.Long = None,
    text_mode: options.TextMode = None,
    device: options.Device = None,
    precision: options.Precision = None,
    model: options.Model = None,
    endpoint: options.Endpoint = None,
    prompt: options.PromptName = None,
    few_shot: options.FewShot = None,
    answer: options.Answer = None,
    context: options.Context = None,
    requests: options.Requests = None,
    timeout: options.Timeout = None,
    cache: options.Cache = None,
    api_key_env: options.ApiKeyEnv = None,
) -> None:
    """Show one report's labels and the words, cue and rule behind each of them.

    For a model these are the sentences without which it would give the label less probability.
    """
    from rich.console import Console

    from hilum import api
    from hilum.api.texts import explain as explain_text
    from hilum.cli.terminal import explanation
    from hilum.labelers import labeler_options

    text, name = read_report(report)
    given = options.model_options(
        weights=weights,
        calibration=calibration,
        abstain_below=abstain_below,
        mapping=mapping,
        long=long,
        text_mode=text_mode,
        device=device,
        precision=precision,
        model=model,
        endpoint=endpoint,
        prompt=prompt,
        few_shot=few_shot,
        answer=answer,
        context=context,
        requests=requests,
        timeout=timeout,
        cache=cache,
        api_key_env=api_key_env,
    )
    given |= {"vocabulary": vocabulary, "convention": convention}
    built = api.get_labeler(labeler, **labeler_options(labeler, given))
    labels, sections = explain_text(text, built, section=section)
    console = Console(highlight=False, emoji=False)
    if not console.is_terminal:
        console.width = _NO_WRAP  # in a pipe or a file, a line is a line
    colour = console.color_system is not None and not console.no_color
    narrow = console.width < _WIDE
    console.print(explanation(text, labels, sections=sections, colour=colour, narrow=narrow))
    for line in _numbers(labels, probabilities=probabilities):
        console.print(line, soft_wrap=True)
    if html is not None:
        write_page(html, PageItem(name, text, labels, sections), stamp=built.stamp)
        console.print(f"Wrote {html}", soft_wrap=True)


def read_report(argument: str) -> tuple[str, str]:
    """The report that a command-line argument means, and a name for it.

    `-` is standard input; a path that exists is read as text; anything else is the report itself.
    Raises InputError for a folder, a table of reports, a missing, unreadable or binary file.
    """
    if argument == "-":
        return _decode(sys.stdin.buffer.read(), "standard input"), "standard input"
    path = Path(argument)
    if not argument or not _exists(path):
        if path.suffix.lower() in _FILE_ENDINGS and not any(c.isspace() for c in argument):
            raise InputError(
                f"There is no file {argument!r}. Give a .txt file, the report's own words in quotes, "
                "or - for standard input."
            )
        return argument, "report"
    if path.is_dir() or path.suffix.lower() in _TABLES:
        raise InputError(
            f"{argument!r} is {'a folder' if path.is_dir() else f'a {path.suffix} file'}, "
            f"and explain shows one report. Next step: hilum label {shlex.quote(argument)} --html OUT.html"
        )
    try:
        return _decode(path.read_bytes(), argument), path.name
    except OSError as error:
        raise InputError(
            f"Cannot read {argument!r}: {error.strerror or error}. Check that the file can be opened by you."
        ) from error


def _numbers(labels: Labels, *, probabilities: bool) -> Iterator[str]:
    """Lines with the probabilities, where they were asked for, and with what had no answer."""
    if probabilities and labels.probabilities is not None:
        named = zip(labels.vocabulary.names, labels.probabilities, strict=True)
        yield f"Probability of positive: {', '.join(f'{name} {p:.3f}' for name, p in named)}"
    elif probabilities:
        yield "This labeler has no probabilities."
    problem = getattr(labels, "problem", "")
    if problem:
        yield f"No label: {problem}."
    doubtful = getattr(labels, "abstained", ())
    if doubtful:
        yield f"Too doubtful to label: {', '.join(doubtful)}."


def write_page(path: Path, item: PageItem, *, stamp: Mapping[str, str]) -> None:
    """Write the evidence page of one report. Raises OutputError when the file cannot be written."""
    page = evidence_page(f"Labels of {item.id}", [item], stamp=stamp)
    try:
        path.write_text(page, encoding="utf-8", newline="\n")
    except OSError as error:
        raise OutputError(
            f"Cannot write {str(path)!r}: {error.strerror or error}. Give --html a file in a folder "
            "that exists and that you may write to."
        ) from error


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a report's words can be too long for a file name
        return False


def _decode(data: bytes, source: str) -> str:
    text, notes = decode(data)
    controls = sum(map(text.count, _CONTROLS))
    if "\x00" in text or controls > len(text) * _MOST_CONTROLS:
        raise InputError(
            f"{source} is no text: it holds {controls:,} control characters. Give a text file (UTF-8); "
            "for a table of reports use hilum label."
        )
    for note in notes:
        typer.echo(f"{source}: {note}", err=True)
    return text
