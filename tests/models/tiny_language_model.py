"""Small instruction models with random weights, and tokenizers trained on invented sentences. Made in a second."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
INST = (
    "{{ '<s>' }}{% for message in messages %}{% if message['role'] == 'assistant' %}{{ message['content'] + '</s>' }}"
    "{% else %}{{ '[' + message['role'] + '] ' + message['content'] + ' [end]' }}{% endif %}{% endfor %}"
)
TEXTS = (
    "The heart is mildly enlarged. There is no pleural effusion or pneumothorax.",
    "Mild pulmonary edema is likely. Small left pleural effusion, unchanged.",
    "No acute cardiopulmonary abnormality. Bibasilar atelectasis cannot be excluded.",
    "Right lower lobe consolidation may represent pneumonia. Old rib fractures.",
    "A right central venous catheter ends in the superior vena cava. Lung lesion: uncertain.",
    "No Finding: blank\nEdema: positive\nPneumonia: negative\nConsolidation: uncertain\nnot mentioned\n",
    "system user assistant Label the report. For each finding answer positive, negative, uncertain or blank.",
)


def tiny_language_model(
    folder: Path,
    *,
    seed: int = 0,
    vocabulary: int = 400,
    layers: int = 2,
    hidden: int = 32,
    context: int = 512,
    texts: Sequence[str] = TEXTS,
    template: str | None = CHATML,
) -> Path:
    """A Qwen2 model with random weights in `folder`, with its tokenizer and chat template; the folder.

    As in Qwen: byte-level BPE, ChatML turns, several query heads to one of keys, tied embeddings.
    """
    tokenizer = chatml_tokenizer(texts, vocabulary=vocabulary, template=template)
    config = transformers.Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=context,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return _saved(transformers.Qwen2ForCausalLM, config, tokenizer, folder, seed=seed)


def tiny_llama_model(
    folder: Path,
    *,
    seed: int = 0,
    vocabulary: int = 300,
    layers: int = 2,
    hidden: int = 32,
    context: int = 512,
) -> Path:
    """A Llama model with random weights: pieces of words with a space mark in front, other turns, no padding token."""
    tokenizer = piece_tokenizer(TEXTS, vocabulary=vocabulary)
    config = transformers.LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=context,
        tie_word_embeddings=False,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    return _saved(transformers.LlamaForCausalLM, config, tokenizer, folder, seed=seed)


def _saved(kind, config, tokenizer, folder: Path, *, seed: int) -> Path:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = kind(config).eval()
        for name, weight in model.named_parameters():
            if weight.dim() > 1:  # wide enough that the choices are told apart
                torch.nn.init.normal_(weight, std=0.08 if "embed" in name or "lm_head" in name else 0.15)
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def chatml_tokenizer(texts: Sequence[str] = TEXTS, *, vocabulary: int = 400, template: str | None = CHATML):
    """A byte-level BPE tokenizer as Qwen's: no token of a beginning, `<|im_end|>` ends a turn, all bytes known."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, special_tokens=special, initial_alphabet=sorted(alphabet), show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        clean_up_tokenization_spaces=False,
    )
    fast.chat_template = template
    return fast


def piece_tokenizer(texts: Sequence[str] = TEXTS, *, vocabulary: int = 300):
    """A tokenizer as Llama's: pieces with a mark for the space, unknown bytes as themselves, `<s>` and `</s>`."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    special = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    trainer = trainers.BpeTrainer(
        vocab_size=max(vocabulary, len(special) + 80), special_tokens=special, show_progress=False
    )
    pieces = [piece for text in texts for piece in text.replace(" ", " ▁").split(" ")]
    tokenizer.train_from_iterator(pieces, trainer)
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        clean_up_tokenization_spaces=False,
    )
    fast.chat_template = INST
    return fast
