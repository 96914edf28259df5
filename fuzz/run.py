"""Coverage-guided fuzzing with atheris: ``python fuzz/run.py TARGET [runs] [folder]``; see README.md beside this."""

from __future__ import annotations

import random
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["loop_whiplash"]):
    from seeds import mutated, seeds
    from targets import TARGETS


def mutate(data: bytes, max_size: int, seed: int) -> bytes:
    """By the shape of the JSON, or (more often, as it is quicker) as libFuzzer does."""
    dice = random.Random(seed)
    if dice.random() < 0.4:
        changed = mutated(data, dice)
        if len(changed) <= max_size:
            return changed
    return bytes(atheris.Mutate(data, max_size))


def main(target: str, runs: str = "100000", folder: str = "") -> None:
    corpus = Path(folder or tempfile.mkdtemp(prefix=f"fuzz-{target}-"))
    corpus.mkdir(parents=True, exist_ok=True)
    for place, seed in enumerate(seeds(target)):
        (corpus / f"seed-{place:03}").write_bytes(seed)
    options = [f"-runs={runs}", "-max_len=8192", "-len_control=0", "-timeout=20", "-rss_limit_mb=2048", f"-artifact_prefix={corpus}/../"]
    shaped = {} if target == "json_text" else {"custom_mutator": mutate}  # where the text itself is the matter, its shape is no help
    atheris.Setup([sys.argv[0], *options, str(corpus)], TARGETS[target], **shaped)
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
