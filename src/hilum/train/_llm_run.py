"""One run of `train_llm`, from files to the finished folder."""

from __future__ import annotations

import contextlib
import pickle
import shutil
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import accelerate
import numpy as np
import peft
import torch
import trl
from accelerate.state import AcceleratorState, PartialState

import datasets
from hilum.core.errors import InputError, ResumeError
from hilum.core.rng import rng_for
from hilum.labelers._llm_card import LlmCard, save_card
from hilum.labelers._prompt import Prompt, load_prompt
from hilum.tables._label_rows import counted
from hilum.train._folder import MODEL, RunFolder, begin_run, opened
from hilum.train._llm_dev import DevSide
from hilum.train._llm_follow import Follower
from hilum.train._llm_start import Start, quiet_libraries, start
from hilum.train._llm_trainer import TRL, Collator, LlmTrainer, RowOrder, checkpoints_in, dataset_of, sealed
from hilum.train._machine import _repeatable, versions, voice_of
from hilum.train.checkpoints import LOG, RunLog, load_weights, replace_folder
from hilum.train.data import digest
from hilum.train.llm import LlmResult, plan_of, sides_of
from hilum.train.llm_config import LlmProgress, LlmTraining
from hilum.train.llm_data import InstructionRows, TokenRow, encode_rows, read_instructions
from hilum.train.loop import Stop

CHECKPOINTS = "checkpoints"
BEST = "best.safetensors"

_PEFT: Any = peft


class _Prepared(NamedTuple):
    begin: Start
    train: list[TokenRow]
    dev: DevSide
    prompt: Prompt
    card: LlmCard
    notes: tuple[str, ...]


def run(
    config: LlmTraining,
    *,
    progress: Callable[[LlmProgress], None],
    tell: Callable[[str], None],
    fresh: bool,
) -> LlmResult:
    """See `train_llm`."""
    begun = time.monotonic()
    with _machine(config) as state, quiet_libraries():
        job = _job(config, processes=int(state.num_processes))
        folder = RunFolder(config.output, job, also=(CHECKPOINTS,))
        say = voice_of(state, tell)
        with opened(folder, state, fresh=fresh):
            done = folder.result()
            if done is not None:
                say(f"{config.output} is finished; nothing was done")
                return LlmResult.from_json(done, config.output)
            about = {name: job[name] for name in ("data", "versions", "prompt")}
            about |= {"config": config.to_json(), "seed": config.seed}
            begin_run(folder, about, accelerator=state, threads=config.threads, tell=say)
            prepared = _prepare(config, folder, state, tell=say)
            return _train(config, prepared, folder, state, progress=progress, tell=say, begun=begun)


@contextlib.contextmanager
def _machine(config: LlmTraining) -> Iterator[Any]:
    """The processes and device of a run, also under `accelerate launch`; arithmetic that repeats."""
    if config.device == "cuda" and not torch.cuda.is_available():
        raise InputError("There is no GPU that torch can use. Next step: --device cpu, or leave it out.")
    if config.precision == "fp16" and (config.device == "cpu" or not torch.cuda.is_available()):
        raise InputError("fp16 needs a GPU. Next step: --precision bf16 or no.")
    ours = not PartialState._shared_state
    state: Any = PartialState(cpu=config.device == "cpu" or not torch.cuda.is_available())
    try:
        with _repeatable(state.device.type), warnings.catch_warnings():
            for name in (
                "gradient_checkpointing",
                "is_gradient_checkpointing",
            ):  # TRL and PEFT call it by that name
                warnings.filterwarnings("ignore", f"`{name}` is deprecated", FutureWarning)
            yield state
    finally:
        if ours:
            AcceleratorState._reset_state(reset_partial_state=True)


def _job(config: LlmTraining, *, processes: int) -> dict[str, Any]:
    """All that decides the weights, as plain JSON values."""
    paths = {"reports": config.reports, "labels": config.labels, "model": config.model}
    if config.vocabulary.endswith(".toml"):
        paths["vocabulary"] = Path(config.vocabulary)
    found = {name: Path(path) for name, path in paths.items() if path is not None and Path(path).exists()}
    own = {one.__name__: one.__version__ for one in (trl, peft, datasets, accelerate)}
    return {
        "training": config.deciding(),
        "data": {name: digest(path) for name, path in found.items()},
        "prompt": load_prompt(config.prompt).digest,
        "processes": processes,
        "versions": {**versions(), **own},
    }


