"""A text for every phrase of the shipped lexicon, for `_selftest --write`.

Every word of a phrase occurs in a text, not every expansion of it: `(a|b) (c|d)` gives two texts, not four.
"""

from __future__ import annotations

from collections.abc import Iterator

from hilum.labelers._lexicon_files import LexiconFile, shipped, shipped_names
from hilum.text.phrases import expand

_TEMPLATES: dict[str, tuple[str, ...]] = {
    "mention": ("{}.",),
    "abnormality": ("{}.",),
    "structure": ("{} is normal.", "{}."),
    "normal": ("Heart size is {}.", "{} heart size."),
    "abnormal": ("Heart size is {}.", "{} heart size."),
    "borderline": ("Heart size is {}.", "{} heart size."),
    "versus": ("Effusion {} artifact.",),
}
_CUE_TEMPLATES = ("No edema {} effusion.", "No edema, {} effusion.", "Effusion {}.", "{} effusion.")


def lexicon_texts() -> list[str]:
    """The texts, in the order of the files, each once."""
    lexicon = [shipped(name) for name in shipped_names()]
    return list(
        dict.fromkeys(text for file in lexicon for text in (*_phrase_texts(file), *_spelling_texts(file)))
    )


def _phrase_texts(file: LexiconFile) -> Iterator[str]:
    for part in (file.data, *file.data.get("difference", ())):
        for table in ("cue", "mention", "structure", "abnormality"):
            for entry in part.get(table, ()):
                templates = _TEMPLATES.get(entry.get("kind", table), _CUE_TEMPLATES)
                for phrase in entry["phrases"]:
                    for plain in _covering(expand(phrase)):
                        yield from (template.format(plain) for template in templates)


def _covering(options: list[str]) -> Iterator[str]:
    """Some of the expansions, in which each word of all of them occurs, and the shortest one."""
    yield min(options, key=len)
    met = set(min(options, key=len).split())
    for option in options:
        words = set(option.split())
        if not words <= met:
            met |= words
            yield option


def _spelling_texts(file: LexiconFile) -> Iterator[str]:
    for word, forms in file.data.get("spellings", {}).items():
        for form in (word, *forms):
            yield from (
                f"{form}.",
                f"Heart size is {form}.",
                f"{form} effusion.",
                f"Mediastinal {form} is normal.",
            )
