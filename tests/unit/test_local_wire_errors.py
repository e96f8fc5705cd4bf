"""boto3 raises the emulator's errors as ClientErrors with their code and message."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from local.emulator.gateway.call import Call
from local.emulator.gateway.identification import identify
from local.emulator.gateway.wire_errors import render

CALLS: dict[str, Callable[[Any], Any]] = {
    "s3": lambda client: client.get_object(Bucket="photos", Key="k"),
    "dynamodb": lambda client: client.list_tables(),
    "sqs": lambda client: client.list_queues(),
    "sns": lambda client: client.list_topics(),
    "stepfunctions": lambda client: client.list_state_machines(),
    "lambda": lambda client: client.invoke(FunctionName="f"),
    "rekognition": lambda client: client.list_collections(),
    "logs": lambda client: client.describe_log_groups(),
    "events": lambda client: client.list_rules(),
    "cloudformation": lambda client: client.describe_stacks(),
    "ssm": lambda client: client.describe_parameters(),
    "sts": lambda client: client.get_caller_identity(),
    "iam": lambda client: client.list_roles(),
    "cloudwatch": lambda client: client.list_metrics(),
    "cognito-idp": lambda client: client.list_user_pools(MaxResults=1),
    "xray": lambda client: client.get_groups(),
}


class _Raw:
    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, *_: Any, **__: Any) -> Any:
        yield self._body

    def read(self, *_: Any, **__: Any) -> bytes:
        return self._body


def _client(service: str, answer: Callable[[Call], tuple[int, dict[str, str], bytes]]) -> Any:
    client = boto3.client(
        service,
        endpoint_url="http://localhost:4566",
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
        config=Config(retries={"total_max_attempts": 1}),
    )

    def respond(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        url = urlsplit(request.url)
        headers = {n: v.decode() if isinstance(v, bytes) else str(v) for n, v in request.headers.items()}
        body = request.body if isinstance(request.body, bytes) else str(request.body or "").encode()
        status, out, content = answer(identify(request.method, url.netloc, url.path, url.query, headers, body))
        return AWSResponse(request.url, status, out, _Raw(content))

    client.meta.events.register("before-send", respond)
    return client


@pytest.mark.parametrize("service", CALLS)
@pytest.mark.parametrize(("code", "status"), [("ThrottlingException", 400), ("UnknownCode", 403), ("InternalError", 500)])
def test_boto3_raises_exactly_the_code_and_message(service: str, code: str, status: int) -> None:
    message = 'User: arn:aws:sts::1:assumed-role/R/f may not: "a" <b> & ü'
    client = _client(service, lambda call: render(call, code, message, status))

    with pytest.raises(ClientError) as raised:
        CALLS[service](client)

    answer = raised.value.response
    assert (answer["Error"]["Code"], answer["Error"]["Message"]) == (code, message)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == status


def test_modelled_errors_arrive_as_their_own_class() -> None:
    client = _client("rekognition", lambda call: render(call, "ProvisionedThroughputExceededException", "slow", 400))

    with pytest.raises(client.exceptions.ProvisionedThroughputExceededException):
        client.list_collections()


def test_the_answer_to_head_has_no_body() -> None:
    client = _client("s3", lambda call: render(call, "AccessDenied", "no", 403))

    with pytest.raises(ClientError) as raised:
        client.head_object(Bucket="photos", Key="k")

    assert raised.value.response["Error"]["Code"] == "403"


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=60))
def test_any_message_gives_a_document_that_parses(message: str) -> None:
    for protocol in ("query", "rest-xml"):
        _, _, body = render(Call("s3", "GetObject", None, [], protocol, method="GET"), "Code", message, 400)
        found = ElementTree.fromstring(body).find(".//Message")  # noqa: S314 - our own document
        assert found is not None
        assert len(found.text or "") == len(message)
