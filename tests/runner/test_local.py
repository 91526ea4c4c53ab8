from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from hilum.core.errors import HilumError, UnreachableError
from hilum.runner.local import Chunking, Progress, WorkerError, run_chunks
from hilum.runner.store import FolderStore

sys.path.insert(0, str(Path(__file__).parent))
from tiny import Words

ITEMS = [" ".join(["word"] * (i % 7)) for i in range(95)]
CHUNKING = Chunking[str](size=10)


def run(folder: Path, spec: Words, workers: int = 1, **options):
    store = FolderStore(folder)
    store.open({})
    try:
        return run_chunks(iter(ITEMS), spec, store=store, chunking=CHUNKING, workers=workers, **options)
    finally:
        store.close()


def parts(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in sorted(folder.iterdir()) if p.name != "lock"}


@pytest.mark.parametrize("workers", [2, 3])
def test_parts_do_not_depend_on_the_number_of_workers(tmp_path, workers):
    one = run(tmp_path / "one", Words())
    many = run(tmp_path / "many", Words(), workers)
    assert (many.chunks, many.items, many.resumed, many.retried) == (10, 95, 0, ())
    assert one == many
    assert parts(tmp_path / "one") == parts(tmp_path / "many")
    text = b"".join(parts(tmp_path / "one")[f"{n:08d}.counts"] for n in range(10)).decode()
    assert text == "".join(f"{i} {i % 7}\n" for i in range(95))


def test_items_are_streamed_and_only_a_few_are_held(tmp_path):
    taken = 0

    def source() -> Iterator[str]:
        nonlocal taken
        for item in ITEMS * 20:
            taken += 1
            yield item

    held = []
    store = FolderStore(tmp_path / "p")
    store.open({})
    run_chunks(
        source(),
        Words(),
        store=store,
        chunking=CHUNKING,
        workers=2,
        progress=lambda p: held.append(taken - p.items),
    )
    store.close()
    assert max(held) <= 10 * 5
    assert taken == len(ITEMS) * 20


def test_heavy_items_make_smaller_chunks():
    chunking = Chunking[str](size=3, weigh=len, max_weight=5)
    cut = list(chunking.cut(["aa", "bb", "cc", "dddddddd", "e", "f", "g", "h"]))
    assert [c.items for c in cut] == [["aa", "bb"], ["cc"], ["dddddddd"], ["e", "f", "g"], ["h"]]
    assert [(c.number, c.first) for c in cut] == [(0, 0), (1, 2), (2, 3), (3, 4), (4, 7)]


def test_done_chunks_are_not_done_again(tmp_path):
    notes = tmp_path / "notes"
    notes.mkdir()
    run(tmp_path / "p", Words())
    for number in (2, 7):
        (tmp_path / "p" / f"{number:08d}.done").unlink()
    seen: list[Progress] = []
    report = run(tmp_path / "p", Words(notes=str(notes)), progress=seen.append)
    assert sorted(int(p.name.split(".")[0]) for p in notes.iterdir()) == [20, 70]
    assert report.resumed == 75
    assert seen[-1] == Progress(items=95, resumed=75, chunks=10)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_failing_chunk_is_named_and_costs_no_other(tmp_path, workers):
    with pytest.raises(WorkerError, match=r"items 31 to 40: ValueError: bad words \(tiny.py, line \d+\)"):
        run(tmp_path / "p", Words(fail_at=30), workers)
    assert len(list((tmp_path / "p").glob("*.done"))) == 9
    report = run(tmp_path / "p", Words(), workers)
    assert report.resumed == 85
    run(tmp_path / "whole", Words())
    assert parts(tmp_path / "p") == parts(tmp_path / "whole")


def test_the_same_failure_is_told_once_with_all_its_items(tmp_path, monkeypatch):
    monkeypatch.setattr(Words, "_work", lambda self, first, items: 1 / 0)
    with pytest.raises(
        WorkerError, match=r"5 chunk.*items 1 to 10, 11 to 20, .*: ZeroDivisionError"
    ) as error:
        run(tmp_path / "p", Words())
    assert str(error.value).count("ZeroDivisionError") == 1


