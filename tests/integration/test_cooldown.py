"""Cooldowns on moto: they start when an alert is sent, apply under concurrency and restarts, and count what they suppress."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from imagewatch import timestamps
from imagewatch.alerts.cooldown import (
    LEASE_SECONDS,
    REPORT_DELAY_SECONDS,
    CooldownScope,
    channels_of,
    cooldown_scope,
    render_duration,
)
from imagewatch.aws import clients
from imagewatch.aws.tables import cooldowns as cooldowns_table
from imagewatch.errors import Unavailable
from imagewatch.rules.matched_rule import MatchedRule

from .alerting import Crash, VirtualClock, Wire, alert_of, cooldown, matches, rule, suppressed_in
from .conftest import Stack

pytestmark = pytest.mark.usefixtures("quick_moto")
QUIET = rule(**cooldown(600))


@pytest.mark.slow
def test_200_concurrent_matches_in_one_window_send_one_message_and_the_next_alert_says_199(
    stack: Stack, send: Any, wire: Wire, time: VirtualClock
) -> None:
    outcomes: list[dict[str, int]] = []
    begin = threading.Barrier(200)

    def match(number: int) -> None:
        begin.wait()
        outcomes.append(send(matches(f"image-{number}", QUIET)))

    threads = [threading.Thread(target=match, args=(number,)) for number in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [sum(outcome[name] for outcome in outcomes) for name in ("Sent", "Suppressed")] == [1, 199]
    (first,) = stack.mailbox()
    assert suppressed_in([first]) == 0
    time.pass_seconds(600)
    assert send(matches("the-next", QUIET))["Sent"] == 1
    (second,) = stack.mailbox()
    assert "199 more matches of this rule since " in second["Message"]
    assert "suppressed by its cooldown of 10 minutes." in second["Message"]
    assert alert_of(stack, "the-next")["SuppressedBefore"] == 199
    (item,) = stack.items("CooldownsTable")
    assert (item["Suppressed"], "PendingTokens" in item, "ReportPending" in item) == (0, False, False)


def test_a_cooldown_ends_to_the_millisecond(stack: Stack, send: Any, time: VirtualClock) -> None:
    send(matches("a", QUIET))
    time.pass_seconds(599.999)
    assert send(matches("b", QUIET))["Suppressed"] == 1
    time.pass_seconds(0.001)
    assert send(matches("c", QUIET))["Sent"] == 1


def test_what_was_reported_is_not_reported_again(stack: Stack, send: Any, time: VirtualClock) -> None:
    reported = []
    for n in range(4):
        send(matches(f"first-{n}", QUIET))
        reported.append(suppressed_in(stack.mailbox()))
        for m in range(n):
            send(matches(f"more-{n}-{m}", QUIET))
        time.pass_seconds(700)
    assert reported == [0, 0, 1, 2]


def test_a_cooldown_survives_a_restart(stack: Stack, send: Any, time: VirtualClock) -> None:
    send(matches("a", QUIET))
    clients.client.cache_clear()  # nothing is kept in the process but clients
    assert send(matches("b", QUIET))["Suppressed"] == 1


def test_without_a_cooldown_each_match_is_sent(stack: Stack, send: Any) -> None:
    for n in range(3):
        assert send(matches(f"a{n}", rule(Cooldown={"Seconds": 0, "PerSource": False})))["Sent"] == 1
    assert stack.items("CooldownsTable") == []


def test_each_rule_has_its_own_cooldown(stack: Stack, send: Any, time: VirtualClock) -> None:
    assert send(matches("a", QUIET, rule("other", **cooldown())))["Sent"] == 2
    assert send(matches("b", QUIET, rule("third", **cooldown()))) == send(matches("c", QUIET, rule("fourth", **cooldown())))


def test_a_cooldown_per_source_lets_each_camera_alert(stack: Stack, send: Any, time: VirtualClock) -> None:
    per_source = rule(**cooldown(600, PerSource=True))
    assert send(matches("a", per_source, source="door"))["Sent"] == 1
    assert send(matches("a", per_source, source="yard"))["Sent"] == 1
    assert send(matches("b", per_source, source="door"))["Suppressed"] == 1
    assert {item["CooldownId"] for item in stack.items("CooldownsTable")} == {"gate#door", "gate#yard"}


def test_a_channel_that_fails_permanently_starts_no_cooldown(stack: Stack, send: Any, wire: Wire, time: VirtualClock) -> None:
    with wire.refusing("Publish", "AuthorizationError", 403):
        assert send(matches("a", QUIET))["Failed"] == 1
    assert send(matches("b", QUIET))["Sent"] == 1


def test_while_a_failing_channel_is_retried_the_next_match_may_try(
    stack: Stack, send: Any, wire: Wire, time: VirtualClock
) -> None:
    with wire.refusing("Publish", "InternalFailure", 500), pytest.raises(Unavailable):
        send(matches("a", QUIET))
    assert send(matches("b", QUIET))["Sent"] == 1
    assert send(matches("a", QUIET))["Suppressed"] == 1
    time.pass_seconds(600)
    send(matches("c", QUIET))
    assert suppressed_in(stack.mailbox()) == 1


def test_the_cooldown_lease_of_a_crashed_sender_ends(stack: Stack, send: Any, wire: Wire, time: VirtualClock) -> None:
    wire.cut(2)  # recorded, leased
    with pytest.raises(Crash):
        send(matches("a", QUIET))
    wire.cut(None)
    assert send(matches("b", QUIET))["Suppressed"] == 1
    time.pass_seconds(LEASE_SECONDS)
    assert send(matches("c", QUIET))["Sent"] == 1
    assert suppressed_in(stack.mailbox()) == 1


def test_a_sender_that_continues_after_its_lease_has_ended_changes_nothing(stack: Stack, time: VirtualClock) -> None:
    stack.use_environment("SendAlert")
    scope = CooldownScope("gate", 600, "gate", "Gate", ("email",))
    slow, quick = "a" * 32, "b" * 32
    assert cooldowns_table.acquire_lease(scope, slow)
    time.pass_seconds(LEASE_SECONDS)
    assert cooldowns_table.acquire_lease(scope, quick)
    cooldowns_table.complete_lease("gate", slow, 0, 600, time.now // 1000)
    cooldowns_table.release_lease("gate", slow)
    (item,) = stack.items("CooldownsTable")
    assert (item["LeasedBy"], "LastSentAt" in item) == (quick, False)


def test_what_is_suppressed_while_an_alert_is_being_sent_is_reported_by_the_next(stack: Stack, time: VirtualClock) -> None:
    stack.use_environment("SendAlert")
    scope = CooldownScope("gate", 600, "gate", "Gate", ("email",))
    for n in range(3):
        cooldowns_table.count_suppressed(scope, f"{n:016x}{0:016x}")
    lease = cooldowns_table.acquire_lease(scope, "a" * 32)
    assert lease is not None
    cooldowns_table.count_suppressed(scope, "b" * 32)
    cooldowns_table.complete_lease("gate", "a" * 32, lease.unreported.count, 600, time.now // 1000)
    time.pass_seconds(600)
    again = cooldowns_table.acquire_lease(scope, "c" * 32)
    assert again is not None
    assert (lease.unreported.count, again.unreported.count) == (3, 1)


def test_a_count_begins_with_its_first_match_and_later_ones_do_not_delay_its_report(stack: Stack, time: VirtualClock) -> None:
    stack.use_environment("SendAlert")
    scope = CooldownScope("gate", 600, "gate", "Gate", ("email",))
    begin = time.now
    for n in range(3):
        cooldowns_table.count_suppressed(scope, f"{n:016x}{0:016x}")
        time.pass_seconds(200)
    (item,) = stack.items("CooldownsTable")
    assert (item["SuppressedSince"], item["Suppressed"]) == (begin // 1000, 3)
    assert item["ReportAfter"] == begin // 1000 + (600 + REPORT_DELAY_SECONDS) * 1000
    lease = cooldowns_table.acquire_lease(scope, "a" * 32)
    assert lease is not None
    assert lease.unreported.since == timestamps.iso(begin // 1000)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (1, "1 second"),
        (90, "90 seconds"),
        (60, "1 minute"),
        (600, "10 minutes"),
        (5400, "90 minutes"),
        (7200, "2 hours"),
        (86_400, "1 day"),
    ],
)
def test_a_cooldown_is_rendered_exactly(seconds: int, words: str) -> None:
    assert render_duration(seconds) == words


def test_rules_of_the_older_shape_have_no_cooldown_and_go_to_email() -> None:
    older = MatchedRule.from_item({"RuleId": "a", "Name": "A", "Matches": []})
    assert cooldown_scope(older, "door") is None
    assert channels_of(older) == ("email",)
