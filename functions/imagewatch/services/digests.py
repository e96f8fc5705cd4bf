"""One digest run: finishes what a run before it has left, then tells all that waits, a message for each channel.

A digest's record lists its alerts before it is sent, and they are marked after: a run that dies is finished by the next, with the
same alerts. Alerts whose sender has died are taken over here, so that whatever happens to a sender, its alert is told. A count
that no alert has told goes to the first of its rule's channels that takes it, and is owed until one does.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from imagewatch import timestamps
from imagewatch.alerts import alert as alerts
from imagewatch.alerts import digest as digests
from imagewatch.alerts.alert import DIGESTED, FAILED, PENDING, SENT
from imagewatch.alerts.cooldown import Window
from imagewatch.alerts.digest import SuppressedCount
from imagewatch.alerts.messages import DIGEST, digest_bytes
from imagewatch.aws import channels, rate_limiter
from imagewatch.aws.channels import Message
from imagewatch.aws.dynamodb import retry_write
from imagewatch.aws.tables import alerts as alerts_table
from imagewatch.aws.tables import cooldowns as cooldowns_table
from imagewatch.aws.tables import digests as digests_table
from imagewatch.aws.tables.cooldowns import Held
from imagewatch.errors import ChannelGone, ChannelRefused, ImagewatchError, Throttled, TransientError
from imagewatch.observability import count, logger
from imagewatch.services import digest_counts
from imagewatch.services.digest_members import still_waiting, waits_for

MAX_MEMBERS = 4000  # alerts in one digest: 64 KB of its record
GIVE_UP_SECONDS = 24 * 3600  # a digest that no retry has brought through in this time is recorded as failed
WORK_SECONDS = 150  # after which nothing new is begun, so that what was begun is finished before the function's timeout
SLOT_PATIENCE = 20 * timestamps.SECOND

Record = dict[str, Any]


class DigestRun:
    """What one invocation does, and what it has found out about the channels."""

    def __init__(self) -> None:
        self.outcome = {"Digests": 0, "Alerts": 0, "Suppressed": 0, "Failed": 0, "Delayed": 0}
        self._failing: dict[str, str] = {}  # channels that are to be tried again later, and why
        self._refusing: dict[str, str] = {}  # channels that have refused a digest for good, and why
        self._untold: list[Window] = []  # those whose counts no channel has taken
        self._spare: Record | None = None  # a record without alerts that was not sent: the next such digest takes it
        self._stop_at = timestamps.now() + WORK_SECONDS * timestamps.SECOND

    def run(self) -> None:
        """Tells everything that can be told now; what can't stays for the next run."""
        for digest in digests_table.unfinished():
            self._resume(digest)
        pages = cooldowns_table.overdue()
        owed = self._by_channel(next(pages, []))
        left: list[Window] = []
        for channel_id, members in self._gathered():
            left += self._tell(channel_id, members, owed.pop(channel_id, []))
        self._tell_counts([*left, *(window for windows in owed.values() for window in windows)])
        stuck = len(self._untold)
        for page in pages:
            if not stuck or timestamps.now() > self._stop_at:
                break  # the next run begins with these
            before = len(self._untold)
            self._tell_counts(page)  # what nobody takes doesn't keep back what is owed to others
            stuck = len(self._untold) - before
        self._account_for_untold()

    def _resume(self, digest: Record) -> None:
        ids = digests_table.members_of(digest)
        members = [alert for start in range(0, len(ids), 100) for alert in alerts_table.read(ids[start : start + 100])]
        members = [alert for alert in members if waits_for(digest["Channel"], alert)]
        if digest["Status"] == PENDING and not members:  # it was to tell counts only, which are still owed
            if self._spare or digest["Count"]:
                digests_table.finish(digest)
            else:
                self._spare = digest
            return
        logger.warning("A digest that was left unfinished is taken up.", digest_id=digest["DigestId"], alerts=len(members))
        held = digest_counts.hold(digest["DigestId"], members, []) if digest["Status"] == PENDING else []
        self._finish(digest, members, held)

    def _by_channel(self, windows: Sequence[Window]) -> dict[str, list[Window]]:
        """Counts that no alert has told for long, by the channel that is to tell them; those that none takes are put down."""
        owed: dict[str, list[Window]] = {}
        for window in windows:
            works = (name for name in window.channels if name not in self._failing and name not in self._refusing)
            if channel_id := next(works, None):
                owed.setdefault(channel_id, []).append(window)
            else:
                self._untold.append(window)
        return owed

    def _gathered(self) -> Iterator[tuple[str, list[Record]]]:
        """What waits for a digest, by channel, in portions that a digest can hold."""
        portions: dict[str, list[Record]] = {}
        for batch in alerts_table.waiting():
            for alert in filter(None, map(still_waiting, batch)):
                for channel_id in alert["Channels"]:
                    if waits_for(channel_id, alert) and channel_id not in self._failing:
                        portions.setdefault(channel_id, []).append(alert)
            for channel_id in [name for name, portion in portions.items() if len(portion) >= MAX_MEMBERS]:
                yield channel_id, portions.pop(channel_id)
            if timestamps.now() > self._stop_at:
                break
        yield from portions.items()

    def _tell_counts(self, windows: Sequence[Window]) -> None:
        """Through each one's next channel, until one takes it or there is none left."""
        while windows:
            left: list[Window] = []
            for channel_id, group in self._by_channel(windows).items():
                left += self._tell(channel_id, [], group)
            windows = left if timestamps.now() <= self._stop_at else []

    def _tell(self, channel_id: str, members: list[Record], overdue: Sequence[Window]) -> list[Window]:
        """Sends one digest; returns those of the overdue whose counts it was to tell and didn't."""
        if channel_id in self._failing:
            return list(overdue)
        spare, self._spare = (None, self._spare) if members else (self._spare, None)
        digest_id = spare["DigestId"] if spare else uuid.uuid4().hex
        held = digest_counts.hold(digest_id, members, overdue)
        if not members and not any(entry.untold.count for entry in held):
            for entry in held:  # told meanwhile: the index didn't know it yet
                cooldowns_table.settle(entry.window.cooldown_id, digest_id, 0, entry.window.seconds, None)
            self._spare = spare
            return []
        digest = digests_table.create(digest_id, channel_id, [alert["AlertId"] for alert in members])
        self._finish(digest, members, held)
        counts = {entry.window.cooldown_id for entry in held if entry.untold.count and digest["Status"] != SENT}
        return [window for window in overdue if window.cooldown_id in counts]

    def _finish(self, digest: Record, members: list[Record], held: Sequence[Held]) -> None:
        """Sends the digest if it hasn't been, and then marks whatever it has told."""
        if digest["Status"] == PENDING:
            try:
                self._send(digest, members, held)
            except (ChannelRefused, ChannelGone) as error:
                self._refusing[digest["Channel"]] = str(error)
                if not members:
                    self._set_aside(digest, held, error)
                    return
                digests_table.mark(digest, Status=FAILED, Reason=f"Could not be sent: {error}")
            except TransientError as error:
                self._failing[digest["Channel"]] = str(error)
                if not members:
                    self._set_aside(digest, held, error)
                    return
                if _age(digest) < GIVE_UP_SECONDS:
                    self._delay(digest, held, error)
                    return
                digests_table.mark(digest, Status=FAILED, Reason=f"Given up after {GIVE_UP_SECONDS // 3600} hours: {error}")
        self._conclude(digest, members, held)

    def _send(self, digest: Record, members: Sequence[Record], held: Sequence[Held]) -> None:
        told = [SuppressedCount(entry.window.rule_id, entry.window.rule_name, entry.untold) for entry in held]
        channel = channels.load(digest["Channel"])
        written = digests.compose(members, told, digest_bytes(channel.kind))
        if not rate_limiter.wait_for_channel_slot(channel.channel_id, channel.kind, SLOT_PATIENCE):
            raise Throttled(f"The channel {channel.channel_id} is busy.")
        about = {name: digest[name] for name in ("AlertId", "DigestId", "Count", "CreatedAt")}
        message_id = channel.send(Message(written.subject, written.body, about, kind=DIGEST))
        starting = {window.cooldown_id for window in digest_counts.windows_of(members)}
        outcome = {
            "Status": SENT,
            "SentAt": timestamps.iso_now(),
            "MessageId": message_id,
            "Subject": written.subject,
            "Suppressed": sum(entry.untold.count for entry in held),
            "Reported": [digest_counts.entry_of(entry, entry.window.cooldown_id in starting) for entry in held],
        }
        retry_write(lambda: digests_table.mark(digest, **outcome), self._stop_at)

    def _conclude(self, digest: Record, members: Sequence[Record], held: Sequence[Held]) -> None:
        if digest["Status"] == SENT:
            for told in digest["Reported"]:
                sent_at = timestamps.moment(digest["SentAt"]) if told["Starts"] else None
                cooldowns_table.settle(told["CooldownId"], digest["DigestId"], told["Count"], told["Seconds"], sent_at)
        else:
            digest_counts.release(digest, held)
        status, reason = (DIGESTED, "") if digest["Status"] == SENT else (FAILED, digest["Reason"])
        for alert in members:
            entry = alerts.entry(status, timestamps.iso_now(), reason) | {"DigestId": digest["DigestId"]}
            deliveries = {**alert["Deliveries"], digest["Channel"]: {**alert["Deliveries"][digest["Channel"]], **entry}}
            alert["Deliveries"] = deliveries  # the alert may be in another channel's digest of this run too
            alerts_table.record(alert, deliveries, DigestId=digest["DigestId"])
        digests_table.finish(digest)
        self._report(digest, len(members))

    def _delay(self, digest: Record, held: Sequence[Held], error: ImagewatchError) -> None:
        self._put_off(digest, held, error)
        self.outcome["Delayed"] += 1
        count("DigestsDelayed")

    def _set_aside(self, digest: Record, held: Sequence[Held], error: ImagewatchError) -> None:
        """A digest of counts alone is nothing without a channel: another one may take them, and its record."""
        self._put_off(digest, held, error)
        self._spare = digest

    def _put_off(self, digest: Record, held: Sequence[Held], error: ImagewatchError) -> None:
        digest_counts.release(digest, held)
        digests_table.mark(digest, Reason=f"Not sent yet: {error}")
        logger.error("A digest could not be sent yet.", channel=digest["Channel"], reason=str(error))

    def _account_for_untold(self) -> None:
        """Counts that no channel takes stay owed; where a retry alone won't help, somebody has to know."""
        if self._spare and not self._untold:
            digests_table.finish(self._spare)
        if not self._untold:
            return
        why = self._failing | self._refusing
        rules = sorted({window.rule_id for window in self._untold})
        logger.error("No channel accepted the suppressed-match counts.", counts=len(self._untold), rules=rules[:20], reasons=why)
        hopeless = sum(self._is_hopeless(window) for window in self._untold)
        if hopeless:
            self.outcome["Failed"] += hopeless
            count("AlertsFailed", hopeless)
        if hopeless < len(self._untold):
            self.outcome["Delayed"] += 1
            count("DigestsDelayed")

    def _is_hopeless(self, window: Window) -> bool:
        due_for = timestamps.milliseconds() - window.due
        return any(name in self._refusing for name in window.channels) or due_for >= GIVE_UP_SECONDS * 1000

    def _report(self, digest: Record, alerts_told: int) -> None:
        about = {"digest_id": digest["DigestId"], "channel": digest["Channel"], "alerts": alerts_told}
        if digest["Status"] == SENT:
            logger.info("Digest sent.", suppressed=digest["Suppressed"], **about)
            count("DigestsSent")
            self.outcome["Digests"] += 1
            self.outcome["Alerts"] += alerts_told
            self.outcome["Suppressed"] += digest["Suppressed"]
        else:
            logger.error("A digest could not be sent.", reason=digest["Reason"], **about)
            count("AlertsFailed", alerts_told)
            self.outcome["Failed"] += alerts_told


def _age(digest: Mapping[str, Any]) -> float:
    return (timestamps.milliseconds() - timestamps.moment(digest["CreatedAt"])) / 1000
