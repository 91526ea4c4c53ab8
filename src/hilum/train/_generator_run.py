"""One run of `train_generator`, from images and reports to the finished folder."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import torch

from hilum.images.transforms import get_augmentation
from hilum.models.generator_spec import GeneratorSpec
from hilum.models.report_generator import Decoding, save_generator
from hilum.tables._label_rows import counted
from hilum.train._classifier_data import workers_of
from hilum.train._folder import MODEL, RunFolder, RunKeeper, begin_run, opened, restore
from hilum.train._generator_results import always_the_same, final_tables, from_json, steps_of, to_json
from hilum.train._generator_rewards import make_rewards, parts_judged, simple_lines
from hilum.train._generator_sides import (
    GeneratorSides,
    Shown,
    ShownMaps,
    ShownPixels,
    look_once,
    make_generator_sides,
)
from hilum.train._generator_start import deciding, first_generator, resolved, spec_of
from hilum.train._generator_watch import Watch
from hilum.train._generator_words import check_known_words, numbered
from hilum.train._machine import accelerator_for, voice_of
from hilum.train.checkpoints import replace_folder
from hilum.train.generating import GeneratingTask, Learner, Taught, handed_out, scale_of, write_greedily
from hilum.train.generator import GeneratorResult
from hilum.train.generator_config import REINFORCE, GeneratorTraining
from hilum.train.generator_data import ReportSet, read_report_sets
from hilum.train.image_cache import one_opencv_thread, remove_decoded
from hilum.train.image_data import Loader
from hilum.train.loop import LoopSettings, Machine, Position, Progress, Stop, Stopped, fit
from hilum.train.moving_average import MovingAverage
from hilum.train.reinforcing import ReinforcingTask, Weights

SPEED_LOG = "speed.jsonl"
_MAPS = ("maps-train.f32", "maps-dev.f32")
Tell = Callable[[str], None]
Task = GeneratingTask | ReinforcingTask


@dataclass(frozen=True, eq=False)
class _Job:
    """What a run works on."""

    config: GeneratorTraining
    learned: ReportSet
    dev: ReportSet | None
    folder: RunFolder
    accelerator: Any
    progress: Callable[[Progress], None]
    tell: Tell
    begun: float

    @property
    def main(self) -> bool:
        return bool(self.accelerator.is_main_process)


class _Keeper(RunKeeper):
    """A RunKeeper whose lines of steps have the measures of the task too."""

    def __init__(self, *given: Any, task: Task) -> None:
        super().__init__(*given)
        self._task = task

    def log(self, position: Position, line: dict[str, Any]) -> None:
        """See `train.loop.Keeper`."""
        if line["kind"] == "step" and isinstance(self._task, ReinforcingTask):
            line = {**line, **self._task.measures}
        super().log(position, line)


def run(
    config: GeneratorTraining,
    learned: ReportSet | None,
    dev: ReportSet | None,
    *,
    progress: Callable[[Progress], None],
    tell: Tell,
    fresh: bool,
) -> GeneratorResult:
    """See `train_generator`."""
    begun = time.monotonic()
    config = resolved(config)
    with accelerator_for(config) as accelerator:
        say = voice_of(accelerator, tell)
        say("reading images and reports")
        if learned is None:
            learned, dev = read_report_sets(config, tell=say)
        folder = RunFolder(
            config.output, deciding(config, learned, dev), also=("left_out.csv", SPEED_LOG, "examples.jsonl")
        )
        with opened(folder, accelerator, fresh=fresh):
            done = folder.result()
            if done is not None:
                say(f"{config.output} is finished; nothing was done")
                return from_json(done, config.output, seconds=time.monotonic() - begun)
            about = {"config": config.to_json(), "seed": config.seed, **folder.job}
            begin_run(folder, about, accelerator=accelerator, threads=config.threads, tell=say)
            return _train(_Job(config, learned, dev, folder, accelerator, progress, say, begun))


def _train(job: _Job) -> GeneratorResult:
    config = job.config
    if config.init is not None:  # said before images are decoded
        known = numbered(job.learned.sentences, spec_of(config, job.learned), what="to learn from")
        check_known_words(known, most=config.most_unknown, where=config.init)
    sides = _sides(job)
    spec = spec_of(config, sides.train)
    machine, learner = _machine(job, spec)
    with ExitStack() as stack:
        stack.enter_context(one_opencv_thread())
        shown = _shown(job, spec, sides, learner, stack)
        task, notes = _task(job, spec, sides, shown)
        for note in notes:
            job.tell(note)
        saved = job.folder.resume()
        position = Position(**saved["position"]) if saved else Position()
        resumed_at = position.total
        if saved:
            restore(machine, saved)
            job.tell(f"going on after step {position.total:,}")
        watch = Watch(job.progress, task, config.output / SPEED_LOG if job.main else None)
        keeper = _Keeper(job.folder, machine, position, watch, task=task)
        stack.callback(keeper.close)
        finished = _go(job, task, machine, position, keeper)
        result = GeneratorResult(
            folder=config.output, model=config.output / MODEL, finished=finished,
            steps=steps_of(task, position.history, len(sides.train), len(sides.dev)), notes=notes, tables=(),
            seconds=time.monotonic() - job.begun, trained_steps=position.total, resumed_at=resumed_at,
            left_out=sides.left_out, speed=watch.speed(),
        )  # fmt: skip
        return _finish(job, task, sides, machine, result) if finished else result


def _sides(job: _Job) -> GeneratorSides:
    """The main process decodes, the others find it done."""
    cache = job.config.cache or job.folder.path / "state"
    number = counted(len(job.learned) + len(job.dev or ()), "image", "images")
    job.tell(f"decoding {number} at {job.config.size_px} px")
    if job.main:
        sides = make_generator_sides(job.config, job.learned, job.dev, cache, tell=job.tell)
    job.accelerator.wait_for_everyone()
    return sides if job.main else make_generator_sides(job.config, job.learned, job.dev, cache, tell=job.tell)


def _machine(job: _Job, spec: GeneratorSpec) -> tuple[Machine, Learner]:
    config, device = job.config, job.accelerator.device
    generator = first_generator(config, spec)
    average = None
    if config.stage == REINFORCE:
        average = MovingAverage(len(parts_judged(config)), decay=config.decay)
    bare = Learner(generator, frozen=config.freeze_encoder, average=average).to(device)
    learned = [parameter for parameter in bare.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(learned, lr=config.learning_rate, weight_decay=config.weight_decay)
    model, prepared = job.accelerator.prepare(bare, optimizer)
    return Machine(job.accelerator, model, bare, prepared), bare


def _shown(
    job: _Job, spec: GeneratorSpec, sides: GeneratorSides, learner: Learner, stack: ExitStack
) -> Shown:
    """Pixels, or with a frozen encoder the maps that it makes of them, which are worked out now."""
    config, accelerator = job.config, job.accelerator
    if not config.freeze_encoder:
        loader = Loader(
            sides.train_rows, get_augmentation(config.augmentation), seed=config.seed,
            workers=workers_of(config),  # type: ignore[arg-type]
            rank=int(accelerator.process_index), world=int(accelerator.num_processes),
            pinned=accelerator.device.type == "cuda",
        )  # fmt: skip
        stack.callback(loader.close)
        return ShownPixels(loader, sides.dev_rows, spec)
    job.tell(f"the encoder looks at {len(sides.train) + len(sides.dev):,} images once")
    encoder = learner.generator.eval().encoder
    assert encoder is not None  # noqa: S101  (this kind sees images)
    rank = int(accelerator.process_index)
    maps = [
        look_once(
            rows, spec, encoder.features, job.folder.state(f"{rank}-{name}"),
            device=accelerator.device, tell=job.tell,
        )
        for name, rows in zip(_MAPS, (sides.train_rows, sides.dev_rows), strict=True)
    ]  # fmt: skip
    for name in _MAPS:
        stack.callback(job.folder.state(f"{rank}-{name}").unlink, missing_ok=True)
    return ShownMaps(*maps)


def _task(
    job: _Job, spec: GeneratorSpec, sides: GeneratorSides, shown: Shown
) -> tuple[Task, tuple[str, ...]]:
    config = job.config
    train = numbered(sides.train.sentences, spec, what="to learn from")
    dev = numbered(sides.dev.sentences, spec, what="to choose by")
    notes = (*sides.notes, f"the vocabulary has {len(spec.words):,} words", train.note, dev.note)
    rewards = make_rewards(config, sides.train.texts)
    dev_judges = rewards.judges(sides.dev.texts)
    notes = (*notes, *simple_lines(dev_judges, sides.train.texts, len(sides.dev)))
    taught = Taught(shown, train, dev, dev_judges, scale_of(train))
    own: dict[str, Any] = {
        "name": config.stage, "taught": taught, "batch_size": config.batch_size, "seed": config.seed,
        "chosen_by": config.chosen_by, "epoch_steps": config.epoch_steps,
    }  # fmt: skip
    if config.stage != REINFORCE:
        return GeneratingTask(**own, first_score=config.init is not None), notes
    job.tell("labeling the reports to learn from")
    task = ReinforcingTask(
        **own,
        judges=rewards.judges(sides.train.texts),
        weights=_weights(config),
        decoding=Decoding(way="sample", temperature=config.temperature),
    )
    return task, notes


def _weights(config: GeneratorTraining) -> Weights:
    each = {"overlap": (1.0, 0.0), "findings": (0.0, 1.0), "mix": (1.0, config.weight)}[config.reward]
    return Weights(*each, likelihood=config.likelihood_weight)


def _go(job: _Job, task: Task, machine: Machine, position: Position, keeper: RunKeeper) -> bool:
    """Go through the task; whether the end was reached, with the best weights in the model."""
    config, stop = job.config, Stop()
    settings = LoopSettings(
        epochs=config.epochs, parts=config.parts, learning_rate=config.learning_rate, schedule=config.schedule,
        warmup=config.warmup, clip_norm=config.clip_norm, patience=config.patience, seed=config.seed,
        save_every=config.save_every,
    )  # fmt: skip
    try:
        with stop.listening():
            fit(task, machine, settings, position, keeper=keeper, stop=stop)
            keeper.load_best(0)
    except Stopped:
        return False
    return True


def _finish(
    job: _Job, task: Task, sides: GeneratorSides, machine: Machine, result: GeneratorResult
) -> GeneratorResult:
    """Write reports of the dev set with the model that is kept, score them, and write the model."""
    machine.bare.eval()
    written = write_greedily(machine.bare, task.taught, job.accelerator.device)
    tables, examples = final_tables(job.config, task, sides, written)
    alike = always_the_same(handed_out(written))
    if alike:
        line = f"{alike}. Next step: see whether that stays so with more --epochs, or another --lr"
        job.tell(line)
        result = replace(result, notes=(*result.notes, line))
    result = replace(result, tables=tables, examples=examples, seconds=time.monotonic() - job.begun)
    if job.main:
        model = machine.bare.generator
        replace_folder(result.model, lambda path: save_generator(path, model))
        job.folder.finish(to_json(result))
        remove_decoded(job.folder.path / "state")
    job.accelerator.wait_for_everyone()
    return result
