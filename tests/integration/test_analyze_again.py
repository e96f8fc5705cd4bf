"""Analysing a stored image once more: one execution for each run, at the intake's rate, and never for a version that has gone."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.stub import Stubber

from imagewatch import timestamps
from imagewatch.aws import clients
from imagewatch.errors import Throttled
from imagewatch.images.version import ImageVersion
from imagewatch.services import image_store, intake
from imagewatch.services.image_store import Ending

from .conftest import Event, Stack, leased, newer
from .test_start_analysis import executions


@pytest.fixture
def failed(stack: Stack, announced: Event) -> ImageVersion:
    """An image whose analysis has failed, in the environment of Start Analysis."""
    image = ImageVersion.from_state(announced)
    stack.use_environment("StartAnalysis")
    assert image_store.end(image, Ending("FAILED", "A step timed out."))
    return image


def record_of(stack: Stack, image: ImageVersion) -> dict[str, Any]:
    record = stack.record(image.image_id)
    assert record is not None
    return record


def test_a_failed_image_is_analysed_again(stack: Stack, failed: ImageVersion) -> None:
    assert intake.analyze_again(failed, "backfill-1")
    (execution,) = executions(stack)
    record = record_of(stack, failed)
    assert (record["Status"], record["ExecutionArn"]) == ("ANALYZING", execution["executionArn"])
    assert "Reason" not in record
    assert record["AnalyzingShard"] == failed.image_id[0]
    assert ImageVersion.from_state(json.loads(execution["input"])["image"]) == failed


def test_repeated_calls_of_one_run_start_one_execution(stack: Stack, failed: ImageVersion) -> None:
    for _ in range(2):
        assert intake.analyze_again(failed, "backfill-1")
    assert not intake.analyze_again(failed, "backfill-2")  # the first has not ended
    assert image_store.end(failed, Ending("FAILED", "A step timed out."))
    assert not intake.analyze_again(failed, "backfill-1")
    assert record_of(stack, failed)["Status"] == "FAILED"
    assert len(executions(stack)) == 1
    assert intake.analyze_again(failed, "backfill-2")
    assert len(executions(stack)) == 2


def test_findings_stay_until_they_are_replaced(stack: Stack, announced: Event, sample: Any) -> None:
    stack.handler("StoreAnalysis")({**sample("store_analysis"), "Image": announced})
    image = ImageVersion.from_state(announced)
    before, rows = record_of(stack, image), stack.rows()
    stack.use_environment("StartAnalysis")
    assert intake.analyze_again(image, "unmoderated")
    assert record_of(stack, image)["Labels"] == before["Labels"]
    assert stack.rows() == rows

    stack.handler("StoreAnalysis")({**sample("store_analysis"), "Image": announced})
    record = record_of(stack, image)
    assert record["Status"] == "ANALYZED"
    assert not {"AnalyzingShard", "AnalyzingSince"} & set(record)
    assert stack.rows() == rows


def test_a_version_that_is_superseded_or_gone_is_not_analysed_again(stack: Stack, failed: ImageVersion, announced: Event) -> None:
    other = ImageVersion.from_state({**announced, "Lease": "another"})
    assert not intake.analyze_again(other, "backfill-1")
    leased(stack, newer(announced))
    assert not intake.analyze_again(failed, "backfill-1")
    stack.client("s3").delete_object(Bucket=failed.bucket, Key=failed.key)
    assert not intake.analyze_again(failed, "backfill-1")
    assert executions(stack) == []


def test_a_start_that_fails_is_repeated_by_the_same_run(stack: Stack, failed: ImageVersion) -> None:
    with Stubber(clients.client("stepfunctions")) as stub:
        stub.add_client_error("start_execution", "ThrottlingException", "Rate exceeded", 400)
        with pytest.raises(Throttled):
            intake.analyze_again(failed, "backfill-1")
    assert intake.analyze_again(failed, "backfill-1")
    assert len(executions(stack)) == 1


def test_it_waits_for_the_slots_of_the_intake(stack: Stack, failed: ImageVersion) -> None:
    in_a_minute = timestamps.now() + 60 * timestamps.SECOND
    stack.put_item("IntakeRateLimiterTable", {"Name": "executions", "NextSlot": in_a_minute})
    with pytest.raises(Throttled, match="no free slot"):
        intake.analyze_again(failed, "backfill-1", timestamps.now() + timestamps.SECOND)
    assert executions(stack) == []
