"""What goes over the wire to Slack and to webhooks."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from imagewatch.alerts.alert import Alert, Delivery
from imagewatch.alerts.channel import DIGEST, NOTICE, PING, TEST, Message
from imagewatch.alerts.digest import Digest
from imagewatch.alerts.slack_text import MAX_HEADER, MAX_SECTION, slack_payload
from imagewatch.alerts.webhook_document import encoded, signature, webhook_document
from imagewatch.images.version import ImageVersion
from imagewatch.rules.matched_rule import MatchedRule

DOCS = Path(__file__).parents[2] / "docs"
IMAGE = ImageVersion("photos", "uploads/front-door/car 1.jpg", "v1", "e1", "00AA", 1000, "2026-11-20T16:05:09.123Z")
MATCH = {"Term": "person", "Label": "Person", "Kind": "label", "Confidence": Decimal("97.3"), "Count": 1}
ALERT = Alert(
    "a1",
    MatchedRule.from_item(
        {"RuleId": "night", "Name": "Night", "RuleVersion": 3, "Severity": "warning", "Matches": [MATCH], "Channels": ["home"]}
    ),
    ("home",),
    IMAGE.image_id,
    IMAGE.version,
    IMAGE.bucket,
    IMAGE.key,
    IMAGE.source,
    "https://watch.example.com/images/1",
    "2026-11-20T16:05:10.000Z",
    deliveries={"home": Delivery("PENDING")},
)
DIGEST_OF_MANY = Digest("1", "home", ("a" * 32,) * 38, "2026-11-20T16:05:10.000Z")
MESSAGE = Message("Night: Person 97.3 %", "Your rule matched.", [ALERT], None, IMAGE, None, ALERT.link)
LONG_TEXT = st.builds(lambda piece, times: piece * times, st.text(min_size=1, max_size=40), st.integers(0, 400))
"""Up to 16,000 characters. Plain st.text() hardly ever exceeds 50."""
NOW = "2026-11-20T16:05:11.000Z"


def schema() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DOCS / "webhook.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(found)
    return found


@pytest.mark.parametrize(
    "message",
    [
        MESSAGE,
        replace(MESSAGE, image=None, link=""),
        replace(MESSAGE, kind=DIGEST, alerts=(), digest=DIGEST_OF_MANY, image=None),
        Message("Test", "Nothing to see.", kind=TEST),
        Message("A channel is dead", "Do something.", kind=NOTICE),
        Message("Ping", "", kind=PING),
    ],
    ids=["alert", "without image", "digest", "test", "notice", "ping"],
)
@pytest.mark.parametrize("picture", [None, b"\xff\xd8 a picture"], ids=["plain", "with picture"])
def test_every_document_is_as_its_schema_says(message: Message, picture: bytes | None) -> None:
    document = json.loads(encoded(webhook_document(message, "home", NOW, picture)))
    jsonschema.validate(document, schema(), format_checker=jsonschema.FormatChecker())
    assert ("Picture" in document) == bool(picture)
    if picture:
        assert base64.b64decode(document["Picture"]["Base64"]) == picture


def test_an_alert_without_its_id_is_not_as_the_schema_says() -> None:
    document = webhook_document(MESSAGE, "home", NOW, None)
    del document["Alert"]["AlertId"]
    with pytest.raises(jsonschema.ValidationError, match="AlertId"):
        jsonschema.validate(document, schema())


def test_a_document_says_what_matched_and_keeps_what_is_our_own_to_itself() -> None:
    document = json.loads(encoded(webhook_document(MESSAGE, "home", NOW, None)))
    assert document["Alert"]["Matches"] == [{**MATCH, "Confidence": 97.3}]
    assert not {"Rule", "Deliveries", "Status"} & set(document["Alert"])
    assert document["Image"]["Source"] == "front-door"


@given(LONG_TEXT, LONG_TEXT)
def test_any_text_survives_the_journey(subject: str, body: str) -> None:
    document = json.loads(encoded(webhook_document(replace(MESSAGE, subject=subject, body=body), "home", NOW, None)))
    assert (document["Subject"], document["Body"]) == (subject, body)


@given(st.binary(max_size=200), st.text(min_size=1, max_size=40), st.integers(0, 2**40))
def test_a_signature_covers_the_time_and_every_byte(body: bytes, secret: str, timestamp: int) -> None:
    header = signature(secret, timestamp, body)
    expected = hmac.new(secret.encode("utf-8"), b"%d.%s" % (timestamp, body), hashlib.sha256).hexdigest()
    assert header == f"t={timestamp},v1={expected}"
    assert signature(secret, timestamp + 1, body).split(",")[1] != header.split(",")[1]
    assert signature(secret, timestamp, body + b" ").split(",")[1] != header.split(",")[1]
    assert signature(secret + "x", timestamp, body) != header


def test_the_verification_that_the_documentation_shows_accepts_ours_and_nothing_else() -> None:
    text = (DOCS / "channels.md").read_text(encoding="utf-8")
    (example,) = [block.split("```")[0] for block in text.split("```python\n")[1:] if "def is_from_imagewatch" in block]
    found: dict[str, Any] = {}
    exec(compile(example, "docs/channels.md", "exec"), found)  # noqa: S102
    verify = found["is_from_imagewatch"]
    body = encoded(webhook_document(MESSAGE, "home", NOW, None))
    header = signature("secret", 1_000, body)
    assert verify("secret", header, body, now=1_010)
    assert not verify("secret", header, body, now=1_000 + 301)
    assert not verify("secret", header, body + b" ", now=1_010)
    assert not verify("another", header, body, now=1_010)
    assert not verify("secret", "t=1010,v1=" + header.split("v1=")[1], body, now=1_010)
    for broken in ("", "nonsense", "t=,v1=", "v1=00", "t=abc,v1=00", "t=1000"):
        assert not verify("secret", broken, body, now=1_010)


def blocks(message: Message, url: str | None = None) -> dict[str, dict[str, Any]]:
    return {block["type"]: block for block in slack_payload(message, url)["blocks"]}


def test_slack_shows_the_picture_with_words_for_those_who_cannot_see_it() -> None:
    assert blocks(MESSAGE, "https://s3/x")["image"] == {
        "type": "image",
        "image_url": "https://s3/x",
        "alt_text": "Night: Person 97.3 %",
    }
    assert "image" not in blocks(MESSAGE, None)
    assert "image" not in blocks(MESSAGE, "https://s3/" + "x" * 3000)  # longer than Slack takes


def test_slack_says_how_to_say_that_an_alert_was_wrong_also_when_its_text_is_long() -> None:
    ask = "Was it wrong? imagewatch alerts not-this a1"
    for body in ("Your rule matched.", "Your rule matched. " * 500):
        shown = blocks(replace(MESSAGE, body=f"{body}\n{ask}", feedback=ask))
        assert shown["context"]["elements"] == [{"type": "plain_text", "text": ask, "emoji": False}]
        text = slack_payload(replace(MESSAGE, body=f"{body}\n{ask}", feedback=ask), None)["blocks"][1]["text"]["text"]
        assert text.startswith("Your rule matched.")
        assert "not-this" not in text
    for kind, digest in ((DIGEST, DIGEST_OF_MANY), (TEST, None), (NOTICE, None)):
        assert "context" not in blocks(replace(MESSAGE, kind=kind, alerts=(), digest=digest))


@given(LONG_TEXT, LONG_TEXT)
@example("x" * 151, "y" * 3001)
def test_slack_takes_texts_of_any_length_and_content(subject: str, body: str) -> None:
    payload = slack_payload(replace(MESSAGE, subject=subject, body=body), "https://s3/x")
    for block in payload["blocks"]:
        if block["type"] in ("header", "section") and block["text"]["type"] == "plain_text":
            assert 1 <= len(block["text"]["text"]) <= (150 if block["type"] == "header" else 3000)
    assert (MAX_HEADER, MAX_SECTION) == (150, 3000)
    assert len(payload["blocks"]) <= 50
    assert not set("<>") & set(payload["text"])


def test_nothing_from_outside_can_mention_the_whole_channel_or_fake_a_link() -> None:
    payload = slack_payload(replace(MESSAGE, subject="<!channel> <https://evil|ok>", link="https://x/?a=<b>|c&d"), None)
    assert payload["text"] == "&lt;!channel&gt; &lt;https://evil|ok&gt;"
    assert payload["blocks"][2]["text"]["text"] == "<https://x/?a=&lt;b&gt;%7Cc&amp;d|See the image>"
    assert {block["text"]["type"] for block in payload["blocks"][:2]} == {"plain_text"}
