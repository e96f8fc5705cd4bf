"""A retry recovers from a crash between any two writes of any function. The crash is made before the first write and after each.

Every story lists the writes of its functions. A new write breaks the list, so that no one adds one without considering a crash.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus

import pytest

from imagewatch.images.version import image_id
from tests.index_rows import expected_counts, expected_rows, stored_counts

from .rehearsal import READS, Crash, Rehearsal, cloud

__all__ = ["cloud"]  # the fixture

Writes = dict[str, list[str]]

RECORD, ROWS, RENDITIONS = "UpdateItem ImagesTable", "BatchWriteItem SearchIndexTable", "DeleteObjects RenditionsBucket"
MARK = "UpdateItem SearchIndexTable"  # asks for an update of the counts
INDEXED = [RECORD, ROWS, MARK]
RENDITION, NEW_ALERT, ALERT = "PutObject RenditionsBucket", "PutItem AlertsTable", "UpdateItem AlertsTable"
START = [
    *["UpdateItem IntakeRateLimiterTable"] * 2,
    "StartExecution",
]  # the next slot or now, then the start
CLEARED = [ROWS, RENDITIONS]
OUT = [*["UpdateItem ChannelsTable"] * 2, "Publish", ALERT]
SENT = [NEW_ALERT, *OUT]
BOTH_SENT = [NEW_ALERT, NEW_ALERT, *["UpdateItem ChannelsTable"] * 2, "Publish", "TransactWriteItems"]  # one message for both
SENT_BEFORE = [NEW_ALERT, ALERT]  # both refused
ANALYSED: Writes = {
    "StartAnalysis": [RECORD, *START],
    "ValidateImage": [RENDITION],
    "StoreAnalysis": INDEXED,
    "EvaluateWatchlist": INDEXED,
    "SendAlert": BOTH_SENT,
}
BY_ITS_SECOND_NAME = [RECORD, *START, RECORD, *START]  # the first was used up by the version's first analysis
ONE_ALERT = {"SendAlert": SENT}
INDEXED_AND_CLEARED = [RECORD, ROWS, *CLEARED, RECORD, MARK]
STALE_CLEARED = {"StoreAnalysis": INDEXED_AND_CLEARED}


@dataclass(frozen=True)
class Story:
    """What happens to one key: `before` undisturbed, `then` with the crash, and the writes that `then` makes."""

    before: Callable[[Rehearsal, str], Any]
    then: Callable[[Rehearsal, str], Any]
    writes: Writes


def puts(*names: str) -> Callable[[Rehearsal, str], None]:
    """Uploads, each analysed before the next."""

    def upload(cloud: Rehearsal, key: str) -> None:
        for name in names:
            cloud.put(key, name)
            cloud.drain()

    return upload


def under_way(*names: str) -> Callable[[Rehearsal, str], None]:
    """Uploads, the last of which has only been validated yet."""

    def upload(cloud: Rehearsal, key: str) -> None:
        puts(*names[:-1])(cloud, key)
        cloud.put(key, names[-1])
        cloud.deliver(list(cloud.queue))
        (execution,) = cloud.running()
        execution.advance()

    return upload


def removed(cloud: Rehearsal, key: str) -> None:
    puts("green")(cloud, key)
    cloud.delete(key)
    cloud.drain()


def purged_before_its_analysis(cloud: Rehearsal, key: str) -> None:
    puts("green")(cloud, key)
    version = cloud.put(key, "red")
    cloud.deliver(list(cloud.queue))
    cloud.purge(key, version)


def without_labels(cloud: Rehearsal, key: str) -> None:
    cloud.denied = {"DetectLabels"}
    puts("red")(cloud, key)


def without_alerts(cloud: Rehearsal, key: str) -> None:
    cloud.failing = {"SendAlert"}
    puts("green")(cloud, key)


def purge(which: int) -> Callable[[Rehearsal, str], None]:
    """Deletes a version permanently; 0 is the newest."""
    return lambda cloud, key: cloud.purge(key, cloud.versions(key)[which])


STORIES = {
    "a new image": Story(puts(), puts("green"), ANALYSED),
    "a converted image": Story(puts(), puts("red, converted"), {**ANALYSED, "ValidateImage": [RENDITION] * 2, **ONE_ALERT}),
    "an overwritten image": Story(puts("green"), puts("red"), {**ANALYSED, **STALE_CLEARED, **ONE_ALERT}),
    "a newer version that is rejected": Story(
        puts("green"), puts("text"), {"StartAnalysis": [RECORD, *START], "RecordRejection": INDEXED_AND_CLEARED}
    ),
    "a newer version that fails": Story(
        puts("green"),
        without_labels,
        {
            "StartAnalysis": [RECORD, *START],
            "ValidateImage": [RENDITION],
            "RecordFailure": INDEXED_AND_CLEARED,
            "RecordInterruption": [ROWS, MARK],  # completes what the failed execution has recorded
        },
    ),
    "an image whose alerts can't be sent": Story(
        puts(),
        without_alerts,
        {**{name: writes for name, writes in ANALYSED.items() if name != "SendAlert"}, "RecordAlertFailure": [RECORD]},
    ),
    "a newer version whose analysis is interrupted": Story(
        under_way("green", "red"),
        lambda cloud, key: cloud.running()[0].abort(),
        {"RecordInterruption": INDEXED_AND_CLEARED},
    ),
    "an interruption that no event reports": Story(
        under_way("green", "red"),
        lambda cloud, key: (cloud.running()[0].abort(), cloud.interruptions.clear(), cloud.reconcile()),
        {"ReconcileImages": [MARK, *CLEARED, RECORD, *INDEXED]},
    ),
    "an image that is removed": Story(
        puts("red", "green"),
        lambda cloud, key: cloud.delete(key),
        {"StartAnalysis": [RECORD, *CLEARED, MARK, "DeleteItem ImagesTable"]},
    ),
    "an image that is removed while it is being analysed": Story(
        under_way("red", "green"),
        lambda cloud, key: cloud.delete(key),
        {
            "StartAnalysis": [RECORD, RENDITIONS, *CLEARED, MARK, "DeleteItem ImagesTable"],
            "StoreAnalysis": CLEARED,
            "EvaluateWatchlist": [ROWS],
            "SendAlert": BOTH_SENT,
        },
    ),
    "a version that is superseded": Story(
        under_way("green"),
        lambda cloud, key: (cloud.put(key, "text"), cloud.deliver(list(cloud.queue)), cloud.running()[0].finish()),
        {
            "StartAnalysis": [RECORD, *START],
            "StoreAnalysis": [*CLEARED, RENDITIONS, RECORD],  # what it knows of, what the record lists, and the list
            "EvaluateWatchlist": [ROWS],
            "SendAlert": BOTH_SENT,
            "RecordRejection": INDEXED,
        },
    ),
    "a version that is gone before it can be read": Story(
        purged_before_its_analysis,
        lambda cloud, key: cloud.drain(late_messages=True),
        {
            "RecordRejection": [RECORD, RENDITIONS, *CLEARED, MARK, "DeleteItem ImagesTable"],
            **ANALYSED,
            "StartAnalysis": BY_ITS_SECOND_NAME,
            "SendAlert": SENT_BEFORE * 2,
        },
    ),
    "a version that becomes the current one": Story(
        puts("green", "red"),
        purge(0),
        {**ANALYSED, **STALE_CLEARED, "StartAnalysis": BY_ITS_SECOND_NAME, "SendAlert": SENT_BEFORE * 2},
    ),
    "an image that is restored": Story(
        removed, purge(0), {**ANALYSED, "StartAnalysis": BY_ITS_SECOND_NAME, "SendAlert": SENT_BEFORE * 2}
    ),
    "an event that comes once more after the removal": Story(
        removed,
        lambda cloud, key: cloud.deliver([message for message in cloud.sent if quote_plus(key) in message.body][:1]),
        {"StartAnalysis": [RECORD, *START, RECORD, RENDITIONS, MARK, "DeleteItem ImagesTable"]},
    ),
    "an old version that is deleted permanently": Story(puts("red", "green"), purge(1), {"StartAnalysis": [RECORD, RECORD]}),
}


def play(cloud: Rehearsal, story: Story, key: str, at_call: Callable[[str, str], None] | None, *, late: bool = False) -> Any:
    """The story's end, with everything in it that must not depend on a crash."""
    cloud.denied, cloud.failing = set(), set()
    story.before(cloud, key)
    cloud.at_call = at_call
    story.then(cloud, key)
    if late:
        cloud.deliver(list(cloud.queue)) if cloud.queue else None
    cloud.drain(late_messages=late)
    cloud.at_call = None
    cloud.index()
    assert stored_counts(cloud.stack.items("SearchIndexTable")) == expected_counts(cloud.stack.items("ImagesTable"))
    return end_of(cloud, key)


