"""Which studies of a patient came before one."""

from __future__ import annotations

from datetime import date

import pytest

from hilum.datasets._series import Series, day


def test_priors_are_those_of_the_same_patient_before_the_moment_the_latest_last() -> None:
    series = Series()
    for patient, study, moment in (
        ("a", "c", (3.0,)),
        ("b", "x", (0.0,)),
        ("a", "z", (1.0,)),
        ("a", "b", (2.0,)),
    ):
        series.add(patient, study, moment)
    assert series.before("a", (3.0,)) == ("z", "b")
    assert series.before("a", (1.0,)) == ()


def test_studies_of_the_same_moment_are_no_priors_of_each_other() -> None:
    series = Series()
    series.add("a", "one", (5.0, 10.0))
    series.add("a", "two", (5.0, 10.0))
    assert series.before("a", (5.0, 10.0)) == ()


def test_without_patient_or_moment_there_are_no_priors() -> None:
    series = Series()
    series.add("", "one", (1.0,))
    series.add("a", "two", None)
    series.add("a", "three", (1.0,))
    assert series.before("", (9.0,)) == ()
    assert series.before("a", None) == ()
    assert series.before("a", (9.0,)) == ("three",)


def test_a_study_entered_late_still_counts() -> None:
    series = Series()
    series.add("a", "new", (2.0,))
    assert series.before("a", (2.0,)) == ()
    series.add("a", "old", (1.0,))
    assert series.before("a", (2.0,)) == ("old",)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("21800506", date(2180, 5, 6)),
        ("20140915.0", date(2014, 9, 15)),
        ("20150231", None),
        ("2014", None),
        ("", None),
        ("2014-09-15", None),
    ],
)
def test_day_reads_the_dates_of_dicom_alone(text: str, expected: date | None) -> None:
    assert day(text) == expected
