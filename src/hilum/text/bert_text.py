"""Report text as the public CheXbert and VisualCheXbert programs hand it to their tokenizer.

Both programs fold the column "Report Impression" of a csv file: white space is stripped, new lines become spaces,
and runs of white space become one space (`get_impressions_from_csv` in src/bert_tokenizer.py of both
repositories). Their function for a list of reports (`label_report_list` in src/utils.py) also deletes, before
folding runs, every digit that a full stop follows, together with the full stop. It was meant for the numbers of
lists, but "2.5 cm" becomes "5 cm". That mode is here for parity only.
"""

from __future__ import annotations

import re

from hilum.core.errors import UnknownNameError

FOLDED, CHEXBERT_LIST = "folded", "chexbert-list"

TEXT_MODES: tuple[str, ...] = (FOLDED, CHEXBERT_LIST)
"""Names of the ways to prepare a text; the first is the default."""

_DIGIT_AND_STOP = re.compile(r"[0-9]\.")


def prepare(text: str, mode: str = FOLDED) -> str:
    """`text` for the tokenizer under a mode of `TEXT_MODES`; "" when there is nothing but white space.

    Raises UnknownNameError for another mode.
    """
    if mode not in TEXT_MODES:
        raise UnknownNameError("text mode", mode, TEXT_MODES)
    if mode == CHEXBERT_LIST:
        text = _DIGIT_AND_STOP.sub("", text)
    return " ".join(text.split())
