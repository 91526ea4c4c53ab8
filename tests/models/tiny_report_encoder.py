"""A BERT of two layers, a WordPiece tokenizer and a spec, all invented and made on the spot.

Files of other folders load it by path, e.g. in a conftest:
    sys.path.insert(0, str(Path(__file__).parents[1] / "models"))
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"

WORDS = (
    "no pleural effusion . , small large left right lung edema heart size is normal clear the are of and "
    "pneumothorax opacity in lobe lower upper mild there evidence acute mildly enlarged pneumonia possible"
)
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
POSITIONS = 64
REPORTS = (
    "No pleural effusion. The heart size is normal.",
    "Mild edema, possible pneumonia in the left lower lobe.",
    "The lungs are clear.",
    "Large right pneumothorax.\nSmall left effusion.",
    "",
    "Heart is mildly enlarged. There is no evidence of acute edema, effusion, or pneumothorax. " * 2,
)


def tiny_words() -> dict[str, int]:
    letters = [f"{mark}{c}" for c in "abcdefghijklmnopqrstuvwxyz0123456789" for mark in ("", "##")]
    return {word: i for i, word in enumerate(dict.fromkeys([*SPECIAL, *WORDS.split(), *letters]))}


def tiny_tokenizer(words: dict[str, int] | None = None) -> Any:
    """A lower-case WordPiece tokenizer of about 110 tokens, with [CLS] and [SEP] around a text."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    vocabulary = words or tiny_words()
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    ends = [(token, vocabulary[token]) for token in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    names = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, model_max_length=POSITIONS, **dict(zip(names, SPECIAL, strict=True))
    )


def tiny_config(*, vocab_size: int | None = None, positions: int = POSITIONS) -> Any:
    from transformers import BertConfig

    return BertConfig(
        vocab_size=vocab_size or len(tiny_words()),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=positions,
    )


def tiny_model(spec: Any = None, *, seed: int = 0, positions: int = POSITIONS, spread: float = 8.0) -> Any:
    """A ReportEncoder in evaluation mode; `spread` scales its weights, else all texts look the same to it."""
    import torch

    from hilum.models.report_encoder import chexbert_spec, new_encoder

    asked = replace(spec or chexbert_spec(), max_tokens=positions)
    model = new_encoder(None, asked, config=tiny_config(positions=positions), seed=seed)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.mul_(spread)
    return model.eval()


def tiny_folder(folder: Path, spec: Any = None, *, seed: int = 0, positions: int = POSITIONS) -> Path:
    """The folder of a saved tiny encoder, for `load_encoder`."""
    from hilum.models.report_encoder import save_encoder

    return save_encoder(folder, tiny_model(spec, seed=seed, positions=positions), tiny_tokenizer())


def tiny_loaded(folder: Path, spec: Any = None, *, seed: int = 0, positions: int = POSITIONS) -> Any:
    """The LoadedEncoder of a saved tiny encoder."""
    from hilum.models.report_encoder import load_encoder

    return load_encoder(tiny_folder(folder, spec, seed=seed, positions=positions))


def write_original(
    path: Path,
    spec: Any = None,
    *,
    seed: int = 0,
    prefix: str = "module.",
    position_ids: bool = True,
    old: bool = False,
) -> Any:
    """A checkpoint in the format of the public programs (512 positions), and the model it was made from.

    `old` writes the file as torch 1.4 did, for which the public programs were written.
    """
    import torch

    model = tiny_model(spec, seed=seed, positions=512)
    states = {f"{prefix}{name}": tensor for name, tensor in model.state_dict().items()}
    if position_ids:
        states[f"{prefix}bert.embeddings.position_ids"] = torch.arange(512).unsqueeze(0)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-5)
    saved = {"epoch": 3, "model_state_dict": states, "optimizer_state_dict": optimizer.state_dict()}
    torch.save(saved, path, _use_new_zipfile_serialization=not old)
    return model