def end_of(cloud: Rehearsal, key: str) -> dict[str, Any]:
    identity, stack = image_id(cloud.bucket, key), cloud.stack
    record = stack.record(identity) or {}
    stored = record.get("Stored", [{}])[0]
    rows = [row for row in stack.rows() if row.image_id == identity]
    executions = [one for one in cloud.executions.values() if one.given["image"]["Key"] == key]
    # Version ids are new in each run; their order of appearance is not.
    number = {version: n for n, version in enumerate(dict.fromkeys(one.given["image"]["VersionId"] for one in executions))}
    keep = ("Status", "Reason", "AlertFailure", "Labels", "Moderation", "ModelVersions", "Format", "Sha256", "Conversion", "Text")
    return {
        "record": {name: record.get(name) for name in keep},
        "rules": [rule["RuleId"] for rule in record.get("MatchedRules", [])],
        "version": number.get(record.get("VersionId", "")),
        "stale": record.get("Stale", []),
        "analysed by": [n for n, one in enumerate(executions) if one.arn == record.get("ExecutionArn")],
        "rows": [(row.viewer, row.order, row.term, row.position.endswith(stored.get("Position", "?"))) for row in rows],
        "rows as recorded": rows == expected_rows(stack.record(identity)),
        "renditions": sorted(
            (one.partition("/")[0], one in stored.get("Renditions", []))
            for one in stack.keys("RenditionsBucket")
            if identity in one
        ),
        "executions": sorted((number[one.given["image"]["VersionId"]], one.status) for one in executions),
        "analyses": {number[version]: len(arns) for version, arns in cloud.analyses.items() if version in number},
        "alerts": sorted(
            (alert["RuleId"], alert["Status"]) for alert in stack.items("AlertsTable") if alert["ImageId"] == identity
        ),
        "messages": sum(n for version, n in cloud.messages.items() if version in number),
        "rules alerted": sorted((rule, number[version]) for rule, version in cloud.published if version in number),
    }


