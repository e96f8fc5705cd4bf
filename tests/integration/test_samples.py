"""Loading the samples against moto: a small stand-in for the pipeline writes each upload's record at once."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws
from PIL import Image

from local import samples
from local.samples import SAMPLES, Loaded, add_rules, load_samples
from local.samples_report import document, newest_mail, print_report
from local.viewer.stack import Stack
from uploader.rules.files import read_files
from uploader.terminal import Terminal

BUCKET, IMAGES, WATCHLIST = "images-bucket", "images-table", "watchlist-table"
MODERATION = {"Status": "NOT_CHECKED", "Reason": "No model looks at moderation on this machine.", "Labels": []}
MAIL = {
    "to": "operator@example.com",
    "subject": "Imagewatch: Cat on camera",
    "body": "Imagewatch saw Cat (91 % sure).\n\nhttp://localhost:8080/images/abc\n",
    "at": "2026-03-01T10:00:00.000Z",
}
SECOND_MAIL = MAIL | {"subject": "Imagewatch: Person at the door"}


class Pipeline:
    """Answers each PutObject with a record, as the real one would a moment later."""

    def __init__(self, stack: Stack) -> None:
        self.uploaded: list[str] = []
        self.status = "ANALYZED"
        self.silent = False
        self.attributes: dict[str, Any] = {}
        events = stack.client("s3").meta.events
        events.register("before-parameter-build.s3.PutObject", self._asked)
        events.register("after-call.s3.PutObject", self._answered)

    def _asked(self, params: dict[str, Any], context: dict[str, Any], **_: object) -> None:
        context["key"] = params["Key"]

    def _answered(self, parsed: dict[str, Any], context: dict[str, Any], **_: object) -> None:
        self.uploaded.append(context["key"])
        if not self.silent:
            self.record(context["key"], parsed["VersionId"])

    def record(self, key: str, version_id: str) -> None:
        rejected = key.endswith("shopping-list.jpg")
        item = {
            "ImageId": hashlib.sha256(f"{BUCKET}\n{key}".encode()).hexdigest()[:32],
            "Key": key,
            "VersionId": version_id,
            "Source": "samples",
            "UploadedAt": "2026-03-01T10:00:00.000Z",
            "Status": "REJECTED" if rejected else self.status,
            "Reason": "It is not an image." if rejected else "",
            "Labels": [] if rejected else [{"Name": "Cat", "Confidence": 91, "Parents": ["Animal"]}],
            "Moderation": MODERATION,
        }
        boto3.resource("dynamodb").Table(IMAGES).put_item(Item=item | self.attributes)


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    for name, value in {"ACCESS_KEY_ID": "test", "SECRET_ACCESS_KEY": "test", "DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        s3, dynamodb = boto3.client("s3"), boto3.client("dynamodb")
        s3.create_bucket(Bucket=BUCKET)
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        for table, key in ((IMAGES, "ImageId"), (WATCHLIST, "RuleId")):
            dynamodb.create_table(
                TableName=table,
                BillingMode="PAY_PER_REQUEST",
                KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
                AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
            )
        outputs = {"ImagesBucketName": BUCKET, "ImagesTableName": IMAGES, "WatchlistTableName": WATCHLIST}
        template = {
            "Resources": {"Any": {"Type": "AWS::SQS::Queue"}},
            "Outputs": {name: {"Value": value} for name, value in outputs.items()},
        }
        boto3.client("cloudformation").create_stack(StackName="imagewatch", TemplateBody=json.dumps(template))
        yield Stack(None)


@pytest.fixture
def pipeline(stack: Stack) -> Pipeline:
    return Pipeline(stack)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two samples and a rule, so that a test is quick."""
    for name in ("coffee-cup.webp", "shopping-list.jpg", "watchlist.yaml", "PROVENANCE.md"):
        shutil.copy(SAMPLES / name, tmp_path)
    return tmp_path


def load(stack: Stack, folder: Path, **arguments: Any) -> Loaded:
    return load_samples(stack, Terminal(quiet=True), folder=folder, **arguments)


def statuses(loaded: Loaded) -> dict[str, str | None]:
    return {analysis.upload.path.name: analysis.status for analysis in loaded.analyses}


def test_uploads_each_sample_and_reports_how_it_ended(stack: Stack, pipeline: Pipeline, folder: Path) -> None:
    loaded = load(stack, folder)

    assert sorted(pipeline.uploaded) == ["uploads/samples/coffee-cup.webp", "uploads/samples/shopping-list.jpg"]
    assert statuses(loaded) == {"coffee-cup.webp": "ANALYZED", "shopping-list.jpg": "REJECTED"}
    assert loaded.exit_code == 0


def test_a_second_run_uploads_nothing_and_reports_the_same(stack: Stack, pipeline: Pipeline, folder: Path) -> None:
    first = load(stack, folder)
    pipeline.uploaded.clear()

    second = load(stack, folder)

    assert pipeline.uploaded == []
    assert (second.sent, second.rules_added) == (0, [])
    assert statuses(second) == statuses(first)


def test_a_sample_whose_content_changed_is_uploaded_again(stack: Stack, pipeline: Pipeline, folder: Path) -> None:
    load(stack, folder)
    pipeline.uploaded.clear()
    (folder / "shopping-list.jpg").write_text("butter")

    load(stack, folder)

    assert pipeline.uploaded == ["uploads/samples/shopping-list.jpg"]


