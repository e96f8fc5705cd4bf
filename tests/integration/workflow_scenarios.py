"""Everything that can happen to an image, as calls of the functions. The requests of each function are recorded."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from aws_lambda_powertools.utilities.batch.exceptions import BatchProcessingError

from imagewatch.errors import ImageGone, ImageRejected, Unavailable
from imagewatch.images.version import ImageVersion

from .api_scenarios import API_SCENARIOS
from .conftest import Event, sample_event
from .recorded_calls import Account


def analysed(account: Account, found: Event) -> Event:
    """Runs the whole workflow for an uploaded image, including the alert."""
    image = account.announce(found)
    validated = account.task("ValidateImage", image)
    for task in ("DetectLabels", "DetectModeration", "DetectText"):
        account.task(task, image, Object=validated["Object"])
    assert account.task("StoreAnalysis", image)["Stored"]
    matched = account.task("EvaluateWatchlist", image)
    assert matched["MatchCount"] == 1
    assert account.task("SendAlert", image, Rules=matched["Rules"])["Sent"] == 1
    return image


def an_image_is_analysed_and_matches(account: Account) -> None:
    analysed(account, account.upload("uploads/door/new.jpg"))


def an_image_of_a_person_is_analysed_and_removed(account: Account) -> None:
    key = "people/2c9d3a1e-0001-4c1b-9d6e-5f0a7b8c9d0e/holiday.jpg"
    found = account.upload(key)
    analysed(account, found)
    account.client("s3").delete_object(Bucket=account.ref("ImagesBucket"), Key=key, VersionId=found["versionId"])
    account.announce(found, "ObjectRemoved:Delete")


def an_image_without_a_version_id_is_analysed(account: Account) -> None:
    """S3's events name no version for objects that were uploaded before versioning was enabled, or while the setting spreads."""
    analysed(account, {**account.upload("uploads/door/unversioned.jpg"), "versionId": ""})


def an_image_that_rekognition_cannot_read_is_converted(account: Account) -> None:
    analysed(account, account.upload("uploads/door/converted.webp", "coffee-cup.webp"))


def an_image_is_overwritten(account: Account) -> None:
    for _ in range(2):
        analysed(account, account.upload("uploads/door/overwritten.jpg"))


def an_image_is_rejected(account: Account) -> None:
    """For a new image, and for one that replaces an analysed image."""
    text = "shopping-list.jpg"
    analysed(account, account.upload("uploads/door/photo-then-text.jpg"))
    for key in ("uploads/door/text.jpg", "uploads/door/photo-then-text.jpg"):
        image = account.announce(account.upload(key, text))
        with pytest.raises(ImageRejected):
            account.task("ValidateImage", image)
        assert account.task("RecordRejection", image)["Status"] == "REJECTED"


def an_image_is_gone_before_it_is_read(account: Account) -> None:
    found = account.upload("uploads/door/gone.jpg")
    image = account.announce(found)
    account.client("s3").delete_object(Bucket=account.ref("ImagesBucket"), Key=found["key"])
    with pytest.raises(ImageGone):
        account.task("ValidateImage", image)
    error = {"Error": "ImageGone", "Cause": "The image was removed."}
    assert account.task("RecordRejection", image, Error=error)["Status"] == "GONE"


def a_step_fails(account: Account) -> None:
    """For a new image, and for one that replaces an analysed image."""
    analysed(account, account.upload("uploads/door/analysed-then-failed.jpg"))
    for key in ("uploads/door/failed.jpg", "uploads/door/analysed-then-failed.jpg"):
        account.task("RecordFailure", account.announce(account.upload(key)))


def alerts_fail(account: Account) -> None:
    image = account.announce(account.upload("uploads/door/unsent.jpg"))
    account.task("StoreAnalysis", image)
    assert account.task("RecordAlertFailure", image)["Recorded"] is True


