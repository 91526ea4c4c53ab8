"""The library's face: what the command line, notebooks and services call."""

from __future__ import annotations

from hilum.api.job import JobSummary, LabelJob, label_file
from hilum.api.texts import LabelTable, label
from hilum.labelers import get_labeler

__all__ = ["JobSummary", "LabelJob", "LabelTable", "get_labeler", "label", "label_file"]
