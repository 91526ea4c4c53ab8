"""One run of `train_classifier`, from images to the finished folder."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import safetensors.torch
import torch

from hilum.core.vocabulary import State
from hilum.images.transforms import get_augmentation
from hilum.models.classifier import save_classifier
from hilum.models.classifier_spec import ClassifierSpec, log_odds, probabilities
from hilum.tables._label_rows import counted
from hilum.train._classifier_data import LEFT_OUT_FILE, Sides, make_sides, shown, workers_of
from hilum.train._classifier_results import (
    DEV_FILE,
    calibrated_spec,
    from_json,
    steps_of,
    tables_of,
    temperatures_of,
    to_json,
    write_dev,
)
from hilum.train._classifier_start import deciding, machine_of, settings_of, spec_of
from hilum.train._folder import MODEL, RunFolder, RunKeeper, begin_run, opened, restore
from hilum.train._machine import accelerator_for, voice_of
from hilum.train.checkpoints import load_weights, replace_folder, write_whole
from hilum.train.classifier import ClassifierResult, DevScores, Speed
from hilum.train.classifier_config import ClassifierTraining
from hilum.train.classifier_losses import class_weights, relabeled
from hilum.train.classifying import ClassifyingTask, predict_logits
from hilum.train.image_cache import one_opencv_thread, remove_decoded
from hilum.train.image_data import Loader
from hilum.train.image_reading import read_image_sets
from hilum.train.image_set import ImageSet
from hilum.train.loop import Machine, Position, Progress, Stop, Stopped, fit

LABELS, SELF_TRAINING = "labels", "self-training"
PAGE, SPEED_LOG = "page", "speed.jsonl"
_RELABELED = "self-training.safetensors"
Tell = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class _Job:
    """What a run works on."""

    config: ClassifierTraining
    spec: ClassifierSpec
    images: ImageSet
    dev: ImageSet | None
    folder: RunFolder
    accelerator: Any
    progress: Callable[[Progress], None]
    tell: Tell
    begun: float

    @property
    def main(self) -> bool:
        return bool(self.accelerator.is_main_process)


def run(
    config: ClassifierTraining,
    images: ImageSet | None,
    dev: ImageSet | None,
    *,
    progress: Callable[[Progress], None],
    tell: Tell,
    fresh: bool,
) -> ClassifierResult:
    """See `train_classifier`."""
    begun = time.monotonic()
    with accelerator_for(config) as accelerator:
        say = voice_of(accelerator, tell)
        say("reading tables of images and labels")
        if images is None:
            images, dev = read_image_sets(config, tell=say)
        spec = spec_of(config, images)
        images = images.select(spec.findings)
        dev = None if dev is None else dev.select(spec.findings)
        folder = RunFolder(
            config.output, deciding(config, images, dev), also=(DEV_FILE, LEFT_OUT_FILE, SPEED_LOG, PAGE)
        )
        with opened(folder, accelerator, fresh=fresh):
            done = folder.result()
            if done is not None:
                say(f"{config.output} is finished; nothing was done")
                return from_json(done, config.output, seconds=time.monotonic() - begun)
            about = {"config": config.to_json(), "seed": config.seed, **folder.job, "spec": spec.to_json()}
            begin_run(folder, about, accelerator=accelerator, threads=config.threads, tell=say)
            return _train(_Job(config, spec, images, dev, folder, accelerator, progress, say, begun))


def _train(job: _Job) -> ClassifierResult:
    config, accelerator = job.config, job.accelerator
    sides = _sides(job)
    for note in sides.notes:
        job.tell(note)
    machine = machine_of(config, job.spec, accelerator)
    first = copy.deepcopy(machine.bare.state_dict()) if config.uncertain == SELF_TRAINING else {}
    untouched = {**copy.deepcopy(machine.optimizer.state_dict()), "state": {}}
    saved = job.folder.resume()
    position = Position(**saved["position"]) if saved else Position()
    resumed_at = position.total
    if saved:
        restore(machine, saved)
        job.tell(f"going on after step {position.total:,}")
    with ExitStack() as stack:
        stack.enter_context(one_opencv_thread())
        loader = Loader(
            sides.train_rows, get_augmentation(config.augmentation), seed=config.seed, workers=workers_of(config),
            rank=int(accelerator.process_index), world=int(accelerator.num_processes),
            pinned=accelerator.device.type == "cuda",
        )  # fmt: skip
        stack.callback(loader.close)
        keeper = RunKeeper(job.folder, machine, position, _with_speed(job, loader))
        stack.callback(keeper.close)
        tasks = _tasks(job, sides, loader)
        finished = _go(
            job, tasks, machine, position, keeper, states_NF=sides.train.states_NF, first=first,
            untouched=untouched,
        )  # fmt: skip
    result = ClassifierResult(
        folder=config.output, model=config.output / MODEL, finished=finished,
        steps=steps_of(tasks, [*position.past, position.history]), notes=sides.notes, tables=(),
        seconds=time.monotonic() - job.begun, trained_steps=position.total, resumed_at=resumed_at,
        left_out=sides.left_out, speed=_speed(job, loader),
    )  # fmt: skip
    return _finish(job, tasks[-1], sides, machine, result) if finished else result


def _sides(job: _Job) -> Sides:
    """The main process decodes, the others find it done."""
    cache = job.config.cache or job.folder.path / "state"
    number = counted(len(job.images) + len(job.dev or ()), "image", "images")
    job.tell(f"decoding {number} at {job.config.size_px} px")
    if job.main:
        sides = make_sides(job.config, job.images, job.dev, cache, tell=job.tell)
    job.accelerator.wait_for_everyone()
    return sides if job.main else make_sides(job.config, job.images, job.dev, cache, tell=job.tell)


def _tasks(job: _Job, sides: Sides, loader: Loader) -> list[ClassifyingTask]:
    config = job.config
    train, dev = shown(sides.train, sides.train_rows, config), shown(sides.dev, sides.dev_rows, config)
    weights_FK = class_weights(train.targets_NF, classes=job.spec.classes, how=config.class_weights)
    names = [LABELS, SELF_TRAINING] if config.uncertain == SELF_TRAINING else [LABELS]
    return [
        ClassifyingTask(
            name, job.spec, train, dev, loader, batch_size=config.batch_size, seed=config.seed, weights_FK=weights_FK,
            first_score=config.checkpoint is not None and name == LABELS,
        )
        for name in names
    ]  # fmt: skip


def _go(
    job: _Job,
    tasks: list[ClassifyingTask],
    machine: Machine,
    position: Position,
    keeper: RunKeeper,
    *,
    states_NF: npt.NDArray[np.int8],
    first: Mapping[str, Any],
    untouched: Mapping[str, Any],
) -> bool:
    """Go through the tasks; whether the end was reached. The second learns what the first said of uncertain labels."""
    stop = Stop()
    try:
        with stop.listening():
            for place in range(len(tasks)):
                if place > 0:
                    tasks[place] = _relabel(job, tasks[place], states_NF, machine)
                if place < position.task:
                    continue
                if place > position.task:
                    machine.bare.load_state_dict(first)
                    if machine.average is not None:
                        machine.average.load_state_dict(first)
                    machine.optimizer.load_state_dict(untouched)
                    position.next_task()
                job.tell(
                    f"learning from {counted(len(tasks[place].train), 'image', 'images')} of {tasks[place].name}"
                )
                fit(tasks[place], machine, settings_of(job.config), position, keeper=keeper, stop=stop)
            keeper.load_best(len(tasks) - 1)
    except Stopped:
        return False
    return True


def _relabel(
    job: _Job, task: ClassifyingTask, states_NF: npt.NDArray[np.int8], machine: Machine
) -> ClassifyingTask:
    """The task with the best first model's probabilities in the place of uncertain labels; they are kept in a file."""
    path = job.folder.state(_RELABELED)
    if job.main and not path.exists():
        before = copy.deepcopy(machine.bare.state_dict())
        load_weights(job.folder.best(0), machine.bare)
        machine.bare.eval()
        logits_NC = predict_logits(machine.bare, task.train.rows, task.spec, job.accelerator.device)
        machine.bare.load_state_dict(before)
        values = torch.from_numpy(probabilities(logits_NC, task.spec, calibrated=False).astype(np.float32))
        content = safetensors.torch.save({"probabilities": values})
        write_whole(path, lambda file: file.write(content))
    job.accelerator.wait_for_everyone()
    values_NF = safetensors.torch.load_file(path)["probabilities"].numpy()
    replaced = int((states_NF == State.UNCERTAIN).sum())
    job.tell(f"{replaced:,} uncertain labels are replaced by probabilities of the first model")
    targets_NF = relabeled(task.train.targets_NF, states_NF, values_NF)
    return replace(task, train=replace(task.train, targets_NF=targets_NF))