def an_execution_is_interrupted_for_an_image_that_was_overwritten(account: Account) -> None:
    analysed(account, account.upload("uploads/door/interrupted.jpg"))
    image = account.announce(account.upload("uploads/door/interrupted.jpg"))
    detail = {"status": "TIMED_OUT", "executionArn": "arn:execution", "input": json.dumps({"image": image})}
    assert account.run("RecordInterruption", {"detail": detail}) == {"Recorded": True}


def an_execution_ends_and_no_event_reports_it(account: Account) -> None:
    """For an image that was overwritten; with one whose execution still runs when an older version is removed."""
    older = account.upload("uploads/door/unreported.jpg")
    analysed(account, older)
    image = account.announce(account.upload("uploads/door/unreported.jpg"))
    with pytest.raises(BatchProcessingError, match="still being analysed"):
        account.announce(older, "ObjectRemoved:Delete")
    execution = f"{account.ref('AnalyzeImageStateMachine').replace(':stateMachine:', ':execution:')}:{{}}"
    name = ImageVersion.from_state(image).execution_name()
    account.client("stepfunctions").stop_execution(executionArn=execution.format(name))
    with account.later(hours=1):
        assert account.run("ReconcileImages", {})["Recorded"] == 1


def counts_follow_changed_images_and_rows_a_crashed_writer(account: Account) -> None:
    """An interrupted execution that no event reported has asked for rows, and there are marks of all images so far."""
    with account.later(hours=3):
        assert account.run("IndexChanges", {})["Images"] > 3
        assert account.run("IndexChanges", {"EveryImage": True})["Images"] > 3


def an_image_is_removed(account: Account) -> None:
    found = account.upload("uploads/door/removed.jpg")
    analysed(account, found)
    marker = account.client("s3").delete_object(Bucket=account.ref("ImagesBucket"), Key=found["key"])["VersionId"]
    account.announce(found, "ObjectRemoved:DeleteMarkerCreated", versionId=marker)


def the_newest_version_is_deleted_permanently_and_then_the_other(account: Account) -> None:
    s3, bucket = account.client("s3"), account.ref("ImagesBucket")
    older, newer = (account.upload("uploads/door/deleted.jpg") for _ in range(2))
    account.announce(newer)
    for found in (newer, older):
        s3.delete_object(Bucket=bucket, Key=found["key"], VersionId=found["versionId"])
        account.announce(found, "ObjectRemoved:Delete")


def an_event_comes_again_after_the_removal_and_a_newer_lease_takes_the_record(account: Account) -> None:
    """Between the check that the version is gone and the release of its lease."""
    found = account.upload("uploads/door/raced.jpg")
    image = account.announce(found)
    marker = account.client("s3").delete_object(Bucket=account.ref("ImagesBucket"), Key=found["key"])["VersionId"]
    account.announce(found, "ObjectRemoved:DeleteMarkerCreated", versionId=marker)

    def take_the_record() -> None:
        account.client("dynamodb").update_item(
            TableName=account.ref("ImagesTable"),
            Key={"ImageId": {"S": image["ImageId"]}},
            UpdateExpression="SET Lease = :newer",
            ExpressionAttributeValues={":newer": {"S": "newer"}},
        )

    account.recorder.interludes["HeadObject"] = take_the_record
    assert account.announce(found) == {}
    remove_record(account, image)


def a_rule(rule_id: str, *channels: str, **more: Any) -> Event:
    """A matched rule as Evaluate Watchlist returns it."""
    (rule,) = sample_event("send_alert")["Rules"]
    return {**rule, "RuleId": rule_id, "Channels": list(channels), **more}


def uploaded(account: Account, name: str) -> Event:
    """An image with a record and a thumbnail."""
    image = account.announce(account.upload(f"uploads/door/{name}.jpg"))
    account.task("ValidateImage", image)
    return image


def remove_record(account: Account, image: Event) -> None:
    account.client("dynamodb").delete_item(TableName=account.ref("ImagesTable"), Key={"ImageId": {"S": image["ImageId"]}})


