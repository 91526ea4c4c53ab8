"""The whole path of VisualCheXbert on the phantom, at 0, half, one and two times the frozen rates of disagreement.

    python benchmarks/visualchexbert_phantom.py --folder DIR [--rates 0 0.5 1 2] [--processes 2] [--json OUT]
    python benchmarks/visualchexbert_phantom.py --folder DIR --tiny

On a CPU from fixed seeds: four phantoms per rate (image-train, report-train, valid of 200 and test of 500 studies, as
many as in the paper; other seeds are other patients), then `hilum study visualchexbert --control`: a small DenseNet and
a small report encoder, both from scratch. The rates run beside each other, one thread each, so that results do not
depend on the number of cores. Everything is kept in DIR: killed and started again, it goes on.

Prints, for each rate: AUROC of the classifier on patients that it has not seen; F1; and VisualCheXbert minus Zero-One,
minus Zero-One with parents, minus LogReg, minus the control, each with its 95 % interval, beside what the paper prints.
At the frozen rates once more per finding (tables 4, 5 and 6), there with `--swap` too: the classifier learns the images
of report-train and the encoder the reports of image-train, the other two models of the paper's Table 5.

Bar: at rate 0 reports say what is drawn, so that images have nothing to add: the differences of VisualCheXbert to
mappings fitted the same way must contain 0. Two are fitted so: LogReg (report labels in place of the encoder's
probabilities, the same regressions) and the control (the same encoder and regressions, taught by labels of the same
reports). An interval above 0 would be a leak; one below 0 is what small models lose by learning from an image model
that errs. Which of it is the case is printed. No other floor is set.
Synthetic data: this says nothing about patients. `--tiny` is a trial of a minute, without the bar.
Exit code 1 when the bar is missed.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from _beside import RESULTS, Job, run_beside, scores_told, telling, told
from _common import table_lines, write_json

RATES = (0.0, 0.5, 1.0, 2.0)
FROZEN = 1.0
VISUAL = "BERT+LogReg on report-train"
CONTROL = "BERT+LogReg on reports alone"
OTHERS = {
    "Zero-One": "0.14 (0.12, 0.17)",
    "Zero-One with parents": "not printed",
    "LogReg": "0.03 (0.68 - 0.65)",
    CONTROL: "not printed",
}
"""What VisualCheXbert is compared with -> the difference in average F1 that the paper prints."""

WEIGHTED = {"Zero-One": "0.17 (0.15, 0.20)", "LogReg": "0.03 (0.73 - 0.70)"}


class Plan(NamedTuple):
    """Sizes of a run; `encoder` are choices of the report encoder."""

    images: int
    reports: int
    valid: int
    test: int
    pixels: int
    image: dict[str, Any]
    encoder: dict[str, Any]
    replicates: int


def plan(*, tiny: bool) -> Plan:
    """The sizes of the figure, or of a trial."""
    from hilum.models.classifier_spec import densenet_architecture  # noqa: PLC0415
    from hilum.train.config import Architecture  # noqa: PLC0415

    if tiny:
        small = densenet_architecture(blocks=(1, 1), growth=4, first=8, bottleneck=2)
        shape = Architecture(layers=1, hidden=16, attention_heads=2, intermediate=32, pieces=300)
        image = {"size_px": 32, "epochs": 1, "architecture": small}
        return Plan(60, 60, 40, 60, 64, image, {"epochs": 1, "architecture": shape}, 50)
    shape = Architecture(layers=2, hidden=128, attention_heads=4, intermediate=512, pieces=2000)
    return Plan(
        3000, 5000, 200, 500, 96,
        {"size_px": 96, "epochs": 24, "patience": 24, "learning_rate": 2e-3},
        {"epochs": 12, "patience": 12, "learning_rate": 1e-3, "max_tokens": 160, "architecture": shape},
        1000,
    )  # fmt: skip


def run_rate(folder: Path, rate: float, sizes: Plan) -> None:
    """Write the phantoms of one rate, run the study on them, and keep its tables."""
    import torch  # noqa: PLC0415

    from hilum.api.phantom import PhantomOptions, write_phantom  # noqa: PLC0415
    from hilum.api.study_visualchexbert import VisualChexbertStudy, study_visualchexbert  # noqa: PLC0415

    torch.set_num_threads(1)
    begun, tell = time.monotonic(), telling()
    sets = {"a": sizes.images, "b": sizes.reports, "v": sizes.valid, "t": sizes.test}
    for seed, (name, n) in enumerate(sets.items(), start=101):
        tell(f"phantom {name}: {n:,} studies of {sizes.pixels} px")
        write_phantom(folder / name, PhantomOptions(seed=seed, n=n, size=sizes.pixels, times=rate))
    a, b, v, t = (f"phantom:{folder / name}" for name in sets)
    study = VisualChexbertStudy(
        a, b, v, t, swap=rate == FROZEN, control=True, device="cpu", threads=1, workers=1, replicates=sizes.replicates,
        classifier=sizes.image, encoder=sizes.encoder,
    )  # fmt: skip

    study_visualchexbert(study, folder / "study", progress=tell, meter=scores_told(tell))
    tables = json.loads((folder / "study" / "tables.json").read_bytes())["tables"]
    spent = {"seconds of this start": round(time.monotonic() - begun), "finished": True}
    (folder / RESULTS).write_text(json.dumps({"tables": tables, **spent}), encoding="utf-8")
    tell("done")


def home(folder: Path, rate: float) -> Path:
    """The folder of one rate."""
    return folder / f"rate-{rate:g}"


def run_all(folder: Path, rates: Sequence[float], *, processes: int, tiny: bool) -> None:
    """All rates, `processes` beside each other."""
    more = ("--tiny",) if tiny else ()
    run_beside(
        [
            Job(
                f"rate {rate:g}",
                home(folder, rate),
                (__file__, "--folder", str(folder), "--only", f"{rate:g}", *more),
            )
            for rate in rates
        ],
        processes=processes,
    )


# ---- what came out -------------------------------------------------------------------------------------------------


def rows_of(results: dict[str, Any], table: str) -> list[dict[str, Any]]:
    """Rows of a table of the study."""
    rows: list[dict[str, Any]] = results["tables"][table]["rows"]
    return rows


def difference(results: dict[str, Any], other: str, key: str) -> dict[str, float]:
    """VisualCheXbert minus another, `average` or `weighted`, over the findings."""
    found = (
        r for r in rows_of(results, "differences_average") if (r["first"], r["second"]) == (VISUAL, other)
    )
    estimate: dict[str, float] = next(found)[key]
    return estimate


def mean_auroc(results: dict[str, Any]) -> Iterator[Any]:
    """Mean AUROC of the classifier over all findings, and over those that are compared."""
    rows = {row["finding"]: row["classifier_on_image_train"] for row in rows_of(results, "auroc")}
    compared = [row["finding"] for row in rows_of(results, "table_4") if row["positives"] is not None]
    yield rows["Mean"]
    yield sum(rows[name]["value"] for name in compared) / len(compared)


def show(found: dict[float, dict[str, Any]]) -> None:
    """All tables on standard output."""
    rates = list(found)
    head = ("", *(f"times {rate:g}" for rate in rates), "paper")
    means = {rate: list(mean_auroc(found[rate])) for rate in rates}
    lines = [
        ("AUROC of the classifier, all findings", *(told(means[r][0]) for r in rates), "0.875"),
        ("  over the findings compared", *(told(means[r][1]) for r in rates), "-"),
    ]
    f1 = {
        "Zero-One": ("zero_one", "0.54"),
        "Zero-One with parents": ("zero_one_with_parents", "-"),
        "LogReg": ("logreg", "0.65"),
    }
    for name, (key, printed) in f1.items():
        lines.append((f"F1, {name}", *(average(found[r], "table_4", key) for r in rates), printed))
    for key, name, printed in (
        ("bert_thresholding_on_report_train", "BERT+Thresholding", "0.61"),
        ("bert_logreg_on_report_train", "BERT+LogReg (VisualCheXbert)", "0.68"),
        ("bert_logreg_on_reports_alone", "control: taught by report labels", "-"),
    ):
        lines.append((f"F1, {name}", *(average(found[r], "table_5", key) for r in rates), printed))
    for other, printed in OTHERS.items():
        lines.append(
            (
                f"VisualCheXbert minus {other}",
                *(told(difference(found[r], other, "average")) for r in rates),
                printed,
            )
        )
    for other, printed in WEIGHTED.items():
        values = (told(difference(found[r], other, "weighted")) for r in rates)
        lines.append((f"  weighted, minus {other}", *values, printed))
    print("\nAverage F1 over the findings compared, 95 % intervals by patient\n")
    print("\n".join(table_lines(head, lines)))
    if FROZEN in found:
        for name in ("auroc", "table_4", "table_5", "table_6"):
            table = found[FROZEN]["tables"][name]
            heads = tuple(column["heading"] for column in table["columns"])
            cells = [tuple(told(v) for v in row.values()) for row in table["rows"]]
            print(f"\nAt the frozen rates. {table['title']}\n")
            print("\n".join(table_lines(heads, cells)))


def average(results: dict[str, Any], table: str, key: str) -> str:
    """The row of averages of one column."""
    return told(next(row[key] for row in rows_of(results, table) if row["finding"] == "Average"))


def main() -> int:
    """Run, show, and say whether the bar holds."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, required=True, help="where everything is kept")
    parser.add_argument("--rates", type=float, nargs="+", default=list(RATES))
    parser.add_argument("--processes", type=int, default=2, help="rates that run beside each other")
    parser.add_argument("--tiny", action="store_true", help="a trial of a minute")
    parser.add_argument("--only", type=float, help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path, help="write the results here")
    chosen = parser.parse_args()
    folder = chosen.folder.resolve()
    if chosen.only is not None:
        run_rate(home(folder, chosen.only), chosen.only, plan(tiny=chosen.tiny))
        return 0
    begun = time.monotonic()
    run_all(folder, chosen.rates, processes=chosen.processes, tiny=chosen.tiny)
    found = {rate: json.loads((home(folder, rate) / RESULTS).read_bytes()) for rate in chosen.rates}
    show(found)
    seconds = time.monotonic() - begun
    print(f"\n{seconds / 60:.1f} minutes in this start, {chosen.processes} processes of one thread")
    record = {f"times {rate:g}": results["tables"] for rate, results in found.items()}
    write_json(chosen.json, "visualchexbert_phantom", {**record, "minutes": round(seconds / 60, 1)})
    if 0.0 not in found or chosen.tiny:
        return 0
    held = [bar(found[0.0], other) for other in ("LogReg", CONTROL)]
    return 0 if all(held) else 1


def bar(results: dict[str, Any], other: str) -> bool:
    """Whether the difference to another at rate 0 contains 0; what it does is printed."""
    gap = difference(results, other, "average")
    said = "contains 0"
    if gap["low"] > 0:
        said = "LIES ABOVE 0: images cannot add anything here, so truth leaks somewhere"
    elif gap["high"] < 0:
        said = "LIES BELOW 0: the models lose this by learning from an image model that errs"
    print(f"At rate 0, VisualCheXbert minus {other}: {told(gap)}, {said}")
    return said == "contains 0"


if __name__ == "__main__":
    sys.exit(main())
