"""What a study hands over: tables with whole rows, found by name."""

from __future__ import annotations

import pytest

from hilum.core.results import (
    Column,
    Estimate,
    Example,
    ResultExamples,
    ResultFigure,
    ResultPage,
    ResultSection,
    ResultTable,
)

TABLE = ResultTable(
    "scores", "Scores", (Column("a", "A"), Column("n", "N", "count")), ((Estimate(1, 0, 2), 3),)
)


def test_a_row_has_one_cell_per_column() -> None:
    with pytest.raises(ValueError, match="scores: a row has 1 cells, not 2"):
        ResultTable("scores", "Scores", TABLE.columns, ((1,),))


def test_blocks_are_those_of_all_sections_in_order_and_tables_are_found_by_name() -> None:
    figure = ResultFigure("scores", "Scores", "bars", "<svg/>", b"png")
    examples = ResultExamples("texts", "Texts", (Example("one", "Clear."),))
    page = ResultPage(
        "Title",
        ("lead",),
        (ResultSection("one", (), (figure, TABLE)), ResultSection("two", ("p",), (examples,))),
    )
    assert page.blocks() == (figure, TABLE, examples)
    assert page.table("scores") is TABLE
    assert (page.warnings, dict(page.stamp)) == ((), {})
    with pytest.raises(KeyError, match="texts"):
        page.table("texts")


def test_a_column_is_a_number_unless_said() -> None:
    assert Column("a", "A").kind == "number"
    assert Estimate(0.5, 0.1, 0.9)._asdict() == {"value": 0.5, "low": 0.1, "high": 0.9}
