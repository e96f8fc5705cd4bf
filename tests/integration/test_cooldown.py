"""Cooldowns on moto: they start when an alert is sent, hold under concurrency and restarts, and count what they keep back."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from imagewatch.alerts.cooldown import HOLD_SECONDS, Window, channels_of, in_words, window_of
from imagewatch.aws import clients
from imagewatch.aws.tables import cooldowns as cooldowns_table
from imagewatch.errors import Unavailable

from .alerting import Crash, VirtualClock, Wire, alert_of, cooldown, matches, rule, suppressed_in
from .conftest import Stack

pytestmark = pytest.mark.usefixtures("quick_moto")
QUIET = rule(**cooldown(600))


@pytest.fixture
def send(stack: Stack) -> Any:
    return stack.handler("SendAlert")


@pytest.fixture
def wire(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Wire:
    return Wire(monkeypatch)


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> VirtualClock:
    return VirtualClock(monkeypatch)


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


def test_what_was_told_is_not_told_again(stack: Stack, send: Any, time: VirtualClock) -> None:
    told = []
    for n in range(4):
        send(matches(f"first-{n}", QUIET))
        told.append(suppressed_in(stack.mailbox()))
        for m in range(n):
            send(matches(f"more-{n}-{m}", QUIET))
        time.pass_seconds(700)
    assert told == [0, 0, 1, 2]


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


def test_a_channel_that_fails_for_good_starts_no_cooldown(stack: Stack, send: Any, wire: Wire, time: VirtualClock) -> None:
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


def test_a_sender_that_dies_keeps_the_cooldown_only_for_a_while(stack: Stack, send: Any, wire: Wire, time: VirtualClock) -> None:
    wire.cut(2)  # opened, held
    with pytest.raises(Crash):
        send(matches("a", QUIET))
    wire.cut(None)
    assert send(matches("b", QUIET))["Suppressed"] == 1
    time.pass_seconds(HOLD_SECONDS)
    assert send(matches("c", QUIET))["Sent"] == 1
    assert suppressed_in(stack.mailbox()) == 1


def test_a_sender_that_comes_back_after_its_hold_has_gone_changes_nothing(stack: Stack, time: VirtualClock) -> None:
    stack.handler("SendAlert")
    window = Window("gate", 600, "gate", "Gate", ("email",))
    slow, quick = "a" * 32, "b" * 32
    assert cooldowns_table.acquire(window, slow)
    time.pass_seconds(HOLD_SECONDS)
    assert cooldowns_table.acquire(window, quick)
    cooldowns_table.settle("gate", slow, 0, 600, time.now // 1000)
    cooldowns_table.release("gate", slow)
    (item,) = stack.items("CooldownsTable")
    assert (item["LeasedBy"], "LastSentAt" in item) == (quick, False)


def test_what_is_suppressed_while_an_alert_is_being_sent_is_told_by_the_next(stack: Stack, time: VirtualClock) -> None:
    stack.handler("SendAlert")
    window = Window("gate", 600, "gate", "Gate", ("email",))
    for n in range(3):
        cooldowns_table.suppress(window, f"{n:016x}{0:016x}")
    held = cooldowns_table.acquire(window, "a" * 32)
    assert held is not None
    cooldowns_table.suppress(window, "b" * 32)
    cooldowns_table.settle("gate", "a" * 32, held.untold.count, 600, time.now // 1000)
    time.pass_seconds(600)
    again = cooldowns_table.acquire(window, "c" * 32)
    assert again is not None
    assert (held.untold.count, again.untold.count) == (3, 1)


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
def test_a_cooldown_is_told_exactly(seconds: int, words: str) -> None:
    assert in_words(seconds) == words


def test_rules_of_the_older_shape_have_no_cooldown_and_go_to_everybody() -> None:
    older = {"RuleId": "a", "Name": "A", "Matches": []}
    assert window_of(older, "door") is None
    assert channels_of(older) == ("email",)
