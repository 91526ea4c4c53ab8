import datetime
import logging
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from chat_behaviours import CHOICES, ITEMS, Call, mixed, reference_answer, then_honest
from chat_server import ChatServer

from hilum.core.errors import InputError, MissingExtraError
from hilum.models._http_requests import retry_after_s
from hilum.models._json_answers import shareable
from hilum.models.engine import Engine, Message, Question, Reply
from hilum.models.http_engine import HttpEngine, HttpOptions

pytest.importorskip("httpx2", reason="needs the extra llm")

REPORT = "The heart of Mr. Invented Nobody is of usual size and the lungs are clear. Report"
KEY = "sk-invented-0123456789abcdef"


def question(text: str) -> Question:
    return Question((Message("system", "Read the report."), Message("user", text)), ITEMS, CHOICES)


def questions(count: int) -> list[Question]:
    return [question(f"{REPORT} {number}") for number in range(count)]


def engine(server: ChatServer | str, **more: Any) -> HttpEngine:
    quick = {"timeout_s": 5, "backoff_s": 0.005, "longest_wait_s": 0.05, "retries": 3, "key_from": None}
    url = server if isinstance(server, str) else server.url
    return HttpEngine(HttpOptions(url, **{"model": "tiny", **quick, **more}))


def words(reply: Reply) -> dict[str, str]:
    return dict(zip(ITEMS, (CHOICES[place] for place in reply.chosen), strict=True))


def right(reply: Reply, asked: Question) -> bool:
    return words(reply) == reference_answer(asked.messages[-1].content, ITEMS, CHOICES)


def after_first(name: str) -> Callable[[Call], str]:
    """Honest to the conversation that begins, and `name` to all others."""
    return lambda call: "honest" if call.text.startswith("begin") else name


def first_20_then(name: str) -> Callable[[Call], str]:
    return lambda call: "honest" if int(call.text.split()[-1]) < 20 else name


def test_answers_in_order_whatever_is_in_flight() -> None:
    asked = questions(40)
    with (
        ChatServer(delay_s=0.005) as server,
        engine(server, in_flight=1) as one,
        engine(server, in_flight=6) as many,
    ):
        assert isinstance(one, Engine)
        first, second = one.ask(asked), many.ask(asked)
        tally = many.tally
    assert [reply.chosen for reply in first] == [reply.chosen for reply in second]
    assert all(right(reply, question) for reply, question in zip(second, asked, strict=True))
    assert one.tally.most_in_flight == 1
    assert 2 <= tally.most_in_flight <= 6
    assert server.most_flying <= 6
    assert (tally.asked, tally.answered, tally.failed) == (40, 40, 0)
    assert (tally.read, tally.written) == (40_000, 1_600)
    assert first[0].usage == (1000, 40, 1)


def test_the_body_is_what_the_protocol_wants() -> None:
    with ChatServer() as server, engine(server, seed=7) as asking:
        asking.ask(questions(1))
    body = server.bodies[0]
    schema = body["response_format"]["json_schema"]
    assert (body["model"], body["temperature"], body["seed"]) == ("tiny", 0, 7)
    assert body["max_tokens"] >= 60
    assert schema["strict"] is True
    assert schema["schema"]["required"] == list(ITEMS)
    assert schema["schema"]["additionalProperties"] is False
    assert schema["schema"]["properties"]["Edema"] == {"type": "string", "enum": list(CHOICES)}
    assert "authorization" not in server.headers[0]


@pytest.mark.parametrize(
    "name", ["429", "429 seconds", "429 date", "500", "503 html", "cut", "half", "never", "drip"]
)
def test_what_passes_is_asked_again(name: str) -> None:
    timeout_s = 0.2 if name in ("never", "drip") else 5
    with ChatServer(then_honest(name, name)) as server, engine(server, timeout_s=timeout_s) as asking:
        (reply,) = asking.ask(questions(1))
    assert right(reply, questions(1)[0])
    assert reply.usage.asked == 3
    assert asking.tally.retries == 2


