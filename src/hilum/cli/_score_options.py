"""The options of `hilum score`: what is compared, which scores, and how each of them is worked out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

References = Annotated[
    Path,
    typer.Option(
        metavar="FILE", help="Reference reports: csv, tsv, jsonl, parquet or json.", show_default=False
    ),
]
Candidates = Annotated[
    Path,
    typer.Option(
        metavar="FILE", help="Generated reports; may be the same file, another column.", show_default=False
    ),
]
Metrics = Annotated[
    str | None,
    typer.Option(
        metavar="A,B,...",
        help="bleu, rouge_l, cider, cider_d, clinical (these five without it), entities, bertscore, "
        "chexbert_similarity, radgraph, or a plug-in.",
    ),
]
Key = Annotated[str | None, typer.Option(metavar="NAME", help="The column with the ids, if it is not found.")]
Column = Annotated[
    str | None, typer.Option(metavar="NAME", help="The column with the reports in both files.")
]
ReferenceColumn = Annotated[
    str | None, typer.Option(metavar="NAME", help="The column with the reports in the references.")
]
CandidateColumn = Annotated[
    str | None, typer.Option(metavar="NAME", help="The column with the reports in the candidates.")
]
Align = Annotated[
    str,
    typer.Option(metavar="HOW", help="Join rows by key, by position, or auto: by key where both have one."),
]
Tokens = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="Words of bleu, rouge_l, cider, cider_d: coco (without it) or whitespace."
    ),
]
Preset = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="What uncertain and blank count as in clinical scores: f1chexbert (without it), r2gen, "
        "uncertain-to-one, uncertain-to-zero, uncertain-ignored, four-state.",
    ),
]
LabelerName = Annotated[
    str | None, typer.Option(metavar="NAME", help="Labeler of clinical scores; rules without it.")
]
Vocabulary = Annotated[
    str | None,
    typer.Option(metavar="NAME|FILE.toml", help="Findings of clinical scores; chexpert14 without it."),
]
Convention = Annotated[
    str | None, typer.Option(metavar="NAME", help="Meaning of labels: house (without it) or chexpert.")
]
Section = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="What is labeled: both (without it), impression, findings, all."),
]
Weights = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Weights of that labeler, if it is a neural one.", show_default=False),
]
Model = Annotated[
    Path | None,
    typer.Option(metavar="FOLDER", help="Local weights of bertscore and chexbert_similarity."),
]
Layer = Annotated[
    int | None, typer.Option(metavar="N", help="Hidden layer of bertscore; the last without it.")
]
Idf = Annotated[bool, typer.Option("--idf", help="Weigh rare words more in bertscore.")]
Baseline = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Baselines to rescale bertscore with (LAYER,P,R,F).")
]
AnnotationsReferences = Annotated[
    Path | None, typer.Option(metavar="FILE.json", help="RadGraph annotations of the references.")
]
AnnotationsCandidates = Annotated[
    Path | None, typer.Option(metavar="FILE.json", help="RadGraph annotations of the candidates.")
]
EntityPreset = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="How entities compare: case-ignored (without it) or f1radgraph."),
]
PerSample = Annotated[
    Path | None, typer.Option(metavar="OUT.csv", help="Also write the values of each sample.")
]
Json = Annotated[Path | None, typer.Option(metavar="OUT.json", help="Also write all scores.")]
