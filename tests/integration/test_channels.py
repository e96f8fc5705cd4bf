"""Channels against a real HTTP server: what arrives there, and what each of its answers means for the alert."""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
import json
import socket
import time
from dataclasses import replace
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import jsonschema
import pytest
from aws_lambda_powertools.utilities.parameters import base as parameters
from botocore.stub import Stubber
from PIL import Image

from imagewatch.alerts.alert import Alert
from imagewatch.alerts.channel import Message
from imagewatch.aws import channels, clients, secrets
from imagewatch.aws import s3 as objects
from imagewatch.aws.channels import http
from imagewatch.aws.tables import images as images_table
from imagewatch.errors import ChannelGone, ChannelRefused, Throttled, Unavailable
from imagewatch.images.record import Artifacts
from imagewatch.images.version import ImageVersion
from imagewatch.rules.matched_rule import MatchedRule
from imagewatch.services import image_store as records
from imagewatch.services.alert_picture import AnnotatedPicture

from .conftest import ROOT, Event, Stack, newer
from .receiver import Receiver, listening

NOW = "2026-11-20T16:05:10.000Z"
SECRET = "a secret between us"
MATCHES = [{"Term": "person", "Label": "Person", "Kind": "label", "Confidence": 97.3, "Count": 1}]
RULE = {"RuleId": "person-at-the-door", "Name": "Person at the door", "RuleVersion": 3, "Severity": "critical"}
LINK = "https://watch.example.com/images/abc"
MATCHED = MatchedRule.from_item(RULE | {"Matches": MATCHES})
ALERT = Alert("a1", MATCHED, ("home",), "i1", "v1", "photos", "uploads/door/a.jpg", "door", LINK, NOW)
PERSON = {
    "Name": "Person",
    "Confidence": 97.3,
    "Instances": [{"Confidence": 97.3, "BoundingBox": {"Left": 0.2, "Top": 0.1, "Width": 0.5, "Height": 0.8}}],
}


@pytest.fixture
def sending(stack: Stack) -> Stack:
    """The environment of the function that sends alerts."""
    return environment(stack)


def environment(stack: Stack) -> Stack:
    stack.use_environment("SendAlert")
    return stack


def add(stack: Stack, channel_id: str, kind: str, url: str, **attributes: Any) -> None:
    name = f"/imagewatch/imagewatch/channels/{channel_id}"
    stack.client("ssm").put_parameter(Name=name, Value=url if kind == "slack" else SECRET, Type="SecureString", Overwrite=True)
    address = {} if kind == "slack" else {"Url": url}
    stack.put_item(
        "ChannelsTable",
        {"ChannelId": channel_id, "Kind": kind, "Enabled": True, "SecretParameter": name, "Status": "ok"} | address | attributes,
    )


def record(stack: Stack, channel_id: str) -> dict[str, Any]:
    (found,) = [item for item in stack.items("ChannelsTable") if item["ChannelId"] == channel_id]
    return found


def message(**changes: Any) -> Message:
    fields: dict[str, Any] = {
        "subject": "Person at the door: person 97.3 % in <a>.jpg",
        "body": "Your rule matched.\n\n  *person*, 97.3 % sure",
        "alerts": [ALERT],
        "feedback": "Was it wrong? imagewatch alerts not-this a1",
        "link": "https://watch.example.com/images/abc?a=1&b=2",
    }
    return Message(**{**fields, **changes})


def picture_of(image: Event) -> AnnotatedPicture:
    """The picture of an image that has been analysed: its record is leased, and its thumbnail written."""
    version = ImageVersion.from_state(image)
    objects.write_rendition(version.thumbnail_key, (ROOT / "samples" / "astronaut-portrait.jpg").read_bytes())
    if record := images_table.read(version.image_id):  # a test can have deleted it
        analysed = {"Status": "ANALYZED", "Labels": [PERSON]}
        assert images_table.update_if_owner(record, analysed, Artifacts.of(version), replaces_findings=True)
    return AnnotatedPicture(version, "person-at-the-door", MATCHED.matches)


# ------------------------------------------------------------------------------------------------------------------ e-mail


def test_the_channel_email_needs_no_record_and_publishes_to_the_alerts_topic(sending: Stack) -> None:
    sent = channels.load("email").send(message(subject="A subject"))

    (mail,) = sending.mailbox()
    assert (mail["Subject"], mail["MessageId"]) == ("A subject", sent)
    assert mail["MessageAttributes"]["Severity"]["Value"] == "critical"


