"""What an engine behind HTTP is told, and what it says about its work."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from hilum.core.errors import InputError

_MOST_IN_FLIGHT = 256


@dataclass(frozen=True)
class HttpOptions:
    """Where a model is asked, and how patiently. Times in seconds.

    `endpoint`: a server (http://localhost:8000), its `/v1`, or the full path of its chat completions. `key_from` names
    the environment variable with the key; None sends none. A request that failed is sent again up to `retries` times
    (a timeout twice) after `backoff_s` * 2^n, or what Retry-After asks, at most `longest_wait_s`. An answer that could
    not be used is asked for again `again` times, each with the next seed. `context` is the number of tokens that a
    question may have, where the server does not say it itself or cuts in silence; it leaves room for the answer.
    `bytes_per_token` is what `count` divides by: 1 is never too small. `cache` is a folder for the file of answers.
    `max_answer_tokens` None means: enough for the longest answer that can be read. After `give_up` questions in a row
    that got no answer from the server the job stops (0: never).
    """

    endpoint: str
    model: str
    key_from: str | None = field(default="OPENAI_API_KEY", repr=False)
    in_flight: int = 8
    timeout_s: float = 120.0
    retries: int = 6
    backoff_s: float = 0.5
    longest_wait_s: float = 60.0
    again: int = 1
    context: int | None = None
    bytes_per_token: float = 1.0
    cache: Path | None = None
    temperature: float = 0.0
    seed: int = 0
    max_answer_tokens: int | None = None
    give_up: int = 16

    def __post_init__(self) -> None:
        checks = {
            "model": (bool(self.model.strip()), "the name of a model that the server has"),
            "in_flight": (1 <= self.in_flight <= _MOST_IN_FLIGHT, f"1 to {_MOST_IN_FLIGHT} requests"),
            "timeout_s": (self.timeout_s > 0, "seconds above 0"),
            "retries": (0 <= self.retries <= 20, "0 to 20"),
            "backoff_s": (self.backoff_s >= 0, "seconds, 0 or more"),
            "longest_wait_s": (self.longest_wait_s >= 0, "seconds, 0 or more"),
            "again": (0 <= self.again <= 5, "0 to 5"),
            "context": (self.context is None or self.context > 0, "tokens above 0, or None"),
            "bytes_per_token": (1 <= self.bytes_per_token <= 4, "1 (never too small) to 4"),
            "temperature": (0 <= self.temperature <= 2, "0 to 2"),
            "max_answer_tokens": (
                self.max_answer_tokens is None or self.max_answer_tokens > 0,
                "tokens above 0, or None",
            ),
            "give_up": (self.give_up >= 0, "questions, 0 for never"),
        }
        for name, (fine, allowed) in checks.items():
            if not fine:
                raise InputError(f"{name} is {getattr(self, name)!r}; allowed: {allowed}.")


class Tally(NamedTuple):
    """What an engine has done so far: counts of questions, requests and tokens.

    `asked` requests were truly sent, `retries` of them because an earlier one failed; `again` answers were asked for
    anew because the first could not be used. `answered`, `cached`, `twins` (the same question twice in one call) and
    `failed` add up to the questions. `fenced` answers had a code fence, `doubtful` ones name fewer tokens than the
    question has words.
    """

    asked: int = 0
    retries: int = 0
    again: int = 0
    answered: int = 0
    cached: int = 0
    twins: int = 0
    failed: int = 0
    fenced: int = 0
    doubtful: int = 0
    read: int = 0
    written: int = 0
    most_in_flight: int = 0

    def told(self) -> tuple[str, ...]:
        """The counts in a sentence; none when nothing was asked or found."""
        if not self.asked + self.cached:
            return ()
        again = f" ({self.retries:,} after a failure)" if self.retries else ""
        sent = f"the server was sent {self.asked:,} requests{again}, read {self.read:,} tokens and wrote "
        return (f"{sent}{self.written:,}; {self.cached:,} answers were there from before",)
