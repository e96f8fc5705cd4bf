"""A storm on moto: 5,000 matches in minutes of virtual time. The channel's cap holds in every second, and every match is in a
number that people were sent."""

from __future__ import annotations

import random
from bisect import bisect_left
from collections import Counter

import pytest

from .alerting import NOON, SECOND, VirtualClock, Wire, cooldown, digested_in, matches, rule, sent_in, suppressed_in
from .conftest import Event, Stack

MATCHES = 5000
IMAGES_PER_SECOND = 25  # with two matches each: ten times what the channel may be sent
CAP = 5
DIGEST_SECONDS = 300
RULES = [
    rule("anyone"),
    rule("yard", Severity="info"),
    rule("door", Severity="critical"),
    rule("gate", **cooldown(60)),
    rule("cameras", **cooldown(30, PerSource=True)),
    rule("tent", Severity="critical", **cooldown(1)),
]


class Storm:
    """Images arrive at their own times; each is handled as by a separate process, whose sleep delays no other."""

    def __init__(self, stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
        self.wire, self.time, self._stack = Wire(monkeypatch), VirtualClock(monkeypatch), stack
        self.outcomes: Counter[str] = Counter()

    def rage(self, total: int, seed: int) -> None:
        chance, sent, moment, next_digest = random.Random(seed), 0, float(NOON), NOON + DIGEST_SECONDS * SECOND
        handler = self._stack.handler("SendAlert")
        while sent < total:
            moment += chance.expovariate(IMAGES_PER_SECOND) * SECOND
            if moment > next_digest:
                self.digest(next_digest)
                next_digest += DIGEST_SECONDS * SECOND
            self.time.now = int(moment)
            event = matches(f"image-{sent}", *chance.sample(RULES, 2), source=f"camera-{chance.randrange(5)}")
            self.outcomes.update(handler(event))
            sent += len(event["Rules"])
        self.time.now = int(moment) + 60 * SECOND

    def digest(self, moment: int) -> Event:
        self.time.now = moment
        answer: Event = self._stack.handler("SendDigest")({})
        return answer

    def most_in_a_second(self) -> int:
        moments = sorted(moment for moment, _ in self.wire.published)
        return max(bisect_left(moments, moment + SECOND) - n for n, moment in enumerate(moments))


@pytest.mark.slow
def test_a_storm_of_5000_matches_never_exceeds_the_cap_and_accounts_for_every_match(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    storm = Storm(stack, monkeypatch)
    storm.rage(MATCHES, seed=4)
    storm.digest(storm.time.now + DIGEST_SECONDS * SECOND)
    storm.digest(storm.time.now + 2 * 3600 * SECOND)  # the counts of suppressed matches that no alert has reported
    assert storm.digest(storm.time.now + 2 * 3600 * SECOND) == {
        "Digests": 0,
        "Alerts": 0,
        "Suppressed": 0,
        "Failed": 0,
        "Delayed": 0,
    }

    assert storm.outcomes["Sent"] + storm.outcomes["Queued"] + storm.outcomes["Suppressed"] == MATCHES
    assert min(storm.outcomes[name] for name in ("Sent", "Queued", "Suppressed")) > 200

    # In the messages ...
    messages = stack.mailbox()
    reported = {"sent": sent_in(messages), "digests": digested_in(messages), "suppressed": suppressed_in(messages)}
    assert sum(reported.values()) == MATCHES, reported
    assert storm.most_in_a_second() <= CAP
    assert len(messages) == len(storm.wire.published) < MATCHES / 4

    # ... and in the records.
    statuses = Counter(item["Status"] for item in stack.items("AlertsTable") if "RuleId" in item)
    assert statuses == {"SENT": reported["sent"], "DIGESTED": reported["digests"], "SUPPRESSED": reported["suppressed"]}
    assert not [item for item in stack.items("AlertsTable") if "QueuedFor" in item]
    assert {item["Suppressed"] for item in stack.items("CooldownsTable")} == {0}
