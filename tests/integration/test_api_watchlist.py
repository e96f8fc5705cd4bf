"""Api Watchlist: rules are read, added, changed and deleted, and no change of another person is overwritten."""

from __future__ import annotations

from typing import Any

import pytest

from .api import OPERATORS, Reply, call
from .conftest import Stack

RULE = {"RuleId": "gate", "Name": "Person at the gate", "AnyOf": [{"Term": "person", "MinConfidence": 85}], "Sources": ["gate"]}


def ask(stack: Stack, method: str, path: str = "", body: Any = None, **query: Any) -> Reply:
    return call(stack, method, f"/watchlist{path}", query, body, OPERATORS)


@pytest.fixture
def created(stack: Stack) -> dict[str, Any]:
    reply = ask(stack, "POST", body=RULE)
    assert reply.status == 201
    rule: dict[str, Any] = reply.body
    return rule


def test_a_new_rule_is_stored_as_it_is_returned(stack: Stack, created: dict[str, Any]) -> None:
    assert stack.items("WatchlistTable") == [created]
    assert (created["Version"], created["Name"]) == (1, "Person at the gate")
    assert created["CreatedAt"] == created["UpdatedAt"]
    assert ask(stack, "GET", "/gate").body == {"RuleId": "gate", "Version": 1, "Rule": created}
    assert ask(stack, "GET").body == {"Rules": [{"RuleId": "gate", "Version": 1, "Rule": created}]}


def test_a_rule_of_the_same_id_is_not_overwritten(stack: Stack, created: dict[str, Any]) -> None:
    assert ask(stack, "POST", body={**RULE, "Name": "Other"}).status == 409
    assert stack.items("WatchlistTable") == [created]


def test_a_change_needs_the_version_that_is_stored(stack: Stack, created: dict[str, Any]) -> None:
    changed = ask(stack, "PUT", "/gate", {**created, "Severity": "critical"})
    assert (changed.status, changed.body["Version"], changed.body["Severity"]) == (200, 2, "critical")
    assert changed.body["CreatedAt"] == created["CreatedAt"]
    lost = ask(stack, "PUT", "/gate", {**created, "Severity": "info"})
    assert lost.status == 409
    assert "version 2" in lost.body["detail"]
    assert stack.items("WatchlistTable")[0]["Severity"] == "critical"


def test_a_change_keeps_the_id(stack: Stack, created: dict[str, Any]) -> None:
    reply = ask(stack, "PUT", "/gate", {**created, "RuleId": "door"})
    assert (reply.status, reply.pointers) == (400, ["#/RuleId"])


def test_a_rule_is_deleted_only_in_the_version_that_was_read(stack: Stack, created: dict[str, Any]) -> None:
    assert ask(stack, "DELETE", "/gate", version=2).status == 409
    assert ask(stack, "DELETE", "/gate").status == 400
    assert ask(stack, "DELETE", "/gate", version=1).body == {"RuleId": "gate"}
    assert stack.items("WatchlistTable") == []
    assert ask(stack, "DELETE", "/gate", version=1).status == 404


def test_a_damaged_rule_is_listed_with_its_problem_and_can_be_replaced(stack: Stack) -> None:
    stack.put_item("WatchlistTable", {"RuleId": "gate", "Name": "Gate", "AnyOf": [{"Term": "person", "MinConfidence": 850}]})
    stack.put_item("WatchlistTable", {"RuleId": "#mutes", "All": "2027-01-01T00:00:00.000Z"})
    (listed,) = ask(stack, "GET").body["Rules"]
    assert "MinConfidence" in listed["Problem"]
    assert ask(stack, "PUT", "/gate", RULE).body["Version"] == 2


@pytest.mark.parametrize("path", ["/none", "/%23mutes", "/Gate"])
def test_what_is_no_rule_is_not_found(stack: Stack, path: str) -> None:
    assert ask(stack, "GET", path).status == 404


@pytest.mark.parametrize(
    ("changes", "pointers"),
    [
        ({"AnyOf": [{"Term": "person"}, {"Term": "car", "MinConfidence": "85"}]}, ["#/AnyOf/1/MinConfidence"]),
        ({"Severity": "urgent", "Channels": []}, ["#/Severity", "#/Channels"]),
        ({"Colour": "red"}, ["#/Colour"]),
        ({"RuleId": "Not a slug"}, ["#/RuleId"]),
    ],
)
def test_every_mistake_of_a_rule_has_a_pointer(stack: Stack, changes: dict[str, Any], pointers: list[str]) -> None:
    reply = ask(stack, "POST", body={**RULE, **changes})
    assert (reply.status, sorted(reply.pointers)) == (400, sorted(pointers))
    assert stack.items("WatchlistTable") == []


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("POST", ""), ("GET", "/gate"), ("PUT", "/gate"), ("DELETE", "/gate")])
def test_the_watchlist_is_for_operators(stack: Stack, method: str, path: str) -> None:
    body = RULE if method in ("POST", "PUT") else None
    assert call(stack, method, f"/watchlist{path}", {"version": 1} if method == "DELETE" else {}, body).status == 403
