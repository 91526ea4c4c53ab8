"""hilum: chest X-ray reports to labels with evidence.

    import hilum

    labels = hilum.label("Small left pleural effusion. No pneumothorax.")
    labels["Pleural Effusion"]  # State.POSITIVE
    hilum.label(["No edema.", None]).to_frame()

Names are loaded when they are first used, so that `import hilum` is quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from hilum.core.version import VERSION

if TYPE_CHECKING:
    from hilum.api import JobSummary, LabelJob, LabelTable, get_labeler, label, label_file
    from hilum.api.agree import agree
    from hilum.api.score import score
    from hilum.api.study_discrepancy import study_discrepancy
    from hilum.api.study_labelers import study_labelers
    from hilum.core.records import Evidence, Labels, Span
    from hilum.core.vocabulary import State, Vocabulary

__all__ = [
    "Evidence",
    "JobSummary",
    "LabelJob",
    "LabelTable",
    "Labels",
    "Span",
    "State",
    "Vocabulary",
    "__version__",
    "agree",
    "get_labeler",
    "label",
    "label_file",
    "score",
    "study_discrepancy",
    "study_labelers",
]

__version__ = VERSION

_HOMES = {
    "Evidence": "hilum.core.records",
    "Labels": "hilum.core.records",
    "Span": "hilum.core.records",
    "State": "hilum.core.vocabulary",
    "Vocabulary": "hilum.core.vocabulary",
    "agree": "hilum.api.agree",
    "score": "hilum.api.score",
    "study_discrepancy": "hilum.api.study_discrepancy",
    "study_labelers": "hilum.api.study_labelers",
}


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module(_HOMES.get(name, "hilum.api")), name)
    raise AttributeError(f"module 'hilum' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
