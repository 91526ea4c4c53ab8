"""Original checkpoints to folders of report encoders."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hilum.models.checkpoint import Converted


def convert(
    source: str | Path,
    out: str | Path,
    *,
    tokenizer: str | Path,
    kind: str | None = None,
    logreg: str | Path | None = None,
    text: str | None = None,
    attention_heads: int | None = None,
    force: bool = False,
) -> Converted:
    """Turn a checkpoint of the public CheXbert or VisualCheXbert into a folder that cannot run code.

    Returns what was written. Raises as `models.checkpoint.convert_checkpoint` does, and MissingExtraError without the
    packages of the extra `neural`.
    """
    from hilum.models.checkpoint import convert_checkpoint  # noqa: PLC0415 - loads torch

    return convert_checkpoint(
        source,
        out,
        tokenizer=tokenizer,
        kind=kind,
        logreg=logreg,
        text=text,
        attention_heads=attention_heads,
        force=force,
    )
