"""Other people's decoders: their warnings become notes, their exceptions ImageErrors."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from hilum.core.errors import HilumError
from hilum.images._picture import refuse

_LONGEST = 200


@contextmanager
def guarded(name: str, what: str, notes: list[str]) -> Iterator[None]:
    """Run a decoder on the file `name`, said to be `what`: warnings go to `notes`, each once.

    Raises ImageError for whatever the decoder raises, so that hostile bytes cost one file and not the run.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            yield
        except HilumError:
            raise
        except RecursionError as error:
            raise refuse(name, f"is {what} with parts nested too deep", "fetch it again") from error
        except MemoryError as error:
            raise refuse(
                name, f"is {what} that does not fit into memory", "lower ReadLimits(max_pixels=...)"
            ) from error
        except Exception as error:  # decoders raise anything on hostile bytes
            raise refuse(
                name, f"is {what} that cannot be decoded ({_short(error)})", "fetch or write it again"
            ) from error
        finally:
            for warning in caught:
                note = f"warning of the decoder: {_short(warning.message)}"
                if note not in notes:
                    notes.append(note)


def _short(error: Exception | Warning | str) -> str:
    """The first sentence-like part of a message on one line."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."