def a_cooldown_suppresses_an_alert(account: Account) -> None:
    quiet = a_rule("quiet", "email", Cooldown={"Seconds": 600})
    for name, outcome in (("first", "Sent"), ("second", "Suppressed")):
        assert account.task("SendAlert", uploaded(account, f"quiet-{name}"), Rules=[quiet])[outcome] == 1


def an_image_is_removed_before_its_alert_is_sent(account: Account) -> None:
    image = uploaded(account, "gone-before-its-alert")
    remove_record(account, image)
    assert account.task("SendAlert", image, Rules=[a_rule("late", "home")])["Sent"] == 1


def an_alert_goes_to_slack(account: Account) -> None:
    """With a link to the picture, which Slack follows."""
    assert account.task("SendAlert", uploaded(account, "slack"), Rules=[a_rule("slack", "ops")])["Sent"] == 1
    assert account.follow_picture_links("SendAlert") == 1


def a_channel_asks_for_a_pause_and_a_digest_reports_the_queued_alert(account: Account) -> None:
    account.receiver.answers = [(429, b"", {"Retry-After": "1"}), (200, b"ok", {})]
    waiting = a_rule("waiting", "home", Cooldown={"Seconds": 600})
    assert account.task("SendAlert", uploaded(account, "waiting"), Rules=[waiting])["Queued"] == 1
    time.sleep(1.1)  # the pause ends
    assert account.run("SendDigest", {})["Alerts"] == 1


def the_channels_are_checked_and_one_is_gone(account: Account) -> None:
    account.receiver.answers = [(410, b"", {}), (200, b"ok", {})]  # "home" is checked before "ops"
    found = {entry["channel_id"]: entry["status"] for entry in account.run("CheckChannels", {})["Channels"]}
    assert (found["home"], found["ops"]) == ("disabled", "ok")
    account.add_channel("home", "webhook")


def a_message_finds_a_channel_gone_and_that_is_reported(account: Account) -> None:
    """By Send Alert, by a backfill and by Send Digest. The operations topic has no subscribers: working channels report it."""
    image = uploaded(account, "gone-channel")
    account.receiver.answers = [(410, b"", {}), (200, b"ok", {})]  # "home", and "ops" with the report
    assert account.task("SendAlert", image, Rules=[a_rule("gone", "home", "email")])["Sent"] == 1
    account.add_channel("home", "webhook")

    account.task("StoreAnalysis", image)
    account.watch("person", "home", "email", RuleId="backfill-gone", KeyPrefixes=["door/gone-channel"])
    account.receiver.answers = [(410, b"", {}), (200, b"ok", {})]
    run = {"RuleId": "backfill-gone", "Alert": True}
    event = {**sample_event("evaluate_page"), "Run": run, "StartedAt": "2099-01-01T00:00:00.000Z"}
    assert account.run("EvaluatePage", event)["Alerts"]["Sent"] == 1
    account.add_channel("home", "webhook")

    account.receiver.answers = [(429, b"", {"Retry-After": "1"}), (410, b"", {}), (200, b"ok", {})]
    queued = a_rule("gone-digest", "home")
    assert account.task("SendAlert", uploaded(account, "gone-digest"), Rules=[queued])["Queued"] == 1
    time.sleep(1.1)  # until the pause is over
    outcome = account.run("SendDigest", {})
    assert (outcome["Failed"], outcome["Alerts"]) == (1, 1)  # by e-mail instead
    account.add_channel("home", "webhook")


def several_rules_match_and_make_one_message(account: Account) -> None:
    rules = [a_rule(f"several-{n}", "email") for n in range(3)]
    assert account.task("SendAlert", uploaded(account, "several"), Rules=rules)["Sent"] == 3


def the_channels_are_tested(account: Account) -> None:
    tested = account.run("CheckChannels", {"Test": ["email", "home", "ops"]})["Channels"]
    assert [one["Outcome"] for one in tested] == ["SENT"] * 3
    account.receiver.received.clear()


