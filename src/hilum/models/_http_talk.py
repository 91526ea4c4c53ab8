"""The conversation with one server: how it has to be asked, what its refusals mean, and when to give up."""

from __future__ import annotations

import difflib
import threading
from typing import NamedTuple
from urllib.parse import urlsplit

from hilum.core.errors import UnreachableError
from hilum.models._chat_protocol import (
    Way,
    body_of,
    completion_of,
    error_words,
    is_about_format,
    is_overflow,
    model_names,
    next_way,
)
from hilum.models._http_address import Address, Key, variable_shown, without_version
from hilum.models._http_options import HttpOptions
from hilum.models._http_requests import Got, Limits, Sender, Sent, need_httpx
from hilum.models._json_answers import shareable
from hilum.models.engine import Question

_SAID = 200
_UNSETTLED_TRIES = 3
_MOST_NAMES = 10


class Exchange(NamedTuple):
    """What one asking gave: the text of an answer, or a problem.

    `arrived` says that the server sent a chat completion, `final` that asking again would give the same problem.
    """

    text: str = ""
    problem: str = ""
    arrived: bool = False
    final: bool = False
    too_long: bool = False
    read: int = 0
    written: int = 0
    asked: int = 0
    retries: int = 0


class Talk:
    """Asks one server, from several threads.

    `settled` turns True with the first chat completion; what the server refused until then (JSON by schema, a seed) is
    left out from then on.
    """

    def __init__(self, options: HttpOptions, *, address: Address, key: Key | None) -> None:
        need_httpx()
        limits = Limits(
            options.in_flight,
            options.timeout_s,
            options.retries,
            options.backoff_s,
            options.longest_wait_s,
            options.seed,
        )
        self._options, self._address, self._key = options, address, key
        self._sender = Sender(limits, key=key, local=address.local)
        self._lock = threading.Lock()
        self._lost_in_row = 0
        self.settled = False
        self.way = Way()

    @property
    def most_in_flight(self) -> int:
        """The most requests that were under way at once."""
        return self._sender.most_in_flight

    def close(self) -> None:
        """Closes the connections."""
        self._sender.close()

    def ask(
        self, question: Question, *, seed: int, max_tokens: int, draw: str, stop: threading.Event
    ) -> Exchange:
        """One asking with its retries. Raises UnreachableError when no question can get an answer."""
        way, asked, retries = self.way, 0, 0
        while True:
            body = body_of(
                question,
                model=self._options.model,
                way=way,
                temperature=self._options.temperature,
                seed=seed,
                max_tokens=max_tokens,
            )
            sent = self._sender.send(
                "POST",
                self._address.ask,
                body,
                draw=draw,
                stop=stop,
                final=_no_retry_helps,
                first=not self.settled,
            )
            asked, retries = asked + sent.asked, retries + sent.asked - 1
            other = self._other_way(way, sent)
            if other is None:
                break
            way = other
        return self._meaning(sent, way, question, stop)._replace(asked=asked, retries=retries)

    def _other_way(self, way: Way, sent: Sent) -> Way | None:
        if sent.got is None or not _says_format(sent.got) or _says_overflow(sent.got):
            return None
        return next_way(way, error_words(sent.got.body), settled=self.settled)

    def _meaning(self, sent: Sent, way: Way, question: Question, stop: threading.Event) -> Exchange:
        got = sent.got
        if got is not None and 200 <= got.status < 300:
            return self._completion(got, way, question)
        if got is not None and _says_overflow(got):
            self._arrived(None)
            return Exchange(
                problem="the question is longer than the model's context", too_long=True, final=True
            )
        if got is not None and (wait := self._sender.long_wait(got)) is not None:
            raise UnreachableError(
                f"The server at {self._address.shown} asks to wait {wait:,.0f} s (status {got.status}). Next step: "
                f"run it again then{self._kept()}."
            )
        if got is None or sent.failure:
            words = (
                sent.failure
                + self._said(got, question)
                + (f", asked {sent.asked} times" if sent.asked > 1 else "")
            )
            self._lost(words, fatal=self._unreached(words) if got is None else "")
            return Exchange(problem=words, final=True)
        words = f"the server refused the question (status {got.status}){self._said(got, question)}"
        if got.status in (401, 403) or got.status in (404, 405, 410) or 300 <= got.status < 400:
            self._lost(words, fatal=self._refused(got, stop))
        elif not self.settled and "model" in error_words(got.body).lower():
            self._lost(words, fatal=self._wrong_model(stop))
        return Exchange(problem=words, final=True)

    def _completion(self, got: Got, way: Way, question: Question) -> Exchange:
        found = completion_of(got.body, got.kind)
        problem = found.problem
        if not found.proper:
            problem += self._said(got, question) if "json" in got.kind else ""
            self._lost(problem, fatal="")
            return Exchange(problem=problem)
        self._arrived(way)
        return Exchange(found.text, problem=problem, arrived=True, read=found.read, written=found.written)

    def _arrived(self, way: Way | None) -> None:
        with self._lock:
            self._lost_in_row = 0
            if way is not None and not self.settled:
                self.way, self.settled = way, True

    def _lost(self, words: str, *, fatal: str) -> None:
        with self._lock:
            self._lost_in_row += 1
            lost, settled = self._lost_in_row, self.settled
        if fatal and not settled:
            raise UnreachableError(fatal)
        limit = self._options.give_up if settled else _UNSETTLED_TRIES
        if limit and lost >= limit:
            raise UnreachableError(
                f"The server at {self._address.shown} gave no answer to {lost} questions in a row; the last time: "
                f"{words}. Next step: look at the server and run it again{self._kept()}."
            )

    def _kept(self) -> str:
        cache = self._options.cache
        return f"; the answers so far are in {cache}, and the same run goes on there" if cache else ""

    def _said(self, got: Got | None, question: Question) -> str:
        """What the server said, as far as it may be shown: no word of a key, no echo of the report."""
        said = "" if got is None or got.status in (401, 403) else error_words(got.body)
        if not said or (self._key is not None and self._key.is_in(said)):
            return ""
        shown = shareable(said, question.messages, limit=_SAID)
        return f": {shown}" if shown else ""

    def _unreached(self, words: str) -> str:
        return (
            f"The server at {self._address.shown} cannot be asked: {words}. Next step: start it, or check the address "
            f"and the port. One that still loads its model is ready when {self._address.models} answers; one that is "
            f"slow may need more time than {self._options.timeout_s:g} s (--timeout), or fewer --requests at once. "
            "Then run the same again."
        )

    def _refused(self, got: Got, stop: threading.Event) -> str:
        shown, variable = self._address.shown, variable_shown(self._options.key_from)
        if got.status in (401, 403):
            if self._key is None:
                return (
                    f"The server at {shown} wants a key (status {got.status}), and {variable} is not set. "
                    "Next step: set it."
                )
            return (
                f"The server at {shown} refuses the key in {variable}, or does not let it use the model "
                f"{self._options.model!r} (status {got.status}). Next step: another key or model; the key is not shown."
            )
        if got.status in (404, 405, 410):
            return self._wrong_model(stop) or self._wrong_path(got.status)
        return (
            f"The server at {shown} sends on to {_place(got.headers.get('location', ''))} (status {got.status}); that "
            "is not followed, because reports and key go to the named address alone. Next step: give that address."
        )

    def _wrong_path(self, status: int) -> str:
        hint = " with /v1 behind it" if without_version(self._address) else " as the server's manual has it"
        return (
            f"There is no model {self._options.model!r}, or no chat protocol, at {self._address.shown} "
            f"(status {status}, and the server lists no other model). Next step: check the name, and the address{hint}."
        )

    def _wrong_model(self, stop: threading.Event) -> str:
        """A sentence with the models there are, when the server lists them and this one is not among them."""
        sent = self._sender.send("GET", self._address.models, None, draw="models", stop=stop)
        names = model_names(sent.got.body) if sent.got is not None and sent.got.status == 200 else []
        model = self._options.model
        if not names or model in names:
            return ""
        near = difflib.get_close_matches(model, names, n=1, cutoff=0.5)
        more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
        listed = ", ".join(" ".join(name.split())[:80] for name in names[:_MOST_NAMES])
        return (
            f"The server at {self._address.shown} has no model {model!r}."
            + (f" Did you mean {near[0][:80]!r}?" if near else "")
            + f" It has: {listed}{more}."
        )


def _says_overflow(got: Got) -> bool:
    return is_overflow(got.status, error_words(got.body))


def _says_format(got: Got) -> bool:
    return is_about_format(got.status, error_words(got.body))


def _no_retry_helps(got: Got) -> bool:
    return _says_overflow(got) or _says_format(got)


def _place(location: str) -> str:
    try:
        parts = urlsplit(location)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "another address"
    return (
        f"{parts.scheme}://{parts.hostname}{port}{parts.path}"[:_SAID]
        if parts.hostname
        else "another path of its own"
    )
