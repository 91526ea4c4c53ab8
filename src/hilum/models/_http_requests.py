"""One request with its retries: deadlines, waits, Retry-After, how many are in flight. It knows no chat protocol."""

from __future__ import annotations

import datetime
import email.utils
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from hilum.core.errors import MissingExtraError
from hilum.core.rng import rng_for
from hilum.models._http_address import Key
from hilum.models._side_by_side import StoppedError

_RETRIED = frozenset({408, 409, 425, 429})
_MOST_BYTES = 4_000_000
_MOST_COSTLY = 3
_MOST_UNKNOWN = 3
_LONG = 5
"""Times the longest wait: who is asked to wait for longer gives up."""

_STATUS_WORDS: Mapping[int, str] = {
    408: "timed out on its side",
    409: "was in conflict",
    425: "was not ready",
    429: "asked to wait (too many requests)",
}


class Limits(NamedTuple):
    """How patient a sender is; times in seconds."""

    in_flight: int
    timeout_s: float
    retries: int
    backoff_s: float
    longest_wait_s: float
    seed: int


class Got(NamedTuple):
    """A response that came whole."""

    status: int
    body: bytes
    kind: str
    headers: Mapping[str, str]


class Sent(NamedTuple):
    """What became of a request: the response, or why there is none, and how often it was sent."""

    got: Got | None
    failure: str
    asked: int


class _LostError(Exception):
    def __init__(self, words: str, *, costly: bool = False, nobody: bool = False) -> None:
        super().__init__(words)
        self.words, self.costly, self.nobody = words, costly, nobody


