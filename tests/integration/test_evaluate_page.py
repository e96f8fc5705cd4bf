"""Evaluate Page on moto: a rule against stored images, page by page; cut off, raced and repeated, it comes to the same end."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from botocore.exceptions import ClientError

from imagewatch import timestamps
from imagewatch.alerts.cooldown import LEASE_SECONDS
from imagewatch.aws import stepfunctions
from imagewatch.aws.tables import alerts as alerts_table
from imagewatch.aws.tables import image_scan
from imagewatch.aws.tables import images as images_table
from imagewatch.errors import InvalidRule, InvalidRun, Throttled, Unavailable
from imagewatch.images.version import ImageVersion, comparable_sequencer
from imagewatch.services import image_store as records
from imagewatch.services.backfill import PAGE_SECONDS, RESERVE_SECONDS
from tests.index_rows import expected_rows

from .alerting import SECOND, Crash, VirtualClock, Wire, suppressed_in
from .conftest import CONTEXT, Event, Stack, newer, sample_event

pytestmark = pytest.mark.usefixtures("quick_moto")
RULE = {"RuleId": "gate", "Name": "Person at gate", "Enabled": True, "AnyOf": [{"Term": "person", "MinConfidence": 80}]}
OTHER = {
    "RuleId": "other",
    "Name": "Another rule",
    "RuleVersion": 1,
    "Severity": "info",
    "Channels": ["email", "ops"],
    "Matches": [{"Term": "cat", "Label": "Cat", "Kind": "name", "Confidence": 91.5, "Count": 2, "Box": {"Left": 0.25}}],
    "Cooldown": {"Seconds": 60, "PerSource": True},
    "MoreMatches": 4,
    "Muted": "outside its active hours",
}
NO_ALERTS = {"Sent": 0, "SentBefore": 0, "Suppressed": 0, "Queued": 0, "Failed": 0, "Muted": 0}
UPLOADED_AT = "2026-11-20T09:30:15.250Z"


class History:
    """Images that were analysed before, and runs over them."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.images: list[Event] = []
        stack.put_item("WatchlistTable", RULE)

    def image(self, name: str, confidence: float = 97.25, uploaded_at: str = UPLOADED_AT, **attributes: Any) -> str:
        """Stores an analysed image with a person in it; returns its id."""
        key = f"uploads/gate/{name}.jpg"
        state = {**sample_event("validate_image")["Image"], "Key": key, "VersionId": "v1", "UploadedAt": uploaded_at}
        image = ImageVersion.from_state({**state, "Lease": f"lease-{name}"})
        with self.stack.environment("StoreAnalysis"):
            records.acquire_lease(image, {"ExecutionArn": f"arn:aws:states:us-east-1:123456789012:execution:analyze:{name}"})
        box = {"Left": 0.25, "Top": 0.125, "Width": 0.5, "Height": 0.75}
        instances = [{"Confidence": confidence, "BoundingBox": box}]
        label = {
            "Name": "Person",
            "Confidence": confidence,
            "Parents": [],
            "Aliases": [],
            "Categories": [],
            "Instances": instances,
        }
        moderation = {"Status": "CHECKED", "Labels": [], "ModelVersion": "7.0"}
        analysed = {"Status": "ANALYZED", "Moderation": moderation, "MatchedRules": [], "Labels": [label], **attributes}
        with self.stack.environment("StoreAnalysis"):
            assert records.store(image, analysed)
        self.images.append(image.to_state())
        return image.image_id

    def page(self, progress: Event | None = None, redrives: int = 0, **run: Any) -> Event:
        event = {**sample_event("evaluate_page"), "Redrives": redrives}
        event["MaxPages"] = run.pop("MaxPages", event["MaxPages"])
        event |= {"Run": {"RuleId": "gate", **run}, "Progress": copy.deepcopy(progress or event["Progress"])}
        answer: Event = self.stack.handler("EvaluatePage")(event)
        return answer

    def pages(self, **run: Any) -> list[Event]:
        """What each page of a run gives, as the workflow hands it on."""
        given = [self.page(**run)]
        while not given[-1]["Done"]:
            assert given[-1]["Cursor"] or len(given) < 1000
            given.append(self.page(given[-1], **run))
        return given

    def run(self, **run: Any) -> Event:
        return self.pages(**run)[-1]

    def matched(self) -> dict[str, list[str]]:
        """Which rules each image's record shows, by file name."""
        stored = self.stack.items("ImagesTable")
        return {r["Key"].rpartition("/")[2][:-4]: [entry["RuleId"] for entry in r.get("MatchedRules", [])] for r in stored}

    def change(self, image_id: str, **attributes: Any) -> None:
        """Writes to a record as another user would."""
        (stored,) = [record for record in self.stack.items("ImagesTable") if record["ImageId"] == image_id]
        self.stack.put_item("ImagesTable", {**stored, **attributes})


