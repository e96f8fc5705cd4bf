"""IAM policies are evaluated as on AWS; unsupported statements are refused at load time."""

from __future__ import annotations

import fnmatch
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.emulator.gateway.call import Call, request_context
from local.emulator.iam.conditions import PolicyError, arn_glob, compile_conditions, glob
from local.emulator.iam.evaluation import (
    Role,
    allows_service,
    authorize,
    authorize_missing,
    check_resource_policy,
    denied_by_resource,
)

ROLE_ARN = "arn:aws:iam::123456789012:role/StoreRole"
TABLE = "arn:aws:dynamodb:us-east-1:123456789012:table/Images"
QUEUE = "arn:aws:sqs:us-east-1:123456789012:intake"
BUCKET = "arn:aws:s3:::photos"


def _call(action: str, resource: str, service: str = "dynamodb", protocol: str = "json-1.0", **context: Any) -> Call:
    given_context = {**request_context("us-east-1"), **{key.replace("__", ":"): value for key, value in context.items()}}
    return Call(service, action.partition(":")[2], "key", [(action, resource, given_context)], protocol)


def _role(*statements: dict[str, Any]) -> Role:
    return Role("StoreRole", ROLE_ARN, statements, session="store")


def _allow(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def test_a_denial_has_the_message_of_aws() -> None:
    denial = authorize(_call("dynamodb:PutItem", TABLE), _role(_allow("dynamodb:GetItem", TABLE)))

    assert denial is not None
    assert denial.message == (
        "User: arn:aws:sts::123456789012:assumed-role/StoreRole/store is not authorized to perform: dynamodb:PutItem "
        f"on resource: {TABLE} because no identity-based policy allows the dynamodb:PutItem action"
    )
    assert (denial.code, denial.status) == ("AccessDeniedException", 400)


@pytest.mark.parametrize(
    ("service", "protocol", "code", "status"),
    [
        ("s3", "rest-xml", "AccessDenied", 403),
        ("sns", "query", "AuthorizationError", 403),
        ("sqs", "json-1.0", "AccessDenied", 403),
        ("sts", "query", "AccessDenied", 403),
        ("lambda", "rest-json", "AccessDeniedException", 403),
        ("states", "json-1.0", "AccessDeniedException", 400),
    ],
)
def test_a_denial_has_the_error_code_of_the_service(service: str, protocol: str, code: str, status: int) -> None:
    denial = authorize(_call(f"{service}:Do", "*", service, protocol), _role())

    assert denial is not None
    assert (denial.code, denial.status) == (code, status)


def test_an_unreadable_image_is_rekognitions_error() -> None:
    call = _call("s3:GetObject", f"{BUCKET}/a.jpg", "rekognition", "json-1.1")

    denial = authorize(call, _role(_allow("rekognition:DetectLabels")))

    assert denial is not None
    assert denial.code == "InvalidS3ObjectException"
    assert denial.message.startswith("Unable to get object metadata from S3.")
    assert "s3:GetObject on resource: arn:aws:s3:::photos/a.jpg" in denial.message


def test_every_action_of_a_call_is_needed() -> None:
    context = request_context("us-east-1")
    call = Call("dynamodb", "BatchWriteItem", None, [("dynamodb:BatchWriteItem", TABLE + n, context) for n in ("", "2")])

    denial = authorize(call, _role(_allow("dynamodb:*", TABLE)))

    assert denial is not None
    assert denial.resource == TABLE + "2"


def test_an_explicit_deny_wins_in_any_position() -> None:
    deny = {"Effect": "Deny", "Action": "dynamodb:DeleteItem", "Resource": "*"}
    call = _call("dynamodb:DeleteItem", TABLE)

    for role in (_role(deny, _allow("*")), _role(_allow("*"), deny)):
        denial = authorize(call, role)
        assert denial is not None
        assert denial.message.endswith("with an explicit deny in an identity-based policy")


def test_actions_ignore_case_and_resources_do_not() -> None:
    assert authorize(_call("dynamodb:PutItem", TABLE), _role(_allow("DynamoDB:putitem", TABLE))) is None
    assert authorize(_call("dynamodb:PutItem", TABLE), _role(_allow("dynamodb:PutItem", TABLE.lower()))) is not None


def test_not_action_and_not_resource_match_everything_else() -> None:
    role = _role({"Effect": "Allow", "NotAction": "iam:*", "NotResource": [TABLE]})

    assert authorize(_call("dynamodb:GetItem", TABLE + "2"), role) is None
    assert authorize(_call("dynamodb:GetItem", TABLE), role) is not None
    assert authorize(_call("iam:GetRole", ROLE_ARN, "iam", "query"), role) is not None


def test_a_permission_for_a_bucket_does_not_include_its_objects() -> None:
    call = _call("s3:GetObject", f"{BUCKET}/uploads/a.jpg", "s3", "rest-xml")

    assert authorize(call, _role(_allow("s3:GetObject", BUCKET))) is not None
    assert authorize(call, _role(_allow("s3:GetObject", f"{BUCKET}/uploads/*"))) is None


def test_an_operation_without_resource_level_needs_a_star() -> None:
    call = _call("rekognition:DetectLabels", "*", "rekognition", "json-1.1")

    assert authorize(call, _role(_allow("rekognition:DetectLabels", "arn:aws:rekognition:*:*:collection/*"))) is not None
    assert authorize(call, _role(_allow("rekognition:DetectLabels"))) is None


def test_a_role_without_list_permission_gets_403_for_a_missing_object() -> None:
    context = request_context("us-east-1")
    call = Call("s3", "GetObject", None, [], "rest-xml", when_missing=("s3:ListBucket", BUCKET, context))

    denial = authorize_missing(call, _role(_allow("s3:GetObject", f"{BUCKET}/*")))

    assert denial is not None
    assert (denial.code, denial.status) == ("AccessDenied", 403)
    assert authorize_missing(call, _role(_allow("s3:ListBucket", BUCKET))) is None


CONDITIONS: list[tuple[dict[str, Any], dict[str, Any], bool]] = [
    ({"StringEquals": {"cloudwatch:namespace": "Imagewatch"}}, {"cloudwatch:namespace": "Imagewatch"}, True),
    ({"StringEquals": {"CloudWatch:Namespace": ["A", "Imagewatch"]}}, {"cloudwatch:namespace": "Imagewatch"}, True),
    ({"StringEquals": {"cloudwatch:namespace": "imagewatch"}}, {"cloudwatch:namespace": "Imagewatch"}, False),
    ({"StringEqualsIgnoreCase": {"cloudwatch:namespace": "imagewatch"}}, {"cloudwatch:namespace": "Imagewatch"}, True),
    ({"StringEquals": {"cloudwatch:namespace": "x"}}, {}, False),
    ({"StringEqualsIfExists": {"cloudwatch:namespace": "x"}}, {}, True),
    ({"StringEqualsIfExists": {"cloudwatch:namespace": "x"}}, {"cloudwatch:namespace": "y"}, False),
    ({"StringNotEquals": {"s3:prefix": ["a", "b"]}}, {"s3:prefix": "b"}, False),
    ({"StringNotEquals": {"s3:prefix": ["a", "b"]}}, {"s3:prefix": "c"}, True),
    ({"StringNotEquals": {"s3:prefix": "a"}}, {}, True),
    ({"StringLike": {"s3:prefix": ["uploads/*", ""]}}, {"s3:prefix": "uploads/a/"}, True),
    ({"StringNotLike": {"s3:prefix": "uploads/*"}}, {"s3:prefix": "uploads/a/"}, False),
    ({"ArnLike": {"aws:SourceArn": "arn:aws:s3:::photos*"}}, {"aws:SourceArn": "arn:aws:s3:::photos-1"}, True),
    ({"ArnEquals": {"aws:SourceArn": "arn:aws:*:us-east-1:1:x"}}, {"aws:SourceArn": "arn:aws:s3:eu:us-east-1:1:x"}, False),
    ({"ArnNotLike": {"aws:SourceArn": "arn:aws:s3:::photos"}}, {"aws:SourceArn": "arn:aws:s3:::other"}, True),
    ({"Bool": {"aws:SecureTransport": "false"}}, {"aws:SecureTransport": "true"}, False),
    ({"Bool": {"aws:SecureTransport": True}}, {"aws:SecureTransport": "true"}, True),
    ({"Null": {"s3:prefix": "true"}}, {}, True),
    ({"Null": {"s3:prefix": "false"}}, {"s3:prefix": "a"}, True),
    ({"Null": {"s3:prefix": "true"}}, {"s3:prefix": "a"}, False),
    ({"NumericLessThanEquals": {"s3:max-keys": "10"}}, {"s3:max-keys": "10"}, True),
    ({"NumericLessThan": {"s3:max-keys": 10}}, {"s3:max-keys": "10"}, False),
    ({"NumericGreaterThan": {"s3:max-keys": "1"}}, {"s3:max-keys": "many"}, False),
    ({"ForAllValues:StringEquals": {"s3:prefix": ["a", "b"]}}, {"s3:prefix": ["a", "b"]}, True),
    ({"ForAllValues:StringEquals": {"s3:prefix": ["a", "b"]}}, {"s3:prefix": ["a", "c"]}, False),
    ({"ForAllValues:StringEquals": {"s3:prefix": "a"}}, {}, True),
    ({"ForAnyValue:StringEquals": {"s3:prefix": "a"}}, {"s3:prefix": ["b", "a"]}, True),
    ({"ForAnyValue:StringEquals": {"s3:prefix": "a"}}, {}, False),
    ({"ForAnyValue:StringNotEquals": {"s3:prefix": "a"}}, {"s3:prefix": ["a", "b"]}, True),
    ({"ForAllValues:StringNotEquals": {"s3:prefix": "a"}}, {"s3:prefix": ["a", "b"]}, False),
    ({"StringEquals": {"s3:prefix": "a", "s3:delimiter": "/"}}, {"s3:prefix": "a"}, False),
]


@pytest.mark.parametrize(("block", "context", "holds"), CONDITIONS)
def test_evaluates_a_condition_as_the_documentation_says(block: dict[str, Any], context: dict[str, Any], holds: bool) -> None:
    role = _role(_allow("dynamodb:GetItem", Condition=block))
    call = Call("dynamodb", "GetItem", None, [("dynamodb:GetItem", TABLE, context)])

    assert (authorize(call, role) is None) is holds


BROKEN: list[tuple[dict[str, Any], str]] = [
    (_allow("s3:GetObject", Condition={"StringMatches": {"s3:prefix": "a"}}), "StringMatches"),
    (_allow("s3:GetObject", Condition={"IpAddress": {"s3:prefix": "a"}}), "IpAddress"),
    (_allow("s3:GetObject", Condition={"ForSome:StringLike": {"s3:prefix": "a"}}), "ForSome:StringLike"),
    (_allow("s3:GetObject", Condition={"StringEquals": {"aws:Moon": "full"}}), "aws:Moon"),
    (_allow("s3:GetObject", Condition={"Bool": {"aws:SecureTransport": "maybe"}}), "maybe"),
    (_allow("s3:GetObject", Condition={"NumericLessThan": {"s3:max-keys": "ten"}}), "ten"),
    (_allow("s3:GetObject", "arn:aws:s3:::b/${aws:username}/*"), "aws:username"),
    (_allow("s3:GetObject", "photos"), "photos"),
    (_allow("s3:GetObject", [{"Ref": "Bucket"}]), "Ref"),
    (_allow("GetObject"), "GetObject"),
    ({**_allow("s3:GetObject"), "Effect": "allow"}, "allow"),
    ({**_allow("s3:GetObject"), "Actions": []}, "Actions"),
    ({"Effect": "Allow", "Action": "s3:GetObject"}, "Resource"),
    ({"Effect": "Allow", "Action": "a:B", "NotAction": "a:C", "Resource": "*"}, "NotAction"),
    ({**_allow("s3:GetObject"), "Principal": "*"}, "Principal"),
]


@pytest.mark.parametrize(("statement", "name"), BROKEN)
def test_an_unsupported_statement_is_refused_at_load_time(statement: dict[str, Any], name: str) -> None:
    with pytest.raises(PolicyError, match=name.replace("$", r"\$")):
        _role(statement)


def test_reads_whole_documents_inline_and_managed() -> None:
    one = {"Version": "2012-10-17", "Statement": _allow("dynamodb:GetItem", TABLE)}
    two = json.dumps({"Statement": [_allow("dynamodb:PutItem", TABLE)]})

    role = Role.from_documents("StoreRole", ROLE_ARN, [one, two], session="store")

    assert authorize(_call("dynamodb:GetItem", TABLE), role) is None
    assert authorize(_call("dynamodb:PutItem", TABLE), role) is None


QUEUE_POLICY = {
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "s3.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": QUEUE,
            "Condition": {
                "ArnLike": {"aws:SourceArn": BUCKET},
                "StringEquals": {"aws:SourceAccount": "123456789012"},
            },
        },
        {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "sqs:*",
            "Resource": QUEUE,
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        },
    ]
}
SOURCE = {"aws:SourceArn": BUCKET, "aws:SourceAccount": "123456789012"}


