"""The pages of the study of report generation: tables in plain words, and examples with images and attention."""

from __future__ import annotations

import io
from collections.abc import Sequence
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from hilum.core.imaging import Pixels
from hilum.core.records import Labels
from hilum.core.results import ResultFigure, ResultPage, ResultSection
from hilum.core.version import VERSION
from hilum.core.vocabulary import State
from hilum.images.overlay import overlay, png_of
from hilum.images.transforms import resize
from hilum.pages.evidence_page import PageItem
from hilum.pages.figures import differences, grouped_bars
from hilum.pages.report_pairs import ReportPair, WordMap, report_pairs_page
from hilum.recipes._generation_attention import Word, side_of
from hilum.recipes._generation_sets import FINDINGS, ROLES
from hilum.recipes._generation_systems import Found
from hilum.recipes._generation_tables import (
    attention_table,
    differences_table,
    labels_tables,
    name_of,
    pairs_of,
    polarity_tables,
    rewards_table,
    said,
    sets_table,
    systems_tables,
)
from hilum.recipes._generation_values import NAMES, Values
from hilum.recipes._visualchexbert_sets import label_texts
from hilum.recipes.generation import CCR, FULL, LIKELY, MAJOR, NLG, REPEATS, SYSTEMS, TIENET, GenerationOutput
from hilum.tables.write import encode_header, encode_rows
from hilum.train._generator_results import always_the_same

SYNTHETIC = (
    "Synthetic data, of no patient: this tests the method and the program, and says nothing about patients."
)
EXAMPLES, REPLICATES = "examples.html", "replicates.npy"
"""Files beside the page; replicates [B, systems and simple reports, NAMES], float64, for pooling several runs."""

_MOST_MAPS = 8
_SHOWN_PX = 192


def make_output(found: Found, values: Values) -> GenerationOutput:
    """The page of tables, the page of examples, and a csv of reports for each system."""
    files = {f"reports/{name}.csv": _reports_csv(found, name) for name in found.reports}
    if found.examples:
        files[EXAMPLES] = examples_page(found).encode("utf-8", "replace")
    files[REPLICATES] = _bytes_of(values.replicates_BSM[:, :, : len(NAMES)])
    return GenerationOutput(make_page(found, values), MappingProxyType(files))


def _reports_csv(found: Found, name: str) -> bytes:
    columns = ("id", "report", "reference")
    rows = list(zip(found.test.ids, found.reports[name].texts, found.test.texts, strict=True))
    return encode_header(columns, "csv") + encode_rows(columns, rows, "csv")


def make_page(found: Found, values: Values) -> ResultPage:
    """All tables."""
    study = found.study
    warnings = list(found.notes)
    if any(one.studies.synthetic for one in found.sets.values()):
        warnings.insert(0, SYNTHETIC)
    if not (found.test.truth_NF >= 0).any():
        warnings.append(
            "There is no image truth: mentions that the true report does not have are not judged."
        )
    for name, one in found.reports.items():
        if alike := always_the_same(one.texts):
            warnings.append(f"{SYSTEMS[name]}: {alike}.")
    sections = [
        ResultSection("What was studied", _used(found), (sets_table(found),)),
        ResultSection(
            "The table", _claims(found, values), (*systems_tables(found, values), _bars(found, values))
        ),
        ResultSection("Differences", (), (differences_table(found, values), *_differences_figure(values))),
        ResultSection("Rewards", (), (rewards_table(found, values),)),
        ResultSection("Negation control", _polarity_words(values), polarity_tables(found, values)),
    ]
    if values.lookers:
        sections.append(ResultSection("Attention", (), (attention_table(found, values),)))
    sections.append(ResultSection("By label", (), labels_tables(found, values)))
    stamp = {
        **{role: getattr(study, role) for role in ROLES}, "labeler": study.labeler, "section": study.section,
        "weight": f"{study.weight:g}", "repeats": study.repeats, "seed": str(study.seed), "hilum": VERSION,
    }  # fmt: skip
    return ResultPage(
        "Report generation: are the reports right?", _lead(found), tuple(sections), warnings=tuple(warnings),
        stamp=stamp,
    )  # fmt: skip


