"""The log says what happened in plain words, has the facts as one attribute of each record, and holds nothing secret or personal."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from typing import Any

import pytest

from loop_whiplash import Integration, LedgerUnavailable, MemoryLedger
from loop_whiplash.simulator import SimulatedReturn, World
from loop_whiplash.testing import integration_for, loop_label_webhook, sign_loop


class Log(logging.Handler):
    """Keeps the records of one story: a return from label to payment, a forged webhook, refused requests and a sweep."""

    def __init__(self, world: World, integration: Integration) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []
        self.world = world
        self.ret = self.tell(integration)

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    def facts(self, kind: str) -> list[dict[str, Any]]:
        return [facts for record in self.records if (facts := record.__dict__["loop_whiplash"])["kind"] == kind]

    def tell(self, integration: Integration) -> SimulatedReturn:
        logger, world = logging.getLogger("loop_whiplash"), self.world
        before = logger.level
        logger.addHandler(self)
        logger.setLevel(logging.DEBUG)
        try:
            integration.handle_loop(b'{"email": "jane@shopper.example"}', {"X-Loop-Signature": "forged"})
            ret = world.shopper.submit_return(1)
            world.carrier.scan(ret, "pre_transit")
            world.network.only("whiplash").refuse(503, 1.0)
            world.run(integration, work=integration.run_due, hours=1)
            world.network.quiet()
            world.run(integration, work=integration.run_due, hours=13)
            world.warehouse.receive(ret)
            world.run(integration, work=integration.run_due, hours=1)
            integration.sweep()
        finally:
            logger.removeHandler(self)
            logger.setLevel(before)
        assert ret.was_processed
        return ret


@pytest.fixture
def log(loop_whiplash_world: World, loop_whiplash_integration: Integration) -> Log:
    return Log(loop_whiplash_world, loop_whiplash_integration)


def test_each_webhook_action_and_sweep_is_a_record_with_its_facts(log: Log) -> None:
    webhooks, actions, sweeps = (log.facts(kind) for kind in ("webhook", "action", "sweep"))
    assert webhooks[0] == {"kind": "webhook", "name": "loop", "return_id": None, "result": "401"}
    assert {(each["name"], each["result"]) for each in webhooks[1:]} == {("loop", "200"), ("whiplash", "200")}
    assert [(each["name"], each["result"]) for each in actions if each["result"] in ("created", "accepted")] == [
        ("CreateRma", "created"),
        ("Process", "accepted"),
    ]
    assert {each["return_id"] for each in actions} == {log.ret.id}
    assert [each["name"] for each in sweeps] == ["complete"]


def test_each_request_is_a_debug_record_with_its_facts(log: Log) -> None:
    attempts = log.facts("attempt")
    assert {each["system"] for each in attempts} == {"loop", "whiplash"}
    process = next(each for each in attempts if each["path"].endswith("/process"))
    assert (process["method"], process["status"], process["return_id"]) == ("POST", 200, log.ret.id)
    refused = [each for each in attempts if each.get("status") == 503]
    assert any("retry_in" in each for each in refused)
    assert {record.levelno for record in log.records if record.name == "loop_whiplash.http"} == {logging.DEBUG}


def test_a_webhook_that_is_refused_is_warned_of_and_all_else_is_information(log: Log) -> None:
    ours = [record for record in log.records if record.name == "loop_whiplash"]
    warned = [record.getMessage() for record in ours if record.levelno > logging.INFO]
    assert warned == [
        "webhook loop: 401, X-Loop-Signature matches none of the 1 secret(s) given: forged, signed with a secret that was rotated, "
        "or the body was changed on its way (hash the bytes as received); Loop does not send it again"
    ]
    assert any(record.getMessage() == f"action Process of return {log.ret.id}: accepted" for record in ours)


@pytest.mark.parametrize(("answer", "says"), [(202, "kept aside"), (503, "could not store")])
def test_a_webhook_that_could_not_be_taken_in_is_warned_of(
    loop_whiplash_world: World, caplog: pytest.LogCaptureFixture, answer: int, says: str
) -> None:
    class Full(MemoryLedger):
        def accept(self, event: Any, *, due_at: Any) -> int:
            raise LedgerUnavailable("the disk is full")

    ledger = Full() if answer == 503 else None
    integration = integration_for(loop_whiplash_world, ledger=ledger)
    body = b"[]" if answer == 202 else loop_label_webhook().body
    assert integration.handle_loop(body, sign_loop(body, loop_whiplash_world.loop_secret)).status == answer
    (record,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert says in record.getMessage()


def test_the_facts_are_plain_json(log: Log) -> None:
    assert len(log.records) > 30
    for record in log.records:
        json.dumps(record.__dict__["loop_whiplash"], allow_nan=False)


def test_nothing_secret_or_personal_is_in_the_log(log: Log) -> None:
    world, order = log.world, log.ret.order
    text = "\n".join(f"{record.getMessage()} {record.__dict__}" for record in log.records)
    hidden = [world.api_key, world.token, world.loop_secret, world.whiplash_secret, order.email, order.last_name, "jane@", "1 Test Street"]
    assert not [word for word in (*hidden, log.ret.labels[0].tracking) if word in text]
    assert str(log.ret.id) in text


def test_an_extra_never_collides_with_an_attribute_of_the_record(log: Log) -> None:
    plain = {*logging.makeLogRecord({}).__dict__, "message", "asctime"}
    assert {name for record in log.records for name in record.__dict__} - plain == {"loop_whiplash"}


def test_a_program_that_configures_no_logging_hears_nothing(tmp_path: Any) -> None:
    """Cron mails whatever is printed."""
    code = (
        "from loop_whiplash.simulator import World; from loop_whiplash.testing import integration_for\n"
        "world = World(seed=7); integration = integration_for(world); ret = world.shopper.submit_return(1)\n"
        "world.carrier.scan(ret); world.run(integration, work=integration.run_due, days=20); integration.sweep()\n"
        "print(*[found.code for found in integration.case(ret.id).breaks])"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True)
    assert (ran.stdout, ran.stderr) == ("IN_TRANSIT_STALE\n", "")
