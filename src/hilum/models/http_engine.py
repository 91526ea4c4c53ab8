"""A language model behind a server that speaks the OpenAI chat protocol: vLLM, Ollama, llama.cpp, or any other.

One request per question, JSON by schema; every answer is read strictly or listed with the reason why it was not used.
Report text, keys and bodies of requests are in no message, no stamp and no file.
"""

from __future__ import annotations

import math
import threading
import unicodedata
from collections.abc import Mapping, Sequence
from types import MappingProxyType, TracebackType
from typing import NamedTuple, Self

from hilum.core.errors import InputError, UnreachableError
from hilum.models._answer_cache import CACHE_FILE, AnswerCache, Kept, cache_key
from hilum.models._http_address import address_of, key_of, variable_shown
from hilum.models._http_options import HttpOptions, Tally
from hilum.models._http_talk import Exchange, Talk
from hilum.models._json_answers import longest_answer, read_answer, schema_of
from hilum.models._side_by_side import side_by_side
from hilum.models.engine import Message, Question, Reply, Usage

__all__ = ["HttpEngine", "HttpOptions", "Tally"]

_TURN_TOKENS, _CONVERSATION_TOKENS = 16, 64
_PROBE = Question(
    (Message("user", 'Answer with this JSON object and nothing else: {"ready": "yes"}'),),
    ("ready",),
    ("yes", "no"),
)


class _Job(NamedTuple):
    key: str
    question: Question


