"""What importing the package and building a client cost, beside importing what any such client stands on.

    python benchmarks/imports.py [--rounds 15] [--json]

Each is done by a fresh interpreter, in interleaved rounds; medians of processor time, and two answers:

* `import loop_whiplash`: milliseconds over bare Python, target at most 40;
* importing and building a `LoopClient`: as a multiple of importing attrs, cattrs, httpx and tenacity and building an `httpx.Client`,
  target at most 1.15.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys

TARGET_MILLISECONDS, TARGET_RATIO = 40.0, 1.15
DOING = {
    "bare Python": "pass",
    "import loop_whiplash": "import loop_whiplash",
    "its parts and an httpx.Client": "import attrs, cattrs, httpx, tenacity; httpx.Client()",
    "a LoopClient": "from loop_whiplash import LoopClient; LoopClient('key')",
    "a LoopClient and a WhiplashClient": "from loop_whiplash import LoopClient, WhiplashClient; LoopClient('key'); WhiplashClient('token')",
}


def once(code: str) -> float:
    """Milliseconds of processor time that a fresh interpreter takes for some code, after its own start."""
    timed = f"import time; t = time.process_time(); {code}; print(time.process_time() - t)"
    ran = subprocess.run([sys.executable, "-c", timed], env=dict(os.environ), capture_output=True, text=True, timeout=60, check=True)
    return float(ran.stdout) * 1000


def measure(rounds: int) -> dict[str, float]:
    """Median milliseconds of each. The first round, which may write bytecode, does not count."""
    taken: dict[str, list[float]] = {name: [] for name in DOING}
    for turn in range(rounds + 1):
        for name, code in DOING.items():
            spent = once(code)
            if turn:
                taken[name].append(spent)
    return {name: statistics.median(times) for name, times in taken.items()}


def main() -> int:
    """Measure and print; 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    medians = measure(options.rounds)
    over = medians["import loop_whiplash"] - medians["bare Python"]
    ratio = medians["a LoopClient"] / medians["its parts and an httpx.Client"]
    if options.json:
        print(json.dumps({"milliseconds": medians, "over_bare_python": over, "client_of_parts": ratio}))
    else:
        for name, spent in medians.items():
            print(f"  {name:<35} {spent:8.2f} ms")
        print(f"  import loop_whiplash over bare Python = {over:.1f} ms (target {TARGET_MILLISECONDS:.0f})")
        print(f"  a LoopClient / its parts              = {ratio:.2f} (target {TARGET_RATIO})")
    return 0 if over <= TARGET_MILLISECONDS and ratio <= TARGET_RATIO else 1


if __name__ == "__main__":
    raise SystemExit(main())
