"""The whole workflow in one command: ``python examples/quickstart.py``.

Both systems are fakes on 127.0.0.1, time is virtual, webhooks arrive signed over HTTP at a small receiver. Ten returns are told
from the shopper's click to the decision in Loop; then the daily sweep reports. Exits 0 only if the simulator's own record of what
really happened agrees with the story.
"""

from __future__ import annotations

import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

from loop_whiplash import Decision, Integration, LoopClient, Policy, Receipt, Rma, Settings, SQLiteLedger, Verdict, WhiplashClient, match
from loop_whiplash.simulator import Message, SimulatedReturn, World


class Story(NamedTuple):
    """One return, and how it must end."""

    title: str
    ret: SimulatedReturn
    ends: str
    names: str = ""


@contextmanager
def receiver(integration: Integration) -> Iterator[dict[str, str]]:
    """A webhook endpoint of twenty lines. In your service it is a route of Flask, FastAPI or Django: see the other examples."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            handle = integration.handle_loop if self.path == "/loop" else integration.handle_whiplash
            reply = handle(body, dict(self.headers.items()))
            self.send_response(reply.status)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield {name: f"http://127.0.0.1:{server.server_port}/{name}" for name in ("loop", "whiplash")}
    finally:
        server.shutdown()
        server.server_close()


class Reasons:
    """A matcher that remembers what it decided each return on: the plug that any matcher of yours goes into."""

    def __init__(self) -> None:
        self.decided: dict[int, Decision] = {}

    def __call__(self, rma: Rma, receipts: Sequence[Receipt], *, policy: Policy, at: datetime) -> Decision:
        decision = match(rma, receipts, policy=policy, at=at)
        if decision.verdict in (Verdict.PROCESS, Verdict.FLAG):
            self.decided[rma.return_id] = decision
        return decision


def tell(world: World, integration: Integration, urls: dict[str, str], noticed: dict[int, str]) -> list[Story]:
    """Let three weeks go by. `noticed` is told what can only be seen on the way."""
    shopper, carrier, warehouse, outbox = world.shopper, world.carrier, world.warehouse, world.outbox
    known = [variant.sku for variant in world.catalogue.variants if variant.sku and len(world.catalogue.items_of(variant.sku)) == 1]
    ordered, sent_instead = known[:2]

    def days(count: float) -> None:
        world.run(urls, work=integration.run_due, days=count, step=timedelta(hours=1))

    def sweep() -> None:
        made, processed = len(world.truth.made), len(world.truth.done("process"))
        integration.sweep()
        noticed.update((rma.return_id or 0, "found by the sweep") for rma in world.truth.made[made:])
        noticed.update((deed.return_id, "receipt found by the sweep") for deed in world.truth.done("process")[processed:])

    exact = shopper.submit_return(2)
    short = shopper.submit_return(2)
    damaged = shopper.submit_return(1)
    swapped = shopper.submit_return([ordered])
    halves = shopper.submit_return(2)
    no_label_webhook = shopper.submit_return(1)
    no_receipt_webhook = shopper.submit_return(1)
    storm = shopper.submit_return(2)
    no_label = shopper.submit_return(1, label=False)
    never_sent = shopper.submit_return(1)

    def about(ret: SimulatedReturn, message: Message) -> bool:
        return str(ret.id).encode() in message.body

    def fate(message: Message) -> list[float]:
        """What becomes of each webhook: after how many seconds each copy of it arrives."""
        lost = no_label_webhook if message.system == "loop" else no_receipt_webhook
        if about(lost, message):
            return []
        return [0, 1, 5, 5, 60, 600, 3600, 7200] if about(storm, message) else [0]

    outbox.fate = fate
    outbox.drop_all()  # "return created" tells nothing that the label will not tell again
    for ret in (exact, short, damaged, swapped, halves, no_label_webhook, no_receipt_webhook, storm, never_sent):
        carrier.scan(ret, "pre_transit")
    days(1.2)
    sweep()
    days(1)
    warehouse.receive(exact)
    warehouse.receive(short, short=1)
    warehouse.receive(damaged, damaged=1)
    warehouse.receive(swapped, substitute={ordered: sent_instead})
    half = warehouse.receive(halves, half=True)
    warehouse.receive(no_label_webhook)
    warehouse.receive(no_receipt_webhook)
    warehouse.receive(storm)
    days(0.1)
    sweep()
    days(0.4)
    noticed[halves.id] = "acted on too early" if halves.was_processed or halves.flagged else "waited for the second half"
    warehouse.receive(half)
    warehouse.receive(no_label)
    days(16)

    return [
        Story("exact", exact, "processed"),
        Story("one unit short", short, "flagged", "Missing"),
        Story("damaged", damaged, "flagged", "Damaged"),
        Story("wrong item, right count", swapped, "flagged", sent_instead),
        Story("counted in two halves", halves, "processed", "waited"),
        Story("label webhook lost", no_label_webhook, "processed", "found by the sweep"),
        Story("receipt webhook lost", no_receipt_webhook, "processed", "receipt found by the sweep"),
        Story("a storm of duplicates", storm, "processed"),
        Story("no label at all", no_label, "processed", "found by the sweep"),
        Story("never posted", never_sent, "open", "IN_TRANSIT_STALE"),
    ]


def line(integration: Integration, story: Story, decision: Decision | None, noticed: str) -> str:
    """One readable line: what became of a return, and why."""
    case = integration.case(story.ret.id)
    end = "processed" if story.ret.was_processed else "flagged" if story.ret.flagged else story.ret.state
    why = decision.headline if decision else "; ".join(case.reasons if case else ())
    breaks = [found.code for found in case.breaks] if case else []
    return f"{story.title:<24} {story.ret.id}  {end:<10} {'; '.join(word for word in [why, noticed, *breaks] if word)}"


def disagreements(world: World, stories: list[Story], lines: list[str]) -> list[str]:
    """Where the world's own record differs from the story. It cannot be seen from inside the library."""
    found = []
    for story, said in zip(stories, lines, strict=True):
        ret, truth = story.ret, world.truth
        wanted = (1, int(story.ends == "processed"), int(story.ends == "flagged"), story.ends == "processed")
        really = (len(truth.rmas(ret.id)), len(truth.processes(ret.id)), len(truth.flags(ret.id)), truth.paid(ret.id) > 0)
        if really != wanted:
            found.append(f"{story.title}: RMAs, processes, flags and payment should be {wanted}, but are {really}")
        if story.names not in said:
            found.append(f"{story.title}: the reason does not say {story.names!r}")
    return found