class HttpEngine:
    """Asks a server; see `HttpOptions`. Use it in a `with` block, or call `close`.

    Answers come in the order of the questions and do not depend on how many are in flight. The same question twice in
    one call is asked once. Raises InputError for options, an address or a key that cannot be used, MissingExtraError
    without httpx2.
    """

    unit = "tokens (each byte counts as one, since the server's tokenizer is not here)"
    """What `count` counts, in words."""

    def __init__(self, options: HttpOptions) -> None:
        self.options = options
        self._address = address_of(options.endpoint)
        self._key = key_of(options.key_from)
        self._talk = Talk(options, address=self._address, key=self._key)
        self._cache = AnswerCache(options.cache / CACHE_FILE) if options.cache is not None else None
        self._lock = threading.Lock()
        self._tally = Tally()
        self.context = options.context
        self.stamp: Mapping[str, str] = MappingProxyType(
            {
                "engine": "http",
                "model": options.model,
                "endpoint": self._address.shown,
                "answer": "JSON by schema",
                **{name: str(value) for name, value in self._settings().items()},
            }
        )

    def __repr__(self) -> str:
        return f"HttpEngine({self.options.model!r} at {self._address.shown})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections and the file of answers."""
        self._talk.close()
        if self._cache is not None:
            self._cache.close()

    @property
    def tally(self) -> Tally:
        """What was done so far."""
        with self._lock:
            return self._tally._replace(most_in_flight=self._talk.most_in_flight)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know about this run; each is a sentence or two."""
        options, tally, refused = self.options, self.tally, self._talk.way.refused
        found = {
            f"Questions go to {self._address.shown}.": self._address.ask != options.endpoint.strip(),
            "The key and the reports go over plain http to another machine, where others on the way can read them. "
            "Next step: an https address.": self._address.plain
            and not self._address.local
            and bool(self._key),
            "The reports go over plain http to another machine, where others on the way can read them.": (
                self._address.plain and not self._address.local and not self._key
            ),
            f"No key was sent: {variable_shown(options.key_from)} is not set.": (
                not self._address.local and bool(options.key_from) and not self._key
            ),
            f"The server does not take {', '.join(refused)}; it was asked without.": bool(refused),
            f"{tally.fenced} answers had a code fence around the JSON.": tally.fenced > 0,
            f"For {tally.doubtful} answers the server counts fewer tokens than the question has words: it cuts long "
            "questions in silence (Ollama does: raise OLLAMA_CONTEXT_LENGTH there, and give the context here), or it "
            "counts new tokens alone.": tally.doubtful > 0,
        }
        return tuple(note for note, holds in found.items() if holds)

    def count(self, messages: Sequence[Message]) -> int:
        """UTF-8 bytes of the turns (of their NFKC form where it is longer), 16 for each turn and 64 more.

        No token of a tokenizer in use covers less than a byte, so this is never too small; in English a token has
        about four. `bytes_per_token` of the options divides the bytes for those who know their tokenizer.
        """
        size = sum(max(_bytes(m.content), _bytes(unicodedata.normalize("NFKC", m.content))) for m in messages)
        return (
            math.ceil(size / self.options.bytes_per_token)
            + _TURN_TOKENS * len(messages)
            + _CONVERSATION_TOKENS
        )

    def check(self) -> str:
        """Asks one small question, before a job of hours, and says what answered and how.

        Raises UnreachableError when the server cannot be reached, does not know the model or refuses the key.
        """
        exchange = self._talk.ask(
            _PROBE, seed=self.options.seed, max_tokens=64, draw="check", stop=threading.Event()
        )
        self._add(Tally(asked=exchange.asked, retries=exchange.retries))
        if not self._talk.settled:
            raise UnreachableError(
                f"The server at {self._address.shown} gave no answer to a trial question: {exchange.problem}. "
                "Next step: look at the server, then run it again."
            )
        problem = exchange.problem or read_answer(exchange.text, _PROBE).problem
        way = self._talk.way.refused
        said = f"{self.options.model} answers at {self._address.shown}"
        said += f" (without {', '.join(way)})." if way else " with JSON by schema."
        return said + (f" Its answer to a trial question could not be used: {problem}." if problem else "")

    def ask(self, questions: Sequence[Question]) -> list[Reply]:
        """One `Reply` per question, in order; the first ones alone, until the server has answered once.

        `usage` is what was spent in this call: an answer from the cache has none. Raises UnreachableError when no
        question can get an answer (server down, model or key refused, `give_up` questions in a row without one),
        OutputError when the cache cannot be written. An interrupt leaves at once; answers that came are in the cache.
        """
        jobs = [_Job(self.cache_key(question), question) for question in questions]
        first: dict[str, _Job] = {}
        for job in jobs:
            first.setdefault(job.key, job)
        self._add(Tally(twins=len(jobs) - len(first)))
        replies = self._known(first)
        todo = [job for key, job in first.items() if key not in replies]
        stop, alone = threading.Event(), 0
        while alone < len(todo) and not self._talk.settled:
            replies[todo[alone].key] = self._answer(todo[alone], stop)
            alone += 1
        rest = todo[alone:]
        found = side_by_side(self._answer, rest, threads=self.options.in_flight, stop=stop)
        replies.update(zip((job.key for job in rest), found, strict=True))
        return _in_order(jobs, replies)

    def _known(self, jobs: Mapping[str, _Job]) -> dict[str, Reply]:
        kept = self._cache.get(list(jobs)) if self._cache is not None else {}
        found = {key: reply for key, one in kept.items() if (reply := _kept_reply(one, jobs[key].question))}
        self._add(Tally(cached=len(found)))
        for key, job in jobs.items():
            tokens = self.count(job.question.messages) if self.context is not None else 0
            if key not in found and self.context is not None and tokens > self.context:
                said = f"the question may have {tokens} tokens, and the context is {self.context}"
                found[key] = Reply(problem=said, too_long=True)
                self._add(Tally(failed=1))
        return found

    def _answer(self, job: _Job, stop: threading.Event) -> Reply:
        used, problem, asked_again = Usage(), "", 0
        most = self.options.max_answer_tokens or longest_answer(job.question)
        for again in range(self.options.again + 1):
            seed = self.options.seed + again
            exchange = self._talk.ask(
                job.question, seed=seed, max_tokens=most, draw=f"{job.key} {again}", stop=stop
            )
            used = Usage(
                used.read + exchange.read, used.written + exchange.written, used.asked + exchange.asked
            )
            asked_again += bool(again)
            self._count_exchange(exchange, job.question)
            problem = exchange.problem
            if exchange.arrived and not problem:
                reading = read_answer(exchange.text, job.question)
                problem = reading.problem
                self._add(Tally(fenced=int(reading.fenced)))
                if not problem:
                    self._keep(job, reading.chosen, used)
                    self._add(Tally(answered=1, again=asked_again))
                    return Reply(chosen=reading.chosen, usage=used)
            if exchange.final:
                break
        self._add(Tally(failed=1, again=asked_again))
        tried = f" (asked {asked_again + 1} times)" if asked_again else ""
        return Reply(problem=problem + tried, too_long=exchange.too_long, usage=used)

    def _count_exchange(self, exchange: Exchange, question: Question) -> None:
        words = sum(len(message.content.split()) for message in question.messages)
        self._add(
            Tally(
                asked=exchange.asked,
                retries=exchange.retries,
                read=exchange.read,
                written=exchange.written,
                doubtful=int(0 < exchange.read < words),
            )
        )

    def _keep(self, job: _Job, chosen: Sequence[int], used: Usage) -> None:
        if self._cache is not None:
            words = tuple(job.question.choices[place] for place in chosen)
            self._cache.put(job.key, Kept(words, used.read, used.written))

    def cache_key(self, question: Question) -> str:
        """The key of a question in the file of answers. Raises InputError when two names of it are the same."""
        for names in (question.items, question.choices):
            if len({" ".join(name.split()).casefold() for name in names}) < len(names) or not names:
                raise InputError(
                    "The names of a question must differ by more than case and space; "
                    f"got: {', '.join(names) or 'none'}."
                )
        return cache_key(
            question,
            model=self.options.model,
            server=self._address.shown,
            schema=schema_of(question),
            settings=self._settings(),
        )

    def _settings(self) -> dict[str, float | int | None]:
        options = self.options
        return {
            "temperature": float(options.temperature),
            "seed": options.seed,
            "max_answer_tokens": options.max_answer_tokens,
            "again": options.again,
        }

    def _add(self, more: Tally) -> None:
        with self._lock:
            self._tally = Tally(*(old + new for old, new in zip(self._tally, more, strict=True)))


def _in_order(jobs: Sequence[_Job], replies: Mapping[str, Reply]) -> list[Reply]:
    seen: set[str] = set()
    ordered = []
    for job in jobs:
        reply = replies[job.key]
        if job.key in seen:
            reply = Reply(reply.chosen, problem=reply.problem, too_long=reply.too_long)
        seen.add(job.key)
        ordered.append(reply)
    return ordered


def _kept_reply(kept: Kept, question: Question) -> Reply | None:
    if len(kept.words) != len(question.items) or any(word not in question.choices for word in kept.words):
        return None
    return Reply(chosen=tuple(question.choices.index(word) for word in kept.words))


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