def _prepare(config: LlmTraining, folder: RunFolder, state: Any, *, tell: Callable[[str], None]) -> _Prepared:
    """Rows, sides, tokenizer, first weights and token ids."""
    tell("reading reports and labels")
    prompt = load_prompt(config.prompt)
    rows = read_instructions(config)
    train, dev = sides_of(rows, config)
    begin = start(
        config, train, prompt, folder=folder.state("tokenizer"), tell=tell, main=bool(state.is_main_process),
        wait=state.wait_for_everyone,
    )  # fmt: skip
    most = min((n for n in (config.max_tokens, begin.context) if n is not None), default=None)
    tell("turning conversations into tokens")
    learned = encode_rows(train, prompt, begin.tokenizer, seed=config.seed, max_tokens=most)
    scored = encode_rows(dev, prompt, begin.tokenizer, seed=config.seed, max_tokens=most)
    if not learned.rows:
        raise InputError(
            f"All {len(train):,} reports have more than {most:,} tokens with prompt and answer. Next step: a higher "
            "--max-tokens, --prompt brief, or a model with a longer context."
        )
    notes = list(rows.notes)
    too_long = learned.too_long + scored.too_long
    if too_long:
        notes.append(
            f"{counted(too_long, 'report has', 'reports have')} more than {most:,} tokens with prompt and answer and "
            f"{'was' if too_long == 1 else 'were'} left out"
        )
    for note in notes:
        tell(note)
    drawn = np.sort(rng_for(config.seed, "dev rows").permutation(len(scored.rows))[: config.dev_rows])
    side = _dev_side(dev.take([scored.places[i] for i in drawn]), [scored.rows[i] for i in drawn], prompt)
    card = LlmCard(prompt, rows.vocabulary, config.section)
    return _Prepared(begin, learned.rows, side, prompt, card, tuple(notes))


def _dev_side(rows: InstructionRows, tokens: list[TokenRow], prompt: Prompt) -> DevSide:
    return DevSide(tokens, [prompt.question(text, rows.vocabulary) for text in rows.texts], rows.states_NF)


def _train(
    config: LlmTraining,
    prepared: _Prepared,
    folder: RunFolder,
    state: Any,
    *,
    progress: Callable[[LlmProgress], None],
    tell: Callable[[str], None],
    begun: float,
) -> LlmResult:
    begin, stop = prepared.begin, Stop()
    checkpoint, log_size = _last_checkpoint(config.output / CHECKPOINTS)
    plan = plan_of(config, rows=len(prepared.train), processes=int(state.num_processes))
    trainer = _trainer(config, prepared, state, steps=plan.steps)
    log = RunLog(config.output / LOG, keep=log_size) if state.is_main_process else None
    for line in plan.lines(sum(one.numel() for one in begin.model.parameters())):
        tell(line)
    follower = Follower(
        config, prepared.dev, begin.tokenizer, trainer=trainer, stop=stop, log=log, tell=tell,
        folder=folder, progress=progress,
    )  # fmt: skip
    trainer.add_callback(follower)
    resumed = 0
    if checkpoint is not None:
        resumed = int(checkpoint.name.rpartition("-")[2])
        tell(f"going on after step {resumed:,}")
    trainer.before_seal = follower.before_seal
    try:
        with stop.listening():
            trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
    except pickle.UnpicklingError as error:
        raise ResumeError(
            f"{checkpoint} holds more than tensors and numbers, and nothing else is read. Next step: start again from "
            "nothing with --fresh."
        ) from error
    finally:
        if log is not None:
            log.close()
    notes = (*prepared.notes, *_unlearned(follower.history, follower.kept_epoch()))
    result = LlmResult(
        folder=config.output, model=config.output / MODEL, finished=not follower.stopped, notes=notes,
        train_rows=len(prepared.train), dev_rows=len(prepared.dev.rows), dev=tuple(follower.history),
        kept_epoch=follower.kept_epoch(), trained_steps=int(trainer.state.global_step), resumed_at=resumed,
        seconds=time.monotonic() - begun, tokens_per_second=follower.mean_speed(),
    )  # fmt: skip
    if result.finished and state.is_main_process:
        _save(config, prepared, trainer, folder, kept=result.kept_epoch)
        folder.finish(result.to_json())
        shutil.rmtree(config.output / CHECKPOINTS, ignore_errors=True)
    state.wait_for_everyone()
    return result


def _unlearned(history: Sequence[Mapping[str, Any]], kept: int) -> list[str]:
    """A note on a model that gets nothing right but blank."""
    if not any(line["epoch"] == kept and line["weighted_f1"] == 0 for line in history):
        return []
    said = "it gets no label of the dev side right but blank, so it has not learned the task"
    return [f"{said}. Next step: more --epochs, more reports, or another --lr"]