def a_rule_is_applied_to_stored_images(account: Account) -> None:
    """To one image whose alert has its picture, and to one that is removed while its alert is sent."""
    kept, gone = uploaded(account, "history"), uploaded(account, "history-gone")
    account.task("StoreAnalysis", kept)
    account.task("StoreAnalysis", gone)
    for image, channel in ((kept, "ops"), (gone, "home")):
        name = image["Key"].rpartition("/")[2]
        account.watch("person", "email", channel, RuleId="history", KeyPrefixes=[f"door/{name}"], Cooldown={"Seconds": 1})
        if image is gone:
            account.recorder.interludes["Publish"] = lambda: remove_record(account, gone)
        run = {"RuleId": "history", "Alert": True}
        event = {**sample_event("evaluate_page"), "Run": run, "StartedAt": "2099-01-01T00:00:00.000Z"}
        assert account.run("EvaluatePage", event)["Alerts"]["Sent"] == 1
        time.sleep(1)  # the cooldown ends
    assert account.follow_picture_links("EvaluatePage") == 1


def a_long_backfill_continues_in_another_execution(account: Account) -> None:
    machine = account.ref("ApplyRuleStateMachine")
    event = {**sample_event("evaluate_page"), "StateMachineArn": machine, "MaxPages": 0}
    event["ExecutionArn"] = f"{machine.replace(':stateMachine:', ':execution:')}:history"
    event["Run"] = {"RuleId": "history", "Alert": False}
    assert account.run("EvaluatePage", event)["ContinuedBy"]


def a_sender_gives_up_and_a_digest_takes_over(account: Account) -> None:
    account.receiver.answers = [(503, b"", {}), (200, b"ok", {})]
    with pytest.raises(Unavailable):
        account.task("SendAlert", uploaded(account, "given-up"), Rules=[a_rule("given-up", "home", Cooldown={"Seconds": 600})])
    with account.later(hours=1):
        assert account.run("SendDigest", {})["Alerts"] == 1


def a_suppressed_count_that_was_never_reported_is_reported(account: Account) -> None:
    with account.later(hours=24):
        assert account.run("SendDigest", {})["Suppressed"] == 1  # of the rule "quiet"


def an_address_signs_up(account: Account) -> None:
    event = sample_event("check_sign_up")
    assert account.run("CheckSignUp", event) == event


SCENARIOS = (
    an_address_signs_up,
    an_image_is_analysed_and_matches,
    an_image_of_a_person_is_analysed_and_removed,
    an_image_without_a_version_id_is_analysed,
    an_image_that_rekognition_cannot_read_is_converted,
    an_image_is_overwritten,
    an_image_is_rejected,
    an_image_is_gone_before_it_is_read,
    a_step_fails,
    alerts_fail,
    an_execution_is_interrupted_for_an_image_that_was_overwritten,
    an_execution_ends_and_no_event_reports_it,
    counts_follow_changed_images_and_rows_a_crashed_writer,
    an_image_is_removed,
    the_newest_version_is_deleted_permanently_and_then_the_other,
    an_event_comes_again_after_the_removal_and_a_newer_lease_takes_the_record,
    a_cooldown_suppresses_an_alert,
    an_image_is_removed_before_its_alert_is_sent,
    an_alert_goes_to_slack,
    a_channel_asks_for_a_pause_and_a_digest_reports_the_queued_alert,
    the_channels_are_checked_and_one_is_gone,
    a_message_finds_a_channel_gone_and_that_is_reported,
    several_rules_match_and_make_one_message,
    the_channels_are_tested,
    a_rule_is_applied_to_stored_images,
    a_long_backfill_continues_in_another_execution,
    *API_SCENARIOS,
    # From here on, the channels' rate limiters are ahead of the current time.
    a_sender_gives_up_and_a_digest_takes_over,
    a_suppressed_count_that_was_never_reported_is_reported,
)