def test_email_can_be_switched_off(sending: Stack) -> None:
    sending.put_item("ChannelsTable", {"ChannelId": "email", "Enabled": False})
    with pytest.raises(ChannelRefused, match="imagewatch channels enable"):
        channels.load("email")


def test_what_sns_refuses_permanently_is_a_refusal_and_a_throttle_is_not(sending: Stack) -> None:
    with Stubber(clients.client("sns")) as stub:
        stub.add_client_error("publish", "AuthorizationError", "not authorized to perform: SNS:Publish", 403)
        with pytest.raises(ChannelRefused, match="not authorized"):
            channels.load("email").send(message())
        stub.add_client_error("publish", "Throttled", "Rate exceeded", 400)
        with pytest.raises(Throttled):
            channels.load("email").send(message())


def test_a_channel_that_does_not_exist_is_refused_with_what_to_do(sending: Stack) -> None:
    with pytest.raises(ChannelRefused, match="no channel nowhere"):
        channels.load("nowhere")


def test_a_half_written_record_is_refused_by_name(sending: Stack) -> None:
    sending.put_item("ChannelsTable", {"ChannelId": "half", "Kind": "webhook"})
    with pytest.raises(ChannelRefused, match="no Url and no SecretParameter"):
        channels.load("half")


# ------------------------------------------------------------------------------------------------------------------- Slack


def test_slack_gets_blocks_with_a_link_and_nothing_from_outside_is_a_command(sending: Stack, receiver: Receiver) -> None:
    add(sending, "ops", "slack", receiver.url("/services/T0/B0/secret"))
    assert channels.load("ops").send(message(body="<!channel> " + "x" * 4000)) == "ok"

    (got,) = receiver.received
    assert (got.path, got.headers["Content-Type"]) == ("/services/T0/B0/secret", "application/json")
    header, body, more, link, ask = json.loads(got.body)["blocks"]
    assert ask["elements"][0]["text"] == "Was it wrong? imagewatch alerts not-this a1"
    assert {block["text"]["type"] for block in (header, body, more)} == {"plain_text"}
    assert len(body["text"]["text"]) == 3000
    assert body["text"]["text"] + more["text"]["text"] == "<!channel> " + "x" * 4000
    assert link["text"]["text"] == "<https://watch.example.com/images/abc?a=1&amp;b=2|See the image>"
    assert json.loads(got.body)["text"] == "Person at the door: person 97.3 % in &lt;a&gt;.jpg"


def test_slack_can_fetch_the_annotated_picture_by_its_link(sending: Stack, receiver: Receiver, announced: Event) -> None:
    environment(sending)
    add(sending, "ops", "slack", receiver.url())
    picture = picture_of(announced)
    channels.load("ops").send(message(picture=lambda: picture))

    (block,) = [block for block in json.loads(receiver.received[0].body)["blocks"] if block["type"] == "image"]
    assert "X-Amz-Algorithm=AWS4-HMAC-SHA256" in block["image_url"]
    assert f"annotated/{announced['ImageId']}/{picture.image.version}/" in block["image_url"]
    assert block["alt_text"].startswith("Person at the door")


def test_a_picture_that_slack_cannot_fetch_does_not_keep_the_alert_back(
    sending: Stack, receiver: Receiver, announced: Event
) -> None:
    environment(sending)
    add(sending, "ops", "slack", receiver.url())
    receiver.answers = [(400, b"invalid_blocks", {}), (200, b"ok", {})]
    assert channels.load("ops").send(message(picture=lambda: picture_of(announced))) == "ok"
    kinds = [[block["type"] for block in json.loads(got.body)["blocks"]] for got in receiver.received]
    assert kinds == [["header", "section", "image", "section", "context"], ["header", "section", "section", "context"]]


def test_a_receiver_that_answers_differently_is_not_taken_for_slack(sending: Stack, receiver: Receiver) -> None:
    add(sending, "ops", "slack", receiver.url())
    receiver.answer(200, b"<html>Welcome!</html>")
    with pytest.raises(ChannelRefused, match="not Slack"):
        channels.load("ops").send(message())


