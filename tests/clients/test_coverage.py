"""`docs/coverage.md` says the truth: about the code, about the OpenAPI, about the reference pages."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from both_colours import LOOP_URL, WHIPLASH_URL, Script, reply
from test_whiplash_calls import ENDPOINTS, LISTS

from loop_whiplash import Assessment, Grade, LoopClient, LoopWhiplashError, WhiplashClient
from loop_whiplash.http.groups import Group
from shared_reference import reference

PAGE = Path(__file__).resolve().parents[2] / "docs" / "coverage.md"
START = datetime(2026, 3, 1, tzinfo=UTC)
OF_A_CLIENT = {"close", "iterate", "replies", "request", "run", "with_options"}

#: One use of each method of the Loop client.
LOOP: dict[str, Callable[[LoopClient], Any]] = {
    "returns.list": lambda c: next(c.returns.list(START, START + timedelta(days=1)), None),
    "returns.get": lambda c: c.returns.get(5),
    "returns.find": lambda c: c.returns.find(order_name="#1"),
    "returns.process": lambda c: c.returns.process(5),
    "returns.remove_line_items_and_process": lambda c: c.returns.remove_line_items_and_process(5, [7]),
    "returns.cancel": lambda c: c.returns.cancel(5),
    "returns.flag": lambda c: c.returns.flag(5),
    "returns.close": lambda c: c.returns.close(5),
    "returns.notes": lambda c: c.returns.notes(5),
    "returns.add_note": lambda c: c.returns.add_note(5, "seen"),
    "returns.asn": lambda c: c.returns.asn(START, START),
    "returns.deep_link": lambda c: c.returns.deep_link(name="#1", zip="3511"),
    "returns.qr_code": lambda c: c.returns.qr_code(name="#1", zip="3511"),
    "grading.grade": lambda c: c.grading.grade([Grade(line_item_id=7, description="x", condition_category="grade_a")]),
    "grading.assess": lambda c: c.grading.assess([Assessment(line_item_id=7, disposition_outcome="donate")]),
    "webhooks.list": lambda c: c.webhooks.list(),
    "webhooks.create": lambda c: c.webhooks.create(topic="return", trigger="label.updated", url="https://me.example/"),
    "webhooks.update": lambda c: c.webhooks.update(5, topic="return", trigger="label.updated", url="https://me.example/"),
    "webhooks.delete": lambda c: c.webhooks.delete(5),
    "destinations.list": lambda c: c.destinations.list(),
    "destinations.get": lambda c: c.destinations.get(5),
    "destinations.create": lambda c: c.destinations.create({"name": "Venlo"}),
    "destinations.update": lambda c: c.destinations.update(5, {"name": "Venlo"}),
    "destinations.delete": lambda c: c.destinations.delete(5),
}
WHIPLASH: dict[str, Callable[[WhiplashClient], Any]] = {name: use for name, (use, *_) in ENDPOINTS.items()} | {
    name: (lambda c, use=use: next(use(c), None)) for name, (use, _, _) in LISTS.items()
}


def section(title: str) -> str:
    return PAGE.read_text(encoding="utf-8").split(f"\n## {title}\n")[1].split("\n## ")[0]


def rows(title: str) -> Iterator[tuple[str, list[str], str]]:
    """Endpoint, methods, why not."""
    for line in section(title).splitlines():
        if found := re.fullmatch(r"\| `([A-Z]+ /\S+)` \| (.+?) \|(.*?)\|?", line):
            yield found[1], re.findall(r"`([\w.]+)`", found[2]), found[3].strip()


def composed() -> set[str]:
    return set(re.findall(r"^\| `([\w.]+)` \|", section("Made of several calls"), re.MULTILINE))


def plain(path: str) -> str:
    """A path with its ids named alike."""
    return re.sub(r"\{(?!action)\w+\}", "{id}", re.sub(r"/\d+(?=/|$)", "/{id}", path))


def methods_of(client: LoopClient | WhiplashClient) -> set[str]:
    groups = {name: value for name, value in vars(client).items() if isinstance(value, Group)}
    of_groups = {f"{name}.{method}" for name, group in groups.items() for method in dir(group) if not method.startswith("_")}
    return (
        of_groups
        | {name for name in dir(client) if not name.startswith("_") and callable(getattr(client, name))} - OF_A_CLIENT - groups.keys()
    )


CLIENTS = {
    "Loop": (LoopClient("key", base_url=LOOP_URL, transport=Script()), LOOP),
    "Whiplash": (WhiplashClient("token", base_url=WHIPLASH_URL, transport=Script()), WHIPLASH),
}


@pytest.mark.parametrize("side", CLIENTS)
def test_every_method_is_in_the_table_and_everything_in_the_table_is_there(side: str) -> None:
    client, uses = CLIENTS[side]
    told = {method for _, methods, _ in rows(side) for method in methods}
    of_this_side = {name for name in composed() if name in methods_of(client)}
    assert told | of_this_side == methods_of(client)
    assert told == set(uses)


def test_what_is_made_of_several_calls_is_a_method_of_one_of_them() -> None:
    assert composed() <= {name for client, _ in CLIENTS.values() for name in methods_of(client)}


@pytest.mark.parametrize("side", CLIENTS)
def test_each_method_sends_what_its_row_says(side: str) -> None:
    _, uses = CLIENTS[side]
    for endpoint, methods, _ in rows(side):
        for method in methods:
            script = Script(answer=lambda request: reply(200, [] if request.method == "GET" else {"id": 1}))
            make: Any = LoopClient if side == "Loop" else WhiplashClient
            with contextlib.suppress(LoopWhiplashError):  # what it makes of this answer is no matter here
                uses[method](make("key", base_url=LOOP_URL, transport=script))  # type: ignore[arg-type]
            first = script.requests[0]
            assert f"{first.method} {plain(first.path)}" == endpoint, method


@pytest.mark.parametrize("side", CLIENTS)
def test_a_row_names_a_method_or_says_why_not_and_none_is_there_twice(side: str) -> None:
    found = list(rows(side))
    assert len(found) > 30
    assert len({endpoint for endpoint, _, _ in found}) == len(found)
    for endpoint, methods, why in found:
        assert bool(methods) != bool(why), endpoint


def test_every_operation_of_the_openapi_is_in_the_table() -> None:
    openapi = json.loads(reference("whiplash-openapi.json").read_bytes())
    published = {
        f"{method.upper()} {plain(path.removeprefix('/api/v2'))}" for path, operations in openapi["paths"].items() for method in operations
    }
    told = {endpoint for endpoint, _, _ in rows("Whiplash")}
    assert told - published == {"GET /me", "GET /order_items/{id}"}
    assert published - told == set()


def test_every_endpoint_of_the_reference_page_is_in_the_table() -> None:
    page = reference("loop-api.md").read_text(encoding="utf-8")
    page = page[page.index("\n## 2.") : page.index("\n## 5.")]
    named = {f"{method} {plain(path)}" for method, path in re.findall(r"`(GET|POST|PUT|DELETE) (/[\w/{}-]+)", page)}
    assert len(named) > 20
    assert named - {endpoint for endpoint, _, _ in rows("Loop")} == set()


@pytest.mark.parametrize("side", CLIENTS)
def test_each_function_names_its_vendors_page(side: str) -> None:
    client, _ = CLIENTS[side]
    for endpoint, methods, _ in rows(side):
        for method in methods:
            found: Any = client
            for name in method.split("."):
                found = getattr(found, name)
            said = " ".join((found.__doc__ or "").split())
            if side == "Loop":
                assert "https://docs.loopreturns.com/" in said, method
            else:
                path = endpoint.partition(" ")[2]
                assert path.rsplit("/{id}", 1)[-1].strip("/") in said or path in said or "/{kind}" in said, method
