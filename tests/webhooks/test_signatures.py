"""Only what a vendor signed is taken: raw bytes, several secrets, and nothing else ever raised."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from email.message import Message
from types import MappingProxyType
from typing import Any

import attrs
import pytest

from loop_whiplash import (
    ConfigurationError,
    InvalidSignature,
    Verified,
    WebhookError,
    parse_loop_webhook,
    parse_whiplash_webhook,
    sign_loop,
    sign_whiplash,
    verify_loop,
    verify_whiplash,
)

BODY = b'{"topic":"return","trigger":"return.created","id":"1","status_page_url":"https:\\/\\/example.com\\/"}'
SECRET = "0123456789abcdef"


@attrs.frozen
class Side:
    """One vendor's way."""

    header: str
    sign: Callable[..., dict[str, str]]
    verify: Callable[..., Verified]
    parse: Callable[..., Any]


@pytest.fixture(params=["loop", "whiplash"])
def side(request: pytest.FixtureRequest) -> Side:
    if request.param == "loop":
        return Side("X-Loop-Signature", sign_loop, verify_loop, parse_loop_webhook)
    return Side("X-WHIPLASH-SIGNATURE", sign_whiplash, verify_whiplash, parse_whiplash_webhook)


# ------------------------------------------------------------------------------------------------------ the schemes


def test_loops_is_base64_of_the_hmac_of_the_raw_body() -> None:
    assert sign_loop(BODY, SECRET) == {"X-Loop-Signature": "Z3LMhCk5KfVe1uAlG2h9xDXsWlgeeoQgxOYZ9Nx3kpg="}
    assert verify_loop(BODY, {"X-Loop-Signature": "Z3LMhCk5KfVe1uAlG2h9xDXsWlgeeoQgxOYZ9Nx3kpg="}, [SECRET]) == Verified(which=0)
    # The secret is text, though it reads like hex.
    decoded = base64.b64encode(hmac.new(bytes.fromhex(SECRET), BODY, hashlib.sha256).digest()).decode()
    with pytest.raises(InvalidSignature):
        verify_loop(BODY, {"X-Loop-Signature": decoded}, [SECRET])


def test_whiplashs_is_lower_case_hex() -> None:
    wanted = hmac.new(b"client-secret", b"{}", hashlib.sha256).hexdigest()
    assert sign_whiplash(b"{}", "client-secret") == {"X-WHIPLASH-SIGNATURE": wanted}
    assert verify_whiplash(b"{}", {"x-whiplash-signature": wanted}, ["client-secret"]).which == 0
    with pytest.raises(InvalidSignature):
        verify_whiplash(b"{}", {"x-whiplash-signature": wanted.upper()}, ["client-secret"])


def test_the_bytes_count_not_what_they_mean(side: Side) -> None:
    for other in (b'{"a": 1}', b'{"a":1} ', b'{"a":1}\n', b'\xef\xbb\xbf{"a":1}'):
        with pytest.raises(InvalidSignature):
            side.verify(other, side.sign(b'{"a":1}', SECRET), [SECRET])


# ---------------------------------------------------------------------------------------------------------- secrets


def test_several_secrets_and_which_one_matched(side: Side) -> None:
    secrets = ["new", "old", "api-key"]
    for which, secret in enumerate(secrets):
        assert side.verify(BODY, side.sign(BODY, secret), secrets) == Verified(which=which)
    with pytest.raises(InvalidSignature, match="none of the 3 secret"):
        side.verify(BODY, side.sign(BODY, "dropped"), secrets)


def test_white_space_around_a_secret_does_no_harm(side: Side) -> None:
    """A file of secrets ends in a line break, and ``new, old`` has a blank after its comma."""
    assert side.verify(BODY, side.sign(BODY, "old"), ["new\n", " old"]).which == 1
    assert side.verify(BODY, side.sign(BODY, " old"), ["new", " old"]).which == 1  # unless it is part of it
    with pytest.raises(InvalidSignature, match="none of the 1 secret"):
        side.verify(BODY, side.sign(BODY, "old "), ["old"])


def test_one_secret_need_not_be_in_a_list_and_may_be_bytes(side: Side) -> None:
    assert side.verify(BODY, side.sign(BODY, "ключ"), "ключ").which == 0
    assert side.verify(BODY, side.sign(BODY, b"\xff\x00"), [b"\xff\x00"]).which == 0