def test_a_webhook_address_that_was_replaced_while_the_old_one_was_kept_is_not_taken_for_gone(
    sending: Stack, receiver: Receiver
) -> None:
    add(sending, "ops", "slack", receiver.url("/old"))
    channels.load("ops").send(message())
    add(sending, "ops", "slack", receiver.url("/new"))
    receiver.answers = [(404, b"no_service", {}), (200, b"ok", {})]
    assert channels.load("ops").send(message()) == "ok"
    assert [got.path for got in receiver.received] == ["/old", "/old", "/new"]
    assert record(sending, "ops")["Status"] == "ok"


def test_a_webhook_address_that_its_owner_replaced_is_used_at_once(sending: Stack, receiver: Receiver) -> None:
    add(sending, "ops", "slack", receiver.url("/old"), UpdatedAt="2026-11-20T09:00:00.000Z")
    channels.load("ops").send(message())
    add(sending, "ops", "slack", receiver.url("/new"), UpdatedAt="2026-11-20T10:00:00.000Z")
    channels.load("ops").send(message())
    assert [got.path for got in receiver.received] == ["/old", "/new"]


def test_the_secret_is_read_once_in_five_minutes(sending: Stack, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    add(sending, "ops", "slack", receiver.url())
    channels.load("ops").send(message())
    sending.client("ssm").delete_parameter(Name="/imagewatch/imagewatch/channels/ops")
    channels.load("ops").send(message())
    later = datetime.now() + timedelta(seconds=secrets.MAX_AGE_SECONDS + 1)
    monkeypatch.setattr(parameters, "datetime", SimpleNamespace(now=lambda: later))
    with pytest.raises(ChannelRefused, match="does not exist"):
        channels.load("ops").send(message())


# ----------------------------------------------------------------------------------------------------------------- webhook


def test_a_webhook_gets_the_documented_json_and_a_signature_that_holds(
    sending: Stack, receiver: Receiver, announced: Event
) -> None:
    environment(sending)
    add(sending, "home", "webhook", receiver.url())
    image = ImageVersion.from_state(announced)
    alert = replace(ALERT, suppressed_before=2)
    assert channels.load("home").send(message(alerts=[alert], image=image, picture=lambda: picture_of(announced))) == "HTTP 200"

    (got,) = receiver.received
    stamps = dict(part.split("=", 1) for part in got.headers["X-Imagewatch-Signature"].split(","))
    assert abs(int(stamps["t"]) - time.time()) < 60
    expected = hmac.new(SECRET.encode(), stamps["t"].encode() + b"." + got.body, hashlib.sha256).hexdigest()
    assert stamps["v1"] == expected
    document = json.loads(got.body)
    schema = json.loads((ROOT / "docs" / "webhook.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(document, schema, format_checker=jsonschema.FormatChecker())
    assert (document["Type"], document["Channel"], document["Alert"]["SuppressedBefore"]) == ("alert", "home", 2)
    assert document["Image"]["Key"] == announced["Key"]
    picture = base64.b64decode(document["Picture"]["Base64"])
    assert len(document["Picture"]["Base64"]) <= 200_000
    with Image.open(io.BytesIO(picture)) as opened:
        assert (opened.format, dict(opened.getexif())) == ("JPEG", {})


@pytest.mark.parametrize(
    ("status", "error", "reason"),
    [
        (429, Throttled, "accepts no more messages"),
        (500, Unavailable, "failed"),
        (503, Unavailable, "failed"),
        (408, Unavailable, "failed"),
        (404, ChannelGone, "no longer exists"),
        (410, ChannelGone, "no longer exists"),
        (400, ChannelRefused, "refused the message"),
        (403, ChannelRefused, "refused the message"),
        (302, ChannelRefused, "redirects elsewhere"),
    ],
)
@pytest.mark.parametrize("kind", ["webhook", "slack"])
def test_each_status_means_one_thing(
    sending: Stack, receiver: Receiver, kind: str, status: int, error: type[Exception], reason: str
) -> None:
    add(sending, "home", kind, receiver.url("/a-secret-path"))
    receiver.answer(status, b"the reason\x00 it gives", Location=receiver.url("/elsewhere"))
    with pytest.raises(error, match=reason) as raised:
        channels.load("home").send(message())
    assert f'HTTP {status}: "the reason it gives"' in str(raised.value)
    assert "a-secret-path" not in str(raised.value)
    assert {got.path for got in receiver.received} == {"/a-secret-path"}  # no redirect is followed
    assert len(receiver.received) == 1  # and nothing is repeated in here


def test_a_pause_that_was_asked_for_is_kept_by_every_sender(sending: Stack, receiver: Receiver) -> None:
    add(sending, "home", "webhook", receiver.url())
    receiver.answer(429, b"slow down", Retry_After="30")
    with pytest.raises(Throttled, match="a pause of 30 seconds") as first:
        channels.load("home").send(message())
    assert first.value.retry_after == 30
    with pytest.raises(Throttled, match=r"a pause of \d+ more seconds"):
        channels.load("home").send(message())
    assert len(receiver.received) == 1

    sending.put_item("ChannelsTable", {**record(sending, "home"), "PausedUntil": time.time() - 1})
    receiver.answer(200)
    assert channels.load("home").send(message()) == "HTTP 200"


@pytest.mark.parametrize(("value", "seconds"), [("7", 7), ("86400", 3600), ("soon", 0), ("", 0), ("-5", 0)])
def test_a_retry_after_is_read_within_reason(sending: Stack, receiver: Receiver, value: str, seconds: float) -> None:
    add(sending, "home", "webhook", receiver.url())
    receiver.answer(429, **({"Retry_After": value} if value else {}))
    with pytest.raises(Throttled) as raised:
        channels.load("home").send(message())
    assert raised.value.retry_after == seconds


@pytest.mark.parametrize(
    "value", ["\xb2", "\xbd", "1\xb2", "7 8", "0x10", "1e3", "+5", "Fri, 99 Nov 2026 25:61:61 GMT", "Sun", "9" * 4000]
)
def test_a_retry_after_that_is_neither_form_is_ignored(sending: Stack, receiver: Receiver, value: str) -> None:
    add(sending, "home", "webhook", receiver.url())
    receiver.answer(429, Retry_After=value)
    with pytest.raises(Throttled) as raised:
        channels.load("home").send(message())
    assert raised.value.retry_after == (3600 if value.isdecimal() else 0)


@pytest.mark.parametrize("kind", ["webhook", "slack"])
def test_an_unexpected_error_in_a_channel_is_its_failure_and_shows_no_address(
    sending: Stack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    add(sending, "home", kind, "https://hooks.example.com/a-secret-path")

    def stumble(url: str, *_: Any) -> http.Answer:
        raise ValueError(f"could not convert what {url} answered")

    monkeypatch.setattr(http, "post", stumble)
    for call in (lambda channel: channel.send(message()), lambda channel: channel.check()):
        with pytest.raises(ChannelRefused, match="failed unexpectedly") as raised:
            call(channels.load("home"))
        assert "a-secret-path" not in str(raised.value) + capsys.readouterr().out


def test_the_connection_goes_to_the_address_that_was_checked(
    sending: Stack, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that resolves to another address at a second look-up (DNS rebinding) has no second look-up."""
    real, asked = socket.getaddrinfo, list[str]()

    def look_up(host: str, *arguments: Any, **named: Any) -> Any:
        if host != "rebinding.example.com":
            return real(host, *arguments, **named)
        asked.append(host)
        address = "127.0.0.1" if len(asked) == 1 else "169.254.169.254"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, receiver.port))]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    add(sending, "home", "webhook", f"http://rebinding.example.com:{receiver.port}/hook")
    assert channels.load("home").send(message()) == "HTTP 200"
    assert len(asked) == 1
    assert receiver.received[0].headers["Host"] == f"rebinding.example.com:{receiver.port}"


def test_metadata_addresses_are_refused_before_anything_is_sent(sending: Stack) -> None:
    for url in ("https://169.254.169.254/latest/meta-data", "https://[fd00:ec2::254]/", "https://10.0.0.1/hook"):
        add(sending, "home", "webhook", url)
        with pytest.raises(ChannelRefused, match="not a public https:// address"):
            channels.load("home").send(message())


def test_a_retry_after_can_be_a_date(sending: Stack, receiver: Receiver) -> None:
    add(sending, "home", "webhook", receiver.url())
    receiver.answer(429, Retry_After=time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 60)))
    with pytest.raises(Throttled) as raised:
        channels.load("home").send(message())
    assert 55 < raised.value.retry_after <= 60


def test_a_channel_that_is_gone_is_switched_off_once_with_the_reason(
    sending: Stack, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    add(sending, "home", "webhook", receiver.url())
    receiver.answer(410, b"moved out")
    before = channels.load("home")
    for _ in range(2):
        with pytest.raises(ChannelGone):
            before.send(message())
    assert record(sending, "home")["Status"] == "disabled"
    assert "moved out" in record(sending, "home")["StatusReason"]
    assert capsys.readouterr().out.count('"ChannelsDead"') == 2  # one metric line: its definition and its value
    with pytest.raises(ChannelRefused, match=r"was disabled: .*moved out"):
        channels.load("home")


def test_a_channel_that_was_changed_meanwhile_is_not_switched_off_for_its_old_address(sending: Stack, receiver: Receiver) -> None:
    add(sending, "home", "webhook", receiver.url(), UpdatedAt="2026-11-20T09:00:00.000Z")
    receiver.answer(404)
    before = channels.load("home")
    add(sending, "home", "webhook", receiver.url("/new"), UpdatedAt="2026-11-20T10:00:00.000Z")
    with pytest.raises(ChannelGone):
        before.send(message())
    assert record(sending, "home")["Status"] == "ok"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "READ_SECONDS", 0.5)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("status", "answer"),
    [(0, b""), (-2, b"HTTP/1.1 200 OK\r\n" * 100), (-2, b"HTTP/1.1 200 OK\r\nX-Padding: " + b"x" * 4000)],
    ids=["says nothing", "says it drop by drop", "never comes to the end of a header"],
)
def test_a_server_that_hangs_is_given_up_in_time(sending: Stack, receiver: Receiver, status: int, answer: bytes) -> None:
    add(sending, "home", "webhook", receiver.url())
    receiver.answer(status, answer)
    began = time.monotonic()
    with pytest.raises(Unavailable, match=r"did not answer within 0\.5 seconds"):
        channels.load("home").send(message())
    assert time.monotonic() - began < 7
    assert len(receiver.received) == 1


@pytest.mark.usefixtures("impatient")
def test_a_status_that_has_come_decides_however_slowly_the_rest_does(sending: Stack, receiver: Receiver) -> None:
    add(sending, "home", "webhook", receiver.url())
    receiver.answer(-2, b"HTTP/1.0 200\r\n\r\n" + b"x" * 4000)
    began = time.monotonic()
    channels.load("home").send(message())
    assert time.monotonic() - began < 7


def test_no_message_trusts_a_connection_that_another_one_used(sending: Stack, receiver: Receiver) -> None:
    """Slack's channels share a host. It may close what it answered on at any time, and without having said so."""
    add(sending, "ops", "slack", receiver.url("/ops"))
    add(sending, "night", "slack", receiver.url("/night"))
    receiver.answer(-3, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    assert [channels.load(name).send(message()) for name in ("ops", "night", "ops")] == ["ok"] * 3
    assert [got.path for got in receiver.received] == ["/ops", "/night", "/ops"]


def test_what_is_not_http_is_not_an_answer(sending: Stack, receiver: Receiver) -> None:
    add(sending, "home", "webhook", receiver.url())
    receiver.answer(-1, b"\x16\x03\x01 this is no HTTP\r\n\r\n")
    with pytest.raises(Unavailable, match="broke off"):
        channels.load("home").send(message())


def test_an_endless_answer_is_read_to_a_limit(sending: Stack, receiver: Receiver) -> None:
    add(sending, "home", "webhook", receiver.url())
    receiver.answer(400, b"x" * 1_000_000)
    with pytest.raises(ChannelRefused) as raised:
        channels.load("home").send(message())
    assert len(str(raised.value)) < 400


def test_an_address_without_a_receiver_is_retried(sending: Stack) -> None:
    with listening() as receiver:
        url = receiver.url()
    add(sending, "home", "webhook", url)
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1 could not be reached"):
        channels.load("home").send(message())


@pytest.mark.parametrize(
    "url",
    ["http://192.0.2.1/hook", "ftp://127.0.0.1/x", "//127.0.0.1/x", "https://", "nonsense", "https://user:pass@example.com/",
     "http://[::1", "https://example.com:99999/"],
)  # fmt: skip
def test_addresses_that_would_leak_a_message_are_refused_before_anything_is_sent(sending: Stack, url: str) -> None:
    add(sending, "home", "webhook", url)
    with pytest.raises(ChannelRefused, match="https://"):
        channels.load("home").send(message())


# ---------------------------------------------------------------------------------------------------------- annotated picture


def annotated_keys(stack: Stack) -> list[str]:
    return [key for key in stack.keys("RenditionsBucket") if key.startswith("annotated/")]


def test_the_picture_is_made_once_and_goes_when_the_image_goes(sending: Stack, announced: Event) -> None:
    environment(sending)
    picture = picture_of(announced)
    assert picture.jpeg() is picture.jpeg()
    key = f"annotated/{announced['ImageId']}/{picture.image.version}/person-at-the-door.jpg"
    assert annotated_keys(sending) == [key]
    again = AnnotatedPicture(picture.image, picture.rule_id, MATCHED.matches)
    assert again.jpeg() == picture.jpeg()
    listed = (sending.record(announced["ImageId"]) or {})["Stored"][0]["Renditions"]
    assert listed.count(key) == 1

    sending.use_environment("StartAnalysis")
    records.remove(ImageVersion.from_state(newer(announced)))
    assert sending.keys("RenditionsBucket") == []
    assert sending.record(announced["ImageId"]) is None


def test_an_analysis_that_is_repeated_does_not_forget_the_pictures_of_alerts(sending: Stack, announced: Event) -> None:
    environment(sending)
    picture = picture_of(announced)
    assert picture.jpeg()
    sending.use_environment("StoreAnalysis")
    records.store(picture.image, {"Status": "ANALYZED", "Labels": [{"Parents": [], "Aliases": [], "Categories": [], **PERSON}]})
    records.remove(ImageVersion.from_state(newer(announced)))
    assert annotated_keys(sending) == []


def test_a_newer_version_clears_the_older_ones_picture_away(sending: Stack, announced: Event) -> None:
    environment(sending)
    assert picture_of(announced).jpeg()
    sending.use_environment("StoreAnalysis")
    later = ImageVersion.from_state(newer(announced))
    records.acquire_lease(later, {})
    records.store(later, {"Status": "ANALYZED", "Labels": []})
    assert annotated_keys(sending) == []


def test_an_image_that_has_gone_gets_no_picture_and_what_an_earlier_try_left_is_taken_away(
    sending: Stack, announced: Event
) -> None:
    environment(sending)
    picture = picture_of(announced)
    objects.write_rendition(picture._key, b"left by a crash between two writes")
    images_table.revoke_lease(ImageVersion.from_state(newer(announced)))
    assert (picture.jpeg(), picture.url()) == (None, None)
    assert annotated_keys(sending) == []


def test_an_image_whose_record_is_gone_alerts_without_a_picture(sending: Stack, announced: Event) -> None:
    environment(sending)
    sending.client("dynamodb").delete_item(TableName="ImagesTable", Key={"ImageId": {"S": announced["ImageId"]}})
    picture = picture_of(announced)
    assert (picture.jpeg(), picture.url()) == (None, None)
    assert annotated_keys(sending) == []


def test_an_image_that_goes_while_its_picture_is_written_takes_the_picture_along(
    sending: Stack, announced: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment(sending)
    picture = picture_of(announced)
    write = objects.write_rendition

    def write_late(key: str, data: bytes) -> dict[str, str]:
        images_table.revoke_lease(ImageVersion.from_state(newer(announced)))
        return write(key, data)

    monkeypatch.setattr(objects, "write_rendition", write_late)
    assert picture.jpeg() is None
    assert annotated_keys(sending) == []


def test_a_picture_that_fails_is_no_reason_not_to_alert(sending: Stack, receiver: Receiver, announced: Event) -> None:
    environment(sending)
    add(sending, "home", "webhook", receiver.url())
    picture = picture_of(announced)
    objects.write_rendition(picture.image.thumbnail_key, b"this is no JPEG")
    assert channels.load("home").send(message(picture=lambda: picture)) == "HTTP 200"
    assert "Picture" not in json.loads(receiver.received[0].body)


@pytest.mark.slow
def test_a_record_does_not_grow_without_end(sending: Stack, announced: Event) -> None:
    environment(sending)
    version = ImageVersion.from_state(announced)
    for number in range(images_table.MAX_RENDITIONS - 2):
        assert images_table.list_rendition(version, version.annotated_key(f"rule-{number}"))
    assert images_table.list_rendition(version, version.annotated_key("one-too-many")) is None
    assert images_table.list_rendition(version, version.annotated_key("rule-0"))
