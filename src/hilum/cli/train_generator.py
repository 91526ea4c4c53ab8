"""`hilum train generator`: images and reports to a report generator."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from hilum.cli import _classifier_options as images_options
from hilum.cli import _run_options as common

if TYPE_CHECKING:
    from hilum.api.train_generator import GeneratorResult

_DATA, _MODEL, _REWARD, _STEPS, _MACHINE = "Images and reports", "Model", "Reward", "Steps", "Machine"


def _option(metavar: str, help_: str, panel: str, shown: str | bool = "by recipe", *names: str) -> Any:
    return typer.Option(*names, metavar=metavar, help=help_, show_default=shown, rich_help_panel=panel)


Recipe = Annotated[str, typer.Option(metavar="NAME", help="small (minutes on a CPU) or paper (a GPU).")]
Data = Annotated[
    str | None, _option("NAME:ROOT[:SPLIT][@k/n]", "A data set with images and reports.", _DATA, False)
]
DevData = Annotated[
    str | None,
    _option("NAME:ROOT[:SPLIT]", "Choose the checkpoint by this one.", _DATA, "a share of the rows"),
]
Images = Annotated[
    Path | None, _option("TABLE", "A table with path, report and patient in each row.", _DATA, False)
]
ReportColumn = Annotated[str | None, _option("COLUMN", "The column of reports.", _DATA, "by name")]
Section = Annotated[str | None, _option("NAME", "Learn findings or the whole report.", _DATA, "findings")]
Stage = Annotated[str | None, _option("NAME", "likelihood, and after it reinforce.", _MODEL, "likelihood")]
Init = Annotated[Path | None, _option("DIR", "A generator of hilum to go on from.", _MODEL, False)]
Classifier = Annotated[
    Path | None, _option("DIR", "An image classifier of hilum that starts the image encoder.", _MODEL, False)
]
Freeze = Annotated[
    bool | None,
    typer.Option(
        "--freeze-encoder", help="Leave the convolutions as they are; much faster.", rich_help_panel=_MODEL
    ),
]
Width = Annotated[int | None, _option("N", "Width d of words and image features.", _MODEL)]
Hidden = Annotated[int | None, _option("N", "Width of both LSTMs.", _MODEL)]
LeastCount = Annotated[int | None, _option("N", "Words that occur as often are learned.", _MODEL)]
MostSentences = Annotated[int | None, _option("N", "Most sentences of a report.", _MODEL)]
MostWords = Annotated[int | None, _option("N", "Most words of a sentence, its end included.", _MODEL)]
MostUnknown = Annotated[
    float | None,
    _option("SHARE", "Refuse reports with more words that --init does not know.", _MODEL, "0.25"),
]
Reward = Annotated[str | None, _option("NAME", "mix, overlap or findings.", _REWARD, "mix")]
Weight = Annotated[float | None, _option("W", "Weight of the findings in mix.", _REWARD, "1")]
BetaU = Annotated[
    float | None, _option("P", "Chance that an uncertain finding is there.", _REWARD, "0.5", "--beta-u")
]
Decay = Annotated[float | None, _option("RATE", "Decay of the moving averages.", _REWARD)]
Judge = Annotated[str | None, _option("LABELER", "The labeler that judges reports.", _REWARD, "rules")]
JudgeWeights = Annotated[Path | None, _option("DIR", "Weights of the judge, if it has some.", _REWARD, False)]
Likelihood = Annotated[
    float | None, _option("W", "Weight of teacher forcing mixed into reinforce.", _REWARD, "0")
]
Temperature = Annotated[
    float | None,
    _option("T", "Draw words at this temperature, and improve the model as it writes there.", _REWARD),
]
ChooseBy = Annotated[
    str | None,
    _option("NAME", "Choose the checkpoint by loss, cider or reward.", _STEPS, "loss; reinforce reward"),
]
EpochSteps = Annotated[int | None, _option("N", "End an epoch after N steps.", _STEPS, "all rows")]
DevMost = Annotated[int | None, _option("N", "Choose by so many images at most.", _STEPS, "all")]
DevShare = Annotated[
    float | None, _option("SHARE", "Images put aside for choosing, by patient.", _STEPS, "0.1")
]


def train_generator_command(
    *,
    recipe: Recipe = "small",
    output: Annotated[
        Path, typer.Option("--output", "--out", "-o", metavar="DIR", help="Folder of the run.")
    ],
    data: Data = None,
    dev_data: DevData = None,
    data_option: images_options.DataOption = None,
    images: Images = None,
    dev_images: Annotated[Path | None, _option("TABLE", "Choose by these images.", _DATA, False)] = None,
    root: images_options.Root = None,
    path_column: images_options.PathColumn = None,
    report_column: ReportColumn = None,
    patient_column: images_options.PatientColumn = None,
    views: images_options.Views = None,
    section: Section = None,
    stage: Stage = None,
    init: Init = None,
    classifier: Classifier = None,
    freeze_encoder: Freeze = None,
    backbone: Annotated[str | None, _option("NAME", "densenet121 or densenet-small.", _MODEL)] = None,
    size: images_options.Size = None,
    fit: images_options.Fit = None,
    normalisation: images_options.Normalisation = None,
    channels: images_options.Channels = None,
    width: Width = None,
    hidden: Hidden = None,
    least_count: LeastCount = None,
    most_sentences: MostSentences = None,
    most_words: MostWords = None,
    most_unknown: MostUnknown = None,
    reward: Reward = None,
    weight: Weight = None,
    beta_u: BetaU = None,
    decay: Decay = None,
    judge: Judge = None,
    judge_weights: JudgeWeights = None,
    likelihood_weight: Likelihood = None,
    temperature: Temperature = None,
    choose_by: ChooseBy = None,
    augment: images_options.Augment = None,
    epochs: images_options.Epochs = None,
    epoch_steps: EpochSteps = None,
    batch_size: Annotated[int | None, _option("N", "Images per step.", _STEPS)] = None,
    parts: images_options.Parts = None,
    lr: images_options.LearningRate = None,
    weight_decay: images_options.WeightDecay = None,
    clip_norm: Annotated[float | None, _option("NORM", "Clip gradients to this norm.", _STEPS, "1")] = None,
    dev_share: DevShare = None,
    dev_most: DevMost = None,
    patience: Annotated[int | None, common.patience("by recipe", _STEPS)] = None,
    precision: images_options.Precision = None,
    device: images_options.Device = "auto",
    threads: images_options.Threads = None,
    workers: images_options.Workers = None,
    cache: images_options.Cache = None,
    seed: common.Seed = 0,
    save_every: common.SaveEvery = None,
    fresh: common.Fresh = False,
) -> None:
    """Train a report generator; the model is DIR/model, for `hilum generate IMAGES --model DIR/model`.

    First `--stage likelihood`, then `--stage reinforce --init DIR/model`. A run that was stopped goes on when the same
    command is run again, and ends as if it had never stopped.
    """
    from hilum.api.train_generator import train_generator
    from hilum.cli._train_view import Meter
    from hilum.cli.train_classifier import _architecture, _values

    with Meter() as meter:
        result = train_generator(
            recipe, output, data=data, dev_data=dev_data, data_options=_values(data_option), images=images,
            dev_images=dev_images, root=root, path_column=path_column, report_column=report_column,
            patient_column=patient_column, views=views, section=section, stage=stage, init=init, classifier=classifier,
            freeze_encoder=freeze_encoder, architecture=_architecture(backbone), size_px=size, fit=fit,
            normalisation=normalisation, channels=channels, width=width, hidden=hidden, least_count=least_count,
            most_sentences=most_sentences, most_words=most_words, most_unknown=most_unknown, reward=reward,
            weight=weight, beta_uncertain=beta_u, decay=decay, judge=judge,
            judge_weights=judge_weights, likelihood_weight=likelihood_weight, temperature=temperature,
            choose_by=choose_by, augmentation=augment, epochs=epochs, epoch_steps=epoch_steps,
            batch_size=batch_size, parts=parts, learning_rate=lr, weight_decay=weight_decay, clip_norm=clip_norm,
            dev_share=dev_share, dev_most=dev_most, patience=patience, precision=precision, device=device,
            threads=threads, workers=workers, cache=cache, seed=seed, save_every=save_every, fresh=fresh,
            progress=meter.update, tell=meter.tell,
        )  # fmt: skip
    show_generator(result)
    if not result.finished:
        raise typer.Exit(130)


def show_generator(result: GeneratorResult) -> None:
    """Dev scores beside those of empty and template reports, examples, and where everything is; or how to go on."""
    from hilum.cli._train_view import show_run
    from hilum.tables._label_rows import counted

    speed = ""
    if result.speed is not None:
        speed = f"; {result.speed.steps_per_second:.2f} steps a second"
        if result.speed.reward_share:
            speed += f", {result.speed.reward_share:.1%} of their time working out rewards"
    notes = (
        [f"{counted(result.left_out, 'image', 'images')} could not be read: {result.folder / 'left_out.csv'}"]
        if result.left_out
        else []
    )
    for name, truth, generated in result.examples[:2]:
        notes.append(f"{name}\n  report: {' '.join(truth.split())}\n  generated: {generated or '(nothing)'}")
    show_run(cast("Any", result), result.tables, rows="images", notes=notes, speed=speed)
