"""`hilum train classifier`: images and labels to an image classifier."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from hilum.cli import _classifier_options as options
from hilum.cli import _run_options as common

if TYPE_CHECKING:
    from hilum.api.classifier import ClassifierResult


def train_classifier_command(
    *,
    recipe: options.Recipe = "mini",
    output: common.Output,
    data: options.Data = None,
    root: options.Root = None,
    data_option: options.DataOption = None,
    split: options.Split = None,
    dev_split: options.DevSplit = None,
    images: options.Images = None,
    dev_images: options.DevImages = None,
    path_column: options.PathColumn = None,
    patient_column: options.PatientColumn = None,
    views: options.Views = None,
    labels: options.Labels = None,
    key: options.Key = None,
    vocabulary: options.Vocabulary = None,
    findings: options.Findings = None,
    uncertain: options.Uncertain = None,
    blank: options.Blank = None,
    class_weights: options.ClassWeights = None,
    backbone: options.Backbone = None,
    init: options.Init = None,
    checkpoint: options.Checkpoint = None,
    size: options.Size = None,
    fit: options.Fit = None,
    normalisation: options.Normalisation = None,
    channels: options.Channels = None,
    augment: options.Augment = None,
    epochs: options.Epochs = None,
    batch_size: options.BatchSize = None,
    parts: options.Parts = None,
    lr: options.LearningRate = None,
    weight_decay: options.WeightDecay = None,
    clip_norm: options.ClipNorm = None,
    ema: options.Average = None,
    dev_share: options.DevShare = None,
    patience: options.Patience = None,
    precision: options.Precision = None,
    device: options.Device = "auto",
    threads: options.Threads = None,
    workers: options.Workers = None,
    cache: options.Cache = None,
    seed: common.Seed = 0,
    save_every: common.SaveEvery = None,
    fresh: common.Fresh = False,
) -> None:
    """Train an image classifier; the model is DIR/model, for `hilum predict IMAGES --weights DIR/model`.

    A run that was stopped goes on when the same command is run again, and ends as if it had never stopped. The
    same command runs on several devices under `accelerate launch`.
    """
    from hilum.api.classifier import train_classifier
    from hilum.cli._options import list_of
    from hilum.cli._train_view import Meter

    with Meter() as meter:
        result = train_classifier(
            recipe, output, data=data, root=root, data_options=_values(data_option), split=split, dev_split=dev_split,
            images=images, dev_images=dev_images, path_column=path_column, patient_column=patient_column, views=views,
            **_labels(labels, data), key=key, vocabulary=vocabulary, findings=list_of(findings), uncertain=uncertain,
            blank=blank, class_weights=class_weights, architecture=_architecture(backbone), pretrained=init,
            checkpoint=checkpoint, size_px=size, fit=fit, normalisation=normalisation, channels=channels,
            augmentation=augment, epochs=epochs, batch_size=batch_size, parts=parts, learning_rate=lr,
            weight_decay=weight_decay, clip_norm=clip_norm, average=ema, dev_share=dev_share, patience=patience,
            precision=precision, device=device, threads=threads, workers=workers, cache=cache, seed=seed,
            save_every=save_every, fresh=fresh, progress=meter.update, tell=meter.tell,
        )  # fmt: skip
    show_classifier(result)
    if not result.finished:
        raise typer.Exit(130)


def _labels(given: str | None, data: str | None) -> dict[str, Any]:
    """A file of labels, or the name of a source of the data set."""
    if given is None:
        return {}
    return {"source": given} if data is not None and not Path(given).is_file() else {"labels": Path(given)}


def _values(given: Sequence[str] | None) -> Mapping[str, Any] | None:
    """The values of NAME=VALUE, as JSON where it is that, else as text."""
    found: dict[str, Any] = {}
    for one in given or ():
        name, equals, value = one.partition("=")
        if not equals or not name:
            raise typer.BadParameter(f"{one!r} is no NAME=VALUE", param_hint="--data-option")
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found or None


def _architecture(backbone: str | None) -> Any:
    from hilum.models.classifier_spec import DENSENET121, SMALL_DENSENET

    own = {"densenet121": DENSENET121, "densenet-small": SMALL_DENSENET}
    return None if backbone is None else own.get(backbone, backbone)


def show_classifier(result: ClassifierResult) -> None:
    """Dev scores, steps, and where everything is; or how to go on."""
    from hilum.cli._train_view import show_run
    from hilum.tables._label_rows import counted

    speed = (
        ""
        if result.speed is None
        else (
            f"; {result.speed.images_per_second:,.1f} images a second, {result.speed.waiting_share:.1%} of the steps' "
            "time waiting for images"
        )
    )
    number = counted(result.left_out, "image", "images")
    left_out = f"{number} could not be read: {result.folder / 'left_out.csv'}"
    page = result.folder / "page"
    show_run(
        result,
        result.tables,
        rows="images",
        notes=[left_out] if result.left_out else [],
        page=page / "index.html" if page.is_dir() else None,
        speed=speed,
    )