@pytest.fixture
def history(stack: Stack) -> History:
    return History(stack)


@pytest.fixture
def before_each_write(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[str], None]], None]:
    """Lets something happen between the reading of a record and each attempt to write it."""
    rewrite = image_scan.update_matched_rules

    def happens(what: Callable[[str], None]) -> None:
        def interrupted(item: Any, matched: Any) -> Any:
            what(item["ImageId"]["S"])
            return rewrite(item, matched)

        monkeypatch.setattr(image_scan, "update_matched_rules", interrupted)

    return happens


def counts(progress: Event) -> tuple[int, ...]:
    return tuple(progress[name] for name in ("Examined", "Matched", "Recorded", "Cleared", "Skipped"))


# ------------------------------------------------------------------------------------------------- what it records and sends


def test_records_what_matches_and_sends_no_alert(stack: Stack, history: History, wire: Wire) -> None:
    history.image("sure")
    history.image("unsure", confidence=79.99)
    wire.cut(None)
    progress = history.run()

    assert Counter(wire.calls) == {"GetItem": 2, "Scan": 1, "UpdateItem": 2}  # rule and mutes; and nothing of Rekognition
    assert history.matched() == {"sure": ["gate"], "unsure": []}
    assert progress == {
        "Done": True, "Cursor": None, "Rule": {**RULE, "Version": 1, "Severity": "warning", "Channels": ["email"]},
        "FirstPage": 0, "Pages": 1, "Examined": 2, "Matched": 1, "Recorded": 1, "Cleared": 0, "Skipped": 0, "Alerts": NO_ALERTS,
    }  # fmt: skip
    assert (stack.mailbox(), stack.items("AlertsTable")) == ([], [])


def test_comes_to_the_verdict_that_the_workflow_comes_to(stack: Stack, history: History) -> None:
    image_id = history.image("seen")
    (state,), record = history.images, stack.record(image_id)
    assert record is not None
    event = {**sample_event("evaluate_watchlist"), "Image": state, "Findings": {n: record[n] for n in ("Labels", "Moderation")}}
    assert stack.handler("EvaluateWatchlist")(event)["MatchCount"] == 1
    assert counts(history.run()) == (1, 1, 0, 0, 0)


def test_a_second_run_writes_nothing(history: History, wire: Wire) -> None:
    for n in range(5):
        history.image(f"image-{n}")
    assert counts(history.run()) == (5, 5, 5, 0, 0)
    wire.cut(None)
    assert counts(history.run()) == (5, 5, 0, 0, 0)
    assert Counter(wire.calls) == {"GetItem": 2, "Scan": 1}


def test_other_rules_stay_and_an_older_verdict_of_this_one_is_replaced(stack: Stack, history: History) -> None:
    outdated = {"RuleId": "gate", "Name": "As it was called before", "RuleVersion": 1, "Matches": []}
    image_id = history.image("image", MatchedRules=[outdated, OTHER])
    stack.put_item("WatchlistTable", {**RULE, "Version": 2})
    assert counts(history.run()) == (1, 1, 1, 0, 0)
    first, second = (stack.record(image_id) or {})["MatchedRules"]
    assert (first["Name"], first["RuleVersion"], first["Matches"][0]["Confidence"]) == ("Person at gate", 2, 97.25)
    assert second == OTHER