@pytest.mark.parametrize(
    ("principal", "resource", "source", "allowed"),
    [
        ("s3.amazonaws.com", QUEUE, SOURCE, True),
        ("s3.amazonaws.com", QUEUE, {**SOURCE, "aws:SourceArn": "arn:aws:s3:::other"}, False),
        ("s3.amazonaws.com", QUEUE, {**SOURCE, "aws:SourceAccount": "999999999999"}, False),
        ("s3.amazonaws.com", QUEUE + "2", SOURCE, False),
        ("events.amazonaws.com", QUEUE, SOURCE, False),
        ("s3.amazonaws.com", QUEUE, {**SOURCE, "aws:SecureTransport": "false"}, False),
    ],
)
def test_a_queue_policy_allows_only_the_service_that_it_names(
    principal: str, resource: str, source: dict[str, str], allowed: bool
) -> None:
    assert allows_service(QUEUE_POLICY, principal, "sqs:SendMessage", resource, source) is allowed
    assert allows_service(json.dumps(QUEUE_POLICY), principal, "SQS:sendmessage", resource, source) is allowed


@pytest.mark.parametrize("nothing", [None, "", {}, {"Statement": []}])
def test_without_a_policy_no_service_is_allowed(nothing: Any) -> None:
    assert not allows_service(nothing, "s3.amazonaws.com", "sqs:SendMessage", QUEUE, SOURCE)