def test_a_server_that_asks_to_wait_for_hours_ends_the_run_at_once(tmp_path: Path) -> None:
    began = time.monotonic()
    with ChatServer(then_honest("429 long")) as server, engine(server, cache=tmp_path) as asking:
        with pytest.raises(
            InputError,
            match=r"asks to wait 86,400 s \(status 429\)\. Next step: run it again then; the answers",
        ):
            asking.ask(questions(1))
        assert asking.ask(questions(1))[0].chosen
    assert len(server.headers) == 2
    assert time.monotonic() - began < 30


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("invalid", "not|no JSON object"),
        ("extra text", "not one JSON object alone"),
        ("think", "thinks aloud"),
        ("wrong name", "not asked \\('Oedema'\\)"),
        ("missing", "lacks Edema"),
        ("wrong word", "for Edema \\('maybe'\\) is none of positive, negative"),
        ("number", "for Edema is none of"),
        ("double", "twice"),
        ("list", "not one object"),
        ("deep", "no JSON object"),
        ("nan", "not one JSON object alone"),
        ("empty", "is empty"),
        ("none", "is empty"),
        ("thought", "thought, but did not answer"),
        ("refusal", "refused to answer"),
        ("length", "was cut: it is longer than any"),
        ("no json", "sent no JSON .content type application/json"),
        ("html", "sent no JSON .content type text/html"),
        ("no completion", "no chat completion"),
        ("error in 200", "error as if it were an answer: upstream is gone"),
    ],
)
def test_an_answer_that_cannot_be_used_is_asked_for_once_more_and_listed(name: str, reason: str) -> None:
    asked = [question("begin"), *questions(2)]
    with ChatServer(after_first(name)) as server, engine(server) as asking:
        good, *bad = asking.ask(asked)
    assert right(good, asked[0])
    for reply in bad:
        assert reply.chosen == ()
        assert re.search(reason, reply.problem), reply.problem
        assert reply.problem.endswith("(asked 2 times)")
        assert not reply.too_long
    assert [server.asked[one.messages[-1].content] for one in asked] == [1, 2, 2]
    assert {body["seed"] for body in server.bodies} == {0, 1}
    with ChatServer(then_honest(name)) as server, engine(server) as asking:
        (reply,) = asking.ask(questions(1))
    assert right(reply, questions(1)[0])
    assert asking.tally.again == 1


def test_fences_and_case_are_allowed_and_counted() -> None:
    with ChatServer("fence") as server, engine(server) as asking:
        assert all(map(right, asking.ask(questions(3)), questions(3)))
        assert asking.tally.fenced == 3
        assert any("3 answers had a code fence" in note for note in asking.notes)
    with ChatServer("loose") as server, engine(server) as asking:
        assert all(map(right, asking.ask(questions(3)), questions(3)))


@pytest.mark.parametrize("name", ["overflow", "overflow 500"])
def test_a_question_that_is_too_long_is_told_and_not_asked_again(name: str) -> None:
    with ChatServer(after_first(name)) as server, engine(server) as asking:
        good, bad = asking.ask([question("begin"), *questions(1)])
    assert good.chosen
    assert bad.too_long
    assert bad.usage.asked == 1
    assert "context" in bad.problem


def test_the_context_given_is_kept_to() -> None:
    asked = questions(1)[0]
    with ChatServer() as server:
        probe = engine(server)
        size = probe.count(asked.messages)
        assert size >= sum(len(message.content.encode()) for message in asked.messages)
        assert probe.count([Message("user", "Ödem – ﷺ")]) >= len("Ödem – ﷺ".encode())
        with engine(server, context=size) as fits, engine(server, context=size - 1) as short:
            assert fits.ask([asked])[0].chosen
            (reply,) = short.ask([asked])
    assert reply.too_long
    assert reply.usage.asked == 0
    assert str(size) in reply.problem


def test_a_server_that_reads_less_than_was_asked_is_told() -> None:
    with ChatServer("few tokens") as server, engine(server) as asking:
        asking.ask(questions(2))
        assert any("For 2 answers the server counts fewer tokens" in note for note in asking.notes)


@pytest.mark.parametrize(
    ("name", "formats", "refused"),
    [
        (
            "no schema",
            ["json_schema", "json_object", "json_object", None, None, None],
            "JSON by schema, JSON as a format",
        ),
        ("no json schema", ["json_schema", *["json_object"] * 4], "JSON by schema"),
        ("new names", ["json_schema"] * 5, "a temperature"),
    ],
)
def test_what_a_server_does_not_take_is_left_out_and_remembered(
    name: str, formats: list[str | None], refused: str
) -> None:
    with ChatServer(name) as server, engine(server, in_flight=1) as asking:
        replies = asking.ask(questions(3))
    assert all(map(right, replies, questions(3)))
    assert [body.get("response_format", {}).get("type") for body in server.bodies] == formats
    assert any(f"does not take {refused};" in note for note in asking.notes)