def write_of(call: str) -> bool:
    return call.partition(" ")[0] not in READS


@pytest.mark.slow
@pytest.mark.parametrize("name", STORIES)
def test_a_retry_recovers_from_a_crash_before_or_after_any_write(cloud: Rehearsal, name: str) -> None:
    story, written = STORIES[name], Counter[str]()
    recorded: Writes = {}

    def record(moment: str, call: str) -> None:
        if moment == "before" and write_of(call):
            recorded.setdefault(cloud.at_work[-1], []).append(call)

    whole = play(cloud, story, f"uploads/{name}/whole.jpg", record)
    assert recorded == story.writes

    for function, point, late in crashes(story):
        written.clear()

        def crash(moment: str, call: str, function: str = function, point: int = point) -> None:
            if cloud.at_work[-1] == function and write_of(call) and moment == ("after" if point else "before"):
                written[moment] += 1
                if written[moment] == max(point, 1):
                    written["crashes"] += 1
                    raise Crash

        where = f"{function}, {point} of its writes made: {story.writes[function][:point]}" + (", message comes back late" * late)
        recovered = play(cloud, story, f"uploads/{name}/{function}-{point}-{late}.jpg", crash, late=late)
        assert written["crashes"] == 1, where
        # The one exception: SNS has no idempotent publish. After a crash between publishing and marking, the message is sent
        # once more, because it is unknown whether it was sent, and a second alert is better than none.
        again = point > 0 and story.writes[function][point - 1] == "Publish"
        assert recovered.pop("messages") == whole["messages"] + again, where
        assert recovered | {"messages": whole["messages"]} == whole, where


def crashes(story: Story) -> Iterator[tuple[str, int, bool]]:
    """(function, how many writes it makes before the crash, whether the message comes back only when all executions have ended).

    Before a write is after the one before it: what a process does in between is lost with it, and no other process can see it.
    """
    for function, writes in story.writes.items():
        for point in range(len(writes) + 1):
            yield function, point, False
            if "StartExecution" in writes[:point]:
                yield function, point, True
