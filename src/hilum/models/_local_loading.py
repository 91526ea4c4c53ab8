"""Causal language models from folders, hub ids and PEFT adapters: what is checked, and what is said. Never pickle."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from hilum.core.errors import InputError, MissingExtraError, UnknownNameError
from hilum.models._local_files import base_and_adapter, checked_source, model_digest, said
from hilum.models._neural import torch, transformers
from hilum.models._precision import BFLOAT16, FLOAT32

DTYPES = {FLOAT32: torch.float32, BFLOAT16: torch.bfloat16}
_CAUSAL = ("ForCausalLM", "LMHeadModel", "ForConditionalGeneration")
_SHOWN = 5
_NOT_LOADED = (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError, ImportError)


class LoadedLanguageModel(NamedTuple):
    """A causal model in evaluation mode on its device, its tokenizer, and what tells it from all others.

    `digest` is a SHA-256 over the files that decide its answers; for a hub id that id and its commit.
    """

    model: Any
    tokenizer: Any
    digest: str
    precision: str


def load_language_model(
    source: str | Path,
    *,
    device: str = "auto",
    precision: str | None = None,
    adapter: str | Path | None = None,
    revision: str | None = None,
) -> LoadedLanguageModel:
    """The model in a folder or of a hub id, with a PEFT adapter merged into it where one is named or is the folder.

    `device` is auto, cpu, cuda or cuda:N; `precision` float32 or bfloat16, by default bfloat16 on a GPU that has it and
    float32 on a processor. `revision` is for hub ids. No code of a model is run, no pickle is read. Raises InputError
    and MissingExtraError, each with what to do next.
    """
    if find_spec("jinja2") is None:
        raise MissingExtraError("jinja2", "llm")
    place = device_of(device)
    named = _precision(precision, place)
    base, merged = base_and_adapter(str(source), adapter)
    local = checked_source(base, revision)
    with _quiet():
        config = _config(base, local, revision)
        model = _model(base, local, revision, DTYPES[named])
        tokenizer = _tokenizer(base, merged, local, revision)
        if merged is not None:
            model = _with_adapter(model, merged)
    _check_size(model, tokenizer, base)
    digest = model_digest(base, merged, local, config)
    return LoadedLanguageModel(model.to(place).eval().requires_grad_(False), tokenizer, digest, named)


def device_of(device: str) -> Any:
    """The device of torch; `auto` is a GPU where there is one. Raises InputError for one that is not there."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        found = torch.device(device)
    except RuntimeError as error:
        raise InputError(f"There is no device {device!r}; allowed: auto, cpu, cuda, cuda:N.") from error
    if found.type == "cuda" and (found.index or 0) >= torch.cuda.device_count():
        raise InputError(
            f"torch finds no GPU {device!r} here. Next step: --device cpu, or a build of torch with CUDA."
        )
    return found


def _precision(precision: str | None, device: Any) -> str:
    if precision is None:
        fits = device.type == "cuda" and torch.cuda.is_bf16_supported()
        return BFLOAT16 if fits else FLOAT32
    if precision not in DTYPES:
        raise UnknownNameError("precision of language models", precision, DTYPES)
    return precision


# --- what it is ---


def _config(source: str, local: bool, revision: str | None) -> Any:
    """The configuration. Raises InputError when it is not that of a causal language model."""
    try:
        config = transformers.AutoConfig.from_pretrained(
            source, local_files_only=local, revision=revision, trust_remote_code=False
        )
    except _NOT_LOADED as error:
        raise _cannot_load(source, local, revision, error) from error
    names = config.architectures or []
    if config.is_encoder_decoder or (names and not any(name.endswith(_CAUSAL) for name in names)):
        raise InputError(
            f"{source} is {', '.join(names) or config.model_type}, no causal language model: it cannot be asked as "
            "a conversation. Next step: an instruction-tuned model whose architecture ends with ForCausalLM."
        )
    return config


def _model(source: str, local: bool, revision: str | None, dtype: Any) -> Any:
    options: dict[str, Any] = {
        "dtype": dtype,
        "use_safetensors": True,
        "local_files_only": local,
        "revision": revision,
        "trust_remote_code": False,
        "output_loading_info": True,
    }
    load = transformers.AutoModelForCausalLM.from_pretrained
    try:
        try:
            model, told = load(source, attn_implementation="sdpa", **options)
        except ValueError as error:  # says a model that has no such attention
            if "scaled_dot_product_attention" not in str(error):
                raise
            model, told = load(source, attn_implementation="eager", **options)
    except Exception as error:  # a broken safetensors file raises an error of its own
        raise _cannot_load(source, local, revision, error) from error
    missing = sorted(told["missing_keys"])
    if missing:
        raise InputError(
            f"{source} lacks {len(missing)} tensors of its own model ({', '.join(missing[:_SHOWN])}). Next step: check "
            "that the folder is whole, and that its weights are those of a language model."
        )
    return model


def _tokenizer(source: str, adapter: Path | None, local: bool, revision: str | None) -> Any:
    """The tokenizer of the model; that of the adapter where it was saved with one."""
    if adapter is not None and (adapter / "tokenizer_config.json").is_file():
        source, local, revision = str(adapter), True, None
    try:
        return transformers.AutoTokenizer.from_pretrained(
            source, local_files_only=local, revision=revision, trust_remote_code=False
        )
    except Exception as error:  # a broken tokenizer.json raises a bare Exception
        raise InputError(
            f"{source} has no tokenizer that transformers can load: {said(error)}. Next step: put the tokenizer's "
            "files into the folder."
        ) from error


def _with_adapter(model: Any, adapter: Path) -> Any:
    import peft  # noqa: PLC0415  (an extra)

    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            with_adapter = peft.PeftModel.from_pretrained(model, str(adapter), local_files_only=True)
            merged = with_adapter.merge_and_unload(safe_merge=True)
    except Exception as error:  # kinds of adapters that cannot be merged, shapes that do not fit
        raise _adapter_misfit(adapter, said(error)) from error
    lacking = [one for one in caught if "missing adapter keys" in str(one.message).lower()]
    if lacking:
        raise _adapter_misfit(adapter, said(lacking[0].message))
    return merged


def _adapter_misfit(adapter: Path, why: str) -> InputError:
    return InputError(
        f"The adapter {adapter} does not fit the model: {why}. Next step: name the model that it was trained on."
    )


def _cannot_load(source: str, local: bool, revision: str | None, error: Exception) -> InputError:
    if local:
        return InputError(
            f"{source} is no language model that transformers {transformers.__version__} can load: {said(error)}. "
            "Next step: check that the folder is whole; a model that brings code of its own cannot be used."
        )
    at = f" at revision {revision!r}" if revision else ""
    return InputError(
        f"There is no folder {source}, and no model of that name{at} could be taken from the hub: {said(error)}. Next "
        "step: check the name and the revision, or download the model and give its folder."
    )


def _check_size(model: Any, tokenizer: Any, source: str) -> None:
    rows = model.get_input_embeddings().weight.shape[0]
    highest = max(tokenizer.get_vocab().values(), default=0)
    if highest >= rows:
        raise InputError(
            f"The tokenizer of {source} has ids up to {highest}, and the model has embeddings for {rows} tokens. Next "
            "step: give the tokenizer that the model was trained with."
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the progress bars and the notes that transformers prints while it loads."""
    log = transformers.utils.logging
    level, bars = log.get_verbosity(), log.is_progress_bar_enabled()
    log.set_verbosity_error()
    log.disable_progress_bar()
    try:
        yield
    finally:
        log.set_verbosity(level)
        if bars:
            log.enable_progress_bar()
