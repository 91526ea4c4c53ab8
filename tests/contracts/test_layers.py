"""The rings of the package hold, and `import hilum` stays light."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HEAVY = (
    "torch", "transformers", "polars", "pandas", "rich", "typer", "numpy", "defusedxml",
    "scipy", "sklearn", "statsmodels", "matplotlib", "krippendorff",
)  # fmt: skip


def test_imports_only_go_down() -> None:
    code = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 kept, 0 broken" in done.stdout


def imported_by(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split()) & set(HEAVY)


def test_importing_hilum_is_light() -> None:
    assert imported_by("import hilum") == set()


def test_labeling_a_text_by_rules_needs_no_heavy_package() -> None:
    assert imported_by("from hilum.labelers import get_labeler; get_labeler('rules')") == set()


def test_measures_need_numpy_alone() -> None:
    assert imported_by("from hilum.metrics import f1, overlap; from hilum.stats import intervals") == {
        "numpy"
    }


def test_agreeing_and_scoring_need_no_extra() -> None:
    extras = {
        "torch",
        "transformers",
        "scipy",
        "sklearn",
        "statsmodels",
        "matplotlib",
        "krippendorff",
        "pandas",
    }
    assert not imported_by("import hilum.api.agree, hilum.api.score, hilum.api.audit") & extras
