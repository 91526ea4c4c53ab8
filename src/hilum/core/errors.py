"""Every error hilum raises on purpose.

    HilumError
    ├── InputError        a file, column or value of the user cannot be used
    │   ├── ImageError    a file is no image that can be used
    │   └── UnreachableError  what every item of a job needs (a server) gives no answer
    ├── OutputError       a result cannot be written where it was asked for
    ├── LexiconError      a lexicon or vocabulary file has a bad entry (file, line and rule named)
    ├── VocabularyError   a vocabulary contradicts itself
    ├── ResumeError       the parts of an earlier run do not belong to this one
    ├── SelfTestError     a shipped sentence no longer gets its label
    ├── UnknownNameError  no plug-in, vocabulary or finding of that name
    └── MissingExtraError an optional package is not installed

Each message says what happened, what was got, what is allowed or nearest, and the next step.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class HilumError(Exception):
    """Root of all errors that hilum raises on purpose; the command line prints it without a traceback."""


class InputError(HilumError):
    """A file, column or value that the user gave cannot be used."""


class ImageError(InputError):
    """A file is no image that can be used."""


class UnreachableError(InputError):
    """What every item of a job needs gives no answer, so that a runner need not try the others."""


class OutputError(HilumError):
    """A result cannot be written where it was asked for."""


class LexiconError(HilumError):
    """A lexicon or vocabulary file has a bad entry."""


class VocabularyError(HilumError):
    """A vocabulary contradicts itself."""


class ResumeError(HilumError):
    """The parts of an earlier run do not belong to this one."""


class SelfTestError(HilumError):
    """A shipped sentence no longer gets its label."""


class UnknownNameError(HilumError):
    """No plug-in, vocabulary or finding has that name."""

    def __init__(self, kind: str, got: str, allowed: Iterable[str]) -> None:
        names = sorted(allowed)
        near = difflib.get_close_matches(got, names, n=1, cutoff=0.5)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        super().__init__(f"There is no {kind} {got!r}.{hint} Known: {', '.join(names) or 'none'}.")


class MissingExtraError(HilumError):
    """An optional package is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(
            f"This needs the package {package!r}, which is not installed. "
            f"Next step: pip install 'hilum[{extra}]' (from a clone: pip install -e '.[{extra}]')."
        )