def test_what_no_longer_matches_is_cleared(stack: Stack, history: History) -> None:
    history.image("image", MatchedRules=[OTHER])
    history.run()
    stack.put_item("WatchlistTable", {**RULE, "Version": 2, "Sources": ["yard"]})
    assert counts(history.run()) == (1, 0, 0, 1, 0)
    assert history.matched() == {"image": ["other"]}


def test_only_images_of_the_time_asked_for_are_looked_at(history: History) -> None:
    for day in (1, 2, 3):
        history.image(f"day-{day}", uploaded_at=f"2026-11-0{day}T00:00:00.000Z")
    progress = history.run(Since="2026-11-02T00:00:00Z", Until="2026-11-03T00:00:00Z")
    assert counts(progress) == (1, 1, 1, 0, 0)
    assert history.matched() == {"day-1": [], "day-2": ["gate"], "day-3": []}


def test_what_was_uploaded_after_the_run_began_is_the_workflows(history: History) -> None:
    history.image("later", uploaded_at="2029-12-31T08:00:00.000Z")  # when the sample's execution began
    assert counts(history.run()) == (0, 0, 0, 0, 0)


@pytest.mark.parametrize("status", ["ANALYZING", "FAILED", "REJECTED"])
def test_only_analysed_images_are_history(history: History, status: str) -> None:
    history.image("image", Status=status)
    assert counts(history.run()) == (0, 0, 0, 0, 0)


def test_with_alert_each_match_is_sent_once_also_after_repetitions(stack: Stack, history: History) -> None:
    for n in range(3):
        history.image(f"image-{n}")
    assert history.run(Alert=True)["Alerts"] == {**NO_ALERTS, "Sent": 3}
    messages = [message["Message"] for message in stack.mailbox()]
    assert sorted(line for body in messages for line in body.splitlines() if line.startswith("Image: ")) == [
        f"Image:      uploads/gate/image-{n}.jpg" for n in range(3)
    ]
    assert {alert["Rule"]["Definition"]["RuleId"] for alert in stack.items("AlertsTable")} == {"gate"}
    assert all("execution:analyze:image-" in body for body in messages)  # how the image was analysed, not how this run went
    assert history.run(Alert=True)["Alerts"] == {**NO_ALERTS, "SentBefore": 3}
    assert stack.mailbox() == []


def test_an_alert_that_the_workflow_has_sent_is_not_sent_again(stack: Stack, history: History) -> None:
    history.image("image")
    verdict = {"RuleId": "gate", "Name": "Person at gate", "Matches": [{"Term": "person", "Label": "Person", "Kind": "name",
               "Confidence": 97.25, "Count": 1}]}  # fmt: skip
    event = {**sample_event("send_alert"), "Image": history.images[0], "Rules": [verdict]}
    assert stack.handler("SendAlert")(event)["Sent"] == 1
    assert history.run(Alert=True)["Alerts"] == {**NO_ALERTS, "SentBefore": 1}
    assert len(stack.mailbox()) == 1


def test_a_cooldown_holds_in_a_run_and_is_reported_later(stack: Stack, history: History, time: VirtualClock) -> None:
    stack.put_item("WatchlistTable", {**RULE, "Cooldown": {"Seconds": 600}})
    for n in range(4):
        history.image(f"image-{n}")
    assert history.run(Alert=True)["Alerts"] == {**NO_ALERTS, "Sent": 1, "Suppressed": 3}
    time.pass_seconds(601)
    history.image("one-more")
    assert history.run(Alert=True)["Alerts"] == {**NO_ALERTS, "Sent": 1, "SentBefore": 4}
    assert suppressed_in(stack.mailbox()) == 3


def test_a_run_keeps_to_the_channels_rate(history: History, wire: Wire, time: VirtualClock) -> None:
    for n in range(12):
        history.image(f"image-{n:02}")
    assert history.run(Alert=True)["Alerts"]["Sent"] == 12
    moments = sorted(moment for moment, _ in wire.published)
    assert all(after - before >= SECOND / 5 for before, after in pairwise(moments))