def _last_checkpoint(folder: Path) -> tuple[Path | None, int]:
    """The newest checkpoint that is whole, and the size of the log then."""
    for one in checkpoints_in(folder):
        log = sealed(one)
        if log is not None:
            return one, log
    return None, 0


def _trainer(config: LlmTraining, prepared: _Prepared, state: Any, *, steps: int) -> LlmTrainer:
    begin, packed = prepared.begin, config.batches == "packed"
    rows = prepared.train
    alone = config.answers == "alone"
    lengths = [len(row.ids) for row in rows]
    data = dataset_of(rows, lines=alone)
    if packed:
        data = TRL.pack_dataset(data, seq_length=config.max_tokens or begin.context or max(lengths))
        lengths = [1] * len(data)
    order = RowOrder(
        lengths, batch_size=config.batch_size, by_length=config.batches == "by-length", seed=config.seed
    )
    trainer = LlmTrainer(
        model=begin.model,
        args=_arguments(config, state, steps=steps, packed=packed),
        train_dataset=data,
        processing_class=begin.tokenizer,
        data_collator=None if packed else Collator(pad=int(begin.tokenizer.pad_token_id), alone=alone),
        peft_config=_lora(config),
        order=order,
        muon=config.optimizer == "muon",
    )
    trainer.remove_callback(_printer())
    return trainer


def _printer() -> Any:
    from transformers.trainer_callback import PrinterCallback  # noqa: PLC0415

    return PrinterCallback


def _lora(config: LlmTraining) -> Any:
    if config.lora is None:
        return None
    return _PEFT.LoraConfig(
        r=config.lora.rank, lora_alpha=config.lora.alpha, lora_dropout=config.lora.dropout,
        target_modules="all-linear", task_type="CAUSAL_LM",
    )  # fmt: skip


def _arguments(config: LlmTraining, state: Any, *, steps: int, packed: bool) -> Any:
    arguments: Any = TRL.SFTConfig(**_choices(config, state, steps=steps, packed=packed))
    if arguments.n_gpu > 1:  # several GPUs without a launcher: the first one alone
        arguments._n_gpu = 1
    return arguments


def _choices(config: LlmTraining, state: Any, *, steps: int, packed: bool) -> dict[str, Any]:
    on_cpu = state.device.type == "cpu"
    half = not on_cpu and torch.cuda.is_bf16_supported()
    schedule = {"constant": "constant_with_warmup"}.get(config.schedule, config.schedule)
    return {
        "output_dir": str(config.output / CHECKPOINTS),
        "per_device_train_batch_size": config.batch_size,
        "gradient_accumulation_steps": config.accumulation,
        "num_train_epochs": config.epochs,
        "learning_rate": config.learning_rate,
        "lr_scheduler_type": schedule,
        "warmup_steps": round(config.warmup * steps),
        "optim": "adamw_torch",
        "weight_decay": config.weight_decay,
        "max_grad_norm": config.clip_norm,
        "seed": config.seed,
        "use_cpu": on_cpu,
        "bf16": half if config.precision == "auto" else config.precision == "bf16",
        "fp16": config.precision == "fp16",
        "gradient_checkpointing": False,
        "logging_steps": min(config.log_every, max(steps // config.epochs, 1)),
        "logging_nan_inf_filter": False,
        "report_to": "none",
        "save_strategy": "no",
        "eval_strategy": "no",
        "disable_tqdm": True,
        "dataloader_num_workers": 0,
        "dataloader_pin_memory": not on_cpu,
        "remove_unused_columns": False,
        "max_length": None,
        "padding_free": packed,
        "dataset_kwargs": {"skip_prepare_dataset": True},
        "ddp_find_unused_parameters": False,
    }


def _save(
    config: LlmTraining, prepared: _Prepared, trainer: LlmTrainer, folder: RunFolder, *, kept: int
) -> None:
    model = trainer.accelerator.unwrap_model(trainer.model).eval()
    if config.keep == "best" and kept < config.epochs:
        load_weights(folder.state(BEST), model)
    if config.merge:
        model = model.merge_and_unload()

    def write(path: Path) -> None:
        path.mkdir(parents=True)
        model.save_pretrained(path)
        prepared.begin.tokenizer.save_pretrained(path)
        save_card(path, prepared.card)

    replace_folder(config.output / MODEL, write)