def _lead(found: Found) -> tuple[str, ...]:
    names = ", ".join(SYSTEMS[name] for name in found.study.chosen)
    return (
        (
            "Systems that write a report of an image are compared by how alike their words are to those of the true "
            "report, and by whether a labeler finds the same in both (Liu et al. 2019, Clinically Accurate Chest X-Ray "
            f"Report Generation, table 2). Here: {names}."
        ),
        f"Images with reports side by side, and where words look, are in {EXAMPLES}; all reports in reports/."
        if found.examples
        else "All reports are in reports/.",
    )


def _used(found: Found) -> tuple[str, ...]:
    study = found.study
    learned = (
        "One image classifier learns the labels of the training reports; its convolutions are frozen, and everything "
        "sees with them. One generator learns by likelihood; three go on from it by REINFORCE, rewarded for CIDEr-D, "
        f"for the labeler's findings, or for both (weight {study.weight:g}). Checkpoints are chosen on the "
        f"validation set. Reports are greedy; {REPEATS[study.repeats]}."
    )
    others = (
        "Major class gives each label what most training reports have, and writes nothing. Noise-RNN sees no image. "
        "1-NN copies the report of the training image whose mean features are the most similar (cosine). The "
        "TieNet-like model writes one long text with attention, and learns to classify too."
    )
    return learned, others


def _claims(found: Found, values: Values) -> tuple[str, ...]:
    """What the paper says, beside what is found."""
    del found
    lines = []
    if {FULL, NLG} <= {*values.systems}:
        lines.append(
            f"Full minus NLG only: micro F1 {said(values.difference(FULL, NLG, 'f1_micro'))}, macro F1 "
            f"{said(values.difference(FULL, NLG, 'f1_macro'))}, accuracy "
            f"{said(values.difference(FULL, NLG, 'accuracy'))}; CIDEr-D as a share of NLG only's "
            f"{said(values.difference(FULL, NLG, 'cider_d', relative=True))}. The paper: clinical scores rise, CIDEr "
            "stays."
        )
    if {CCR, NLG} <= {*values.systems}:
        lines.append(
            f"CCR only minus NLG only: CIDEr-D {said(values.difference(CCR, NLG, 'cider_d'))}. The paper: it loses."
        )
    return tuple(lines)


def _polarity_words(values: Values) -> tuple[str, ...]:
    if not {CCR, NLG} <= {*values.systems}:
        return ()
    return (
        "Share of mentions in the wrong polarity, NLG only minus CCR only: "
        f"{said(values.difference(NLG, CCR, 'wrong'))}"
        + (
            f"; minus full: {said(values.difference(NLG, FULL, 'wrong'))}." if FULL in values.systems else "."
        ),
    )


def _bars(found: Found, values: Values) -> ResultFigure:
    del found
    systems = [name for name in values.systems if name in SYSTEMS]
    names = {"f1_micro": "F1, micro", "f1_macro": "F1, macro"}
    series = {
        title: [None if np.isnan(v := values.point(one, name)) else v for one in systems]
        for name, title in names.items()
    }
    intervals = {title: [values.own(one, name) for one in systems] for name, title in names.items()}
    return grouped_bars(
        "clinical_f1", "F1 of positive labels", groups=[name_of(one) for one in systems], series=series,
        intervals=intervals, xlabel="F1",
    )  # fmt: skip


def _differences_figure(values: Values) -> tuple[ResultFigure, ...]:
    pairs = [pair for pair in pairs_of(values) if MAJOR not in pair]
    if not pairs:
        return ()
    return (
        differences(
            "differences_f1", "Differences in F1, micro",
            labels=[f"{name_of(a)} minus {name_of(b)}" for a, b in pairs],
            estimates={"F1, micro": [values.difference(a, b, "f1_micro") for a, b in pairs]},
            xlabel="Difference (right of 0: the first is better)",
        ),
    )  # fmt: skip


# --- examples ---


