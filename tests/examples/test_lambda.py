"""AWS Lambda, called as AWS calls it: a fresh interpreter for each container, events of every kind of front that a webhook can have."""

# ruff: noqa: F811 - a fixture is imported by its name
from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import pytest
from example_hosts import EXAMPLES, environment, world_now

from loop_whiplash.simulator import Message
from postgres_server import postgres  # noqa: F401

# What the Lambda runtime does: import the module once, then call the handler with JSON for each event, and send back JSON.
RUNTIME = """
import importlib, json, sys
module = importlib.import_module("lambda_handler")
class Context:
    def get_remaining_time_in_millis(self): return 60_000
for line in sys.stdin:
    name, event = json.loads(line)
    try:
        answer = getattr(module, name)(event, Context())
    except Exception as error:
        answer = {"errorType": type(error).__name__, "errorMessage": str(error)}
    print(json.dumps(answer), flush=True)
"""

Event = dict[str, Any]


class Container:
    """One container that Lambda keeps warm."""

    def __init__(self, env: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", RUNTIME], cwd=EXAMPLES, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(timeout=10)
        self.process.stdout.close()

    def invoke(self, name: str, event: Event | None = None) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps([name, event or {}]) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


def http_api(message: Message, *, stage: str = "", encoded: bool = False) -> Event:
    """Payload format 2.0: header names in lower case, the stage in front of the path unless it is $default.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
    """
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": f"{stage}/{message.system}",
        "rawQueryString": "",
        "headers": {name.lower(): value for name, value in message.headers.items()},
        "requestContext": {"http": {"method": "POST", "path": f"{stage}/{message.system}"}, "stage": "$default"},
        "body": base64.b64encode(message.body).decode() if encoded else message.body.decode(),
        "isBase64Encoded": encoded,
    }


def rest_api(message: Message) -> Event:
    """Payload format 1.0: header names as they were sent, twice over.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
    """
    return {
        "resource": "/{proxy+}",
        "path": f"/{message.system}",
        "httpMethod": "POST",
        "headers": dict(message.headers),
        "multiValueHeaders": {name: [value] for name, value in message.headers.items()},
        "queryStringParameters": None,
        "body": message.body.decode(),
        "isBase64Encoded": False,
    }


def load_balancer(message: Message, *, many: bool = False) -> Event:
    """A target group, with or without multi-value headers: then there is no ``headers``.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html
    """
    lower = {name.lower(): value for name, value in message.headers.items()}
    return {
        "requestContext": {"elb": {"targetGroupArn": "arn:aws:elasticloadbalancing:us-east-1:0:targetgroup/returns/0"}},
        "httpMethod": "POST",
        "path": f"/{message.system}",
        "queryStringParameters": {},
        **({"multiValueHeaders": {name: [value] for name, value in lower.items()}} if many else {"headers": lower}),
        "body": base64.b64encode(message.body).decode(),
        "isBase64Encoded": True,
    }


FRONTS: tuple[Callable[[Message], Event], ...] = (
    http_api,
    lambda message: http_api(message, stage="/prod", encoded=True),
    rest_api,
    load_balancer,
    lambda message: load_balancer(message, many=True),
)


def test_lambda_takes_webhooks_through_every_front_and_works_on_a_schedule(tmp_path: Path, postgres: str) -> None:
    world = world_now()
    with world.serve() as fakes, Container(environment(world, fakes, tmp_path, DATABASE_URL=postgres)) as aws:
        answers: list[Any] = []

        def through_all_fronts(message: Message) -> int:
            """The same webhook through each front: all but the first are repetitions, and do no harm."""
            answers.extend(aws.invoke("webhook", front(message)) for front in FRONTS)
            return max(answer["statusCode"] for answer in answers)

        ret = world.shopper.submit_return(2)
        world.carrier.scan(ret, "pre_transit")
        world.deliver(through_all_fronts)
        assert answers
        assert all(answer == {**answer, "statusCode": 200, "body": "stored", "isBase64Encoded": False} for answer in answers)

        assert aws.invoke("work") == {"looked_at": 1, "acted": 1}
        assert len(world.truth.rmas(ret.id)) == 1
        world.warehouse.receive(ret)
        world.deliver(through_all_fronts)
        assert aws.invoke("work")["acted"] == 1
        assert len(world.truth.processes(ret.id)) == 1
        assert aws.invoke("sweep") == {"complete": True, "breaks": 0}


def test_lambda_answers_what_is_no_webhook(tmp_path: Path, postgres: str) -> None:
    world = world_now()
    forged = Message(
        system="loop", topic="", return_id=None, url="", body=b"{}", headers={"X-Loop-Signature": "x"}, due_at=world.clock.now()
    )
    with world.serve() as fakes, Container(environment(world, fakes, tmp_path, DATABASE_URL=postgres)) as aws:
        assert [aws.invoke("webhook", front(forged))["statusCode"] for front in FRONTS] == [401] * len(FRONTS)
        assert aws.invoke("webhook", {"rawPath": "/elsewhere"})["statusCode"] == 404
        assert aws.invoke("webhook", {"path": "/loop", "headers": None, "body": None})["statusCode"] == 401
        assert aws.invoke("work") == {"looked_at": 0, "acted": 0}


@pytest.mark.parametrize(("given", "says"), [({}, "LOOP_API_KEY, LOOP_SECRETS"), ({"GO_LIVE": "2026-12-01"}, "time zone")])
def test_lambda_names_what_is_missing_in_its_environment(tmp_path: Path, given: dict[str, str], says: str) -> None:
    pytest.importorskip("psycopg")
    world = world_now()
    with world.serve() as fakes:
        env = environment(world, fakes, tmp_path, DATABASE_URL="host=/nowhere", **given)
    if not given:
        env = {name: value for name, value in env.items() if not name.startswith(("LOOP", "WHIPLASH"))}
    with Container(env) as aws:
        assert says in aws.invoke("webhook", {"rawPath": "/loop"})["errorMessage"]
