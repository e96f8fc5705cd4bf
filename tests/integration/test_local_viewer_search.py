"""The page's search: its JSON answers, against moto."""

from __future__ import annotations

from typing import Any

import pytest
from werkzeug.test import Client

from local.viewer import make_app

from .conftest import Stack
from .searchable import with_images


@pytest.fixture
def client(stack: Stack) -> Client:
    with_images(stack)
    return Client(make_app(None))


def search(client: Client, **asked: Any) -> tuple[int, dict[str, Any]]:
    answer = client.get("/api/search", query_string=asked)
    return answer.status_code, answer.get_json()


def test_cards_have_what_the_query_found(client: Client) -> None:
    status, page = search(client, q="person and not night", confidence=80, limit=2)
    assert status == 200
    assert [card["Key"] for card in page["images"]] == ["uploads/gate-2/11.jpg", "uploads/gate-2/9.jpg"]
    assert page["images"][0]["Found"] == [{"Field": "label", "Name": "Person", "Confidence": 93.0}]
    assert page["images"][0]["TakenAt"] == "2026-01-01T00:11:00.000Z"
    assert page["query"] == "person and not night"
    status, following = search(client, q="person and not night", confidence=80, limit=2, after=page["next"])
    assert [card["Key"] for card in following["images"]] == ["uploads/gate-2/7.jpg"]
    assert (following["next"], following["cutShort"], page["hidden"] + following["hidden"]) == (None, False, 3)


def test_a_mistake_names_its_character(client: Client) -> None:
    status, answer = search(client, q="person and (")
    assert (status, answer) == (400, {"error": 'This "(" is never closed. Add a ")".', "position": 11})
    assert search(client, q="a" * 10_000)[0] == 400


def test_a_cursor_of_another_search_is_refused(client: Client) -> None:
    _, page = search(client, q="person", limit=2)
    status, answer = search(client, q="night", limit=2, after=page["next"])
    assert (status, "position" in answer) == (400, False)
    assert "does not belong to this search" in answer["error"]


@pytest.mark.parametrize("confidence", ["x", "-1", "101", "nan"])
def test_an_impossible_confidence_is_refused(client: Client, confidence: str) -> None:
    assert search(client, q="person", confidence=confidence)[0] == 400


def test_names_are_completed_with_the_most_images_first(client: Client) -> None:
    names = client.get("/api/names", query_string={"prefix": ""}).get_json()["names"]
    assert names == [{"name": "Person", "images": 12}, {"name": "Night", "images": 6}, {"name": "Traffic Light", "images": 6}]
    assert client.get("/api/names", query_string={"prefix": "traffic l"}).get_json()["names"][0]["name"] == "Traffic Light"
    sources = client.get("/api/names", query_string={"prefix": "gate", "field": "source"}).get_json()["names"]
    assert [one["name"] for one in sources] == ["gate-1", "gate-2"]
    assert client.get("/api/names", query_string={"field": "owner"}).status_code == 400


def test_an_unknown_name_gets_suggestions(client: Client) -> None:
    assert search(client, q="persn")[1]["unknown"] == [{"term": "persn", "suggestions": ["person"]}]
