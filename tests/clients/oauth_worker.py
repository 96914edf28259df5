"""One process of several that share a token store. Prints how many calls were answered.

``python oauth_worker.py BASE_URL STORE CALLS THREADS``
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

from loop_whiplash import OAuth, SQLiteTokenStore, WhiplashClient


def main() -> None:
    base_url, path, calls, threads = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    auth = OAuth(client_id="app", client_secret="app-secret", store=SQLiteTokenStore(path))
    with WhiplashClient(auth, base_url=base_url) as whiplash, ThreadPoolExecutor(threads) as pool:
        sys.stdin.readline()  # all start at once
        print(sum(pool.map(lambda _: whiplash.items.count(), range(calls))))


if __name__ == "__main__":
    main()