def examples_page(found: Found) -> str:
    """Images, true and generated reports with evidence, and where words of one system look."""
    shown = [name for name in (FULL, CCR, NLG, LIKELY, TIENET) if name in found.reports][:4] or list(
        found.reports
    )[:3]
    labels = {
        name: label_texts([found.reports[name].texts[i] for i in found.examples], labeler=found.study.labeler)
        for name in shown
    }
    with_maps = next((name for name in shown if name in found.words), "")
    pairs = []
    for place, row in enumerate(found.examples):
        reports = [("True report", _item(found.test.texts[row], found.test.labels[row]))]
        reports += [
            (", ".join(map(name_of, names)), _item(text, labels[names[0]][place]))
            for text, names in _alike(found, shown, row).items()
        ]
        words = [one for one in found.words.get(with_maps, ()) if one.row == row][:_MOST_MAPS]
        pixels = found.pixels_NHW[row][None].astype(np.float32) / np.float32(255)
        pairs.append(
            ReportPair(
                found.test.ids[row], picture(pixels), tuple(reports), lines=_truth(found, row),
                maps=tuple(word_map(pixels, one) for one in words), maps_of=name_of(with_maps) if words else "",
            )
        )  # fmt: skip
    said_first = (
        "Test images, true and generated reports side by side; systems that wrote the same stand together. Colours are "
        "those of the labeler: what it finds affirmed, hedged and negated. Below, where the words that name a finding "
        "look, the brightest place the most. Where nearly all attention is on no place (the visual sentinel), the map "
        "shows the little that is left; in a negated mention it may rest on everything but the finding."
    )
    lead = [said_first]
    if any(one.studies.synthetic for one in found.sets.values()):
        lead.append(SYNTHETIC)
    return report_pairs_page(
        "Examples of generated reports", pairs, lead=lead, stamp={"test": found.study.test, "hilum": VERSION}
    )


def _alike(found: Found, shown: Sequence[str], row: int) -> dict[str, list[str]]:
    """What was written of an image -> the systems that wrote it."""
    systems: dict[str, list[str]] = {}
    for name in shown:
        systems.setdefault(found.reports[name].texts[row], []).append(name)
    return systems


def _item(text: str, labels: Labels) -> PageItem:
    return PageItem("", text, labels)


def _truth(found: Found, row: int) -> tuple[str, ...]:
    there = [name for name, value in zip(FINDINGS, found.test.truth_NF[row], strict=True) if value == 1]
    if not (found.test.truth_NF[row] >= 0).any():
        positive = found.test.states_NF[row] == State.POSITIVE
        told = [name for name, is_there in zip(FINDINGS, positive, strict=True) if is_there]
        return (f"In the report: {', '.join(told) or 'nothing'}.",)
    return (f"On the image: {', '.join(there) or 'nothing'}.",)


def picture(pixels: Pixels) -> bytes:
    """A PNG of an image [1, H, W] in grey, at least 192 px wide."""
    grey_HW = np.rint(np.clip(shown(pixels)[0], 0, 1) * 255).astype(np.uint8)
    return png_of(np.repeat(grey_HW[..., None], 3, axis=2))


def shown(pixels: Pixels) -> Pixels:
    """The image at the size that it is shown in."""
    size = max(_SHOWN_PX, pixels.shape[1])
    return pixels if size == pixels.shape[1] else resize(pixels, size).pixels


def word_map(pixels: Pixels, word: Word) -> WordMap:
    """Attention of a word over a square image [1, S, S]; the warmest place is the one that it looks at the most."""
    *places, nowhere = word.weights
    side = side_of(len(places))
    heat_GG = np.array(places, dtype=np.float32).reshape(side, side)
    peak = float(heat_GG.max() / max(float(heat_GG.mean()), 1e-9))
    heat_GG /= max(float(heat_GG.max()), 1e-9)
    plane = shown(pixels)
    heat_HW = np.clip(resize(heat_GG[None], plane.shape[1]).pixels[0], 0, 1)
    picture_of = png_of(overlay(plane, heat_HW))
    return WordMap(word.word, word.finding, State[word.state.upper()], picture_of, peak, nowhere)


def _bytes_of(values: npt.NDArray[np.float64]) -> bytes:
    out = io.BytesIO()
    np.save(out, values)
    return out.getvalue()
