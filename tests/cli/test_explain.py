from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from hilum import api
from hilum.cli.explain import explain, read_report, write_page
from hilum.cli.terminal import coloured_text, explanation, plain_text
from hilum.core.errors import InputError, OutputError
from hilum.core.records import Evidence, Labels, RowStatus, Section
from hilum.core.vocabulary import CHEXPERT14, State
from hilum.labelers import ReportSpans
from hilum.pages.evidence_page import PageItem

TEXT = "IMPRESSION: Small effusion. Possible edema. No pneumothorax. No left effusion."


def said(finding: str, state: State, start: int, words: str, cue: str = "") -> Evidence:
    place = TEXT.index(words, start)
    cue_start = TEXT.rindex(cue, 0, place) if cue else -1
    cue_end = cue_start + len(cue) if cue else -1
    entry = finding.lower().replace(" ", "_")
    cue_id = f"cue/{cue.lower()}" if cue else ""
    end = place + len(words)
    return Evidence(
        finding, state, place, end, entry, cue_id, cue_start, cue_end, place, end, "impression"
    )  # fmt: skip


def labels_of_text() -> Labels:
    evidence = (
        said("Pleural Effusion", State.POSITIVE, 0, "effusion"),
        said("Edema", State.UNCERTAIN, 0, "edema", "Possible"),
        said("Pneumothorax", State.NEGATIVE, 0, "pneumothorax", "No"),
        said("Pleural Effusion", State.NEGATIVE, 60, "effusion", "No"),
    )
    states = dict.fromkeys(CHEXPERT14.names, State.BLANK)
    for item in reversed(evidence):
        states[item.finding] = item.state
    return Labels(CHEXPERT14, tuple(states.values()), evidence)


def blank(status: RowStatus = RowStatus.LABELED) -> Labels:
    return Labels(CHEXPERT14, (State.BLANK,) * len(CHEXPERT14), status=status)


def printed(text: str, labels: Labels, *, colour: bool = False, width: int = 200) -> str:
    console = Console(
        file=io.StringIO(), width=width, force_terminal=colour, color_system="standard" if colour else None
    )
    console.print(explanation(text, labels, colour=colour))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_plain_text_marks_states_and_cues_with_characters() -> None:
    assert plain_text(TEXT, labels_of_text()) == (
        "IMPRESSION: Small [+effusion+]. _Possible_ [?edema?]. _No_ [-pneumothorax-]. _No_ left [-effusion-]."
    )


def test_plain_text_closes_a_cue_at_the_edge_of_a_mention() -> None:
    whole = said("Edema", State.NEGATIVE, 0, "Small effusion")._replace(cue="c", cue_start=4, cue_end=17)
    marked = plain_text(TEXT[:27], Labels(CHEXPERT14, blank().states, (whole,)))
    assert marked == "IMPR_ESSION: _[-_Small_ effusion-]."


def test_other_abnormalities_are_marked_apart_and_listed_last_but_not_counted() -> None:
    labels = labels_of_text()
    scar = said("", State.POSITIVE, 0, "Small")._replace(entry="other/size")
    labels = Labels(CHEXPERT14, labels.states, (scar, *labels.evidence))
    assert plain_text(TEXT, labels).startswith("IMPRESSION: (+Small+) [+effusion+].")
    lines = [[cell.strip() for cell in line.split("|")] for line in printed(TEXT, labels).splitlines()]
    assert lines[2] == [
        "Key: [+positive+] [?uncertain?] [-negative-] _cue_ (+other abnormality+) (state): outweighed"
    ]
    assert lines[-2:] == [
        ["Other abnormality", "positive", "Small", "", "other/size", "", "impression"],
        ["11 findings not mentioned (blank)."],
    ]


def test_coloured_text_has_a_style_per_state_and_dims_what_was_not_read() -> None:
    shown = coloured_text(TEXT, labels_of_text(), sections=[Section("impression", 12, len(TEXT))])
    assert shown.plain == TEXT
    styles = {(shown.plain[s.start : s.end], str(s.style)) for s in shown.spans}
    assert styles == {
        ("IMPRESSION: ", "dim"),
        ("effusion", "bold red"),
        ("Possible", "underline"),
        ("edema", "yellow"),
        ("No", "underline"),
        ("pneumothorax", "cyan"),
        ("effusion", "cyan"),
    }


def test_the_table_names_state_words_cue_rule_and_section_and_leaves_blanks_out() -> None:
    lines = [
        [cell.strip() for cell in line.split("|")] for line in printed(TEXT, labels_of_text()).splitlines()
    ]
    assert [line for line in lines if len(line) == 7 and line[0] != "Finding"] == [
        ["Pleural Effusion", "positive", "effusion", "", "pleural_effusion", "", "impression"],
        ["", "(negative)", "effusion", "No", "pleural_effusion", "cue/no", "impression"],
        ["Edema", "uncertain", "edema", "Possible", "edema", "cue/possible", "impression"],
        ["Pneumothorax", "negative", "pneumothorax", "No", "pneumothorax", "cue/no", "impression"],
    ]
    assert lines[-1] == ["11 findings not mentioned (blank)."]


