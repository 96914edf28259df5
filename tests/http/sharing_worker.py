"""One of several processes that share a rate limit: ``python sharing_worker.py FILE LIMIT PER PLACES``. Prints the places it got."""

from __future__ import annotations

import sys
import time

from loop_whiplash import SharedRateLimit


def main() -> None:
    limiter = SharedRateLimit(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), budget="shop")
    sys.stdin.readline()  # all start at once
    for _ in range(int(sys.argv[4])):
        print(time.time() + limiter.reserve())


if __name__ == "__main__":
    main()
