"""What `LoopClient.returns.get` costs over loopback, beside the bare httpx call for the same bytes.

    python benchmarks/get.py [--rounds 300] [--json]

One server process on 127.0.0.1 answers a return of about 4 KB. In interleaved rounds of one process each side asks for it over a kept
connection: `httpx.Client.get` and `.json()`, and our `get`, which signs, limits, watches for refusals and decodes to frozen values.
The answer is the median over rounds of the ratio by the clock, target at most 1.3; that of the processor time of the asking process
is told beside it.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from loop_whiplash import LoopClient, RateLimit

PAYLOAD = Path(__file__).resolve().parent.parent / "tests" / "fixtures" / "return_list_row.json"
TARGET = 1.3
SERVER = """
import socket, sys
body = sys.stdin.buffer.read()
head = b"HTTP/1.1 200 OK\\r\\nContent-Type: application/json\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(body)
listening = socket.create_server(("127.0.0.1", 0))
print(listening.getsockname()[1], flush=True)
import threading
def answer(peer):
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    read = b""
    while chunk := peer.recv(65536):
        read += chunk
        while b"\\r\\n\\r\\n" in read:
            read = read.partition(b"\\r\\n\\r\\n")[2]
            peer.sendall(head + body)
while True:
    threading.Thread(target=answer, args=(listening.accept()[0],), daemon=True).start()
"""


def measure(calls: dict[str, Callable[[], object]], *, rounds: int, each: int = 4) -> dict[str, list[tuple[float, float]]]:
    """Microseconds of each call in each round, by the clock and of processor time. They take turns, so that a busy machine slows both."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in calls}
    for turn in range(rounds + 5):
        for name in list(calls) if turn % 2 else list(reversed(calls)):
            call, began, spent = calls[name], time.perf_counter(), time.process_time()
            for _ in range(each):
                call()
            if turn >= 5:
                taken[name].append(((time.perf_counter() - began) / each * 1e6, (time.process_time() - spent) / each * 1e6))
    return taken


def main() -> int:
    """Measure and print; 1 when the target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    row = json.loads(PAYLOAD.read_bytes())
    server = subprocess.Popen([sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert server.stdin is not None
        assert server.stdout is not None
        server.stdin.write(json.dumps([row], separators=(",", ":")).encode())
        server.stdin.close()
        base = f"http://127.0.0.1:{int(server.stdout.readline())}/api/v1"
        return_id = int(row["id"])
        with (
            httpx.Client(base_url=base, headers={"X-Authorization": "key"}) as bare,
            LoopClient("key", base_url=base, limiter=RateLimit(10**6, 60)) as loop,
        ):
            taken = measure(
                {
                    "httpx": lambda: bare.get("/warehouse/return/details", params={"return_id": return_id}).raise_for_status().json(),
                    "ours": lambda: loop.returns.get(return_id),
                },
                rounds=options.rounds,
            )
    finally:
        server.kill()
        server.wait()
    medians = {name: [statistics.median(each[place] for each in times) for place in (0, 1)] for name, times in taken.items()}
    rounds = list(zip(taken["ours"], taken["httpx"], strict=True))
    clock, processor = (statistics.median(ours[place] / bare[place] for ours, bare in rounds) for place in (0, 1))
    if options.json:
        print(json.dumps({"microseconds": medians, "ratio": clock, "ratio_of_processor_time": processor}))
    else:
        for name, (wall, spent) in medians.items():
            print(f"  {name:<6} {wall:8.0f} µs by the clock  {spent:8.0f} µs of processor time")
        print(f"  ours / httpx = {clock:.2f} by the clock (target {TARGET}), {processor:.2f} of processor time")
    return 0 if clock <= TARGET else 1


if __name__ == "__main__":
    raise SystemExit(main())
