"""Negation and uncertainty of the mentions in a sentence.

The rules are those of NegEx and ConText (Chapman 2001, Harkema 2009) made stricter for radiology: a cue acts on
what follows it or on what stands before it, over lists joined by commas, "or" and "and", until the clause ends.
Structures ("heart size") get their state from a predicate of the same clause ("is within normal limits").

`ScopeReader.read` walks over the matches of one text once, so its time is linear in the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import IntEnum
from itertools import islice
from typing import NamedTuple

from hilum.core.vocabulary import State
from hilum.text.phrases import Tree


class Kind(IntEnum):
    """What a rule does when its words are met."""

    SENTENCE_END = 0
    COMMA = 1
    COLON = 2
    AND = 3
    OR = 4
    CONTRAST = 5
    CLAUSE_START = 6
    VERB = 7
    MODIFIER = 8
    WITH = 9
    NEGATION_BEFORE = 10
    NEGATION_AFTER = 11
    UNCERTAINTY_BEFORE = 12
    UNCERTAINTY_AFTER = 13
    MENTION = 14
    STRUCTURE = 15
    NORMAL = 16
    ABNORMAL = 17
    BORDERLINE = 18
    IGNORE = 19
    NOT_NOW = 20
    NEGATION_EITHER = 21
    UNCERTAINTY_EITHER = 22
    VERSUS = 23
    QUESTION = 24
    QUESTION_OPENS = 25


class Target(NamedTuple):
    """The finding that a rule speaks of, and the state that it gets when the words are read as each state.

    `states` is indexed by State; `unspecified` is the state of a structure of which nothing is said.
    """

    finding: int
    states: tuple[State, ...] = tuple(State)
    unspecified: State = State.BLANK


class Rule(NamedTuple):
    """One compiled entry of the lexicon: what it does, its id, and for mentions and structures its targets."""

    kind: Kind
    id: str
    targets: tuple[Target, ...] = ()


class Hit(NamedTuple):
    """A rule met at parts `[first, last)` of the text."""

    rule: Rule
    first: int
    last: int


class Mention:
    """One mention in the sentence being read: its state so far and the cue that gave it."""

    __slots__ = ("cue", "first", "last", "link", "rule", "state")

    def __init__(self, rule: Rule, first: int, last: int, state: State, cue: Hit | None, link: int) -> None:
        self.rule = rule
        self.first = first
        self.last = last
        self.state = state
        self.cue = cue
        self.link = link


class Sentence(NamedTuple):
    """The mentions of one sentence, which is the parts `[first, last)`."""

    mentions: list[Mention]
    first: int
    last: int


_COMMA, _AND, _OR, _BROKEN, _WITH, _COLON = 1, 2, 4, 8, 16, 32
_APART = _BROKEN | _WITH | _COLON
_LONGEST_LIST = 50  # mentions that one cue can reach; keeps the time linear in the text
_BLANK, _POSITIVE, _NEGATIVE, _UNCERTAIN = State.BLANK, State.POSITIVE, State.NEGATIVE, State.UNCERTAIN


class ScopeReader:
    """Reads the symbols of one text with a compiled set of rules.

    tree: the prefix tree of symbol string -> rule. or_symbols: the symbols of "or".
    """

    def __init__(self, tree: Tree, or_symbols: str) -> None:
        self._tree = tree
        self._later_or = re.compile(f"[{re.escape(or_symbols)}]|\\.")
        self._handlers: tuple[Callable[[Rule, int, int], None], ...] = tuple(
            getattr(self, f"_on_{kind.name.lower()}") for kind in Kind
        )
        self._reset()
        self._sentences: list[Sentence] = []
        self._symbols = ""
        self._sentence_first = 0
        self._or_at = -1  # up to here it is known whether an "or" follows in the sentence
        self._or_ahead = False

    def read(self, symbols: str) -> list[Sentence]:
        """The sentences of the text that have mentions, in order; at each place the longest rule is met."""
        self._sentences = []
        self._symbols = symbols
        self._sentence_first = 0
        self._or_at = -1
        self._reset()
        tree, handlers, end = self._tree, self._handlers, len(symbols)
        first = 0
        while first < end:
            node = tree.get(symbols[first])
            if node is None:
                first += 1
                continue
            last = at = first + 1
            rule = node.get("")
            while at < end and (node := node.get(symbols[at])) is not None:
                at += 1
                if "" in node:
                    rule, last = node[""], at
            if rule is not None:
                handlers[rule[0]](rule, first, last)
            first = last
        self._close(end)
        return self._sentences

    def _reset(self) -> None:
        self._mentions: list[Mention] = []
        self._open: list[Mention] = []  # structures that wait for a predicate
        self._negation: Hit | None = None
        self._uncertainty: Hit | None = None
        self._predicate: Hit | None = None  # a predicate that may yet take structures ("normal heart size")
        self._free = False  # no structure stood before that predicate
        self._doubtful: list[
            tuple[Mention, State, Hit | None]
        ] = []  # what it took over a comma, and their state before
        self._link = 0  # marks met since the last mention
        self._verb = False  # a verb since the clause began
        self._listed = False  # a mention since the negation began
        self._not_now: Hit | None = None
        self._answer: Hit | None = None  # a negation right after a colon ("Effusion: no.")

    def _close(self, last: int) -> None:
        mentions = self._mentions
        if self._answer is not None and not self._listed:
            self._change_group(self._answer, _NEGATIVE)
        if mentions:
            self._sentences.append(Sentence(mentions, self._sentence_first, last))
        self._sentence_first = last

    def _on_sentence_end(self, rule: Rule, first: int, last: int) -> None:
        self._close(last)
        self._reset()

    def _on_comma(self, rule: Rule, first: int, last: int) -> None:
        self._link |= _COMMA
        if self._verb and self._listed:
            self._negation = None

    def _on_colon(self, rule: Rule, first: int, last: int) -> None:
        self._negation = self._uncertainty = None
        self._link |= _COLON

    def _on_and(self, rule: Rule, first: int, last: int) -> None:
        self._link |= _AND
        if self._verb and self._listed:
            self._negation = None

    def _on_or(self, rule: Rule, first: int, last: int) -> None:
        self._link |= _OR

    def _on_contrast(self, rule: Rule, first: int, last: int) -> None:
        self._negation = self._uncertainty = self._predicate = self._not_now = None
        self._link |= _BROKEN
        self._verb = self._listed = False

    def _on_clause_start(self, rule: Rule, first: int, last: int) -> None:
        self._on_contrast(rule, first, last)
        self._open = []

    def _on_verb(self, rule: Rule, first: int, last: int) -> None:
        self._verb = True
        self._link |= _BROKEN
        self._predicate = None

    def _on_modifier(self, rule: Rule, first: int, last: int) -> None:
        """ "No effusion, small nodule": the list ends where a described finding follows without an "or"."""
        link = self._link
        if link & _OR or not link & (_COMMA | _AND | _WITH):
            return
        if self._open and link & (_COMMA | _AND):
            self._predicate = None  # "enlarged heart, stable mediastinum"
        if self._negation is not None and self._listed and not self._or_follows(last):
            self._negation = None
        if self._uncertainty is not None and link & _COMMA and not self._or_follows(last):
            self._uncertainty = None

    def _or_follows(self, last: int) -> bool:
        """Whether the sentence goes on with an "or" after part `last`."""
        if last > self._or_at:
            later = self._later_or.search(self._symbols, last)
            self._or_at = len(self._symbols) if later is None else later.start()
            self._or_ahead = later is not None and later.group() != "."
        return self._or_ahead

    def _on_with(self, rule: Rule, first: int, last: int) -> None:
        self._link |= _WITH
        if self._verb:
            self._open = []

    def _on_negation_before(self, rule: Rule, first: int, last: int) -> None:
        self._negation = Hit(rule, first, last)
        self._answer = self._negation if self._link == _COLON else None
        self._uncertainty = None
        self._listed = self._verb = False
        self._link = _BROKEN

    def _on_uncertainty_before(self, rule: Rule, first: int, last: int) -> None:
        if self._negation is not None and self._listed and self._link & (_COMMA | _AND):
            self._negation = None
        self._uncertainty = Hit(rule, first, last)
        self._link = _BROKEN

    def _on_negation_after(self, rule: Rule, first: int, last: int) -> None:
        self._change_group(Hit(rule, first, last), _NEGATIVE)

    def _on_uncertainty_after(self, rule: Rule, first: int, last: int) -> None:
        self._change_group(Hit(rule, first, last), _UNCERTAIN)

    def _on_negation_either(self, rule: Rule, first: int, last: int) -> None:
        """ "Effusion resolved.", "Resolved effusion.": on what stands right before, else on what follows."""
        (self._on_negation_after if self._touches() else self._on_negation_before)(rule, first, last)

    def _on_uncertainty_either(self, rule: Rule, first: int, last: int) -> None:
        (self._on_uncertainty_after if self._touches() else self._on_uncertainty_before)(rule, first, last)

    def _touches(self) -> bool:
        """Whether a mention stands right before, with no mark or cue in between."""
        return bool(self._mentions) and not self._link and self._mentions[-1].state is not _BLANK

    def _on_versus(self, rule: Rule, first: int, last: int) -> None:
        """ "X versus artifact", "artifact versus X": either side is only one of two possibilities."""
        cue = Hit(rule, first, last)
        if self._mentions and not self._link & _APART:
            self._change_group(cue, _UNCERTAIN)
        if self._negation is None:
            self._uncertainty = cue
        self._link |= _OR

    def _on_question(self, rule: Rule, first: int, last: int) -> None:
        self._change_group(Hit(rule, first, last), _UNCERTAIN)
        self._on_sentence_end(rule, first, last)

    def _on_question_opens(self, rule: Rule, first: int, last: int) -> None:
        self._on_sentence_end(rule, first, last)
        self._on_uncertainty_before(rule, first, last)

    def _change_group(self, cue: Hit, state: State) -> None:
        """Give `state` to the last mention and to those listed with it ("X, Y and Z are not seen")."""
        self._link |= _BROKEN
        listed = False
        after: Mention | None = None
        for mention in islice(reversed(self._mentions), _LONGEST_LIST):
            compound = after is not None and not after.link and after.first - mention.last <= 1
            if after is not None and not compound and (after.link & _APART or not after.link or not listed):
                break
            if mention.state is _POSITIVE or (mention.state is _UNCERTAIN and state is _NEGATIVE):
                mention.state, mention.cue = state, cue
            listed = listed or bool(mention.link & (_AND | _OR))
            after = mention

    def _on_mention(self, rule: Rule, first: int, last: int) -> None:
        link = self._link
        cue = self._negation
        if cue is not None:
            state = _NEGATIVE
        elif (cue := self._uncertainty) is not None:
            state = _UNCERTAIN
        else:
            state = _POSITIVE
        if self._not_now is not None:
            state, cue = _BLANK, self._not_now
        mention = Mention(rule, first, last, state, cue, link)
        if link & _OR and not link & _APART and state is _POSITIVE:
            self._alternatives(mention)
        self._mentions.append(mention)
        self._link = 0
        self._listed = True
        self._predicate = None
        if self._verb:
            self._open = []

    def _alternatives(self, mention: Mention) -> None:
        """ "Atelectasis or scarring", "X, Y or Z": each is only one of several possibilities."""
        cue = Hit(ALTERNATIVE, mention.first - 1, mention.first)
        members = [mention]
        link = mention.link
        for earlier in islice(reversed(self._mentions), _LONGEST_LIST):
            if not link or link & _APART or earlier.state in (_NEGATIVE, _BLANK):
                break
            members.append(earlier)
            if not link & _COMMA and not earlier.link & _OR:
                break
            link = earlier.link
        if len(members) > 1:
            for member in members:
                if member.state is _POSITIVE:
                    member.state, member.cue = _UNCERTAIN, cue

    def _on_structure(self, rule: Rule, first: int, last: int) -> None:
        link = self._link
        if self._open and self._verb and link & _BROKEN:
            self._open = []
        if self._negation is not None and self._listed and link & _COMMA and not self._or_follows(last):
            self._negation = None
        mention = Mention(rule, first, last, _BLANK, None, link)
        self._mentions.append(mention)
        if self._predicate is not None and (self._free or not link):
            if not link:  # "heart size stable, normal mediastinum": an adjective of what follows
                for earlier, state, cue in self._doubtful:
                    earlier.state, earlier.cue = state, cue
            self._settle(mention, self._predicate)
        self._doubtful = []
        self._open.append(mention)
        self._link = 0
        self._listed = True

    def _settle(self, mention: Mention, predicate: Hit) -> None:
        kind = predicate.rule.kind
        cue = predicate
        negated = self._negation is not None and self._negation.first < predicate.first
        if kind is Kind.NORMAL:
            state = _POSITIVE if negated and self._negation.first > mention.first else _NEGATIVE  # type: ignore[union-attr]
        elif negated:
            state = _NEGATIVE
            cue = self._negation or predicate
        elif kind is Kind.BORDERLINE or self._uncertainty is not None:
            state = _UNCERTAIN
        else:
            state = _POSITIVE
        mention.state, mention.cue = state, cue

    def _on_normal(self, rule: Rule, first: int, last: int) -> None:
        hit = Hit(rule, first, last)
        across = self._link & (_COMMA | _AND | _WITH) and not self._link & _BROKEN
        self._doubtful = [(m, m.state, m.cue) for m in self._open] if across else []
        for mention in self._open:
            self._settle(mention, hit)
        self._free = not self._open
        self._predicate = hit
        self._open = []
        self._link = 0

    _on_abnormal = _on_borderline = _on_normal

    def _on_ignore(self, rule: Rule, first: int, last: int) -> None:
        pass

    def _on_not_now(self, rule: Rule, first: int, last: int) -> None:
        self._not_now = Hit(rule, first, last)


ALTERNATIVE = Rule(Kind.OR, "cues/alternative")
"""The cue of mentions that are alternatives to each other."""
