"""The weight of the clinical reward beside CIDEr: a sweep on the validation set of a phantom that no figure uses.

    python benchmarks/generator_weights.py --folder DIR [--weights 0.1 0.3 1] [--epochs N] [--json OUT]

The paper's value is not in the text that is known here. One seed (11), sizes of generator_phantom.py: classifier and
likelihood once, then REINFORCE on the mix for each weight from the same start, for N epochs of 100 steps. Printed for
each weight: rewards, precision and recall of greedy reports of the validation set before and after (the checkpoint
that is kept). The test set is not looked at. Everything is kept in DIR: killed and started again, it goes on.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

from _common import table_lines, write_json
from generator_phantom import plan

SEED = 11
KINDS = ("overlap", "findings")


def prepared(folder: Path) -> dict[str, str]:
    """The three sets of the phantom, written once."""
    from hilum.api.phantom import PhantomOptions, write_phantom  # noqa: PLC0415

    sizes = plan(tiny=False)
    sets = {"train": sizes.train, "valid": sizes.valid, "test": sizes.test}
    for place, (name, n) in enumerate(sets.items()):
        write_phantom(folder / name, PhantomOptions(seed=1000 * SEED + place, n=n, size=sizes.pixels))
    return {name: f"phantom:{folder / name}" for name in sets}


def run(folder: Path, sets: dict[str, str], system: str, weight: float, epochs: int | None) -> None:
    """One system of the study in a folder."""
    import torch  # noqa: PLC0415

    from hilum.api.study_generation import GenerationStudy, study_generation  # noqa: PLC0415

    torch.set_num_threads(1)
    choices = {**plan(tiny=False).choices, "weight": weight}
    if epochs is not None:
        choices["reinforce"] = {**choices["reinforce"], "epochs": epochs}
    study = GenerationStudy(
        *sets.values(), seed=SEED, device="cpu", threads=1, workers=1, systems=(system,), **choices
    )
    study_generation(study, folder / "study", progress=lambda line: print(line, flush=True))


def epochs_of(folder: Path) -> list[dict[str, Any]]:
    """What the validation set gave, epoch by epoch."""
    log = folder / "study" / "stages" / "full" / "run" / "log.jsonl"
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if line["kind"] == "epoch"]


def told(line: dict[str, Any]) -> tuple[str, ...]:
    """The figures of one epoch."""
    positives = line["dev_positives"]
    values = (*(line["dev_scores"][kind] for kind in KINDS), positives["precision"], positives["recall"])
    return tuple("-" if value is None else f"{value:.3f}" for value in values)


def main() -> None:
    """Sweep and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--weights", type=float, nargs="+", default=[0.1, 0.3, 1.0])
    parser.add_argument(
        "--epochs", type=int, help="epochs of REINFORCE; by default those of generator_phantom.py"
    )
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    base = args.folder.resolve() / f"seed-{SEED}"
    sets = prepared(base)
    run(base, sets, "likelihood", plan(tiny=False).choices["weight"], args.epochs)
    rows, record = [], {}
    for weight in args.weights:
        folder = args.folder.resolve() / f"weight-{weight:g}"
        if not (folder / "study").exists():
            shutil.copytree(base / "study", folder / "study")
        run(folder, sets, "full", weight, args.epochs)
        lines = epochs_of(folder)
        kept = next(line for line in lines if line["epoch"] == lines[-1]["best_epoch"])
        rows.append((f"{weight:g}", str(kept["epoch"]), *told(lines[0]), *told(kept)))
        record[f"{weight:g}"] = lines
    heads = ("CIDEr-D", "clinical", "precision", "recall")
    print("\n".join(table_lines(("weight", "epoch kept", *(f"{h} before" for h in heads), *heads), rows)))
    write_json(args.json, "generator_weights", record)


if __name__ == "__main__":
    main()
