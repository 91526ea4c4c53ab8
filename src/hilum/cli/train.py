"""`hilum train labeler`: reports and labels to a neural report labeler."""

from __future__ import annotations

import typer

from hilum.cli import _run_options as common
from hilum.cli import _table_options as tables
from hilum.cli import _train_options as options


def train_labeler_command(
    *,
    recipe: options.Recipe,
    reports: options.Reports,
    labels: options.Labels = None,
    expert_labels: options.ExpertLabels = None,
    expert_reports: options.ExpertReports = None,
    soft_labels: options.SoftLabels = None,
    init: options.Init = None,
    checkpoint: options.Checkpoint = None,
    output: common.Output,
    vocabulary: options.Vocabulary = None,
    findings: options.Findings = None,
    heads: options.Heads = None,
    policy: options.Policy = None,
    section: options.Section = None,
    column: tables.ReportColumn = None,
    key: options.Key = None,
    group: options.Group = None,
    epochs: options.Epochs = None,
    expert_epochs: options.ExpertEpochs = None,
    batch_size: options.BatchSize = None,
    parts: options.Parts = None,
    lr: options.LearningRate = None,
    expert_lr: options.ExpertLearningRate = None,
    clip_norm: options.ClipNorm = None,
    bucketed: options.Bucketed = None,
    max_tokens: options.MaxTokens = None,
    dev_share: options.DevShare = None,
    patience: options.Patience = None,
    paraphrase: options.Paraphrase = None,
    precision: options.Precision = None,
    device: options.Device = "auto",
    threads: options.Threads = None,
    seed: common.Seed = 0,
    save_every: common.SaveEvery = None,
    fresh: common.Fresh = False,
) -> None:
    """Train a neural report labeler; the model is DIR/model, for `hilum label --labeler RECIPE --weights DIR/model`.

    A run that was stopped goes on when the same command is run again, and ends as if it had never stopped. The
    same command runs on several devices under `accelerate launch`.
    """
    from hilum.api.train import train_labeler
    from hilum.cli._options import list_of
    from hilum.cli._train_view import Meter, show_result

    with Meter() as meter:
        result = train_labeler(
            recipe, output, reports=reports, labels=labels, expert_labels=expert_labels, expert_reports=expert_reports,
            soft_labels=soft_labels, pretrained=init, checkpoint=checkpoint, vocabulary=vocabulary, heads=heads,
            findings=list_of(findings), policy=policy, section=section, column=column, key=key, group=group, seed=seed,
            epochs=epochs, expert_epochs=expert_epochs, batch_size=batch_size, parts=parts, learning_rate=lr,
            expert_learning_rate=expert_lr, clip_norm=clip_norm, bucketed=bucketed, max_tokens=max_tokens, fresh=fresh,
            dev_share=dev_share, patience=patience, paraphrase=paraphrase, precision=precision, device=device,
            threads=threads, save_every=save_every, progress=meter.update, tell=meter.tell,
        )  # fmt: skip
    show_result(result)
    if not result.finished:
        raise typer.Exit(130)