def test_a_bucket_policy_can_deny_a_call() -> None:
    policy = {
        "Statement": [
            {
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:DeleteObject",
                "Resource": f"{BUCKET}/kept/*",
                "Condition": {"ArnNotEquals": {"aws:PrincipalArn": ROLE_ARN}},
            }
        ]
    }
    call = _call("s3:DeleteObject", f"{BUCKET}/kept/a", "s3", "rest-xml")

    denial = denied_by_resource(call, policy, "arn:aws:iam::123456789012:user/someone")

    assert denial is not None
    assert denial.message.endswith("with an explicit deny in a resource-based policy")
    assert denied_by_resource(call, policy, ROLE_ARN) is None


def test_local_traffic_counts_as_secure() -> None:
    condition = {"Bool": {"aws:SecureTransport": "false"}}
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": f"{BUCKET}/*", "Condition": condition}

    assert denied_by_resource(_call("s3:GetObject", f"{BUCKET}/a", "s3"), {"Statement": deny}, ROLE_ARN) is None


def test_an_unsupported_resource_policy_is_refused_when_it_is_stored() -> None:
    statement = {"Effect": "Allow", "Principal": {"Federated": "x"}, "Action": "sqs:*", "Resource": "*"}

    with pytest.raises(PolicyError, match="Federated"):
        check_resource_policy({"Statement": statement})


_plain = st.text(st.characters(codec="utf-8", exclude_characters="*?"), max_size=12)


@given(_plain)
def test_a_pattern_without_wildcards_matches_only_itself(text: str) -> None:
    assert glob(text).fullmatch(text)
    assert not glob(text).fullmatch(text + "x")


@given(_plain, _plain, _plain)
def test_a_star_matches_any_characters(head: str, middle: str, tail: str) -> None:
    assert glob(f"{head}*{tail}").fullmatch(f"{head}{middle}{tail}")


@given(_plain, st.characters(codec="utf-8"), _plain)
def test_a_question_mark_matches_exactly_one_character(head: str, one: str, tail: str) -> None:
    assert glob(f"{head}?{tail}").fullmatch(f"{head}{one}{tail}")
    assert not glob(f"{head}?{tail}").fullmatch(f"{head}{tail}")


@given(st.text("ab*?", max_size=8), st.text("ab", max_size=8))
def test_wildcards_agree_with_the_shells(pattern: str, text: str) -> None:
    assert bool(glob(pattern).fullmatch(text)) is fnmatch.fnmatchcase(text, pattern)


_segment = st.text("abc-", min_size=1, max_size=5)


@given(st.lists(_segment, min_size=5, max_size=5), st.text("abc:/-", min_size=1, max_size=12))
def test_a_wildcard_does_not_match_across_the_fields_of_an_arn(fields: list[str], resource: str) -> None:
    arn = ":".join([*fields, resource])

    assert arn_glob(arn)(arn)
    assert arn_glob(":".join([*fields, "*"]))(arn)
    assert arn_glob(":".join(fields[:3]))(arn)
    assert not arn_glob(f"{fields[0]}:*:{resource}z")(arn) or fields[2] == f"{resource}z"


@given(st.text(min_size=1, max_size=20))
def test_unknown_operators_are_refused(name: str) -> None:
    known = {"StringEquals", "StringLike", "Bool", "Null"}
    if name in known:
        return

    with pytest.raises(PolicyError):
        compile_conditions({f"x{name}": {"s3:prefix": "a"}})