def test_a_server_that_takes_the_schema_as_llama_cpp_first_did_gets_it_so() -> None:
    with ChatServer("older schema") as server, engine(server, in_flight=1) as asking:
        replies = asking.ask(questions(3))
    assert all(map(right, replies, questions(3)))
    first, *rest = [body["response_format"] for body in server.bodies]
    assert first["type"] == "json_schema"
    assert [one["schema"] for one in rest] == [first["json_schema"]["schema"]] * 3
    assert not any("does not take" in note for note in asking.notes)


def test_one_refused_question_does_not_change_how_the_others_are_asked() -> None:
    with ChatServer(after_first("400")) as server, engine(server, in_flight=1) as asking:
        good, bad, other = asking.ask([question("begin"), *questions(2)])
    assert good.chosen
    assert (
        bad.problem == other.problem == "the server refused the question (status 400): this one not · error"
    )
    assert len(server.bodies) == 3


@pytest.mark.parametrize(
    ("plan", "more", "said"),
    [
        ("401", {}, "wants a key \\(status 401\\)"),
        ("401", {"key_from": "HILUM_TEST_KEY"}, "refuses the key in the environment variable HILUM_TEST_KEY"),
        ("403", {"key_from": "HILUM_TEST_KEY"}, "does not let it use the model 'tiny'"),
        ("404", {"model": "tinny"}, "no model 'tinny'. Did you mean 'tiny'\\? It has: tiny, tiny-instruct"),
        ("404", {}, "There is no model 'tiny', or no chat protocol"),
        ("redirect", {}, "sends on to http://127.0.0.2:9/v1/chat/completions \\(status 307\\)"),
        ("never", {"timeout_s": 0.05}, "no answer within 0.05 s, asked 3 times. Next step: start it"),
        ("cut", {}, "the connection was cut .*asked 4 times"),
        ("huge", {"timeout_s": 3}, "more than 4 MB"),
        ("500", {"retries": 1}, "no answer to 3 questions in a row"),
        ("html", {}, "no answer to 3 questions in a row.*no JSON"),
    ],
)
def test_what_no_question_can_survive_is_an_error_at_once(
    plan: str, more: dict[str, Any], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HILUM_TEST_KEY", KEY)
    with ChatServer(plan) as server, engine(server, **more) as asking:
        with pytest.raises(InputError, match=said) as error:
            asking.ask(questions(30))
        assert len(server.asked) <= 3
        with pytest.raises(InputError):
            asking.check()
    assert KEY not in str(error.value)
    assert "Nobody" not in str(error.value)


def test_a_server_that_is_down_is_an_error() -> None:
    with ChatServer() as server:
        url = server.url
    with engine(url) as asking, pytest.raises(InputError, match="connection refused, asked 3 times"):
        asking.check()
    with engine("http://nowhere.invalid") as asking, pytest.raises(InputError, match="cannot be asked"):
        asking.ask(questions(1))


def test_a_server_that_goes_away_stops_the_job_and_the_cache_goes_on(tmp_path: Path) -> None:
    asked, cache = questions(60), tmp_path / "answers"
    with ChatServer(first_20_then("500")) as server:
        with (
            engine(server, cache=cache, retries=1, give_up=8, in_flight=4) as asking,
            pytest.raises(InputError, match="gave no answer to 8 questions in a row") as error,
        ):
            asking.ask(asked)
        assert cache.name in str(error.value)
        before = dict(server.answered)
    with ChatServer(port=server.port) as server, engine(server, cache=cache) as asking:
        assert all(map(right, asking.ask(asked), asked))
    assert len(before) == 20
    assert not set(before) & set(server.asked)


def test_the_same_question_is_asked_once(tmp_path: Path) -> None:
    asked = [*questions(5), *questions(5), *questions(3)]
    with ChatServer() as server:
        with engine(server, cache=tmp_path / "a") as asking:
            replies = asking.ask(asked)
            assert all(map(right, replies, asked))
            assert asking.tally[3:6] == (5, 0, 8)
        with engine(server, cache=tmp_path / "a") as asking:
            again = asking.ask(asked)
            assert asking.tally[3:6] == (0, 5, 8)
    assert set(server.asked.values()) == {1}
    assert sum(reply.usage.asked for reply in replies) == 5
    assert [reply.chosen for reply in replies] == [reply.chosen for reply in again]
    assert sum(reply.usage.asked for reply in again) == 0


def test_another_server_is_asked_for_itself(tmp_path: Path) -> None:
    for _ in range(2):
        with ChatServer() as server, engine(server, cache=tmp_path / "a") as asking:
            asking.ask(questions(2))
            assert sum(server.asked.values()) == 2
            assert asking.tally.told() == (
                "the server was sent 2 requests, read 2,000 tokens and wrote 80; 0 answers were there from before",
            )


def test_failures_are_not_kept(tmp_path: Path) -> None:
    with ChatServer(then_honest("invalid", "invalid")) as server:
        with engine(server, cache=tmp_path / "a") as asking:
            assert asking.ask(questions(1))[0].problem
        with engine(server, cache=tmp_path / "a") as asking:
            assert right(asking.ask(questions(1))[0], questions(1)[0])


def test_every_report_is_labeled_or_listed_under_all_kinds_of_trouble() -> None:
    asked = [question(f"{'HOPELESS ' if number % 10 == 0 else ''}{REPORT} {number}") for number in range(150)]
    with ChatServer(mixed) as server, engine(server, give_up=0, retries=4) as asking:
        replies = asking.ask(asked)
    for reply, one in zip(replies, asked, strict=True):
        hopeless = "HOPELESS" in one.messages[-1].content
        assert bool(reply.problem) == hopeless, reply.problem
        assert hopeless or right(reply, one)
    tally = asking.tally
    assert (tally.answered, tally.failed) == (135, 15)
    assert tally.asked == sum(server.asked.values())


def test_a_key_goes_into_the_header_and_nowhere_else(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("HILUM_TEST_KEY", f"{KEY}\n")
    plan = {"0": "honest", "1": "echo key", "2": "echo 400", "3": "echo name"}
    caplog.set_level(logging.DEBUG)
    more = {"key_from": "HILUM_TEST_KEY", "cache": tmp_path / "a", "in_flight": 1}
    with (
        ChatServer(lambda call: plan.get(call.text[-1], "honest")) as server,
        engine(server, **more) as asking,
    ):
        replies = asking.ask(questions(5))
        shown = repr((asking, asking.options, asking.stamp, asking.notes, replies, vars(asking)))
    assert server.headers[0]["authorization"] == f"Bearer {KEY}"
    stored = b"".join(path.read_bytes() for path in (tmp_path / "a").iterdir())
    assert [bool(reply.problem) for reply in replies] == [False, True, True, True, False]
    for text in (shown, caplog.text, stored.decode("latin-1")):
        assert KEY not in text
        assert KEY[:8] not in text
        assert "Nobody" not in text
    assert replies[2].problem == "the server refused the question (status 400)"


def test_a_key_that_no_header_can_carry_is_refused_without_showing_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HILUM_TEST_KEY", f"{KEY} {KEY}")
    with pytest.raises(InputError, match="HILUM_TEST_KEY has spaces") as error:
        engine("http://localhost:1", key_from="HILUM_TEST_KEY")
    assert KEY not in str(error.value)


def test_a_key_given_in_place_of_its_variable_is_not_shown() -> None:
    with ChatServer("401") as server, engine(server, key_from=KEY.replace("-", "_")) as asking:
        with pytest.raises(InputError, match="not set") as error:
            asking.check()
        shown = f"{error.value} {asking.options} {asking.notes}"
    assert KEY.replace("-", "_") not in shown


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ("http://h:8000", "http://h:8000/v1/chat/completions"),
        ("http://h:8000/", "http://h:8000/v1/chat/completions"),
        ("http://h:8000/v1/", "http://h:8000/v1/chat/completions"),
        ("https://h/v1/chat/completions", "https://h/v1/chat/completions"),
        ("https://h/openai", "https://h/openai/chat/completions"),
        ("localhost:11434", "http://localhost:11434/v1/chat/completions"),
        ("api.h.org/v1", "https://api.h.org/v1/chat/completions"),
        ("http://[::1]:80/v1", "http://[::1]:80/v1/chat/completions"),
        ("https://h/v1?api-version=2", "https://h/v1/chat/completions"),
    ],
)
def test_an_address_may_be_given_in_three_ways(given: str, asked: str) -> None:
    found = engine(given)
    assert found.stamp["endpoint"] == asked
    assert any(asked in note for note in found.notes) == (given != asked)


