"""JSON files of mappings: written whole or not at all, and every field checked when read. Never pickle."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from hilum.core.errors import InputError, OutputError
from hilum.tables.write import check_writable, output_error

FORMAT, FORMAT_VERSION = "hilum mapping", 1
"""The first two fields of every mapping file; a reader refuses other versions."""

_MOST_BYTES = 20_000_000
_MOST_ITEMS = 100_000

T = TypeVar("T")


def write_fields(fields: Mapping[str, object], path: str | Path) -> Path:
    """Write the fields as JSON, in their order, at `path`; equal fields give equal bytes.

    Raises OutputError when the file cannot be written; a file that was there then stays as it was.
    """
    dest = Path(path)
    check_writable(dest)
    whole = {"format": FORMAT, "format_version": FORMAT_VERSION, **fields}
    unfinished = dest.with_name(f".{dest.name}.hilum-unfinished")
    try:
        text = json.dumps(whole, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        unfinished.write_bytes(text.encode("utf-8", "replace"))
        unfinished.replace(dest)
    except ValueError as error:
        raise OutputError(f"{dest}: a value of the mapping is not finite, so nothing was written.") from error
    except OSError as error:
        raise output_error(error, dest) from error
    finally:
        unfinished.unlink(missing_ok=True)
    return dest


@dataclass(frozen=True)
class Fields:
    """The fields of a mapping file; each getter raises InputError, with file and field, for what it is not."""

    where: str
    values: Mapping[str, Any]

    def bad(self, field: str, allowed: str) -> InputError:
        """The error for a field that is missing or no `allowed`."""
        shown = repr(self.values[field])[:60] if field in self.values else "nothing"
        return InputError(
            f"{self.where}: {field!r} must be {allowed}, got {shown}. Next step: fit the mapping again."
        )

    def text(self, field: str) -> str:
        """A text that is not empty."""
        return str(self._one(field, _is_text, "a text"))

    def whole(self, field: str) -> int:
        """A whole number, 0 or more."""
        return int(self._one(field, _is_count, "a whole number"))

    def number(self, field: str) -> float:
        """A finite number."""
        return float(self._one(field, _is_number, "a finite number"))

    def texts(self, field: str, *, unique: bool = False) -> tuple[str, ...]:
        """A list of texts, at least one."""
        found = self._many(field, _is_text, "a list of texts")
        if not found or (unique and len(set(found)) < len(found)):
            raise self.bad(field, "a list of different texts" if unique else "a list of texts")
        return found

    def numbers(self, field: str, length: int) -> tuple[float, ...]:
        """A list of `length` finite numbers."""
        return tuple(map(float, self._many(field, _is_number, f"a list of {length} numbers", length=length)))

    def counts(self, field: str, length: int) -> tuple[int, ...]:
        """A list of `length` whole numbers."""
        return self._many(field, _is_count, f"a list of {length} whole numbers", length=length)

    def flags(self, field: str, length: int) -> tuple[bool, ...]:
        """A list of `length` true or false."""
        wanted = f"a list of {length} true or false"
        return self._many(field, lambda value: isinstance(value, bool), wanted, length=length)

    def table(
        self, field: str, rows: int, columns: int, *, none: bool = False
    ) -> tuple[tuple[Any, ...], ...]:
        """A list of `rows` lists of `columns` finite numbers, null among them if `none`."""
        allowed = f"{rows} lists of {columns} numbers"

        def is_row(row: object) -> bool:
            return (
                isinstance(row, list)
                and len(row) == columns
                and all(_is_number(cell) or (none and cell is None) for cell in row)
            )

        found = self._many(field, is_row, allowed, length=rows)
        return tuple(tuple(None if cell is None else float(cell) for cell in row) for row in found)

    def inner(self, field: str) -> Fields:
        """The fields of an object within."""
        value = self._one(field, lambda value: isinstance(value, dict), "an object")
        return Fields(f"{self.where}: {field}", value)

    def _one(self, field: str, fits: Callable[[object], bool], allowed: str) -> Any:
        if not fits(self.values.get(field)):
            raise self.bad(field, allowed)
        return self.values[field]

    def _many(
        self, field: str, fits: Callable[[object], bool], allowed: str, *, length: int | None = None
    ) -> tuple[Any, ...]:
        found = self.values.get(field)
        if not isinstance(found, list) or len(found) > _MOST_ITEMS or not all(map(fits, found)):
            raise self.bad(field, allowed)
        if length is not None and len(found) != length:
            raise self.bad(field, allowed)
        return tuple(found)


def read_fields(path: str | Path, kinds: Sequence[str]) -> Fields:
    """The fields of a mapping file of this format and version and one of `kinds`, not yet looked at.

    Raises InputError for a file that is missing, too large, no JSON, no mapping or of another version.
    """
    where = str(path)
    found = _json(Path(path), where)
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise InputError(
            f"{where} is no mapping file of hilum: it has no field 'format' with the value {FORMAT!r}. "
            "Next step: give a file that `hilum study discrepancy` wrote to its folder mappings/."
        )
    fields = Fields(where, found)
    version = fields.whole("format_version")
    if version != FORMAT_VERSION:
        raise InputError(
            f"{where} has format version {version}, written by hilum {str(found.get('hilum'))[:40]}; this "
            f"hilum reads version {FORMAT_VERSION}. Next step: fit the mapping again, or change the version "
            "of hilum."
        )
    if fields.text("kind") not in kinds:
        raise fields.bad("kind", f"one of {', '.join(kinds)}")
    return fields


def _json(path: Path, where: str) -> object:
    if not path.is_file():
        raise InputError(f"{where}: there is no such file. Next step: check the name.")
    if path.stat().st_size > _MOST_BYTES:
        raise InputError(
            f"{where} is larger than {_MOST_BYTES // 10**6} MB: no mapping is. Next step: check the name."
        )
    try:
        return json.loads(path.read_bytes().decode("utf-8"))
    except (ValueError, RecursionError) as error:
        why = "nested too deeply" if isinstance(error, RecursionError) else str(error)[:100]
        raise InputError(
            f"{where} cannot be read as JSON ({why}). Next step: fit the mapping again."
        ) from error


def _is_text(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 1000


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) < 2**53 if isinstance(value, int) else math.isfinite(value)