def test_a_muted_match_is_recorded_and_not_sent(stack: Stack, history: History) -> None:
    image_id = history.image("image")
    stack.put_item("WatchlistTable", {**RULE, "SnoozedUntil": "2099-01-01T00:00:00.000Z"})
    progress = history.run(Alert=True)
    assert (progress["Matched"], progress["Alerts"]) == (1, {**NO_ALERTS, "Muted": 1})
    assert (stack.record(image_id) or {})["MatchedRules"][0]["Muted"] == "snoozed until 2099-01-01T00:00:00.000Z"
    assert stack.mailbox() == []


@pytest.mark.parametrize("mute", [{"Sources": {"gate": "2099-01-01T00:00:00.000Z"}}, {"All": "2099-01-01T00:00:00.000Z"}])
def test_a_match_of_a_muted_source_is_recorded_and_not_sent(stack: Stack, history: History, mute: dict[str, Any]) -> None:
    image_id = history.image("image")
    stack.put_item("WatchlistTable", {"RuleId": "#mutes", "Version": 1, **mute})
    progress = history.run(Alert=True)
    assert (progress["Matched"], progress["Alerts"]) == (1, {**NO_ALERTS, "Muted": 1})
    assert (stack.record(image_id) or {})["MatchedRules"][0]["Muted"].startswith("muted until 2099-01-01T00:00:00.000Z: ")
    assert stack.mailbox() == []


def test_a_run_of_a_rule_that_asks_for_digests_queues_its_alerts(stack: Stack, history: History) -> None:
    history.image("image")
    stack.put_item("WatchlistTable", {**RULE, "Delivery": "digest"})
    assert history.run(Alert=True)["Alerts"] == {**NO_ALERTS, "Queued": 1}
    assert stack.mailbox() == []


# ------------------------------------------------------------------------------------------------------- pages and cursors


def test_a_page_ends_after_its_time_and_the_next_goes_on_behind_it(
    history: History, time: VirtualClock, before_each_write: Any
) -> None:
    for n in range(7):
        history.image(f"image-{n}")
    before_each_write(lambda image_id: time.pass_seconds(PAGE_SECONDS / 3 + 0.1))
    pages = history.pages()
    assert [page["Examined"] for page in pages] == [3, 6, 7]
    assert [page["Pages"] for page in pages] == [1, 2, 3]
    ids = sorted(image["ImageId"] for image in history.images)  # moto's order
    assert [page["Cursor"] for page in pages] == [{"ImageId": ids[2]}, {"ImageId": ids[5]}, None]
    assert pages[-1]["Recorded"] == 7


@pytest.mark.parametrize(("remaining", "images"), [(RESERVE_SECONDS + 5, 5), (RESERVE_SECONDS, 1), (1, 1)])
def test_a_page_leaves_time_for_its_last_alert_and_does_one_image_at_least(
    history: History, time: VirtualClock, before_each_write: Any, monkeypatch: pytest.MonkeyPatch, remaining: int, images: int
) -> None:
    for n in range(7):
        history.image(f"image-{n}")
    before_each_write(lambda image_id: time.pass_seconds(1))
    monkeypatch.setattr(CONTEXT, "get_remaining_time_in_millis", lambda: remaining * 1000)
    assert history.page()["Examined"] == images


def test_the_function_has_time_for_a_page_and_a_lease_outlives_it(stack: Stack) -> None:
    timeout = stack.template.resources["EvaluatePageFunction"]["Properties"]["Timeout"]
    assert PAGE_SECONDS + RESERVE_SECONDS < timeout < min(alerts_table.LEASE_SECONDS, LEASE_SECONDS)