@pytest.mark.parametrize(
    "given", ["ftp://h/v1", "http://", "", "http://h:99999", "http://a b/v1", "http://h:x"]
)
def test_what_is_no_address_is_refused(given: str) -> None:
    with pytest.raises(InputError, match="is no address of a server"):
        engine(given)


@pytest.mark.parametrize("given", ["http://me:secretword@h/v1", "https://h/v1?key=secretword"])
def test_an_address_with_a_secret_is_refused_without_showing_it(given: str) -> None:
    with pytest.raises(InputError, match="not shown") as error:
        engine(given)
    assert "secretword" not in str(error.value)


def test_notes_warn_of_plain_http_and_of_a_missing_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HILUM_TEST_KEY", raising=False)
    far = engine("http://far.example/v1", key_from="HILUM_TEST_KEY")
    assert any("reports go over plain http" in note for note in far.notes)
    assert any("HILUM_TEST_KEY is not set" in note for note in far.notes)
    monkeypatch.setenv("HILUM_TEST_KEY", KEY)
    assert any(
        "key and the reports go over plain http" in note
        for note in engine("http://far.example/v1", key_from="HILUM_TEST_KEY").notes
    )
    assert not any(
        "plain http" in n for n in engine("http://127.0.0.1:1/v1", key_from="HILUM_TEST_KEY").notes
    )