def main() -> int:
    world, reasons, noticed = World(seed=7), Reasons(), dict[int, str]()
    with tempfile.TemporaryDirectory() as folder, world.serve() as fakes:
        now, sleep = world.clock.now, world.clock.sleep
        integration = Integration(
            LoopClient(world.api_key, base_url=fakes.loop_url, clock=now, sleep=sleep),
            WhiplashClient(world.token, customer_id=world.customer_id, base_url=fakes.whiplash_url, clock=now, sleep=sleep),
            ledger=SQLiteLedger(Path(folder) / "returns.db", clock=now),
            settings=Settings(start=now(), recheck=timedelta(days=2)),
            loop_secrets=[world.loop_secret],
            whiplash_secrets=[world.whiplash_secret],
            clock=now,
            matcher=reasons,
        )
        with receiver(integration) as urls:
            stories = tell(world, integration, urls, noticed)
            lines = [line(integration, each, reasons.decided.get(each.ret.id), noticed.get(each.ret.id, "")) for each in stories]
            print("\n".join(lines), end="\n\n")
            print(integration.sweep().to_text())
        wrong = disagreements(world, stories, lines)
        print("\nThe world's own record", *(["agrees."] if not wrong else ["disagrees:", *wrong]), sep="\n" if wrong else " ")
        return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