def test_images_outside_the_time_cost_pages_but_every_page_makes_progress(
    history: History, time: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(4):
        history.image(f"image-{n}", uploaded_at="2020-01-01T00:00:00.000Z")
    monkeypatch.setattr(image_scan, "PAGE_SIZE", 2)
    read = image_scan.read

    def slow(*arguments: Any) -> Any:
        time.pass_seconds(PAGE_SECONDS)
        return read(*arguments)

    monkeypatch.setattr(image_scan, "read", slow)
    pages = history.pages(Since="2026-01-01T00:00:00Z")
    assert len({str(page["Cursor"]) for page in pages}) == len(pages) > 1
    assert counts(pages[-1]) == (0, 0, 0, 0, 0)


def test_an_image_that_goes_between_two_pages_takes_nothing_along(
    stack: Stack, history: History, time: VirtualClock, before_each_write: Any
) -> None:
    for n in range(6):
        history.image(f"image-{n}")
    before_each_write(lambda image_id: time.pass_seconds(PAGE_SECONDS / 2))
    first = history.page()
    stack.client("dynamodb").delete_item(TableName=stack.name("ImagesTable"), Key={"ImageId": {"S": first["Cursor"]["ImageId"]}})
    pages = [first]
    while not pages[-1]["Done"]:
        pages.append(history.page(pages[-1]))
    assert pages[-1]["Examined"] == 6
    assert set(map(tuple, history.matched().values())) == {("gate",)}


def test_every_page_matches_the_rule_that_the_first_has_read(
    stack: Stack, history: History, time: VirtualClock, before_each_write: Any
) -> None:
    for n in range(3):
        history.image(f"image-{n}")
    before_each_write(lambda image_id: time.pass_seconds(PAGE_SECONDS))
    first = history.page()
    stack.put_item("WatchlistTable", {**RULE, "Version": 2, "Name": "Changed meanwhile"})
    second = history.page(first)
    stack.client("dynamodb").delete_item(TableName=stack.name("WatchlistTable"), Key={"RuleId": {"S": "gate"}})
    assert history.page(second)["Recorded"] == 3
    names = {entry["Name"] for record in stack.items("ImagesTable") for entry in record["MatchedRules"]}
    assert names == {"Person at gate"}


def test_the_entry_of_a_newer_version_of_the_rule_is_kept_and_not_sent(stack: Stack, history: History) -> None:
    newer_verdict = {"RuleId": "gate", "Name": "Newer", "RuleVersion": 7, "Matches": []}
    history.image("image", MatchedRules=[newer_verdict])
    progress = history.run(Alert=True)
    assert (counts(progress), progress["Alerts"]) == ((1, 0, 0, 0, 0), NO_ALERTS)
    assert stack.items("ImagesTable")[0]["MatchedRules"] == [newer_verdict]


# --------------------------------------------------------------------------------------------------- failures and races


def test_a_page_cut_off_after_any_call_is_repeated_without_loss_and_without_a_second_alert(
    stack: Stack, history: History, wire: Wire, time: VirtualClock
) -> None:
    """Each cut has a separate rule, so that its alerts are new."""
    calls, survived = 0, False
    while not survived:
        rule_id = f"cut-{calls}"
        stack.put_item("WatchlistTable", {**RULE, "RuleId": rule_id})
        for image in history.images:
            history.change(image["ImageId"], MatchedRules=[])
        if not history.images:
            history.image("one")
            history.image("two")
        wire.cut(calls)
        try:
            history.run(RuleId=rule_id, Alert=True)
            survived = True
        except Crash:
            wire.cut(None)
            history.run(RuleId=rule_id, Alert=True)
        wire.cut(None)
        assert history.matched() == {"one": [rule_id], "two": [rule_id]}
        alerts = [alert for alert in stack.items("AlertsTable") if alert["RuleId"] == rule_id]
        assert {alert["Status"] for alert in alerts} == {"SENT"}
        sent = len(stack.mailbox())
        # After a crash between SNS's answer and its record, it is unknown whether the message was sent: it is sent twice.
        assert 2 <= sent <= 3
        calls += 1
    assert calls > 10


def test_a_throttle_in_the_middle_ends_the_page_and_keeps_what_is_done(history: History, wire: Wire) -> None:
    for n in range(4):
        history.image(f"image-{n}")
    wire.cut(None)
    ids = sorted(image["ImageId"] for image in history.images)
    refused = throttling(wire, ids[2])
    first = history.page()
    assert (counts(first), first["Cursor"], first["Done"]) == ((2, 2, 2, 0, 0), {"ImageId": ids[1]}, False)
    with pytest.raises(Throttled):
        history.page(first)
    refused.clear()
    assert counts(history.page(first)) == (4, 4, 4, 0, 0)


def throttling(wire: Wire, image_id: str) -> set[str]:
    """Until the answer is emptied, DynamoDB refuses to write to this image."""
    refused = {image_id}
    send = images_table.client("dynamodb")._make_api_call
    client = images_table.client("dynamodb")

    def make_api_call(operation: str, arguments: dict[str, Any]) -> Any:
        if operation == "UpdateItem" and arguments["Key"].get("ImageId", {}).get("S") in refused:
            with wire.refusing("UpdateItem", "ThrottlingException"):
                return send(operation, arguments)
        return send(operation, arguments)

    client._make_api_call = make_api_call
    return refused


@pytest.mark.parametrize(
    ("code", "status", "error"), [("ThrottlingException", 400, Throttled), ("InternalServerError", 500, Unavailable)]
)
def test_a_page_that_has_done_nothing_asks_to_be_retried(
    history: History, wire: Wire, code: str, status: int, error: type[Exception]
) -> None:
    history.image("image")
    with wire.refusing("Scan", code, status), pytest.raises(error):
        history.page()


def test_an_alert_that_could_not_be_sent_is_sent_by_the_retry_and_counted_once(
    stack: Stack, history: History, wire: Wire
) -> None:
    history.image("one")
    history.image("two")
    with wire.refusing("Publish", "InternalError", 500):
        first = history.page(Alert=True)  # its first image is recorded, and its alert isn't sent
        assert (counts(first), first["Alerts"]) == ((0, 0, 1, 0, 0), NO_ALERTS)
        with pytest.raises(Unavailable):
            history.page(first, Alert=True)
    last = history.page(first, Alert=True)
    assert (counts(last), last["Alerts"]) == ((2, 2, 2, 0, 0), {**NO_ALERTS, "Sent": 2})
    assert len(stack.mailbox()) == 2


def test_a_resumed_run_leaves_an_alert_to_the_page_that_was_stopped_while_that_may_be_at_it(
    stack: Stack, history: History, wire: Wire, time: VirtualClock
) -> None:
    history.image("image")
    with wire.refusing("Publish", "InternalError", 500):
        history.page(Alert=True)
    assert history.page(redrives=1, Alert=True)["Alerts"] == {**NO_ALERTS, "SentBefore": 1}
    assert stack.mailbox() == []
    time.pass_seconds(alerts_table.LEASE_SECONDS)
    assert history.page(redrives=1, Alert=True)["Alerts"] == {**NO_ALERTS, "Sent": 1}
    assert len(stack.mailbox()) == 1


def test_a_verdict_that_another_execution_writes_meanwhile_is_kept(history: History, before_each_write: Any) -> None:
    image_id = history.image("image")
    once = iter([True])
    before_each_write(lambda _: next(once, False) and history.change(image_id, MatchedRules=[OTHER]))
    assert counts(history.run()) == (1, 1, 1, 0, 0)
    assert history.matched() == {"image": ["gate", "other"]}


def test_a_record_that_changes_again_and_again_is_tried_later(history: History, before_each_write: Any) -> None:
    image_id = history.image("image")
    numbers = iter(range(1000))
    before_each_write(lambda _: history.change(image_id, MatchedRules=[{**OTHER, "RuleVersion": next(numbers)}]))
    with pytest.raises(Unavailable, match="changed by others at each attempt"):
        history.page()


def test_a_newer_version_that_takes_the_record_meanwhile_is_not_changed_or_sent(
    stack: Stack, history: History, before_each_write: Any
) -> None:
    history.image("image")
    (image,) = history.images
    taken = ImageVersion.from_state({**newer(image), "Sequencer": comparable_sequencer("FF"), "Lease": "the-newer"})
    before_each_write(lambda _: records.acquire_lease(taken, {"ExecutionArn": "arn"}))
    progress = history.run(Alert=True)
    assert (counts(progress), progress["Alerts"]) == ((1, 0, 0, 0, 0), NO_ALERTS)
    record = stack.record(image["ImageId"]) or {}
    assert (record["Lease"], record["Status"], "MatchedRules" in record) == ("the-newer", "ANALYZING", False)
    assert stack.mailbox() == []


@pytest.mark.parametrize(
    "change", [{"Version": "a-newer-one", "Labels": []}, {"Lease": "another", "Labels": []}, {"Status": "FAILED"}]
)
def test_what_was_read_of_an_image_is_not_written_to_what_it_has_become(
    stack: Stack, history: History, before_each_write: Any, change: Event
) -> None:
    """Even when both show the same rules: none."""
    image_id = history.image("image")
    before_each_write(lambda _: history.change(image_id, **change))
    progress = history.run(Alert=True)
    assert (counts(progress), progress["Alerts"]) == ((1, 0, 0, 0, 0), NO_ALERTS)
    assert (history.matched(), stack.mailbox()) == ({"image": []}, [])


def test_an_image_that_is_removed_meanwhile_stays_removed(stack: Stack, history: History, before_each_write: Any) -> None:
    history.image("image")
    table = stack.name("ImagesTable")
    before_each_write(lambda image_id: stack.client("dynamodb").delete_item(TableName=table, Key={"ImageId": {"S": image_id}}))
    progress = history.run(Alert=True)
    assert (counts(progress), stack.items("ImagesTable"), stack.mailbox()) == ((1, 0, 0, 0, 0), [], [])


def test_the_workflow_has_the_last_word_on_an_image_that_it_evaluates_meanwhile(
    stack: Stack, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In both orders, the run's entry is in the workflow's verdict, because the run has waited for its watchlist's age."""
    image_id = history.image("image")
    history.run()
    with monkeypatch.context() as patch:  # the rows of matched rules follow when the page can't run any more
        now = timestamps.now()
        patch.setattr(timestamps, "now", lambda: now + 3600 * timestamps.SECOND)
        stack.handler("IndexChanges")({})
    record = stack.record(image_id) or {}
    assert [row for row in stack.rows() if row.image_id == image_id] == expected_rows(record)
    event = {**sample_event("evaluate_watchlist"), "Image": history.images[0]}
    event["Findings"] = {name: record[name] for name in ("Labels", "Moderation")}
    stack.handler("EvaluateWatchlist")(event)
    assert history.matched() == {"image": ["gate"]}
    assert stack.record(image_id) == record


def test_a_record_that_cannot_be_read_is_skipped_and_named_in_the_log(history: History, caplog: pytest.LogCaptureFixture) -> None:
    damaged = history.image("damaged")
    history.image("whole")
    history.change(damaged, Labels="none")
    assert counts(history.run(Alert=True)) == (1, 1, 1, 0, 1)
    assert history.matched() == {"damaged": [], "whole": ["gate"]}
    (line,) = [entry for entry in caplog.records if entry.levelname == "ERROR"]
    assert line.reason.startswith("Its record can't be read: TypeError")  # type: ignore[attr-defined]


# ------------------------------------------------------------------------------------------------- what can't be applied


@pytest.mark.parametrize(
    ("run", "reported"),
    [
        ({"RuleId": "gone"}, "There is no rule gone on the watchlist. Is it the rule's id, and not its name?"),
        ({"RuleId": "Person at gate"}, "The run: RuleId must be the id of a rule on the watchlist, such as person-at-gate, not"),
        ({"Since": "last week"}, "The run: Since must be a date and time with its offset, such as 2027-01-31T08:00:00Z, not"),
        ({"Since": "2026-11-02T00:00:00Z", "Until": "2026-11-01T00:00:00Z"}, "The run: Since must be before Until, but"),
        ({"Alerts": True}, "The run: 'Alerts' is not a field of it. Did you mean Alert?"),
    ],
)
def test_an_invalid_run_says_what_to_change(history: History, *, run: Event, reported: str) -> None:
    history.image("image")
    with pytest.raises(InvalidRun) as refused:
        history.page(**run)
    assert str(refused.value).startswith(reported)
    assert history.matched() == {"image": []}


def test_a_disabled_rule_is_refused_rather_than_cleared_from_history(stack: Stack, history: History) -> None:
    history.image("image")
    history.run()
    stack.put_item("WatchlistTable", {**RULE, "Enabled": False})
    with pytest.raises(InvalidRun, match=r"The rule gate is disabled, so it matches nothing\. Enable it first\."):
        history.page()
    assert history.matched() == {"image": ["gate"]}


def test_a_damaged_rule_is_refused_with_its_field(stack: Stack, history: History) -> None:
    history.image("image")
    stack.put_item("WatchlistTable", {**RULE, "AnyOf": [{"Term": "person", "MinConfidence": "85"}]})
    with pytest.raises(InvalidRule, match=r"Rule gate: AnyOf, entry 1 \(person\): MinConfidence must be a number from 0 to 100"):
        history.page()
    assert history.matched() == {"image": []}


# --------------------------------------------------------------------------------------------- another execution continues


def test_after_its_last_page_an_execution_hands_the_cursor_to_another_one(
    stack: Stack, history: History, time: VirtualClock, before_each_write: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(6):
        history.image(f"image-{number}")
    before_each_write(lambda image_id: time.pass_seconds(PAGE_SECONDS / 2))  # two images a page
    started: list[tuple[str, str, Event]] = []

    def continue_run(machine: str, execution: str, values: Event) -> str:
        started.append((machine, execution, copy.deepcopy(values)))
        return "arn:of:the:next"

    stack.use_environment("EvaluatePage")
    monkeypatch.setattr("evaluate_page.continue_run", continue_run)
    event = sample_event("evaluate_page")
    second = history.page(history.page(MaxPages=2), MaxPages=2)
    assert (second["Pages"], second["Examined"], "ContinuedBy" in second) == (2, 4, False)
    last = history.page(second, MaxPages=2)
    assert last == {**second, "ContinuedBy": "arn:of:the:next"}
    [(machine, execution, values)] = started
    assert (machine, execution) == (event["StateMachineArn"], event["ExecutionArn"])
    assert values["run"] == {"RuleId": "gate", "Until": event["StartedAt"], "Alert": False}

    # The execution that continues has as many pages again. The counts and the period are those of the whole run.
    then = {**event, "Run": values["run"], "Progress": values["progress"], "MaxPages": 2, "StartedAt": "2030-01-01T00:00:00.000Z"}
    third = stack.handler("EvaluatePage")(then)
    while not third["Done"]:
        third = stack.handler("EvaluatePage")({**then, "Progress": third})
    assert "ContinuedBy" not in third
    assert counts(third) == (6, 6, 6, 0, 0)
    assert len(started) == 1


def test_the_execution_that_continues_is_the_same_one_whenever_it_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Event] = []

    class States:
        def start_execution(self, **arguments: Any) -> Event:
            calls.append(arguments)
            if len(calls) > 1:
                raise ClientError({"Error": {"Code": "ExecutionAlreadyExists", "Message": ""}}, "StartExecution")
            return {"executionArn": f"arn:aws:states:us-east-1:1:execution:apply:{arguments['name']}"}

    monkeypatch.setattr(stepfunctions, "client", lambda _: States())
    machine = "arn:aws:states:us-east-1:1:stateMachine:apply"
    first = stepfunctions.continue_run(machine, "arn:one", {"run": {}})
    assert stepfunctions.continue_run(machine, "arn:one", {"run": {}}) == first
    assert calls[0] == calls[1]
    with pytest.raises(ClientError):
        monkeypatch.setattr(States, "start_execution", lambda *_, **__: refuse())
        stepfunctions.continue_run(machine, "arn:one", {"run": {}})


def refuse() -> None:
    raise ClientError({"Error": {"Code": "StateMachineDoesNotExist", "Message": ""}}, "StartExecution")
