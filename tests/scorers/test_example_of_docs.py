"""The scorer that docs/add-a-metric.md shows works as it is written there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "add-a-metric.md"


def test_the_example_is_a_scorer() -> None:
    [code] = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    module: dict[str, Any] = {"__name__": "length_ratio"}
    exec(compile(code, str(PAGE), "exec"), module)
    [score] = module["build"]().score(["No edema at all.", ""], ["No edema.", ""], per_sample=True)
    assert score.name == module["build"]().name == "length_ratio"
    assert score.per_sample == (0.5, 1.0)
    assert score.value == pytest.approx(0.75)
