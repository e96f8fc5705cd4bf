"""The identification of requests that botocore builds and signs."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config
from hypothesis import given
from hypothesis import strategies as st

from local.emulator.gateway.call import Call
from local.emulator.gateway.identification import identify

ENDPOINT = "http://localhost:4566"
REGION = "us-east-1"
ACCOUNT = "123456789012"
QUEUE_URL = f"{ENDPOINT}/{ACCOUNT}/intake"
TABLE = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/Images"
MACHINE = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:analyze"
EXECUTION = f"arn:aws:states:{REGION}:{ACCOUNT}:execution:analyze:one"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:alerts"
KEY = {"ImageId": {"S": "x"}}


class _Stop(Exception):
    def __init__(self, request: AWSPreparedRequest) -> None:
        self.request = request


def _client(service: str, endpoint: str | None = ENDPOINT, **config: Any) -> Any:
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id="AKIALOCAL",
        aws_secret_access_key="secret",
        config=Config(retries={"total_max_attempts": 1}, **config),
    )


def _written(client: Any, call: Callable[[Any], Any]) -> AWSPreparedRequest:
    def stop(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        raise _Stop(request)

    client.meta.events.register("before-send", stop)
    with pytest.raises(_Stop) as stopped:
        call(client)
    return stopped.value.request


def _identified(request: AWSPreparedRequest) -> Call:
    url = urlsplit(request.url)
    headers = {name: value.decode() if isinstance(value, bytes) else value for name, value in request.headers.items()}
    body = request.body
    data = body.encode() if isinstance(body, str) else body if isinstance(body, bytes) else b""
    return identify(request.method, headers.get("Host", url.netloc), url.path, url.query, headers, data)


CASES: list[tuple[str, Callable[[Any], Any], str, list[tuple[str, str]]]] = [
    ("s3", lambda c: c.list_buckets(), "ListBuckets", [("s3:ListAllMyBuckets", "*")]),
    (
        "s3",
        lambda c: c.get_object(Bucket="b", Key="a b/ü+%.jpg"),
        "GetObject",
        [("s3:GetObject", "arn:aws:s3:::b/a b/ü+%.jpg")],
    ),
    (
        "s3",
        lambda c: c.get_object(Bucket="b", Key="k", VersionId="v1"),
        "GetObject",
        [("s3:GetObjectVersion", "arn:aws:s3:::b/k")],
    ),
    ("s3", lambda c: c.head_object(Bucket="b", Key="k"), "HeadObject", [("s3:GetObject", "arn:aws:s3:::b/k")]),
    (
        "s3",
        lambda c: c.put_object(Bucket="b", Key="k", Body=b"x"),
        "PutObject",
        [("s3:PutObject", "arn:aws:s3:::b/k")],
    ),
    (
        "s3",
        lambda c: c.put_object(Bucket="b", Key="k", Body=b"x", Tagging="a=b"),
        "PutObject",
        [("s3:PutObject", "arn:aws:s3:::b/k"), ("s3:PutObjectTagging", "arn:aws:s3:::b/k")],
    ),
    (
        "s3",
        lambda c: c.copy_object(Bucket="b", Key="k", CopySource={"Bucket": "o", "Key": "a b", "VersionId": "v"}),
        "CopyObject",
        [("s3:PutObject", "arn:aws:s3:::b/k"), ("s3:GetObjectVersion", "arn:aws:s3:::o/a b")],
    ),
    (
        "s3",
        lambda c: c.upload_part(Bucket="b", Key="k", UploadId="u", PartNumber=1, Body=b"x"),
        "UploadPart",
        [("s3:PutObject", "arn:aws:s3:::b/k")],
    ),
    (
        "s3",
        lambda c: c.create_multipart_upload(Bucket="b", Key="k"),
        "CreateMultipartUpload",
        [("s3:PutObject", "arn:aws:s3:::b/k")],
    ),
    (
        "s3",
        lambda c: c.complete_multipart_upload(Bucket="b", Key="k", UploadId="u"),
        "CompleteMultipartUpload",
        [("s3:PutObject", "arn:aws:s3:::b/k")],
    ),
    (
        "s3",
        lambda c: c.abort_multipart_upload(Bucket="b", Key="k", UploadId="u"),
        "AbortMultipartUpload",
        [("s3:AbortMultipartUpload", "arn:aws:s3:::b/k")],
    ),
    (
        "s3",
        lambda c: c.delete_object(Bucket="b", Key="k"),
        "DeleteObject",
        [("s3:DeleteObject", "arn:aws:s3:::b/k")],
    ),
    (
        "s3",
        lambda c: c.delete_objects(Bucket="b", Delete={"Objects": [{"Key": "a&b"}, {"Key": "k", "VersionId": "v"}]}),
        "DeleteObjects",
        [("s3:DeleteObject", "arn:aws:s3:::b/a&b"), ("s3:DeleteObjectVersion", "arn:aws:s3:::b/k")],
    ),
    ("s3", lambda c: c.list_objects_v2(Bucket="b"), "ListObjectsV2", [("s3:ListBucket", "arn:aws:s3:::b")]),
    ("s3", lambda c: c.head_bucket(Bucket="b"), "HeadBucket", [("s3:ListBucket", "arn:aws:s3:::b")]),
    ("s3", lambda c: c.create_bucket(Bucket="b-new"), "CreateBucket", [("s3:CreateBucket", "arn:aws:s3:::b-new")]),
    (
        "s3",
        lambda c: c.list_object_versions(Bucket="b"),
        "ListObjectVersions",
        [("s3:ListBucketVersions", "arn:aws:s3:::b")],
    ),
    (
        "s3",
        lambda c: c.get_object_tagging(Bucket="b", Key="k"),
        "GetObjectTagging",
        [("s3:GetObjectTagging", "arn:aws:s3:::b/k")],
    ),
    (
        "s3",
        lambda c: c.put_bucket_notification_configuration(Bucket="b", NotificationConfiguration={}),
        "PutBucketNotificationConfiguration",
        [("s3:PutBucketNotification", "arn:aws:s3:::b")],
    ),
    (
        "s3",
        lambda c: c.put_bucket_encryption(Bucket="b", ServerSideEncryptionConfiguration={"Rules": []}),
        "PutBucketEncryption",
        [("s3:PutEncryptionConfiguration", "arn:aws:s3:::b")],
    ),
    (
        "s3",
        lambda c: c.delete_bucket_lifecycle(Bucket="b"),
        "DeleteBucketLifecycle",
        [("s3:PutLifecycleConfiguration", "arn:aws:s3:::b")],
    ),
    (
        "s3",
        lambda c: c.delete_bucket_policy(Bucket="b"),
        "DeleteBucketPolicy",
        [("s3:DeleteBucketPolicy", "arn:aws:s3:::b")],
    ),
    (
        "dynamodb",
        lambda c: c.put_item(TableName="Images", Item=KEY),
        "PutItem",
        [("dynamodb:PutItem", TABLE)],
    ),
    ("dynamodb", lambda c: c.get_item(TableName=TABLE, Key=KEY), "GetItem", [("dynamodb:GetItem", TABLE)]),
    (
        "dynamodb",
        lambda c: c.query(TableName="Images", IndexName="ByOwner", KeyConditionExpression="a = b"),
        "Query",
        [("dynamodb:Query", f"{TABLE}/index/ByOwner")],
    ),
    ("dynamodb", lambda c: c.scan(TableName="Images"), "Scan", [("dynamodb:Scan", TABLE)]),
    (
        "dynamodb",
        lambda c: c.batch_write_item(
            RequestItems={t: [{"DeleteRequest": {"Key": KEY}}] for t in ("Images", "Labels")}
        ),
        "BatchWriteItem",
        [("dynamodb:BatchWriteItem", TABLE), ("dynamodb:BatchWriteItem", TABLE.replace("Images", "Labels"))],
    ),
    (
        "dynamodb",
        lambda c: c.transact_write_items(
            TransactItems=[
                {"Put": {"TableName": "Images", "Item": KEY}},
                {"ConditionCheck": {"TableName": "Images", "Key": KEY, "ConditionExpression": "a"}},
            ]
        ),
        "TransactWriteItems",
        [("dynamodb:PutItem", TABLE), ("dynamodb:ConditionCheckItem", TABLE)],
    ),
    (
        "dynamodb",
        lambda c: c.execute_statement(Statement='SELECT * FROM "Images" WHERE a = 1'),
        "ExecuteStatement",
        [("dynamodb:PartiQLSelect", TABLE)],
    ),
    ("dynamodb", lambda c: c.list_tables(), "ListTables", [("dynamodb:ListTables", "*")]),
    (
        "sqs",
        lambda c: c.send_message_batch(QueueUrl=QUEUE_URL, Entries=[{"Id": "1", "MessageBody": "x"}]),
        "SendMessageBatch",
        [("sqs:SendMessage", f"arn:aws:sqs:{REGION}:{ACCOUNT}:intake")],
    ),
    (
        "sqs",
        lambda c: c.receive_message(QueueUrl=QUEUE_URL),
        "ReceiveMessage",
        [("sqs:ReceiveMessage", f"arn:aws:sqs:{REGION}:{ACCOUNT}:intake")],
    ),
    (
        "sqs",
        lambda c: c.start_message_move_task(SourceArn=f"arn:aws:sqs:{REGION}:{ACCOUNT}:dead"),
        "StartMessageMoveTask",
        [("sqs:StartMessageMoveTask", f"arn:aws:sqs:{REGION}:{ACCOUNT}:dead")],
    ),
    (
        "sqs",
        lambda c: c.get_queue_url(QueueName="intake"),
        "GetQueueUrl",
        [("sqs:GetQueueUrl", f"arn:aws:sqs:{REGION}:{ACCOUNT}:intake")],
    ),
    ("sns", lambda c: c.publish(TopicArn=TOPIC, Message="x & y"), "Publish", [("sns:Publish", TOPIC)]),
    (
        "sns",
        lambda c: c.publish_batch(TopicArn=TOPIC, PublishBatchRequestEntries=[{"Id": "1", "Message": "x"}]),
        "PublishBatch",
        [("sns:Publish", TOPIC)],
    ),
    ("sns", lambda c: c.list_topics(), "ListTopics", [("sns:ListTopics", "*")]),
    (
        "stepfunctions",
        lambda c: c.start_execution(stateMachineArn=MACHINE, name="one"),
        "StartExecution",
        [("states:StartExecution", MACHINE)],
    ),
    (
        "stepfunctions",
        lambda c: c.get_execution_history(executionArn=EXECUTION),
        "GetExecutionHistory",
        [("states:GetExecutionHistory", EXECUTION)],
    ),
    (
        "stepfunctions",
        lambda c: c.list_state_machines(),
        "ListStateMachines",
        [("states:ListStateMachines", "*")],
    ),
    (
        "lambda",
        lambda c: c.invoke(FunctionName="detect", Payload=b"{}"),
        "Invoke",
        [("lambda:InvokeFunction", f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:detect")],
    ),
    (
        "lambda",
        lambda c: c.invoke(FunctionName=f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:detect", Qualifier="live"),
        "Invoke",
        [("lambda:InvokeFunction", f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:detect:live")],
    ),
    (
        "lambda",
        lambda c: c.get_function(FunctionName="detect"),
        "GetFunction",
        [("lambda:GetFunction", f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:detect")],
    ),
    ("lambda", lambda c: c.list_functions(), "ListFunctions", [("lambda:ListFunctions", "*")]),
    (
        "rekognition",
        lambda c: c.detect_labels(Image={"S3Object": {"Bucket": "photos", "Name": "a b.jpg", "Version": "v"}}),
        "DetectLabels",
        [("rekognition:DetectLabels", "*"), ("s3:GetObjectVersion", "arn:aws:s3:::photos/a b.jpg")],
    ),
    (
        "rekognition",
        lambda c: c.compare_faces(
            SourceImage={"S3Object": {"Bucket": "photos", "Name": "1"}},
            TargetImage={"S3Object": {"Bucket": "photos", "Name": "2"}},
        ),
        "CompareFaces",
        [
            ("rekognition:CompareFaces", "*"),
            ("s3:GetObject", "arn:aws:s3:::photos/1"),
            ("s3:GetObject", "arn:aws:s3:::photos/2"),
        ],
    ),
    (
        "rekognition",
        lambda c: c.detect_text(Image={"Bytes": b"x"}),
        "DetectText",
        [("rekognition:DetectText", "*")],
    ),
    (
        "rekognition",
        lambda c: c.delete_faces(CollectionId="people", FaceIds=["11111111-2222-3333-4444-555555555555"]),
        "DeleteFaces",
        [("rekognition:DeleteFaces", f"arn:aws:rekognition:{REGION}:{ACCOUNT}:collection/people")],
    ),
    (
        "logs",
        lambda c: c.put_log_events(logGroupName="/iw", logStreamName="s", logEvents=[{"timestamp": 1, "message": "m"}]),
        "PutLogEvents",
        [("logs:PutLogEvents", f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/iw:log-stream:s")],
    ),
    (
        "logs",
        lambda c: c.create_log_stream(logGroupName="/iw", logStreamName="s"),
        "CreateLogStream",
        [("logs:CreateLogStream", f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/iw:log-stream:")],
    ),
    (
        "events",
        lambda c: c.put_events(Entries=[{"Source": "a", "DetailType": "b", "Detail": "{}"}]),
        "PutEvents",
        [("events:PutEvents", f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/default")],
    ),
    (
        "events",
        lambda c: c.put_rule(Name="ended", EventPattern="{}"),
        "PutRule",
        [("events:PutRule", f"arn:aws:events:{REGION}:{ACCOUNT}:rule/ended")],
    ),
    (
        "cloudformation",
        lambda c: c.describe_stacks(StackName="imagewatch"),
        "DescribeStacks",
        [("cloudformation:DescribeStacks", f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/imagewatch/*")],
    ),
    (
        "ssm",
        lambda c: c.get_parameter(Name="/iw/key"),
        "GetParameter",
        [("ssm:GetParameter", f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/iw/key")],
    ),
    ("sts", lambda c: c.get_caller_identity(), "GetCallerIdentity", []),
    (
        "sts",
        lambda c: c.assume_role(RoleArn=f"arn:aws:iam::{ACCOUNT}:role/x", RoleSessionName="session"),
        "AssumeRole",
        [("sts:AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/x")],
    ),
    (
        "iam",
        lambda c: c.get_role(RoleName="DetectRole"),
        "GetRole",
        [("iam:GetRole", f"arn:aws:iam::{ACCOUNT}:role/DetectRole")],
    ),
    (
        "cloudwatch",
        lambda c: c.put_metric_data(Namespace="Imagewatch", MetricData=[{"MetricName": "m", "Value": 1}]),
        "PutMetricData",
        [("cloudwatch:PutMetricData", "*")],
    ),
    (
        "cognito-idp",
        lambda c: c.admin_get_user(UserPoolId="us-east-1_abc", Username="u"),
        "AdminGetUser",
        [("cognito-idp:AdminGetUser", f"arn:aws:cognito-idp:{REGION}:{ACCOUNT}:userpool/us-east-1_abc")],
    ),
    (
        "xray",
        lambda c: c.put_trace_segments(TraceSegmentDocuments=["{}"]),
        "PutTraceSegments",
        [("xray:PutTraceSegments", "*")],
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("service", "call", "operation", "needed"), CASES, ids=[f"{case[0]}-{case[2]}-{n}" for n, case in enumerate(CASES)]
)
def test_reads_operation_caller_and_actions_from_a_signed_request(
    service: str, call: Callable[[Any], Any], operation: str, needed: list[tuple[str, str]]
) -> None:
    call = _identified(_written(_client(service), call))

    assert call.service == {"stepfunctions": "states"}.get(service, service)
    assert (call.operation, call.access_key) == (operation, "AKIALOCAL")
    assert [(action, resource) for action, resource, _ in call.actions] == needed


@pytest.mark.parametrize("service", ["s3", "sqs", "sns", "dynamodb", "rekognition", "lambda", "cloudwatch"])
def test_names_the_protocol_that_errors_must_be_written_in(service: str) -> None:
    calls = {
        "s3": (lambda c: c.list_buckets(), "rest-xml"),
        "sqs": (lambda c: c.list_queues(), "json-1.0"),
        "sns": (lambda c: c.list_topics(), "query"),
        "dynamodb": (lambda c: c.list_tables(), "json-1.0"),
        "rekognition": (lambda c: c.list_collections(), "json-1.1"),
        "lambda": (lambda c: c.list_functions(), "rest-json"),
        "cloudwatch": (lambda c: c.list_metrics(), "json-1.0"),
    }
    call, protocol = calls[service]

    assert _identified(_written(_client(service), call)).protocol == protocol


def test_finds_the_bucket_in_a_virtual_hosted_address() -> None:
    client = _client("s3", endpoint=None, s3={"addressing_style": "virtual"})

    call = _identified(_written(client, lambda c: c.get_object(Bucket="my.bucket-1", Key="a/b.jpg")))

    assert call.resources == ("arn:aws:s3:::my.bucket-1/a/b.jpg",)


@pytest.mark.parametrize("host", ["photos.localhost:4566", "photos.s3.localhost:4566", "photos.s3.eu-west-1.amazonaws.com"])
def test_finds_the_bucket_in_a_host_of_this_machine(host: str) -> None:
    assert identify("GET", host, "/a.jpg", "", {}, b"").resources == ("arn:aws:s3:::photos/a.jpg",)


@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_finds_the_signer_of_a_presigned_url(version: str) -> None:
    address = _client("s3", signature_version=version).generate_presigned_url("get_object", {"Bucket": "b", "Key": "a b"})
    url = urlsplit(address)

    call = identify("GET", url.netloc, url.path, url.query, {}, b"")

    assert (call.service, call.operation, call.access_key) == ("s3", "GetObject", "AKIALOCAL")
    assert call.resources == ("arn:aws:s3:::b/a b",)


def test_lists_with_the_prefix_as_a_condition_key() -> None:
    call = _identified(
        _written(_client("s3"), lambda c: c.list_objects_v2(Bucket="b", Prefix="uploads/ä", Delimiter="/", MaxKeys=5))
    )

    context = call.actions[0][2]
    assert (context["s3:prefix"], context["s3:delimiter"], context["s3:max-keys"]) == ("uploads/ä", "/", "5")


def test_a_missing_object_is_reported_only_with_the_permission_to_list() -> None:
    call = _identified(_written(_client("s3"), lambda c: c.head_object(Bucket="b", Key="k")))

    assert call.when_missing is not None
    assert call.when_missing[:2] == ("s3:ListBucket", "arn:aws:s3:::b")


def test_metrics_carry_their_namespace_as_a_condition_key() -> None:
    metric = {"MetricName": "m", "Value": 1}
    call = _identified(_written(_client("cloudwatch"), lambda c: c.put_metric_data(Namespace="Imagewatch", MetricData=[metric])))

    assert call.actions[0][2]["cloudwatch:namespace"] == "Imagewatch"


def test_reads_the_older_query_form_of_sqs() -> None:
    headers = {
        "Content-Type": "application/x-www-form-urlencoded; charset=utf-8",
        "Authorization": "AWS4-HMAC-SHA256 Credential=K/20260101/us-east-1/sqs/aws4_request, SignedHeaders=x, Signature=y",
    }

    call = identify("POST", "localhost", f"/{ACCOUNT}/intake", "", headers, b"Action=SendMessage&MessageBody=x")

    assert call.protocol == "query"
    assert [action[:2] for action in call.actions] == [("sqs:SendMessage", f"arn:aws:sqs:{REGION}:{ACCOUNT}:intake")]


@pytest.mark.parametrize(
    ("target", "body"),
    [
        ("DynamoDB_20120810.BatchWriteItem", b"{"),
        ("DynamoDB_20120810.BatchWriteItem", b"[]"),
        ("DynamoDB_20120810.TransactWriteItems", b"{}"),
        ("RekognitionService.DetectLabels", b'{"Image": 3}'),
        ("AWSEvents.PutEvents", b'{"Entries": []}'),
        ("Unknown.Operation", b"\xff"),
    ],
)
def test_a_malformed_body_still_needs_a_permission(target: str, body: bytes) -> None:
    call = identify("POST", "localhost", "/", "", {"X-Amz-Target": target}, body)

    assert call.operation == target.partition(".")[2]
    assert call.actions


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
_FIELD_NAMES = [
    "TableName", "RequestItems", "TransactItems", "Statement", "Statements", "QueueUrl", "TopicArn", "Entries", "Image",
    "logGroupNames", "Names", "IndexName", "stateMachineArn", "CollectionId", "TransactStatements", "EventBusName",
]  # fmt: skip


@given(
    st.sampled_from(["DynamoDB_20120810", "AmazonSQS", "RekognitionService", "AWSEvents", "Logs_20140328", "AmazonSSM"]),
    st.sampled_from(["TransactWriteItems", "BatchWriteItem", "ExecuteStatement", "PutEvents", "GetParameters", "Query"]),
    st.dictionaries(st.sampled_from(_FIELD_NAMES), _json, max_size=4),
)
def test_no_body_raises_an_error_or_needs_no_permission(prefix: str, operation: str, fields: dict[str, Any]) -> None:
    body = json.dumps(fields).encode()

    assert identify("POST", "localhost", "/", "", {"X-Amz-Target": f"{prefix}.{operation}"}, body).actions


def test_a_malformed_list_of_objects_to_delete_needs_every_object() -> None:
    assert identify("POST", "localhost", "/b", "delete", {}, b"<no").actions[0][:2] == ("s3:DeleteObject", "arn:aws:s3:::b/*")


def test_an_unsigned_invocation_is_recognised_by_its_path() -> None:
    path = "/2015-03-31/functions/detect/invocations"

    call = identify("POST", "localhost:4566", path, "", {}, b"{}")

    assert (call.service, call.operation, call.access_key) == ("lambda", "Invoke", None)
