"""Trainings of a tiny language model on invented reports, of a second each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tiny_training import FINDINGS, write_files

from hilum.recipes.llm import recipe
from hilum.train.llm_config import LlmTraining, SmallModel

TINY = SmallModel(
    layers=1, hidden=16, attention_heads=2, key_heads=1, intermediate=32, pieces=330, context=256
)
TOML = 'vocabulary = "three"\n' + "".join(f'[[finding]]\nname = "{name}"\n' for name in FINDINGS)


def three_findings(folder: Path) -> str:
    path = folder / "three.toml"
    path.write_text(TOML, encoding="utf-8")
    return str(path)


def tiny_llm(folder: Path, output: str = "run", *, name: str = "mini", **choices: Any) -> LlmTraining:
    """42 reports to learn from in batches of 7: 6 steps an epoch, 2 epochs, a save every 3 steps."""
    reports, labels = folder / "reports0.csv", folder / "labels0.csv"
    if not reports.exists():
        write_files(folder, n=50)
    own: dict[str, Any] = {
        "labels": labels, "vocabulary": three_findings(folder), "epochs": 2, "batch_size": 7, "threads": 1,
        "device": "cpu", "save_every": 3, "log_every": 1, "dev_share": 0.16, "learning_rate": 5e-3,
    }  # fmt: skip
    if "model" not in choices:
        own["architecture"] = TINY
    return recipe(name)(folder / output, choices.pop("reports", reports), **{**own, **choices})
