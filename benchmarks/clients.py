"""All that the clients cost, in one table: import, build, decode, and a call over loopback, each beside a peer in the same run.

    python benchmarks/clients.py

Runs the other three and gathers their ratios. Where a target is missed it says so and exits 1.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
#: Script, its answer, what it says, its target.
ROWS = [
    ("imports", ("over_bare_python",), "import loop_whiplash, ms over bare Python", 40.0),
    ("imports", ("client_of_parts",), "import and build a LoopClient / its parts and an httpx.Client", 1.15),
    ("decode", ("ratios", "of_tolerant"), "decode a 4 KB return / pydantic with the same tolerance", 0.85),
    ("decode", ("ratios", "of_plain"), "decode a 4 KB return / pydantic without any", 1.5),
    ("get", ("ratio",), "get over loopback / the bare httpx call", 1.3),
]


def main() -> int:
    """Run, print, 1 when a target is missed."""
    said = {}
    for script in dict.fromkeys(script for script, *_ in ROWS):
        ran = subprocess.run(
            [sys.executable, str(HERE / f"{script}.py"), "--json"], capture_output=True, text=True, timeout=600, check=False
        )
        said[script] = json.loads(ran.stdout)
    missed = 0
    for script, path, what, target in ROWS:
        value = said[script]
        for key in path:
            value = value[key]
        missed += value > target
        print(f"  {what:<62} {value:6.2f}  at most {target:g}{'  MISSED' if value > target else ''}")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
