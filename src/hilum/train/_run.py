"""One run of `train_labeler`, from files to the finished folder."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import torch

from hilum.core.errors import InputError
from hilum.models.encoder_spec import EncoderSpec
from hilum.models.report_encoder import save_encoder
from hilum.train._folder import MODEL, RunFolder, RunKeeper, begin_run, opened, restore
from hilum.train._machine import accelerator_for, versions, voice_of
from hilum.train._results import from_json, steps_of, table_of, to_json
from hilum.train._start import Start, spec_of, start
from hilum.train.augmentation import augmented
from hilum.train.batches import encode_texts
from hilum.train.checkpoints import replace_folder
from hilum.train.config import LabelerTraining
from hilum.train.data import EXPERTS, TrainingRows, data_digests, read_rows
from hilum.train.labeler import TrainingResult
from hilum.train.labeling import Encoded, LabelingTask, has_scored_states
from hilum.train.loop import LoopSettings, Machine, Position, Progress, Stop, Stopped, fit
from hilum.train.split import split_rows


class _Sides(NamedTuple):
    train: TrainingRows
    dev: TrainingRows


class _Prepared(NamedTuple):
    tasks: list[LabelingTask]
    start: Start
    notes: tuple[str, ...]


def run(
    config: LabelerTraining,
    *,
    progress: Callable[[Progress], None],
    tell: Callable[[str], None],
    fresh: bool,
) -> TrainingResult:
    """See `train_labeler`."""
    begun = time.monotonic()
    with accelerator_for(config) as accelerator:
        spec = spec_of(config)
        job = {"training": config.deciding(), "data": data_digests(config), "versions": versions()}
        folder = RunFolder(config.output, job)
        say = voice_of(accelerator, tell)
        with opened(folder, accelerator, fresh=fresh):
            done = folder.result()
            if done is not None:
                say(f"{config.output} is finished; nothing was done")
                return from_json(done, config.output, seconds=time.monotonic() - begun)
            about = {
                "config": config.to_json(),
                "seed": config.seed,
                "data": job["data"],
                "versions": job["versions"],
                "spec": spec.to_json(),
            }
            begin_run(folder, about, accelerator=accelerator, threads=config.threads, tell=say)
            return _train(config, spec, folder, accelerator, progress=progress, tell=say, begun=begun)


def _train(
    config: LabelerTraining,
    spec: EncoderSpec,
    folder: RunFolder,
    accelerator: Any,
    *,
    progress: Callable[[Progress], None],
    tell: Callable[[str], None],
    begun: float,
) -> TrainingResult:
    prepared = _prepare(config, spec, folder, accelerator, tell=tell)
    machine = _machine(config, prepared.start, accelerator)
    untouched = {**machine.optimizer.state_dict(), "state": {}}
    saved = folder.resume()
    position = Position(**saved["position"]) if saved else Position()
    result = TrainingResult(
        folder=config.output, model=config.output / MODEL, finished=False, steps=(), notes=prepared.notes,
        table=None, seconds=0.0, trained_steps=0, resumed_at=position.total,
    )  # fmt: skip
    if saved:
        restore(machine, saved)
        tell(f"going on after step {position.total:,}")
    keeper = RunKeeper(folder, machine, position, progress)
    tasks = prepared.tasks
    stop = Stop()
    try:
        with stop.listening():
            for place in range(position.task, len(tasks)):
                if place > position.task:
                    keeper.load_best(place - 1)
                    machine.optimizer.load_state_dict(untouched)
                    position.next_task()
                tell(f"learning from {len(tasks[place].train):,} rows of {tasks[place].name}")
                fit(
                    tasks[place], machine, _settings(config, tasks[place].name), position,
                    keeper=keeper, stop=stop,
                )  # fmt: skip
            keeper.load_best(len(tasks) - 1)
            result = replace(result, finished=True)
    except Stopped:
        pass
    finally:
        keeper.close()
    histories = [*position.past, position.history]
    result = replace(
        result,
        steps=steps_of(tasks, histories),
        trained_steps=position.total,
        seconds=time.monotonic() - begun,
        table=table_of(tasks[-1], histories[-1]) if result.finished else None,
    )
    if result.finished and accelerator.is_main_process:
        model, tokenizer = machine.bare.eval(), prepared.start.tokenizer
        replace_folder(result.model, lambda path: save_encoder(path, model, tokenizer))
        folder.finish(to_json(result))
    accelerator.wait_for_everyone()
    return result


def _machine(config: LabelerTraining, begin: Start, accelerator: Any) -> Machine:
    bare = begin.model.to(accelerator.device)
    learned = [parameter for parameter in bare.parameters() if parameter.requires_grad]
    optimizer = torch.optim.Adam(learned, lr=config.learning_rate, weight_decay=config.weight_decay)
    model, prepared = accelerator.prepare(bare, optimizer)
    return Machine(accelerator, model, bare, prepared)


def _settings(config: LabelerTraining, task: str) -> LoopSettings:
    return LoopSettings(
        epochs=config.expert_epochs if task == EXPERTS else config.epochs,
        parts=config.parts,
        learning_rate=(config.expert_learning_rate if task == EXPERTS else None) or config.learning_rate,
        schedule=config.schedule,
        warmup=config.warmup,
        clip_norm=config.clip_norm,
        patience=config.patience,
        seed=config.seed,
        save_every=config.save_every,
    )


def _prepare(
    config: LabelerTraining,
    spec: EncoderSpec,
    folder: RunFolder,
    accelerator: Any,
    *,
    tell: Callable[[str], None],
) -> _Prepared:
    """Rows, sides, paraphrases, tokenizer, first weights and token ids."""
    tell("reading reports and labels")
    steps = read_rows(config, spec)
    sides = _split(steps, config)
    main = bool(accelerator.is_main_process)
    begin = start(
        config,
        spec,
        sides[0].train.texts,
        folder=folder.state("tokenizer"),
        tell=tell,
        main=main,
        wait=accelerator.wait_for_everyone,
    )
    notes = [f"{step.name}: {note}" for step in steps for note in step.notes]
    if config.paraphrase is not None:
        dev_texts = [text for side in sides for text in side.dev.texts]
        train, told = augmented(
            sides[-1].train, config, forbidden=dev_texts, folder=folder, main=main, tell=tell
        )
        sides[-1] = sides[-1]._replace(train=train)
        notes += [f"{steps[-1].name}: {note}" for note in told]
    tasks = []
    tell("turning texts into tokens")
    for place, side in enumerate(sides):
        learned, cut = _encoded(side.train, begin, spec)
        scored, cut_dev = _encoded(side.dev, begin, spec)
        if cut + cut_dev:
            notes.append(
                f"{side.train.name}: {cut + cut_dev:,} texts have more than {spec.max_tokens} tokens and were cut"
            )
        tasks.append(
            LabelingTask(
                side.train.name,
                spec,
                learned,
                scored,
                pad=int(begin.tokenizer.pad_token_id),
                batch_size=config.batch_size,
                bucketed=config.bucketed,
                seed=config.seed,
                first_score=place > 0 or config.checkpoint is not None,
            )
        )
    for note in notes:
        tell(note)
    return _Prepared(tasks, begin, tuple(notes))


def _split(steps: Sequence[TrainingRows], config: LabelerTraining) -> list[_Sides]:
    groups = None if config.group is None else [step.groups or () for step in steps]
    splits = split_rows(
        [step.texts for step in steps], share=config.dev_share, seed=config.seed, groups=groups
    )
    sides = [
        _Sides(step.take(split.train), step.take(split.dev))
        for step, split in zip(steps, splits, strict=True)
    ]
    for side in sides:
        if side.dev.states_NF is not None and not has_scored_states(side.dev.states_NF):
            raise InputError(
                f"{side.dev.name}: the {len(side.dev)} rows put aside for choosing the checkpoint have no label but "
                "blank, so no score is defined. Next step: more labeled reports, or another --dev-share or --seed."
            )
    return sides


def _encoded(rows: TrainingRows, begin: Start, spec: EncoderSpec) -> tuple[Encoded, int]:
    ids, cut = encode_texts(begin.tokenizer, rows.texts, max_tokens=spec.max_tokens)
    return Encoded(ids, rows.targets_NF, rows.states_NF), cut