@pytest.mark.parametrize(
    "wrong",
    [{"in_flight": 0}, {"timeout_s": 0}, {"retries": -1}, {"model": " "}, {"temperature": 3}, {"again": 9}],
)
def test_options_are_checked(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="allowed"):
        engine("http://localhost:1", **wrong)


def test_names_must_differ() -> None:
    twice = Question((Message("user", "x"),), ("Edema", "edema "), CHOICES)
    with pytest.raises(InputError, match="differ by more than case"):
        engine("http://localhost:1").ask([twice])
    assert engine("http://localhost:1").ask([]) == []


def test_the_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "httpx2", None)
    with pytest.raises(MissingExtraError, match=r"'httpx2'.*hilum\[llm\]"):
        engine("http://localhost:1")


def test_importing_the_engine_loads_no_client() -> None:
    code = "import sys, hilum.models.http_engine, hilum.models.fake; sys.exit('httpx2' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("model is loading", "model is loading"),
        ("got: The heart of Mr. Invented", ""),
        ("THE HEART\\nOF MR. INVENTED NOBODY", ""),
        ("Nobody", ""),
        ("read the report", "read the report"),
        ("x" * 300, "x" * 199 + "…"),
        ("two\nlines\x1b[31m", "two lines [31m"),
    ],
)
def test_foreign_words_are_shown_when_they_echo_nothing(said: str, shown: str) -> None:
    assert shareable(said, questions(1)[0].messages, limit=200) == shown


@pytest.mark.parametrize(
    ("asked_for", "seconds"),
    [("7", 7), ("0.5", 0.5), ("Sun, 06 Nov 1994 08:49:37 GMT", 37), ("soon", None), ("-3", None), ("", None)],
)
def test_retry_after_is_read_in_seconds_and_as_a_date(asked_for: str, seconds: float | None) -> None:
    now = datetime.datetime(1994, 11, 6, 8, 49, tzinfo=datetime.UTC)
    assert retry_after_s({"retry-after": asked_for}, now=now) == seconds


def test_check_says_what_answers() -> None:
    with ChatServer() as server, engine(server) as asking:
        assert asking.check() == f"tiny answers at {server.url}/v1/chat/completions with JSON by schema."
    with ChatServer("extra text") as server, engine(server) as asking:
        assert "could not be used: the answer is not one JSON object alone" in asking.check()


INTERRUPTED = """
import sys
from pathlib import Path
sys.path[:0] = {paths!r}
from test_http_engine import engine, questions
print("begun", flush=True)
engine({url!r}, timeout_s=30, cache=Path({cache!r}), in_flight=4).ask(questions(40))
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_job_leaves_at_once_and_goes_on_without_asking_twice(
    how: signal.Signals, tmp_path: Path
) -> None:
    cache, asked = tmp_path / "answers", questions(40)
    with ChatServer(first_20_then("never")) as server:
        code = INTERRUPTED.format(paths=[str(Path(__file__).parent)], url=server.url, cache=str(cache))
        job = subprocess.Popen(
            [sys.executable, "-c", code], stderr=subprocess.PIPE, text=True, env=dict(os.environ)
        )
        until = time.monotonic() + 20
        while len(server.asked) < 24 and time.monotonic() < until:
            time.sleep(0.01)
        job.send_signal(how)
        started = time.monotonic()
        _, said = job.communicate(timeout=10)
        assert time.monotonic() - started < 3
        assert how == signal.SIGKILL or "KeyboardInterrupt" in said
        first = dict(server.answered)
    assert job.returncode != 0
    with ChatServer(port=server.port) as server, engine(server, cache=cache) as asking:
        assert all(map(right, asking.ask(asked), asked))
    assert len(first) == 20
    assert not set(first) & set(server.asked)
