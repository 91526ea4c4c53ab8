"""Back-translation with two local MarianMT models (CheXbert: Smit et al. 2020, section 3.4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hilum.core.errors import InputError, MissingExtraError
from hilum.labelers.rules import RuleLabeler, build
from hilum.train.paraphrase import Paraphrases, keep_labels, section_sentences


@dataclass(frozen=True, eq=False)
class _Translator:
    """One direction: model and tokenizer of a local folder."""

    model: Any
    tokenizer: Any


@dataclass(frozen=True)
class BackTranslator:
    """Paraphrases by translation into another language and back, sentence by sentence.

    `there` and `back` are folders that `MarianMTModel` and `MarianTokenizer` of transformers wrote. `beams` is the
    width of the search (1: greedy, as CheXbert). Paraphrases with other labels than the original are dropped when
    `same_labels` holds. Nothing is drawn at random, so one text has one back-translation, whatever the seed.

    Raises InputError for a folder that cannot be loaded, MissingExtraError without transformers or sentencepiece.
    """

    there: Path
    back: Path
    beams: int = 1
    batch_size: int = 32
    max_tokens: int = 512
    same_labels: bool = True
    vocabulary: str = "chexpert14"
    device: str = "cpu"
    _models: tuple[_Translator, _Translator] = field(init=False, repr=False, compare=False)
    _labeler: RuleLabeler = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name in ("beams", "batch_size", "max_tokens"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}; it must be 1 or more.")
        object.__setattr__(self, "_labeler", build(vocabulary=self.vocabulary))
        models = tuple(_load(folder, self.device) for folder in (self.there, self.back))
        object.__setattr__(self, "_models", models)

    def paraphrase(self, texts: Sequence[str], *, seed: int) -> list[list[str]]:
        """See `hilum.train.paraphrase.Paraphraser`."""
        return [list(one) for one in self.counted(texts, seed=seed).texts]

    def counted(self, texts: Sequence[str], *, seed: int) -> Paraphrases:
        """The paraphrases with what became of all that were made; `seed` changes nothing."""
        del seed
        spans = [section_sentences(text) for text in texts]
        sentences = sorted({t[s.start : s.end] for t, found in zip(texts, spans, strict=True) for s in found})
        foreign = self.translate(sentences, self._models[0])
        returned = dict(zip(sentences, self.translate(foreign, self._models[1]), strict=True))
        made = []
        for text, found in zip(texts, spans, strict=True):
            for span in reversed(found):
                said = text[span.start : span.end]
                text = text[: span.start] + (_trimmed(returned[said], said) or said) + text[span.end :]  # noqa: PLW2901
            made.append([text])
        if self.same_labels:
            return keep_labels(texts, made, self._labeler)
        new = tuple(tuple(t for t in own if t != text) for text, own in zip(texts, made, strict=True))
        kept = sum(map(len, new))
        return Paraphrases(new, {"kept": kept, "same text": len(texts) - kept, "other labels": 0})

    def translate(self, sentences: Sequence[str], translator: _Translator) -> list[str]:
        """Translations in order; batches are of similar lengths, so that little is padded."""
        import torch  # noqa: PLC0415  (an extra)

        order = sorted(range(len(sentences)), key=lambda i: (len(sentences[i]), sentences[i]))
        found = [""] * len(sentences)
        for start in range(0, len(order), self.batch_size):
            places = order[start : start + self.batch_size]
            batch = translator.tokenizer(
                [sentences[i] for i in places],
                return_tensors="pt", padding=True, truncation=True, max_length=self._limit(translator),
            ).to(self.device)  # fmt: skip
            with torch.inference_mode():
                tokens = translator.model.generate(
                    **batch, num_beams=self.beams, do_sample=False, max_length=self._limit(translator)
                )
            texts = translator.tokenizer.batch_decode(tokens, skip_special_tokens=True)
            for place, text in zip(places, texts, strict=True):
                found[place] = str(text)
        return found

    def _limit(self, translator: _Translator) -> int:
        return min(self.max_tokens, int(translator.model.config.max_position_embeddings))


def _load(folder: Path, device: str) -> _Translator:
    if not folder.is_dir():
        raise InputError(
            f"{folder} is no folder. Next step: give a local folder of a MarianMT model (config.json, weights, "
            "source.spm, target.spm, vocab.json)."
        )
    try:
        import sentencepiece  # noqa: F401, PLC0415  (an extra)
        from transformers import MarianMTModel, MarianTokenizer  # noqa: PLC0415  (an extra)
    except ImportError as error:
        raise MissingExtraError(error.name or "transformers", "neural") from error
    try:
        model: Any = MarianMTModel.from_pretrained(str(folder), local_files_only=True)
        tokenizer: Any = MarianTokenizer.from_pretrained(str(folder), local_files_only=True)
    except (OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
        raise InputError(
            f"{folder} is no MarianMT model that transformers can load: {' '.join(str(error).split())[:300]}. "
            "Next step: a folder with config.json, weights, source.spm, target.spm and vocab.json."
        ) from error
    return _Translator(model.eval().to(device), tokenizer)


def _trimmed(translated: str, said: str) -> str:
    """A translation without a full stop that the original does not have, and in its capitals."""
    text = " ".join(translated.split())
    if not said.endswith("."):
        text = text.rstrip(". ")
    return text.upper() if said.isupper() else text
