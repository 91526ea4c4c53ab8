"""A report and its evidence for the terminal, in colour or in plain characters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from hilum.core.records import Labels, RowStatus, Section
from hilum.core.vocabulary import State
from hilum.pages.evidence import LabelWords, Look, cut_pieces, label_words, look_of, visible

_STYLES: Mapping[State, str] = MappingProxyType(
    {State.POSITIVE: "bold red", State.UNCERTAIN: "yellow", State.NEGATIVE: "cyan", State.BLANK: ""}
)
_SIGNS: Mapping[State, str] = MappingProxyType(
    {State.POSITIVE: "+", State.UNCERTAIN: "?", State.NEGATIVE: "-", State.BLANK: ""}
)
_WIDE = ("Words", "Cue words", "Rule", "Cue", "Section")
_NARROW, _NARROW_NAME = ("Words", "Cue"), 17


def explanation(
    text: str, labels: Labels, *, sections: Sequence[Section] = (), colour: bool = True, narrow: bool = False
) -> RenderableType:
    """What the terminal shows of one report: its text with the evidence, a key, and a table of its labels.

    With `colour`, mentions have the colour of their state, cue words are underlined and text outside
    `sections` is dim; without, mentions stand in `[+ +]`, `[? ?]` or `[- -]` and cue words in `_ _`.
    With `narrow`, section, rule and cue stand under state and words, so that the table fits 80 columns.
    """
    text = text.rstrip()
    shown = coloured_text(text, labels, sections=sections) if colour else Text(plain_text(text, labels))
    rows = label_words(labels)
    parts: list[RenderableType] = [shown, Text(), _key(rows, colour=colour), Text()]
    if rows:
        parts.append(_table(visible(text), labels, rows, colour=colour, narrow=narrow))
    parts.append(Text(_blank_line(labels, sum(not row.other for row in rows)), style="dim" if colour else ""))
    return Group(*parts)


def coloured_text(text: str, labels: Labels, *, sections: Sequence[Section] = ()) -> Text:
    """The report with mentions coloured by state, cue words underlined and text outside `sections` dim."""
    shown = Text()
    text = visible(text)
    for piece in cut_pieces(len(text), labels.evidence, sections=sections):
        style = _style(look_of(piece, labels))
        style += " underline" if piece.cues else ""
        style += " dim" if sections and not piece.sections and not style else ""
        shown.append(text[piece.start : piece.end], style=style.strip() or None)
    return shown


def plain_text(text: str, labels: Labels) -> str:
    """The report with mentions as `[+positive+]`, `[?uncertain?]` or `[-negative-]` and cues as `_cue_`.

    Abnormalities that are no finding of the vocabulary stand in `(+ +)`, `(? ?)` or `(- -)`.
    """
    text = visible(text)
    parts: list[str] = []
    now, in_cue = ("", ""), False
    for piece in cut_pieces(len(text), labels.evidence):
        brackets, cue = _brackets(look_of(piece, labels)), bool(piece.cues)
        if in_cue and (not cue or brackets != now):
            parts.append("_")
            in_cue = False
        if brackets != now:
            parts += [now[1], brackets[0]]
            now = brackets
        if cue and not in_cue:
            parts.append("_")
            in_cue = True
        parts.append(text[piece.start : piece.end])
    return "".join([*parts, "_" if in_cue else "", now[1]])


def _brackets(look: Look) -> tuple[str, str]:
    sign = _SIGNS[look.state]
    if not sign:
        return "", ""
    return (f"({sign}", f"{sign})") if look.other else (f"[{sign}", f"{sign}]")


def _style(look: Look) -> str:
    return "italic" if look.other else _STYLES[look.state]


def _key(rows: Sequence[LabelWords], *, colour: bool) -> Text:
    if colour:
        pieces = [(s.name.lower(), _STYLES[s]) for s in (State.POSITIVE, State.UNCERTAIN, State.NEGATIVE)]
        key = Text(" ").join(
            [Text("Key:", style="dim"), *(Text(*p) for p in pieces), Text("cue", "underline")]
        )
    else:
        key = Text("Key: [+positive+] [?uncertain?] [-negative-] _cue_")
    if any(row.other for row in rows):
        key.append(" ")
        key.append("other abnormality" if colour else "(+other abnormality+)", "italic" if colour else "")
    if any(row.outweighed for row in rows):
        key.append(" (state): outweighed", "dim" if colour else "")
    return key


def _table(text: str, labels: Labels, rows: Sequence[LabelWords], *, colour: bool, narrow: bool) -> Table:
    table = Table(box=box.SIMPLE_HEAD if colour else box.ASCII2, pad_edge=False, show_edge=False)
    table.padding = (0, 1, 0, 0) if colour else (0, 1)
    for name in ("Finding", "State", *(_NARROW if narrow else _WIDE)):
        table.add_column(name, overflow="fold", no_wrap=name == "State")
    table.columns[0].max_width = _NARROW_NAME if narrow else None
    for row in rows:
        for number, cells in enumerate(_lines(text, labels, row, colour=colour, narrow=narrow)):
            table.add_row(Text(row.finding if number == 0 else ""), *cells)
    return table


def _lines(text: str, labels: Labels, row: LabelWords, *, colour: bool, narrow: bool) -> Iterator[list[Text]]:
    if row.reason:
        yield [_state(row, row.state, colour=colour), Text(f"({row.reason})")]
    for place in (*row.deciding, *row.outweighed):
        evidence = labels.evidence[place]
        dim = "dim" if colour else ""
        state = _state(row, evidence.state, colour=colour)
        words, cue_words = _words(text, evidence.start, evidence.end), Text()
        if evidence.cue:
            cue_words = _words(text, evidence.cue_start, evidence.cue_end)
        notes = [Text(visible(note), style=dim) for note in (evidence.section, evidence.entry, evidence.cue)]
        if narrow:
            yield [Text("\n").join(pair) for pair in zip((state, words, cue_words), notes, strict=True)]
        else:
            yield [state, words, cue_words, notes[1], notes[2], notes[0]]


def _state(row: LabelWords, said: State, *, colour: bool) -> Text:
    if said != row.state:
        return Text(f"({said.name.lower()})", style="dim" if colour else "")
    return Text(said.name.lower(), style=_style(Look(said, row.other)) if colour else "")


def _words(text: str, start: int, end: int) -> Text:
    return Text(" ".join(text[max(start, 0) : max(end, 0)].split()))


def _blank_line(labels: Labels, shown: int) -> str:
    if labels.status not in (RowStatus.LABELED, RowStatus.CUT):
        hint = " Next step: --section all" if labels.status == RowStatus.NO_SUCH_SECTION else ""
        return f"Nothing was labeled: {labels.status.value}.{hint}"
    blank = len(labels.vocabulary) - shown
    if not shown:
        return f"None of the {blank} findings is mentioned: all are blank."
    return f"{blank} finding{'' if blank == 1 else 's'} not mentioned (blank)." if blank else ""
