"""Studies of each patient in time: which came before one."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from datetime import date

Moment = tuple[float, ...]
"""When a study was made, comparable among the studies of one patient: a day and seconds, number of a visit, ..."""

_DAY = re.compile(r"(\d{4})(\d{2})(\d{2})(?:\.0)?")


class Series:
    """Studies by patient. Those without a patient or a moment neither have priors nor are any."""

    def __init__(self) -> None:
        self._studies: dict[str, list[tuple[Moment, str]]] = defaultdict(list)
        self._sorted = True

    def add(self, patient: str, study: str, moment: Moment | None) -> None:
        """Enter a study."""
        if patient and moment is not None:
            self._studies[patient].append((moment, study))
            self._sorted = False

    def before(self, patient: str, moment: Moment | None) -> tuple[str, ...]:
        """Ids of the studies of a patient that were made before a moment, the latest last."""
        if moment is None or patient not in self._studies:
            return ()
        if not self._sorted:
            for entered in self._studies.values():
                entered.sort()
            self._sorted = True
        studies = self._studies[patient]
        return tuple(study for _, study in studies[: bisect_left(studies, (moment, ""))])


def day(text: str) -> date | None:
    """The day that DICOM writes as "20170431"; None when there is no such day."""
    match = _DAY.fullmatch(text)
    try:
        return date(int(match[1]), int(match[2]), int(match[3])) if match else None
    except ValueError:
        return None
