"""Images decoded once, at the size of the model, in one file that is read as memory; a run that was killed goes on."""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hilum.core.errors import ImageError, InputError, OutputError
from hilum.images.read import read_image
from hilum.images.transforms import resize
from hilum.train.image_set import Grey, Source, fingerprint

_ROWS_BETWEEN_SAVES = 512
_SECONDS_BETWEEN_LINES = 10.0
_FORMAT = "hilum image cache 1"


class Failed(NamedTuple):
    """An image that cannot be used: its place, and why."""

    place: int
    reason: str


@dataclass(frozen=True, eq=False)
class Decoded:
    """Images at the size of the model, uint8 [N, S, S]; rows of `failed` are black and are not to be used."""

    pixels_NHW: npt.NDArray[np.uint8]
    failed: tuple[Failed, ...]

    def good(self) -> npt.NDArray[np.intp]:
        """Places of the images that can be used."""
        bad = {one.place for one in self.failed}
        return np.array([i for i in range(len(self.pixels_NHW)) if i not in bad], dtype=np.intp)


def decode(
    sources: Sequence[Source],
    folder: Path,
    *,
    size: int,
    fit: str,
    workers: int,
    tell: Callable[[str], None] = lambda _: None,
) -> Decoded:
    """All images at `size` by `fit`, decoded by `workers` threads into a file in `folder`, or found there.

    Every 512 images what is done is marked, so that a run that was killed goes on there. A file that cannot be read
    costs itself alone. Raises OutputError when there is no room.
    """
    key = _key(sources, size=size, fit=fit)
    path, record = folder / f"images-{key[:16]}.u8", folder / f"images-{key[:16]}.json"
    done, failed = _resumed(path, record, key, size=size)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if done < len(sources):
            pixels = _opened(path, (len(sources), size, size), new=not done)
            _fill(pixels, sources, record, _Run(key, done, failed), fit=fit, workers=workers, tell=tell)
        whole: npt.NDArray[np.uint8] = np.memmap(path, np.uint8, "r", shape=(len(sources), size, size))
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written: {error.strerror or error}; {len(sources):,} images of {size} x {size} need "
            f"{len(sources) * size * size / 1e6:,.0f} MB. Next step: make room, or name another folder with --cache."
        ) from error
    return Decoded(whole, tuple(Failed(*one) for one in failed))


def remove_decoded(folder: Path) -> None:
    """Remove what `decode` keeps in a folder."""
    for path in (*folder.glob("images-*.u8"), *folder.glob("images-*.json")):
        path.unlink()


@dataclass
class _Run:
    key: str
    done: int
    failed: list[Any]


def _key(sources: Sequence[Source], *, size: int, fit: str) -> str:
    total = hashlib.sha256(f"{_FORMAT}\0{size}\0{fit}".encode())
    for source in sources:
        total.update(fingerprint(source))
        if isinstance(source, Path):
            total.update(str(source.resolve()).encode("utf-8", "surrogatepass"))
            with contextlib.suppress(OSError):
                total.update(str(source.stat().st_mtime_ns).encode())
    return total.hexdigest()


def _resumed(path: Path, record: Path, key: str, *, size: int) -> tuple[int, list[Any]]:
    try:
        found = json.loads(record.read_bytes())
        done, failed = int(found["done"]), [(int(i), str(why)) for i, why in found["failed"]]
        same = found["key"] == key and path.stat().st_size >= done * size * size
    except (OSError, ValueError, KeyError, TypeError):
        return 0, []
    return (done, failed) if same else (0, [])


def _opened(path: Path, shape: tuple[int, int, int], *, new: bool) -> Any:
    """The file as an array of its whole size; what another run of the same images has put there stays."""
    if new:
        with path.open("ab") as file:
            file.truncate(shape[0] * shape[1] * shape[2])
    return np.memmap(path, np.uint8, "r+", shape=shape)


def _fill(
    pixels: Any,
    sources: Sequence[Source],
    record: Path,
    run: _Run,
    *,
    fit: str,
    workers: int,
    tell: Callable[[str], None],
) -> None:
    from hilum.train.checkpoints import write_json  # noqa: PLC0415  (loads torch)

    size = int(pixels.shape[1])
    last = time.monotonic()
    with one_opencv_thread(), ThreadPoolExecutor(workers, thread_name_prefix="hilum-decode") as pool:
        while run.done < len(sources):
            some = range(run.done, min(run.done + _ROWS_BETWEEN_SAVES, len(sources)))
            for place, found in zip(some, pool.map(lambda i: _one(sources[i], size, fit), some), strict=True):
                if isinstance(found, str):
                    run.failed.append((place, found))
                else:
                    pixels[place] = found
            pixels.flush()
            run.done = some.stop
            write_json(record, {"key": run.key, "done": run.done, "failed": run.failed})
            if time.monotonic() - last >= _SECONDS_BETWEEN_LINES:
                last = time.monotonic()
                tell(f"decoded {run.done:,} of {len(sources):,} images")


def _one(source: Source, size: int, fit: str) -> Grey | str:
    """The image at its size, or why there is none."""
    if not isinstance(source, Path):
        return (
            source
            if source.shape == (size, size)
            else grey(source[None].astype(np.float32) / np.float32(255), size, fit=fit)
        )
    if not source.is_file():
        return "there is no such file"
    try:
        return grey(read_image(source).pixels, size, fit=fit)
    except ImageError as error:
        return " ".join(str(error).split()).removeprefix(str(source)).lstrip(": ")[:300]
    except (OSError, MemoryError) as error:
        return f"cannot be read: {error}"


def grey(pixels: npt.NDArray[np.float32], size: int, *, fit: str) -> Grey:
    """Pixels [1, H, W] in [0, 1] at the size of the model, uint8 [size, size]."""
    plane = resize(pixels, size, fit=fit).pixels[0]
    return np.asarray(np.rint(plane * 255.0), dtype=np.uint8)


@contextlib.contextmanager
def one_opencv_thread() -> Iterator[None]:
    """OpenCV without threads of its own while inside, where threads of ours call it."""
    from hilum.images._opencv import opencv  # noqa: PLC0415

    cv2 = opencv()
    before = cv2.getNumThreads()
    cv2.setNumThreads(0)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


def check_some_left(decoded: Decoded, sources: Sequence[Source], *, listed: Path) -> None:
    """Raises InputError, with the first reasons and the file that lists all, when no image can be used."""
    if len(decoded.failed) == len(sources):
        first = "; ".join(f"{sources[one.place]}: {one.reason}" for one in decoded.failed[:2])
        raise InputError(
            f"None of {len(sources):,} images can be used: {first}. All are in {listed}. Next step: check the "
            "paths (--root DIR)."
        )
