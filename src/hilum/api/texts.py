"""Texts in, labels out, in one process."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast, overload

from hilum.api._reports import Given, Labeled, label_reports, reading_of
from hilum.core.errors import MissingExtraError
from hilum.core.records import Labels, Section
from hilum.core.vocabulary import CSV_CODES, Vocabulary
from hilum.labelers import Labeler, get_labeler, labeler_options, traits_of
from hilum.tables.source import report_text

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd
    import polars as pl

_BATCH = 1000
_MISSING_TYPES = ("NAType", "NaTType")
_FLOAT_TYPES = ("float16", "float32", "longdouble")
"""NumPy's floats that are no Python floats."""


@dataclass(frozen=True, slots=True)
class LabelTable(Sequence[Labels]):
    """Labels of N reports in the order in which they were given.

    `row_index` is the index of the pandas Series that was given, else None.
    """

    vocabulary: Vocabulary
    labels: tuple[Labels, ...]
    row_index: object = None

    @overload
    def __getitem__(self, place: int) -> Labels: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Labels]: ...
    def __getitem__(self, place: int | slice) -> Labels | Sequence[Labels]:
        return self.labels[place]

    def __len__(self) -> int:
        return len(self.labels)

    def __iter__(self) -> Iterator[Labels]:
        return iter(self.labels)

    @property
    def states(self) -> npt.NDArray[np.int8]:
        """`State` codes (0 blank, 1 positive, 2 negative, 3 uncertain), int8 array [N, F]."""
        import numpy as np  # noqa: PLC0415  (the labels of a file need no arrays; workers start sooner)

        rows = [labels.states for labels in self.labels]
        return np.array(rows, dtype=np.int8).reshape(len(rows), len(self.vocabulary))

    def to_csv_codes(self) -> list[tuple[int | None, ...]]:
        """One tuple per report: 1 positive, 0 negative, -1 uncertain, None blank."""
        return [tuple(CSV_CODES[state] for state in labels.states) for labels in self.labels]

    @property
    def probabilities(self) -> npt.NDArray[np.float64]:
        """Probabilities of POSITIVE, float64 [N, F]; NaN where a labeler has none (rules, empty reports)."""
        import numpy as np  # noqa: PLC0415  (as in `states`)

        none = (math.nan,) * len(self.vocabulary)
        rows = [none if one.probabilities is None else one.probabilities for one in self.labels]
        return np.array(rows, dtype=np.float64).reshape(len(rows), len(self.vocabulary))

    @overload
    def to_frame(self, backend: Literal["polars"] = "polars") -> pl.DataFrame: ...
    @overload
    def to_frame(self, backend: Literal["pandas"]) -> pd.DataFrame: ...
    def to_frame(self, backend: Literal["polars", "pandas"] = "polars") -> Any:
        """A data frame [N, F + 1]: one nullable Int8 column per finding (csv codes), and `status`.

        A pandas frame has the index of the Series that was given. Raises MissingExtraError without pandas.
        """
        codes = list(zip(*self.to_csv_codes(), strict=True)) or [()] * len(self.vocabulary)
        columns = dict(zip(self.vocabulary.names, codes, strict=True))
        status = [labels.status.value for labels in self.labels]
        return (_pandas if backend == "pandas" else _polars)(columns, status, self.row_index)


@overload
def label(  # type: ignore[overload-overlap]  # a str is an Iterable of str too; the first signature wins
    texts: str,
    *,
    labeler: str | Labeler = ...,
    vocabulary: str | None = ...,
    convention: str | None = ...,
    section: str | None = ...,
    evidence: bool = ...,
    **options: object,
) -> Labels: ...
@overload
def label(
    texts: Iterable[object],
    *,
    labeler: str | Labeler = ...,
    vocabulary: str | None = ...,
    convention: str | None = ...,
    section: str | None = ...,
    evidence: bool = ...,
    **options: object,
) -> LabelTable: ...
def label(
    texts: str | Iterable[object],
    *,
    labeler: str | Labeler = "rules",
    vocabulary: str | None = None,
    convention: str | None = None,
    section: str | None = None,
    evidence: bool = False,
    **options: object,
) -> Labels | LabelTable:
    """`Labels` of one report, or the `LabelTable` of a list or a polars or pandas Series of reports.

    `labeler` is a name with its options (`vocabulary`, `convention`; `weights` and others of a model), or a
    labeler that was built already (then they are its own). `section` is impression, findings, both or all;
    without it both, or what the labeler was made for. `evidence` asks for it where it costs much: rules always
    give it, models on request. None and NaN get the status "empty", other values that are not text
    "unreadable"; their findings are blank. Raises UnknownNameError for names that do not exist, InputError for
    options that the labeler does not take.
    """
    built = labeler
    if isinstance(built, str):
        given = {"vocabulary": vocabulary, "convention": convention, **options}
        built = get_labeler(built, **labeler_options(built, given))
    every = [_given(text) for text in ([texts] if isinstance(texts, str) else texts)]
    labels: list[Labels] = []
    for start in range(0, len(every), _BATCH):
        done = _label(built, every[start : start + _BATCH], section=section, evidence=evidence)
        labels.extend(one.labels for one in done)
    if isinstance(texts, str):
        return labels[0]
    index = getattr(texts, "index", None)
    return LabelTable(built.vocabulary, tuple(labels), None if callable(index) else index)


def explain(text: str, labeler: Labeler, *, section: str | None = None) -> tuple[Labels, tuple[Section, ...]]:
    """The labels of one report with their evidence, and the sections of it that were labeled."""
    [done] = _label(labeler, [_given(text)], section=section, evidence=True)
    return done.labels, done.sections


def _label(
    labeler: Labeler, reports: Sequence[Given], *, section: str | None, evidence: bool
) -> list[Labeled]:
    reading = reading_of(section, traits_of(labeler))
    return label_reports(
        labeler,
        reports,
        section=reading.section,
        headless_as=reading.headless_as,
        parents=False,
        explained=len(reports) if evidence else 0,
    )


def _given(value: object) -> Given:
    kind = type(value).__name__
    if kind in _MISSING_TYPES or (kind in _FLOAT_TYPES and math.isnan(cast("float", value))):
        return Given(None)
    return Given(*report_text(value))


def _polars(columns: dict[str, tuple[int | None, ...]], status: list[str], _index: object) -> Any:
    import polars as pl  # noqa: PLC0415  (slow to import, and not needed for labels alone)

    findings = [pl.Series(name, codes, dtype=pl.Int8) for name, codes in columns.items()]
    return pl.DataFrame([*findings, pl.Series("status", status, dtype=pl.String)])


def _pandas(columns: dict[str, tuple[int | None, ...]], status: list[str], index: Any) -> Any:
    try:
        import pandas as pd  # noqa: PLC0415  (optional)
    except ImportError as error:
        raise MissingExtraError("pandas", "pandas") from error
    findings = {name: pd.array(list(codes), dtype="Int8") for name, codes in columns.items()}
    return pd.DataFrame({**findings, "status": status}, index=index)
