"""Pictures that stand with a report on the evidence page: its image, and a map for each of some words."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import NamedTuple

from hilum.core.vocabulary import State
from hilum.pages.page import escape


class Map(NamedTuple):
    """A picture for a word, as a data URI, with the state that is said of it and lines of what to know."""

    source: str
    word: str
    state: State
    lines: tuple[str, ...]


class Pictures(NamedTuple):
    """The image of a report as a data URI, what is said under it, and the maps of words in the order of the text.

    `more`: how many further words have a map that is not shown.
    """

    source: str
    caption: str
    maps: tuple[Map, ...] = ()
    more: int = 0


def data_uri(content: bytes, kind: str) -> str:
    """The bytes of a picture (`kind`: png, jpeg) as an address that holds them."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"


def pictures_html(pictures: Pictures | None, classes: Mapping[State, str]) -> str:
    """The figures of a report; "" without pictures. `classes`: the style of each state."""
    if pictures is None:
        return ""
    image = (
        f'<figure class="image"><img src="{escape(pictures.source)}" alt="The image of this report">'
        f"<figcaption>{escape(pictures.caption)}</figcaption></figure>"
    )
    maps = "".join(f"<li>{_map(one, classes)}</li>" for one in pictures.maps)
    more = f"<li>{pictures.more:,} more words have a map.</li>" if pictures.more else ""
    return f'{image}\n<ul class="maps">{maps}{more}</ul>\n' if maps else f"{image}\n"


def _map(one: Map, classes: Mapping[State, str]) -> str:
    lines = "<br>".join(map(escape, one.lines))
    state = one.state.name.lower()
    return (
        f'<figure><img src="{escape(one.source)}" alt="Where {escape(one.word)} looked, {state}">'
        f'<figcaption><mark class="{classes.get(one.state, "")}">{escape(one.word)}</mark><br>{lines}</figcaption>'
        "</figure>"
    )
