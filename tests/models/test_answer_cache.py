import os
import sqlite3
import threading
from pathlib import Path

import pytest

from hilum.core.errors import InputError, OutputError
from hilum.models._answer_cache import AnswerCache, Kept, cache_key
from hilum.models._json_answers import schema_of
from hilum.models.engine import Message, Question


def key(**change: object) -> str:
    parts = {"text": "clear lungs", "items": ("Edema",), "choices": ("yes", "no"), "model": "m", "seed": 0}
    parts |= {"server": "http://h/v1"} | change
    question = Question((Message("user", parts["text"]),), parts["items"], parts["choices"])
    return cache_key(
        question,
        model=parts["model"],
        server=parts["server"],
        schema=schema_of(question),
        settings={"seed": parts["seed"]},
    )


def test_a_key_is_of_all_that_decides_the_answer() -> None:
    changes = [
        {},
        {"text": "clear lung"},
        {"text": "clear lungs\ud800"},
        {"items": ("Edema", "Mass")},
        {"choices": ("no", "yes")},
        {"model": "n"},
        {"server": "http://other/v1"},
        {"seed": 1},
    ]
    keys = [key(**change) for change in changes]
    assert len(set(keys)) == len(changes)
    assert key() == keys[0]
    assert len(keys[0]) == 64


def test_answers_stay(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "answers.sqlite"
    cache = AnswerCache(path)
    cache.put("a", Kept(("yes", "no"), 10, 2))
    cache.put("a", Kept(("no", "no"), 11, 3))
    cache.put("b", Kept(("yes",)))
    cache.close()
    again = AnswerCache(path)
    assert again.get(["a", "b", "c"]) == {"a": Kept(("no", "no"), 11, 3), "b": Kept(("yes",))}
    assert again.get([str(number) for number in range(2_000)]) == {}
    assert again.totals() == (2, 11, 3)
    again.close()


def test_threads_and_other_connections_share_the_file(tmp_path: Path) -> None:
    caches = [AnswerCache(tmp_path / "a") for _ in range(3)]

    def fill(start: int) -> None:
        for number in range(start, 150, 6):
            caches[start % 3].put(str(number), Kept((str(number),)))

    threads = [threading.Thread(target=fill, args=(start,)) for start in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for cache in caches:
        assert len(cache.get([str(number) for number in range(150)])) == 150
        cache.close()


def test_a_row_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    cache = AnswerCache(tmp_path / "a")
    cache.put("a", Kept(("yes",)))
    cache.put("b", Kept(("yes",)))
    cache.close()
    with sqlite3.connect(tmp_path / "a") as raw:
        raw.execute("UPDATE answers SET words = '{nonsense' WHERE key = 'a'")
    raw.close()
    again = AnswerCache(tmp_path / "a")
    assert list(again.get(["a", "b"])) == ["b"]
    again.close()


def test_another_file_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("id,report\n" * 200, encoding="utf-8")
    with pytest.raises(InputError, match="no file of answers, or it is damaged"):
        AnswerCache(tmp_path / "text")
    with sqlite3.connect(tmp_path / "other") as raw:
        raw.execute("CREATE TABLE mine (x)")
    raw.close()
    with pytest.raises(InputError, match="no file of answers of this version"):
        AnswerCache(tmp_path / "other")
    assert (tmp_path / "text").read_text(encoding="utf-8").startswith("id,report")


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="another path for the cache"):
        AnswerCache(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="another path for the cache"):
        AnswerCache(tmp_path / "file" / "answers")


def test_a_forked_process_opens_the_file_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = AnswerCache(tmp_path / "a")
    cache.put("a", Kept(("yes",)))
    first = cache._connection
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert cache.get(["a"]) == {"a": Kept(("yes",))}
    assert cache._connection is not first
    cache.close()
    first.close()
