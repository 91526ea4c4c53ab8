"""A process that decodes compressed DICOM frames for another one; run as a script by `_decoder_process.py`.

Request: one line of JSON (`size`, `syntax`, `plugin`, `options` of pydicom's decoder), then `size` bytes of one frame.
Answer: one line of JSON (`shape`, `type`, `warnings` or `error`), then the bytes of the array.
"""

from __future__ import annotations

import json
import sys
import warnings
from typing import Any


def main() -> None:
    """Answer requests until the other process closes its end."""
    from pydicom.encaps import encapsulate  # noqa: PLC0415  (an extra; the other process has checked it)
    from pydicom.pixels.decoders.base import get_decoder  # noqa: PLC0415

    asked, told = sys.stdin.buffer, sys.stdout.buffer
    while line := asked.readline():
        request: dict[str, Any] = json.loads(line)
        frame = asked.read(request["size"])
        values, answer = None, {}
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                decoder = get_decoder(request["syntax"])
                packed = encapsulate([frame])
                values, _ = decoder.as_array(
                    packed, index=0, decoding_plugin=request["plugin"], **request["options"]
                )
                answer = {"shape": values.shape, "type": values.dtype.str}
            except Exception as error:  # noqa: BLE001  (hostile bytes raise anything; the other process tells)
                answer = {"error": str(error) or type(error).__name__}
        answer["warnings"] = [str(w.message) for w in caught]
        told.write(json.dumps(answer).encode() + b"\n")
        if values is not None:
            told.write(values.tobytes())
        told.flush()


if __name__ == "__main__":
    main()