@pytest.mark.parametrize("workers", [1, 2])
def test_what_all_chunks_need_and_nobody_has_ends_the_run_at_once(tmp_path, workers):
    notes = tmp_path / "notes"
    notes.mkdir()
    with pytest.raises(UnreachableError, match=r"^nobody answers, also at [34]0$"):
        run(tmp_path / "p", Words(alone_from=30, notes=str(notes)), workers)
    assert len(list((tmp_path / "p").glob("*.done"))) in ((3,) if workers == 1 else (2, 3))
    assert run(tmp_path / "p", Words(), workers).resumed >= 20


def test_a_finished_chunk_is_kept_before_the_next_begins(tmp_path, monkeypatch):
    def work(_, first, items):
        if first == 10:
            raise KeyboardInterrupt
        return {"size": str(len(items)).encode()}

    monkeypatch.setattr(Words, "_work", work)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "p", Words())
    assert len(list((tmp_path / "p").glob("*.done"))) == 1


def test_a_worker_that_dies_is_replaced_and_its_chunk_done_again(tmp_path):
    report = run(tmp_path / "p", Words(die_at=50, die_once=str(tmp_path / "died")), 2)
    assert report.retried == ("a worker died (killed by signal 9) on items 51 to 60: done again",)
    run(tmp_path / "whole", Words())
    assert parts(tmp_path / "p") == parts(tmp_path / "whole")


def test_a_chunk_that_kills_every_worker_is_named_and_costs_no_other(tmp_path):
    with pytest.raises(WorkerError, match=r"items 51 to 60: 2 workers died on it \(killed by signal 9\)"):
        run(tmp_path / "p", Words(die_at=50), 2)
    assert len(list((tmp_path / "p").glob("*.done"))) == 9


def test_a_worker_that_cannot_be_built_stops_the_run_at_once(tmp_path):
    with pytest.raises(HilumError, match="could not be built: RuntimeError: no model here"):
        run(tmp_path / "p", Words(broken=True), 2)


def test_work_that_cannot_be_pickled_is_refused(tmp_path):
    class Local(Words):
        pass

    with pytest.raises(HilumError, match="cannot be sent to worker processes"):
        run(tmp_path / "p", Local(), 2)


def test_an_error_of_the_source_ends_the_workers_and_keeps_what_is_done(tmp_path):
    def source() -> Iterator[str]:
        yield from ITEMS
        raise HilumError("row 96 is broken")

    before = set(psutil.Process().children())
    store = FolderStore(tmp_path / "p")
    store.open({})
    with pytest.raises(HilumError, match="row 96"):
        run_chunks(source(), Words(), store=store, chunking=CHUNKING, workers=2)
    store.close()
    assert set(psutil.Process().children()) <= before
    assert list((tmp_path / "p").glob("*.done"))


PARENT = """
import json, sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from tiny import Words
from hilum.runner.local import Chunking, run_chunks
from hilum.runner.store import FolderStore
store = FolderStore(Path(sys.argv[1]))
store.open({})
run_chunks(
    json.loads(sys.argv[4]), Words(seconds=float(sys.argv[5])), store=store, chunking=Chunking(size=10),
    workers=int(sys.argv[2]), progress=lambda p: print(p.chunks, flush=True),
)
"""


def start(folder: Path, workers: int, seconds: float) -> subprocess.Popen[str]:
    here = str(Path(__file__).parent)
    return subprocess.Popen(
        [sys.executable, "-c", PARENT, str(folder), str(workers), here, json.dumps(ITEMS), str(seconds)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def gone(processes: list[psutil.Process], seconds: float = 10.0) -> bool:
    _, alive = psutil.wait_procs(processes, timeout=seconds)
    return not alive


def test_workers_end_when_the_parent_is_killed_even_in_the_middle_of_a_chunk(tmp_path):
    with start(tmp_path / "p", 2, 30.0) as process:
        deadline = time.monotonic() + 20
        while len(workers := psutil.Process(process.pid).children()) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        process.kill()
        assert len(workers) == 2
    assert gone(workers)


@pytest.mark.skipif(os.name != "posix", reason="POSIX signals")
def test_an_interrupt_reaches_the_parent_alone_and_ends_everything(tmp_path):
    with start(tmp_path / "p", 2, 0.1) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "1\n"
        workers = psutil.Process(process.pid).children()
        process.send_signal(signal.SIGINT)
        assert process.wait(10) != 0
    assert gone(workers)
    assert list((tmp_path / "p").glob("*.done"))
