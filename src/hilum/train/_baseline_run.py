"""One run of `train_baseline`: what a run of a generator is, with another spec and another task."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from hilum.models.generator_spec import NOISE_RNN, TIENET, GeneratorSpec
from hilum.train._folder import MODEL, RunFolder, begin_run, opened, restore
from hilum.train._generator_results import from_json, steps_of
from hilum.train._generator_rewards import make_rewards, simple_lines
from hilum.train._generator_run import SPEED_LOG, _finish, _go, _Job, _Keeper, _machine, _shown, _sides
from hilum.train._generator_sides import GeneratorSides, Shown
from hilum.train._generator_start import deciding, resolved, spec_of
from hilum.train._generator_watch import Watch
from hilum.train._generator_words import numbered
from hilum.train._machine import accelerator_for, voice_of
from hilum.train.baselines import Classes
from hilum.train.generating import GeneratingTask, Taught, scale_of
from hilum.train.generator import GeneratorResult
from hilum.train.generator_config import GeneratorTraining
from hilum.train.generator_data import ReportSet
from hilum.train.image_cache import one_opencv_thread
from hilum.train.loop import Position, Progress
from hilum.train.noise_rnn import NoiseTask, ShownNothing, noise_seed
from hilum.train.tienet import FindingTargets, TieNetTask


def run(
    kind: str,
    config: GeneratorTraining,
    learned: ReportSet,
    dev: ReportSet,
    classes: Classes,
    *,
    progress: Callable[[Progress], None],
    tell: Callable[[str], None],
    fresh: bool,
) -> GeneratorResult:
    """See `train.baselines.train_baseline`."""
    begun = time.monotonic()
    config = resolved(config)
    with accelerator_for(config) as accelerator:
        say = voice_of(accelerator, tell)
        job = {**deciding(config, learned, dev), "kind": kind, "classes": _digest(classes)}
        folder = RunFolder(config.output, job, also=("left_out.csv", SPEED_LOG, "examples.jsonl"))
        with opened(folder, accelerator, fresh=fresh):
            done = folder.result()
            if done is not None:
                say(f"{config.output} is finished; nothing was done")
                return from_json(done, config.output, seconds=time.monotonic() - begun)
            about = {"config": config.to_json(), "seed": config.seed, **folder.job}
            begin_run(folder, about, accelerator=accelerator, threads=config.threads, tell=say)
            return _train(
                kind, _Job(config, learned, dev, folder, accelerator, progress, say, begun), classes
            )


def _digest(classes: Classes) -> str:
    rows = [f"{name} {list(map(int, row))}" for name, row in sorted(classes.of_images.items())]
    return hashlib.sha256("\0".join([*classes.findings, str(classes.weight), *rows]).encode()).hexdigest()


def _spec(kind: str, config: GeneratorTraining, learned: ReportSet, classes: Classes) -> GeneratorSpec:
    return replace(spec_of(config, learned), kind=kind, findings=classes.findings if kind == TIENET else ())


def _train(kind: str, job: _Job, classes: Classes) -> GeneratorResult:
    config, sides = job.config, _sides(job)
    spec = _spec(kind, config, sides.train, classes)
    machine, learner = _machine(job, spec)
    with ExitStack() as stack:
        stack.enter_context(one_opencv_thread())
        shown = ShownNothing() if kind == NOISE_RNN else _shown(job, spec, sides, learner, stack)
        task, notes = _task(job, spec, sides, shown, classes)
        for note in notes:
            job.tell(note)
        saved = job.folder.resume()
        position = Position(**saved["position"]) if saved else Position()
        resumed_at = position.total
        if saved:
            restore(machine, saved)
            job.tell(f"going on after step {position.total:,}")
        watch = Watch(job.progress, task, None)
        keeper = _Keeper(job.folder, machine, position, watch, task=task)
        stack.callback(keeper.close)
        finished = _go(job, task, machine, position, keeper)
        result = GeneratorResult(
            folder=config.output, model=config.output / MODEL, finished=finished,
            steps=steps_of(task, position.history, len(sides.train), len(sides.dev)), notes=notes, tables=(),
            seconds=time.monotonic() - job.begun, trained_steps=position.total, resumed_at=resumed_at,
            left_out=sides.left_out, speed=watch.speed(),
        )  # fmt: skip
        if not finished:
            return result
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(noise_seed(config.seed, "reports"))
            return _finish(job, task, sides, machine, result)


def _task(
    job: _Job, spec: GeneratorSpec, sides: GeneratorSides, shown: Shown, classes: Classes
) -> tuple[GeneratingTask, tuple[str, ...]]:
    config = job.config
    train = numbered(sides.train.sentences, spec, what="to learn from")
    dev = numbered(sides.dev.sentences, spec, what="to choose by")
    judges = make_rewards(config, sides.train.texts).judges(sides.dev.texts)
    notes = (*sides.notes, f"the vocabulary has {len(spec.words):,} words", train.note, dev.note)
    notes = (*notes, *simple_lines(judges, sides.train.texts, len(sides.dev)))
    own: dict[str, Any] = {
        "name": spec.kind, "taught": Taught(shown, train, dev, judges, scale_of(train)), "seed": config.seed,
        "batch_size": config.batch_size, "chosen_by": config.chosen_by, "epoch_steps": config.epoch_steps,
    }  # fmt: skip
    if spec.kind == NOISE_RNN:
        return NoiseTask(**own), notes
    train_NF, dev_NF = (
        np.array([classes.of_images[one] for one in side.ids], dtype=np.int8)
        for side in (sides.train, sides.dev)
    )
    return TieNetTask(**own, targets=FindingTargets(train_NF, dev_NF, classes.weight)), notes