def _with_speed(job: _Job, loader: Loader) -> Callable[[Progress], None]:
    """`job.progress`, which also tells and notes, after each epoch, how fast it is and how long steps waited."""

    def look(progress: Progress) -> None:
        job.progress(progress)
        speed = _speed(job, loader) if progress.scored else None
        if speed is None:
            return
        job.tell(
            f"{speed.images_per_second:,.1f} images a second learned; {speed.waiting_share:.1%} of the steps' time was "
            "spent waiting for images"
        )
        if job.main:
            line = {"task": progress.task, "epoch": progress.epoch, **asdict(speed)}
            with (job.folder.path / SPEED_LOG).open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")

    return look


def _speed(job: _Job, loader: Loader) -> Speed | None:
    clock = loader.clock
    if clock.share is None or clock.images_per_second is None:
        return None
    return Speed(clock.images_per_second * int(job.accelerator.num_processes), clock.share)


def _finish(
    job: _Job, task: ClassifyingTask, sides: Sides, machine: Machine, result: ClassifierResult
) -> ClassifierResult:
    """Score the model that is kept, fit its temperatures, and write it."""
    config = job.config
    model = job.accelerator.unwrap_model(machine.model, keep_fp32_wrapper=False).eval()
    logits_NC = predict_logits(model, task.dev.rows, task.spec, job.accelerator.device)
    odds_NF = log_odds(logits_NC, task.spec)
    dev = DevScores(
        task.spec.findings, sides.dev.ids, sides.dev.patients, task.dev.truth_NF, odds_NF,
        temperatures_of(task.dev.truth_NF, odds_NF),
    )  # fmt: skip
    job.tell(f"working out intervals from {config.replicates:,} bootstrap replicates")
    result = replace(
        result,
        dev=dev,
        tables=tables_of(dev, seed=config.seed, replicates=config.replicates),
        seconds=time.monotonic() - job.begun,
    )
    if job.main:
        model.spec = calibrated_spec(task.spec, dev)
        replace_folder(result.model, lambda path: save_classifier(path, model))
        write_dev(config.output / DEV_FILE, dev)
        job.folder.finish(to_json(result))
        remove_decoded(job.folder.path / "state")
    job.accelerator.wait_for_everyone()
    return result
