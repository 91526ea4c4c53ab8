"""medspaCy with ConText on the texts of a JSON file. Run by labeler_speed.py in an environment of its own.

    PYTHON_OF_THAT_ENVIRONMENT benchmarks/medspacy_speed.py INPUT.json

INPUT.json holds {"texts": [...], "targets": [...]}. Prints the versions as one JSON line; then, for each line
of standard input that names a sentencizer (`medspacy_pyrush` or `sentencizer`), reads all texts once and
prints the seconds it took. One process, one thread. This file imports nothing of hilum.
"""

import json
import sys
import time
from importlib import metadata
from pathlib import Path


def main() -> None:
    """Build both pipelines, then measure whenever asked."""
    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    pipelines = {name: pipeline(name, job["targets"]) for name in ("medspacy_pyrush", "sentencizer")}
    for nlp in pipelines.values():
        measure(nlp, job["texts"][:50])
    print(json.dumps({name: metadata.version(name) for name in ("medspacy", "spacy", "numpy")}), flush=True)
    for line in sys.stdin:
        print(measure(pipelines[line.strip()], job["texts"]), flush=True)


def measure(nlp, texts: list) -> float:
    """Seconds to find the entities of all texts with their negation and uncertainty."""
    start = time.perf_counter()
    for doc in nlp.pipe(texts):
        _ = [(entity._.is_negated, entity._.is_uncertain) for entity in doc.ents]
    return time.perf_counter() - start


def pipeline(sentencizer: str, targets: list):
    """medspaCy's default pipeline; any sentencizer but its own `medspacy_pyrush` is spaCy's plain one."""
    import medspacy  # noqa: PLC0415  (only that environment has it)
    from loguru import logger  # noqa: PLC0415
    from medspacy.ner import TargetRule  # noqa: PLC0415

    logger.remove()  # PyRuSH logs every token; without this medspaCy would look slower than it is
    if sentencizer == "medspacy_pyrush":
        nlp = medspacy.load()
    else:
        nlp = medspacy.load(medspacy_disable={"medspacy_pyrush"})
        nlp.add_pipe("sentencizer", first=True)
    nlp.get_pipe("medspacy_target_matcher").add([TargetRule(target, "FINDING") for target in targets])
    return nlp


if __name__ == "__main__":
    main()