class Sender:
    """Sends requests to one host from several threads, at most `limits.in_flight` at a time."""

    def __init__(self, limits: Limits, *, key: Key | None, local: bool) -> None:
        self._limits, self._key, self._local = limits, key, local
        self._slots = threading.BoundedSemaphore(limits.in_flight)
        self._lock = threading.Lock()
        self._client: Any = None
        self._not_before = 0.0
        self._flying = 0
        self.most_in_flight = 0

    def send(
        self,
        method: str,
        url: str,
        body: bytes | None,
        *,
        draw: str,
        stop: threading.Event,
        final: Callable[[Got], bool] = lambda _: False,
        first: bool = False,
    ) -> Sent:
        """Sends until there is an answer that is final, or no retry is left; `draw` names the jitter of its waits.

        Retried: no connection, a cut or half one, a timeout or too large a body (twice at most), 408, 409, 425, 429
        and 5xx, unless `final` says that no retry can heal it. Before anyone has answered (`first`), three tries to
        connect are enough: the address is more likely to be wrong than the server to be away. Raises StoppedError
        when `stop` is set while it waits.
        """
        failure, costly, asked = "", 0, 0
        got: Got | None = None
        for attempt in range(self._limits.retries + 1):
            got, lost = None, None
            with self._slot(stop):
                asked += 1
                try:
                    got = self._once(method, url, body)
                except _LostError as error:
                    lost = error
            if got is not None and got.status not in _RETRIED and got.status < 500:
                return Sent(got, "", asked)
            failure = lost.words if lost else _status_words(got)
            costly += bool(lost and lost.costly)
            enough = (
                attempt == self._limits.retries
                or costly >= _MOST_COSTLY
                or (first and lost is not None and lost.nobody and asked >= _MOST_UNKNOWN)
                or (got is not None and (final(got) or self.long_wait(got) is not None))
            )
            if enough:
                break
            self._wait(attempt, got, draw=draw, stop=stop)
        return Sent(got, failure, asked)

    def long_wait(self, got: Got) -> float | None:
        """Seconds that the server asks to wait, when they are too many for a run: a quota of hours, no crowd."""
        asked_for = retry_after_s(got.headers, now=_now()) if got.status >= 400 else None
        return (
            asked_for if asked_for is not None and asked_for > _LONG * self._limits.longest_wait_s else None
        )

    def close(self) -> None:
        """Closes the connections."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _once(self, method: str, url: str, body: bytes | None) -> Got:
        import httpx2  # noqa: PLC0415  (the extra llm)

        deadline = time.monotonic() + self._limits.timeout_s
        headers = {"Content-Type": "application/json"} if body is not None else {}
        headers |= self._key.headers() if self._key else {}
        try:
            with self._opened().stream(method, url, content=body, headers=headers) as response:
                parts, size = [], 0
                for part in response.iter_bytes():
                    parts.append(part)
                    size += len(part)
                    if size > _MOST_BYTES:
                        raise _LostError(
                            f"the server sent more than {_MOST_BYTES // 1_000_000} MB", costly=True
                        )
                    if time.monotonic() > deadline:
                        raise _LostError(_late(self._limits.timeout_s), costly=True)
                names = {name.lower(): value for name, value in response.headers.items()}
                return Got(response.status_code, b"".join(parts), names.get("content-type", ""), names)
        except httpx2.TimeoutException:
            raise _LostError(_late(self._limits.timeout_s), costly=True) from None
        except httpx2.ConnectError as error:
            raise _LostError(_no_connection(error), nobody=True) from None
        except httpx2.RequestError as error:
            raise _LostError(f"the connection was cut ({type(error).__name__})") from None

    def _opened(self) -> Any:
        with self._lock:
            if self._client is None:
                self._client = _client(self._limits, local=self._local)
            return self._client

    @contextmanager
    def _slot(self, stop: threading.Event) -> Iterator[None]:
        while (pause := self._not_before - time.monotonic()) > 0:
            _pause(pause, stop)
        while not self._slots.acquire(timeout=0.2):
            _pause(0, stop)
        with self._lock:
            self._flying += 1
            self.most_in_flight = max(self.most_in_flight, self._flying)
        try:
            _pause(0, stop)
            yield
        finally:
            with self._lock:
                self._flying -= 1
            self._slots.release()

    def _wait(self, attempt: int, got: Got | None, *, draw: str, stop: threading.Event) -> None:
        asked_for = None if got is None else retry_after_s(got.headers, now=_now())
        jitter = float(rng_for(self._limits.seed, "backoff", draw, attempt).uniform(0.5, 1.0))
        wait = self._limits.backoff_s * 2.0**attempt * jitter
        if asked_for is not None:
            wait = max(wait, asked_for)
        wait = min(wait, self._limits.longest_wait_s)
        if asked_for is not None:  # the server asks all to wait, so the others wait as well
            with self._lock:
                self._not_before = max(self._not_before, time.monotonic() + wait)
        _pause(wait, stop)


def retry_after_s(headers: Mapping[str, str], *, now: datetime.datetime) -> float | None:
    """Seconds that `Retry-After` (seconds or a date) asks to wait, never below 0; None without a readable one."""
    text = headers.get("retry-after", "").strip()
    try:
        if text.replace(".", "", 1).isdecimal():
            return float(text)
        until = email.utils.parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=datetime.UTC)
    return max(0.0, (until - now).total_seconds())


def need_httpx() -> None:
    """Raises MissingExtraError when the package that sends requests is not installed."""
    try:
        import httpx2  # noqa: F401, PLC0415  (only whether it is there)
    except ImportError as error:
        raise MissingExtraError("httpx2", "llm") from error


def _client(limits: Limits, *, local: bool) -> Any:
    import httpx2  # noqa: PLC0415  (the extra llm)

    return httpx2.Client(
        timeout=httpx2.Timeout(limits.timeout_s, pool=None),
        limits=httpx2.Limits(
            max_connections=limits.in_flight + 1, max_keepalive_connections=limits.in_flight + 1
        ),
        headers={"Accept": "application/json", "Accept-Encoding": "identity"},
        follow_redirects=False,
        trust_env=not local,  # a proxy of the environment does not stand between this machine and itself
    )


def _pause(seconds: float, stop: threading.Event) -> None:
    if stop.wait(seconds) if seconds > 0 else stop.is_set():
        raise StoppedError


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def _late(timeout_s: float) -> str:
    return f"no answer within {timeout_s:g} s"


def _no_connection(error: Exception) -> str:
    text = str(error)
    if "CERTIFICATE" in text.upper():
        return "the server's certificate was not accepted"
    if "refused" in text.lower():
        return "connection refused"
    if "name" in text.lower() or "getaddrinfo" in text.lower() or "nodename" in text.lower():
        return "no such host"
    return "no connection"


def _status_words(got: Got | None) -> str:
    if got is None:
        return "no connection"
    return f"the server {_STATUS_WORDS.get(got.status, 'failed on its side')} (status {got.status})"