def test_the_narrow_table_fits_80_columns_with_rule_and_cue_under_the_words() -> None:
    console = Console(file=io.StringIO(), width=80)
    console.print(explanation(TEXT, labels_of_text(), colour=False, narrow=True))
    assert isinstance(console.file, io.StringIO)
    lines = [[cell.strip() for cell in line.split("|")] for line in console.file.getvalue().splitlines()]
    place = lines.index(["Edema", "uncertain", "edema", "Possible"])
    assert lines[place + 1] == ["", "impression", "edema", "cue/possible"]


def test_colour_output_has_escape_codes_and_plain_output_none() -> None:
    assert "\x1b[1;31meffusion\x1b[0m" in printed(TEXT, labels_of_text(), colour=True)
    assert "\x1b" not in printed(TEXT, labels_of_text())


def test_a_report_cannot_send_codes_to_the_terminal_or_use_markup() -> None:
    assert "␛]0;owned␇ [bold]x[/bold] :smile:" in printed("\x1b]0;owned\x07 [bold]x[/bold] :smile:", blank())


@pytest.mark.parametrize(
    ("labels", "line"),
    [
        (blank(), "None of the 14 findings is mentioned: all are blank."),
        (blank(RowStatus.EMPTY), "Nothing was labeled: empty."),
        (blank(RowStatus.NO_SUCH_SECTION), "Nothing was labeled: no such section. Next step: --section all"),
    ],
)
def test_a_report_without_labels_says_so(labels: Labels, line: str) -> None:
    assert printed("Nothing here.", labels).splitlines()[-1] == line


def test_words_are_the_report_and_a_text_file_is_read(tmp_path: Path) -> None:
    assert read_report("No effusion. " * 900) == ("No effusion. " * 900, "report")
    assert read_report("") == ("", "report")
    assert read_report("No\x00effusion.")[0] == "No\x00effusion."
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        file = tmp_path / f"{encoding}.txt"
        file.write_text("Épanchement. 🫁", encoding=encoding)
        assert read_report(str(file)) == ("Épanchement. 🫁", f"{encoding}.txt")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("reports.csv", b"report\nEdema.\n", ["a .csv file", "hilum label"]),
        ("reports.parquet", b"PAR1", ["a .parquet file", "hilum label"]),
        ("scan.dcm", b"\x00\x01\x02DICM\x00" * 9, ["control characters", "UTF-8"]),
        ("folder", None, ["is a folder", "hilum label"]),
    ],
)
def test_what_is_not_one_report_is_refused_with_the_next_step(
    tmp_path: Path, name: str, content: bytes | None, words: list[str]
) -> None:
    path = tmp_path / name
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_report(str(path))
    assert all(word in str(caught.value) for word in [name, *words])


def test_a_missing_file_is_not_taken_for_a_report() -> None:
    with pytest.raises(InputError, match=r"There is no file 'report7\.txt'"):
        read_report("report7.txt")


def test_an_unreadable_file_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "locked.txt"
    path.write_text("Edema.")

    def refuse(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(InputError, match=r"Cannot read .*locked\.txt.*Permission denied"):
        read_report(str(path))


def test_a_page_that_cannot_be_written_says_where(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"Cannot write .*No such file or directory"):
        write_page(tmp_path / "none" / "out.html", PageItem("r", "x", blank()), stamp={})


class ByHand:
    """A labeler that knows one report."""

    name, vocabulary, stamp = "by-hand", CHEXPERT14, {"labeler": "by-hand"}

    def label_batch(self, reports: Sequence[ReportSpans]) -> list[Labels]:
        return [labels_of_text() if report.text == TEXT else blank() for report in reports]


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> typer.Typer:
    monkeypatch.setattr(api, "get_labeler", lambda *_args, **_options: ByHand())
    app = typer.Typer()
    app.command()(explain)
    return app


def test_the_command_prints_plain_lines_in_a_pipe_and_writes_the_page(
    app: typer.Typer, tmp_path: Path
) -> None:
    page = tmp_path / "out.html"
    result = CliRunner().invoke(app, [TEXT, "--html", str(page)])
    assert result.exit_code == 0
    assert result.stdout.splitlines()[0] == plain_text(TEXT, labels_of_text())
    assert f"Wrote {page}" in result.stdout
    assert '<mark class="u" data-m="1">edema</mark>' in page.read_text(encoding="utf-8")
    assert "<dt>labeler</dt><dd>by-hand</dd>" in page.read_text(encoding="utf-8")


def test_colour_is_used_when_forced_and_never_against_no_color(
    app: typer.Typer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[" in CliRunner().invoke(app, [TEXT]).stdout
    monkeypatch.setenv("NO_COLOR", "1")
    result = CliRunner().invoke(app, [TEXT]).stdout
    assert "[+effusion+]" in result
    assert "\x1b[3" not in result


def test_standard_input_is_read(app: typer.Typer) -> None:
    result = CliRunner().invoke(app, ["-"], input=TEXT.encode())
    assert "_Possible_ [?edema?]" in result.stdout


def test_a_section_that_is_not_there_is_said(app: typer.Typer) -> None:
    result = CliRunner().invoke(app, ["FINDINGS: Clear.", "--section", "impression"])
    assert "Nothing was labeled: no such section." in result.stdout


def test_the_rules_explain_an_invented_report() -> None:
    app = typer.Typer()
    app.command()(explain)
    result = CliRunner().invoke(app, ["Small left pleural effusion. No pneumothorax."])
    assert result.stdout.splitlines()[0] == "Small left [+pleural effusion+]. _No_ [-pneumothorax-]."
