"""`hilum agree` as a user sees it, and tables in wide, narrow and piped terminals."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from hilum.cli._tables import plain_table, print_table
from hilum.cli.main import app
from hilum.core.results import Column, Estimate, ResultTable

A = "Study,Edema,Fracture\n" + "".join(f"s{i},{i % 2},{int(i % 5 == 0)}\n" for i in range(40))
B = "Fracture,Study,oedema\n" + "".join(f"0,s{i},{(i + (i % 7 == 0)) % 2}.0\n" for i in reversed(range(40)))


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    (tmp_path / "a.csv").write_text(A, encoding="utf-8")
    (tmp_path / "b.csv").write_text(B, encoding="utf-8")
    return str(tmp_path / "a.csv"), str(tmp_path / "b.csv")


def test_the_table_is_printed_and_written(files: tuple[str, str], tmp_path: Path) -> None:
    done = CliRunner().invoke(
        app, ["agree", *files, "--json", str(tmp_path / "out.json"), "--replicates", "200"]
    )
    assert done.exit_code == 0, done.output
    assert "A, taken as the truth: a.csv (40 rows). B: b.csv (40 rows)." in done.stdout
    assert "40 rows joined by key, all of both." in done.stdout
    fracture = next(line for line in done.stdout.splitlines() if line.startswith("Fracture"))
    assert fracture.split() == [
        "Fracture",
        "-",
        "0.000",
        "0.000",
        "(0.000",
        "to",
        "0.000)",
        "0.000",
        "8",
        "0",
        "40",
    ]
    assert "Precision is not defined (no positive in B) for Fracture" in done.stdout
    assert "note: a.csv: the key is the column 'Study'." in done.stderr
    record = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert record["tables"]["agreement"]["rows"][1]["precision"] is None
    again = CliRunner().invoke(app, ["agree", *files, "--replicates", "200"])
    assert again.stdout == done.stdout


@pytest.mark.parametrize(
    ("content", "options", "said"),
    [
        ("Study,Edema\ns1,2\n", [], "1 cell is no label"),
        ("Study,Edema\ns1,high\n", [], "'high'"),
        ("Study,Mass\ns1,1\n", ["--vocabulary", "nih14"], "share no finding"),
        ("Study,Oedemaa\ns1,1\n", [], "Nearest"),
        ("Edema\n1\n0\n", [], "have 40 and 2 rows"),
        ("Study,Edema\ns1,1\ns1,0\n", [], "more than once"),
        ("Study,Edema\nx1.png,1\n", [], "no key in common"),
        ("", [], "is empty"),
        ("Study,Edema\ns1,1\n", ["--policy", "u-ones"], "There is no policy 'u-ones'"),
        ("Study,Edema\ns1,1\n", ["--align", "order"], "There is no way to align 'order'"),
        ("Study,Edema\ns1,1\n", ["--findings", "Fracture"], "has no column for Fracture"),
        ("Study,Edema\ns1,1\n", ["--key", "subject"], "no column 'subject'"),
        ("Study,Edema\ns1,1\n", ["--json", "nowhere/out.json"], "does not exist"),
    ],
)
def test_bad_input_is_one_message_and_exit_code_2(
    files: tuple[str, str], content: str, options: list[str], said: str
) -> None:
    Path(files[1]).write_text(content, encoding="utf-8")
    done = CliRunner().invoke(app, ["agree", *files, *options])
    assert done.exit_code == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert said in done.stderr


def test_keys_of_two_names(files: tuple[str, str]) -> None:
    Path(files[1]).write_text(B.replace("Study", "number").replace(",s", ",CXR"), encoding="utf-8")
    options = ["--key", "Study", "--key", "number", "--replicates", "0"]
    assert "--match-keys number" in CliRunner().invoke(app, ["agree", *files, *options]).stderr
    done = CliRunner().invoke(app, ["agree", *files, *options, "--match-keys", "number"])
    assert done.exit_code == 0, done.output
    three = CliRunner().invoke(app, ["agree", *files, *options, "--key", "c"])
    assert three.exit_code == 2


TABLE = ResultTable(
    "t",
    "A title",
    (
        Column("f", "Finding", "text"),
        Column("f1", "F1 (95% interval)"),
        Column("n", "Positive in A", "count"),
    ),
    (("Edema", Estimate(0.5, 0.25, 0.75), 1234), ("Fracture", None, 0), ("Average", float("nan"), "")),
    "A dash is not defined.",
)


def test_piped_tables_are_plain_and_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(TABLE)
    text = capsys.readouterr().out
    assert text.rstrip("\n") == plain_table(TABLE)
    assert text.isascii()
    assert text.splitlines() == [
        "",
        "A title",
        "",
        "Finding        F1 (95% interval)  Positive in A",
        "--------  ----------------------  -------------",
        "Edema     0.500 (0.250 to 0.750)          1,234",
        "Fracture                       -              0",
        "Average                        -",
        "",
        "A dash is not defined.",
    ]


@pytest.mark.parametrize(
    ("width", "said"), [(80, "0.500 (0.250 to 0.750)"), (40, "0.250 to 0.750 "), (24, "F1 (95%")]
)
def test_terminals_of_any_width(width: int, said: str) -> None:
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    print_table(TABLE, console=console)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert said in text
    assert "Fracture" in text
    assert all(len(line) <= width for line in text.splitlines())
