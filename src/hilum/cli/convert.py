"""`hilum convert`: a checkpoint of CheXbert or VisualCheXbert to a folder that cannot run code."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Source = Annotated[
    Path, typer.Argument(metavar="IN", help="Checkpoint file, e.g. chexbert.pth.", show_default=False)
]
Out = Annotated[
    Path, typer.Argument(metavar="OUT", help="Folder to write; it must not be there.", show_default=False)
]
Tokenizer = Annotated[
    str,
    typer.Option(
        metavar="DIR|ID",
        help="Tokenizer the model was trained with: a folder, or a hub id such as bert-base-uncased.",
        show_default=False,
    ),
]
Logreg = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="VisualCheXbert's logreg_models.pickle; nothing in it is run."),
]
Kind = Annotated[
    str | None, typer.Option(metavar="NAME", help="chexbert or visualchexbert; else found by the heads.")
]
Text = Annotated[
    str | None,
    typer.Option(metavar="MODE", help="How text is prepared: folded, or chexbert-list for parity."),
]
AttentionHeads = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="Where it is not the hidden size divided by 64.")
]
Force = Annotated[bool, typer.Option("--force", help="Replace an earlier encoder at OUT.")]


def convert(
    source: Source,
    out: Out,
    *,
    tokenizer: Tokenizer,
    logreg: Logreg = None,
    kind: Kind = None,
    text: Text = None,
    attention_heads: AttentionHeads = None,
    force: Force = False,
) -> None:
    """Turn a checkpoint of the public CheXbert or VisualCheXbert into a folder of safetensors.

    The folder has the weights, the configuration and the tokenizer; it is what --weights takes, and holds nothing that
    could run code.
    """
    from hilum.api.convert import convert as run

    done = run(
        source,
        out,
        tokenizer=tokenizer,
        kind=kind,
        logreg=logreg,
        text=text,
        attention_heads=attention_heads,
        force=force,
    )
    spec = done.spec
    typer.echo(
        f"{done.folder}: {spec.kind}, {len(spec.heads)} heads, {done.parameters:,} weights, at most "
        f"{spec.max_tokens} tokens, text mode {spec.text}"
    )
    if spec.logreg is not None:
        typer.echo(
            f"logistic regressions: {len(spec.logreg.findings)} over {len(spec.logreg.inputs)} probabilities"
        )
    for name in done.left_out:
        typer.echo(f"note: {name} was left out; it holds no weights", err=True)
    typer.echo(f"Next step: hilum label REPORTS --labeler {spec.kind} --weights {done.folder}")