def test_a_sample_that_failed_is_tried_again(stack: Stack, pipeline: Pipeline, folder: Path) -> None:
    pipeline.status = "FAILED"
    assert load(stack, folder).exit_code == 1
    pipeline.status = "ANALYZED"
    pipeline.uploaded.clear()

    loaded = load(stack, folder)

    assert pipeline.uploaded == ["uploads/samples/coffee-cup.webp"]
    assert loaded.exit_code == 0


def test_says_which_sample_was_not_analysed_in_time(stack: Stack, pipeline: Pipeline, folder: Path) -> None:
    pipeline.silent = True

    loaded = load(stack, folder, timeout=0.1)

    assert loaded.exit_code == 1
    assert len(loaded.errors) == 2
    assert loaded.errors[0].startswith("coffee-cup.webp: there is no record of it yet after 0")


def test_waits_for_the_end_of_the_execution_so_that_matched_rules_are_shown(
    stack: Stack, pipeline: Pipeline, folder: Path
) -> None:
    machine = boto3.client("stepfunctions").create_state_machine(
        name="analyze",
        definition=json.dumps({"StartAt": "End", "States": {"End": {"Type": "Succeed"}}}),
        roleArn="arn:aws:iam::123456789012:role/any",
    )["stateMachineArn"]
    execution = boto3.client("stepfunctions").start_execution(stateMachineArn=machine)["executionArn"]
    pipeline.attributes = {"ExecutionArn": execution}

    def matched_meanwhile(_seconds: float) -> None:
        boto3.client("stepfunctions").stop_execution(executionArn=execution)
        rule = {"RuleId": "cat", "Name": "Cat on camera", "Matches": []}
        pipeline.attributes = {"ExecutionArn": execution, "MatchedRules": [rule]}
        for analysis_key in pipeline.uploaded:
            head = boto3.client("s3").head_object(Bucket=BUCKET, Key=analysis_key)
            pipeline.record(analysis_key, head["VersionId"])

    loaded = load(stack, folder, sleep=matched_meanwhile)

    assert loaded.analyses[0].record.rules[0].name == "Cat on camera"


def test_a_rule_that_the_user_changed_stays_as_it_is(stack: Stack) -> None:
    rules = [one.rule for one in read_files([str(SAMPLES / "watchlist.yaml")])]
    table = boto3.resource("dynamodb").Table(WATCHLIST)
    table.put_item(Item={"RuleId": rules[0].rule_id, "Name": "Mine", "Enabled": False, "Terms": []})

    added = add_rules(stack, rules)

    assert added == [rule.name for rule in rules[1:]]
    assert table.get_item(Key={"RuleId": rules[0].rule_id})["Item"]["Name"] == "Mine"


@pytest.mark.parametrize("columns", [80, 120])
def test_what_is_printed_shows_the_findings_and_fits_the_terminal(
    stack: Stack,
    pipeline: Pipeline,
    columns: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pipeline.attributes = {"MatchedRules": [{"RuleId": "cat", "Name": "Cat on camera"}]}
    loaded = load(stack, SAMPLES)
    monkeypatch.setenv("COLUMNS", str(columns))

    print_report(Terminal(quiet=False), loaded, [MAIL, SECOND_MAIL], "http://localhost:4566", "http://localhost:8080", [])

    printed = capsys.readouterr().out
    table, _, rest = printed.partition("Moderation was not checked")
    assert max(map(len, table.splitlines())) <= columns
    assert {"Cat 91 %", "not checked", "shopping-list.jpg: It is not an image."} <= set(re.split(r"\s{2,}|\n", table))
    assert all(analysis.upload.path.name in table for analysis in loaded.analyses)
    assert "Person at the door" in rest
    assert "Imagewatch saw Cat (91 % sure)." in rest
    assert "http://localhost:8080/" in rest
    assert "make down" in rest


def test_without_an_alert_it_says_that_none_was_sent() -> None:
    assert [str(part) for part in newest_mail([])] == ["No alert e-mail was sent."]


def test_the_json_document_has_each_image_with_its_findings(stack: Stack, pipeline: Pipeline, folder: Path) -> None:
    reported = document(load(stack, folder), [MAIL, SECOND_MAIL])

    assert json.loads(json.dumps(reported)) == reported
    assert [image["file"] for image in reported["images"]] == ["coffee-cup.webp", "shopping-list.jpg"]
    assert reported["images"][0]["labels"][0] == {"Name": "Cat", "Confidence": 91, "Parents": ["Animal"]}
    assert reported["images"][1]["reason"] == "It is not an image."
    assert reported["newestMail"] == SECOND_MAIL


def test_a_stack_that_doesnt_answer_ends_in_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert samples.main(["--endpoint-url", "http://127.0.0.1:9"]) == 1

    assert capsys.readouterr().err.startswith("The samples couldn't be loaded: ")


def test_each_sample_has_its_provenance() -> None:
    provenance = (SAMPLES / "PROVENANCE.md").read_text()

    for path in SAMPLES.iterdir():
        assert path.is_dir() or path.name == "PROVENANCE.md" or f"`{path.name}`" in provenance


def test_the_sideways_sample_is_upright_only_by_its_exif_orientation() -> None:
    with Image.open(SAMPLES / "cat-phone-held-sideways.jpg") as image:
        assert image.height > image.width
        assert image.getexif()[0x0112] == 6