@pytest.mark.parametrize("secrets", [[], (), None, "", "  ", [""], ["good", " "], [None], 5, [5], b"", ["\ud800"], {}])
def test_no_secret_is_an_error_of_configuration_and_never_means_unsigned_is_fine(side: Side, secrets: Any) -> None:
    signed = side.sign(BODY, "good")
    for use in (side.verify, side.parse):
        with pytest.raises(ConfigurationError) as caught:
            use(BODY, signed, secrets)
        assert not isinstance(caught.value, WebhookError)
        assert caught.value.status_hint is None
    with pytest.raises(ConfigurationError):
        side.sign(BODY, "")


def test_a_secret_is_never_quoted(side: Side) -> None:
    for use, given in ((side.verify, ["s3cr3t-A", "s3cr3t-B"]), (side.parse, ["s3cr3t-A"]), (side.verify, ["s3cr3t-A", ""])):
        with pytest.raises((InvalidSignature, ConfigurationError)) as caught:
            use(BODY, {side.header: "s3cr3t-signature"}, given)
        assert "s3cr3t" not in str(caught.value) + repr(caught.value)


# ------------------------------------------------------------------------------------------------------------- body


@pytest.mark.parametrize("body", [bytearray(BODY), memoryview(BODY)])
def test_raw_bytes_of_any_kind(side: Side, body: Any) -> None:
    assert side.verify(body, side.sign(BODY, SECRET), [SECRET]).which == 0


@pytest.mark.parametrize("body", [BODY.decode(), {"topic": "return"}, [], None, 5])
def test_what_was_decoded_or_parsed_is_refused_with_a_sentence_about_the_raw_body(side: Side, body: Any) -> None:
    for use in (side.verify, side.parse):
        with pytest.raises(ConfigurationError, match="raw bytes"):
            use(body, side.sign(BODY, SECRET), [SECRET])
    with pytest.raises(ConfigurationError, match="raw bytes"):
        side.sign(body, SECRET)


def test_an_empty_body_is_signed_like_any_other(side: Side) -> None:
    assert side.verify(b"", side.sign(b"", SECRET), [SECRET]).which == 0
    # The official gem signs the client id in its place: a constant that proves nothing of a message.
    constant = hmac.new(SECRET.encode(), b"client-id", hashlib.sha256).digest()
    with pytest.raises(InvalidSignature):
        side.verify(b"", {side.header: constant.hex()}, [SECRET])


# ---------------------------------------------------------------------------------------------------------- headers


def test_header_names_are_compared_without_regard_to_case(side: Side) -> None:
    (signature,) = side.sign(BODY, SECRET).values()
    for name in (side.header, side.header.lower(), side.header.upper(), side.header.swapcase()):
        assert side.verify(BODY, {name: signature}, [SECRET]).which == 0


def test_headers_as_frameworks_have_them(side: Side) -> None:
    ((name, value),) = side.sign(BODY, SECRET).items()
    message = Message()
    message[name] = value
    for headers in (
        {name: value}, MappingProxyType({name: value}), {name.encode(): value.encode()}, {name: [value]}, {name: (value,)}, [(name, value)],
        ((name.lower().encode(), value.encode()),), iter([[name, value]]), {name: f" {value} "}, {name: ["forged", value]}, message,
        {"Host": "x", 5: 6, None: None, name: value},
    ):  # fmt: skip
        assert side.verify(BODY, headers, [SECRET]).which == 0


@pytest.mark.parametrize("value", ["", " ", None, 5, [], [None], "é" * 44, "\ud800", b"\xff\xfe", "Z3LM", "=" * 44, "a" * 100_000])
def test_what_is_no_signature_is_an_invalid_one(side: Side, value: Any) -> None:
    with pytest.raises(InvalidSignature) as caught:
        side.verify(BODY, {side.header: value}, [SECRET])
    assert caught.value.status_hint == 401


def test_no_header_and_very_many(side: Side) -> None:
    with pytest.raises(InvalidSignature, match="no X-"):
        side.verify(BODY, {}, [SECRET])
    with pytest.raises(InvalidSignature, match="has 9"):
        side.verify(BODY, [(side.header, "x")] * 9, [SECRET])


@pytest.mark.parametrize("headers", [None, 5, "X-Loop-Signature: x", b"x", [1], [("a",)], [("a", "b", "c")], ["ab"]])
def test_what_are_no_headers_is_an_error_of_configuration(side: Side, headers: Any) -> None:
    with pytest.raises(ConfigurationError):
        side.verify(BODY, headers, [SECRET])
