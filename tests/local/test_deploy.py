"""Deployment of templates: unsupported types, properties and parameters are errors that name them."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from local.emulator.cloudformation.registry import handler_for
from tools.sam_template import TemplateError, load_template

from .running_stack import ROOT, RunningStack
from .small_stack import TEMPLATE

OUTPUTS = {
    "ImagesBucketName", "RenditionsBucketName", "ImagesTableName", "SearchIndexTableName", "WatchlistTableName",
    "AlertsTableName", "IntakeQueueUrl", "DeadLetterQueueUrl", "AlertsTopicArn", "OperationsTopicArn", "StateMachineArn",
}  # fmt: skip


def bucket(**properties: Any) -> dict[str, Any]:
    return {"Type": "AWS::S3::Bucket", "Properties": properties}


def test_an_unknown_resource_type_is_refused_by_name() -> None:
    with pytest.raises(TemplateError, match=r"Thing: .* AWS::Neptune::DBCluster"):
        handler_for("Thing", {"Type": "AWS::Neptune::DBCluster"})


def test_an_unsupported_property_is_refused_by_name() -> None:
    with pytest.raises(TemplateError, match=r"Images: .* property WebsiteConfiguration of AWS::S3::Bucket"):
        handler_for("Images", bucket(BucketName="a", WebsiteConfiguration={}))


def test_an_unsupported_property_is_found_deep_inside_lists_and_conditions() -> None:
    entry = {"Queue": "q", "Event": "e", "Filter": {"S3Key": {"Rules": []}}, "Mystery": 1}
    conditional = {"Fn::If": ["Some", {"QueueConfigurations": [entry]}, {"Ref": "AWS::NoValue"}]}
    with pytest.raises(TemplateError, match=r"NotificationConfiguration\.QueueConfigurations\.Mystery"):
        handler_for("Images", bucket(NotificationConfiguration=conditional))


def test_everything_in_the_real_template_is_supported() -> None:
    template = load_template(ROOT / "template.yaml", {})
    handlers = [handler_for(name, resource) for name, resource in template.resources.items()]
    assert len(handlers) > 40


def test_a_parameter_that_the_template_lacks_is_refused() -> None:
    with pytest.raises(TemplateError, match="no parameter Typo"):
        load_template(ROOT / "template.yaml", {"Typo": "1"})


def test_a_parameter_outside_its_limits_is_refused() -> None:
    with pytest.raises(TemplateError, match="MaxImagesPerSecond is 5000"):
        load_template(ROOT / "template.yaml", {"MaxImagesPerSecond": "5000"})


@pytest.mark.parametrize(("rate", "intakes"), [("1", "5"), ("2", "8"), ("24", "100")])
def test_more_intakes_than_a_slow_rate_can_serve_are_refused(rate: str, intakes: str) -> None:
    with pytest.raises(TemplateError, match="IntakeConcurrency above 4 needs MaxImagesPerSecond of 25 or more"):
        load_template(ROOT / "template.yaml", {"MaxImagesPerSecond": rate, "IntakeConcurrency": intakes})


@pytest.mark.parametrize(("rate", "intakes"), [("1", "4"), ("24", "2"), ("25", "5"), ("200", "26")])
def test_intakes_that_a_rate_can_serve_are_accepted(rate: str, intakes: str) -> None:
    assert load_template(ROOT / "template.yaml", {"MaxImagesPerSecond": rate, "IntakeConcurrency": intakes})


def test_a_template_with_something_unknown_does_not_start(tmp_path: Path) -> None:
    broken = tmp_path / "template.yaml"
    broken.write_text(TEMPLATE.read_text().replace("AWS::SQS::Queue }", "AWS::Kinesis::Stream }"))
    arguments = ("--port", "0", "--template", str(broken), "--state", str(tmp_path / "state"))
    ended = run_until_end("local.emulator", *arguments)
    assert ended.returncode == 1
    assert "DeadLetters: the emulator doesn't support the resource type AWS::Kinesis::Stream" in ended.stderr


def test_a_taken_port_is_an_error_with_a_suggestion(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = run_until_end("local", "--port", port, "--web-port", "0", "--state", str(tmp_path))
    assert ended.returncode == 1
    assert f"port {port} is taken" in ended.stderr


def run_until_end(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_the_stack_describes_itself_as_cloudformation_would(stack: RunningStack) -> None:
    cloudformation = stack.client("cloudformation")
    described = cloudformation.describe_stacks(StackName="imagewatch")["Stacks"][0]
    assert described["StackStatus"] == "CREATE_COMPLETE"
    assert {output["OutputKey"] for output in described["Outputs"]} >= OUTPUTS
    parameters = {entry["ParameterKey"]: entry["ParameterValue"] for entry in described["Parameters"]}
    assert parameters["MaxImagesPerSecond"] == "50"
    listed = cloudformation.list_stack_resources(StackName="imagewatch")["StackResourceSummaries"]
    one = cloudformation.describe_stack_resource(StackName="imagewatch", LogicalResourceId="ImagesBucket")
    assert one["StackResourceDetail"]["PhysicalResourceId"] in {item["PhysicalResourceId"] for item in listed}
    assert "Transform: AWS::Serverless" in cloudformation.get_template(StackName="imagewatch")["TemplateBody"]


def test_a_stack_that_is_not_there_is_an_error(stack: RunningStack) -> None:
    cloudformation = stack.client("cloudformation")
    with pytest.raises(cloudformation.exceptions.ClientError, match="Stack with id other does not exist"):
        cloudformation.describe_stacks(StackName="other")


def test_deployed_buckets_and_tables_have_what_the_template_asks_for(stack: RunningStack) -> None:
    outputs = {
        entry["OutputKey"]: entry["OutputValue"]
        for entry in stack.client("cloudformation").describe_stacks(StackName="imagewatch")["Stacks"][0]["Outputs"]
    }
    s3, dynamodb = stack.client("s3"), stack.client("dynamodb")
    assert s3.get_bucket_versioning(Bucket=outputs["ImagesBucketName"])["Status"] == "Enabled"
    assert s3.get_bucket_notification_configuration(Bucket=outputs["ImagesBucketName"])["QueueConfigurations"]
    recovery = dynamodb.describe_continuous_backups(TableName=outputs["ImagesTableName"])["ContinuousBackupsDescription"]
    assert recovery["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"
