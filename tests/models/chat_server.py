"""A server that speaks the OpenAI chat protocol on localhost and misbehaves where it is told to.

`ChatServer(plan)` runs in a thread; `python chat_server.py --plan mixed --log FILE` runs as a process and prints its
port. A plan gets a `Call` and returns the name of one of the `BEHAVIOURS`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from chat_behaviours import BEHAVIOURS, Answer, Call, always, mixed, refusal


class ChatServer:
    """The server in a thread; `asked` has the text of each request that came, `answered` of each honest answer."""

    def __init__(
        self,
        plan: Callable[[Call], str] | str = "honest",
        *,
        models: Sequence[str] | None = ("tiny", "tiny-instruct"),
        delay_s: float = 0.0,
        log: Path | None = None,
        port: int = 0,
    ) -> None:
        self.plan = always(plan) if isinstance(plan, str) else plan
        self.models, self.delay_s, self.log = models, delay_s, log
        self.asked: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self.bodies: list[Mapping[str, Any]] = []
        self.headers: list[Mapping[str, str]] = []
        self.lock = threading.Lock()
        self.closing = threading.Event()
        self.flying = self.most_flying = 0
        self.http = _Http(("127.0.0.1", port), _Handler)
        self.http.owner = self
        self.port = self.http.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self.http.shutdown()
        self.http.server_close()

    def call(self, body: Mapping[str, Any], headers: Mapping[str, str]) -> Call:
        with self.lock:
            call = Call(body, headers, 0)
            call = call._replace(before=self.asked[call.text])
            self.asked[call.text] += 1
            self.bodies.append(body)
            self.headers.append(headers)
            self.flying += 1
            self.most_flying = max(self.most_flying, self.flying)
        return call

    def done(self, text: str, name: str) -> None:
        with self.lock:
            self.flying -= 1
            if name == "honest":
                self.answered[text] += 1
            if self.log is not None:
                with self.log.open("a", encoding="ascii") as lines:
                    lines.write(f"{hashlib.sha256(text.encode()).hexdigest()} {name.replace(' ', '_')}\n")


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    owner: ChatServer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is part of the play."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Http

    def log_message(self, *args: Any) -> None:
        """Nothing on the terminal."""

    def do_GET(self) -> None:
        models = self.server.owner.models
        if models is None or not self.path.endswith("/v1/models"):
            return self._send(refusal(404, "no such page"))
        body = {"object": "list", "data": [{"id": name, "object": "model"} for name in models]}
        return self._send(Answer(body=json.dumps(body).encode()))

    def do_POST(self) -> None:
        owner = self.server.owner
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        call = owner.call(body, {name.lower(): value for name, value in self.headers.items()})
        name = owner.plan(call)
        try:
            if not self.path.split("?")[0].endswith("/v1/chat/completions"):
                return self._send(refusal(404, "no such page"))
            owner.closing.wait(owner.delay_s)
            return self._send(BEHAVIOURS[name](call))
        finally:
            owner.done(call.text, name)

    def _send(self, answer: Answer) -> None:
        if answer.cut and not answer.body:
            self.close_connection = True
            return self.connection.close()
        if answer.drip_s > 1:
            self.server.owner.closing.wait(answer.drip_s)
            self.close_connection = True
            return None
        self.send_response(answer.status)
        for name, value in {"Content-Type": answer.kind, **answer.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if answer.cut:
            self.wfile.write(answer.body[: len(answer.body) // 2])
            self.close_connection = True
            return None
        self._write(answer)
        return None

    def _write(self, answer: Answer) -> None:
        step = 16 if answer.drip_s else max(1, len(answer.body))
        for at in range(0, len(answer.body), step):
            self.wfile.write(answer.body[at : at + step])
            self.wfile.flush()
            if answer.drip_s:
                time.sleep(answer.drip_s)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--plan", default="honest", help="mixed, or one of the behaviours")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--log", type=Path)
    chosen = parser.parse_args()
    plan = mixed if chosen.plan == "mixed" else chosen.plan
    with ChatServer(plan, delay_s=chosen.delay, log=chosen.log, port=chosen.port) as server:
        sys.stdout.write(f"{server.port}\n")
        sys.stdout.flush()
        threading.Event().wait()


if __name__ == "__main__":
    main()
