"""A job killed at any moment and started again gives the bytes of a job that was never stopped."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

SRC = Path(__file__).parents[2] / "src"
PLUGIN = Path(__file__).parent / "plugin"
ROWS = 480
CHUNK = 20

JOB = """
import os, signal, sys
from pathlib import Path
what, name, when, source, out, workers = sys.argv[1:7]

def dying(original, same):
    def run(self, *args, **kwargs):
        hit = name == (Path(args[0]).name if same else self.name)
        if hit and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = original(self, *args, **kwargs)
        if hit and when == "after":
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    return run

if what == "replace":
    Path.replace = dying(Path.replace, True)
elif what == "unlink":
    Path.unlink = dying(Path.unlink, False)
from hilum.api import LabelJob, label_file
label_file(LabelJob(
    source, out, labeler="fake", evidence=Path(out).with_name("e.jsonl"), html=Path(out).with_name("p.html"),
    html_limit=50, workers=int(workers), chunk_size=20,
))
"""


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join((str(SRC), str(PLUGIN))), **more}


def command(source: Path, out: Path, workers: int, kill: tuple[str, str, str] = ("", "", "")) -> list[str]:
    return [sys.executable, "-c", JOB, *kill, str(source), str(out), str(workers)]


def go(source: Path, out: Path, workers: int, kill: tuple[str, str, str] = ("", "", "")) -> int:
    done = subprocess.run(
        command(source, out, workers, kill), env=environment(), timeout=60, check=False, capture_output=True
    )
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    return done.returncode


def results(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("in") / "in.csv"
    texts = ["No edema.", "Edema, likely.", "", "Heart size is normal.", '"Two\nlines, no edema."']
    path.write_text("id,report\n" + "".join(f"r{i},{texts[i % 5]}\n" for i in range(ROWS)))
    return path


@pytest.fixture(scope="module")
def whole(source: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, bytes]]:
    runs = {}
    for ending in ("csv", "parquet"):
        folder = tmp_path_factory.mktemp(ending)
        assert go(source, folder / f"out.{ending}", 1) == 0
        runs[ending] = results(folder)
    return runs


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_kills_at_every_phase(source, whole, tmp_path, ending, workers):
    out = tmp_path / f"out.{ending}"
    kills = [
        ("replace", "manifest.json", "before"),
        ("replace", "manifest.json", "after"),
        ("replace", "00000002.rows", "before"),
        ("replace", "00000008.summary", "after"),
        ("replace", "00000014.done", "before"),
        ("replace", "00000020.done", "after"),
        ("replace", out.name, "before"),
        ("replace", out.name, "after"),
        ("replace", "e.jsonl", "before"),
        ("replace", "p.html", "before"),
        ("replace", f"{out.name}.provenance.json", "before"),
        ("unlink", "00000003.rows", "after"),
        ("unlink", "manifest.json", "before"),
        ("unlink", "lock", "before"),
    ]
    if ending == "parquet" or workers == 2:
        kills = kills[2:8]  # the others depend on neither
    for kill in kills:
        assert go(source, out, workers, kill) == -signal.SIGKILL, kill
    assert go(source, out, workers) == 0
    assert results(tmp_path) == whole[ending]


def test_kills_of_parent_and_workers_at_random_moments(source, whole, tmp_path):
    draw = random.Random(20)
    out = tmp_path / "out.csv"
    parts = out.with_name("out.csv.hilum-parts")
    kills = 0
    for _ in range(5):
        before = len(list(parts.glob("*.done")))
        process = subprocess.Popen(
            command(source, out, 2), env=environment(HILUM_FAKE_SECONDS="0.02"), stderr=subprocess.PIPE
        )
        deadline = time.monotonic() + 30
        while len(list(parts.glob("*.done"))) <= before and time.monotonic() < deadline:
            time.sleep(0.005)
        for victim in (draw.choice(psutil.Process(process.pid).children()), process):
            time.sleep(draw.uniform(0, 0.03))
            victim.kill()
            kills += 1
        process.communicate(timeout=60)
        assert process.returncode == -signal.SIGKILL
    assert kills == 10
    assert go(source, out, 2) == 0
    assert results(tmp_path) == whole["csv"]
