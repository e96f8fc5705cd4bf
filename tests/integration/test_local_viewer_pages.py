"""The viewer's pages in a browser: what a person reads about rules that matched."""

from __future__ import annotations

import html
import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from werkzeug.serving import make_server

from local.viewer import make_app

from .chromium import document_of, needs_chromium
from .test_local_viewer import TEMPLATE, CapturedMails, aws, store

__all__ = ["aws"]

pytestmark = needs_chromium


class Pages:
    """Opens pages of the viewer in a browser."""

    def __init__(self, address: str, profile: Path) -> None:
        self._address = address
        self._profile = profile

    def text(self, path: str) -> str:
        """The text of a page, with single spaces, after its script has run."""
        document = document_of(self._address + path, self._profile, "--virtual-time-budget=5000")
        return re.sub(r"\s+", " ", html.unescape(re.sub(r"<(style|script).*?</\1>|<[^>]+>", " ", document, flags=re.DOTALL)))


@pytest.fixture
def pages(aws: None, tmp_path: Path) -> Iterator[Pages]:
    boto3.client("cloudformation").create_stack(StackName="imagewatch", TemplateBody=json.dumps(TEMPLATE))
    server = make_server("127.0.0.1", 0, make_app(None, mailbox=CapturedMails()), threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield Pages(f"http://127.0.0.1:{server.server_port}", tmp_path)
    server.shutdown()
    thread.join()
    server.server_close()


RULES = [
    {"RuleId": "a", "Name": "Person at the door", "Matches": []},
    {"RuleId": "b", "Name": "Night", "Matches": [], "Muted": "outside its active hours"},
    {"RuleId": "c", "Name": "Gate", "Matches": [], "Muted": "muted until 2026-03-01T12:00:00Z: gate-2"},
]


def test_muted_and_omitted_rules_of_an_image_do_not_look_like_those_that_alert(pages: Pages) -> None:
    image_id = store("uploads/gate/a.jpg", MatchedRules=RULES, RulesOmitted=12)
    text = pages.text(f"/images/{image_id}")
    assert "⚑ Person at the door ⚑ Night (muted: outside its active hours)" in text
    assert "⚑ Gate (muted until 2026-03-01T12:00:00Z: gate-2)" in text
    assert "⚑ 12 more rules match. The record has no room for them. They raise no alert." in text


def test_cards_mark_muted_and_omitted_rules(pages: Pages) -> None:
    store("uploads/gate/a.jpg", MatchedRules=RULES, RulesOmitted=1)
    store("uploads/gate/b.jpg", MatchedRules=RULES[:1])
    text = pages.text("/")
    assert "⚑ Night (muted)" in text
    assert "⚑ Gate (muted)" in text
    assert text.count("⚑ 1 more rule matches") == 1
