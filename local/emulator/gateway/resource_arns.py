"""The IAM actions and resource ARNs of JSON, query and REST-JSON operations.

Source: the AWS Service Authorization Reference. Each service has one function from (operation, request fields) to ARNs. It
returns "*" where the action has no resource-level permissions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from local.emulator.gateway.call import Action

Fields = Mapping[str, Any]

# Operations whose IAM action has a different name.
_ACTION_OF = {
    ("sqs", "SendMessageBatch"): "SendMessage",
    ("sqs", "DeleteMessageBatch"): "DeleteMessage",
    ("sqs", "ChangeMessageVisibilityBatch"): "ChangeMessageVisibility",
    ("sns", "PublishBatch"): "Publish",
    ("lambda", "Invoke"): "InvokeFunction",
    ("lambda", "InvokeAsync"): "InvokeFunction",
    ("lambda", "InvokeWithResponseStream"): "InvokeFunction",
    ("lambda", "GetLayerVersionByArn"): "GetLayerVersion",
}
_NEEDS_NO_PERMISSION = {
    ("sts", "GetCallerIdentity"),
    *(
        ("cognito-idp", name)
        for name in (
            "InitiateAuth", "RespondToAuthChallenge", "SignUp", "ConfirmSignUp", "ResendConfirmationCode",
            "ForgotPassword", "ConfirmForgotPassword", "RevokeToken", "GetUser", "GlobalSignOut", "ChangePassword",
            "UpdateUserAttributes", "DeleteUser", "VerifyUserAttribute", "GetUserAttributeVerificationCode",
            "AssociateSoftwareToken", "VerifySoftwareToken", "SetUserMFAPreference", "GetTokensFromRefreshToken",
        )
    ),
}  # fmt: skip
RESOURCE_IN_REST_BODY = frozenset({"CreateFunction", "CreateSchedule"})
_PARTIQL = re.compile(r"^\s*(SELECT|INSERT|UPDATE|DELETE)\b.*?(?:FROM|INTO|UPDATE)\s+\"?([\w.-]+)\"?", re.I | re.S)
_TRANSACT = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "Get": "GetItem"}
_DYNAMODB_FIELDS = ("TableName", "ResourceArn", "TableArn", "BackupArn", "ExportArn", "SourceTableArn", "StreamArn")
_REKOGNITION_IMAGES = ("Image", "SourceImage", "TargetImage", "Video")
_STATES_FIELDS = ("stateMachineArn", "executionArn", "activityArn", "mapRunArn", "resourceArn", "stateMachineAliasArn")
_STATES_WITHOUT_RESOURCE = ("ListStateMachines", "ListActivities", "SendTaskSuccess", "SendTaskFailure",
                            "SendTaskHeartbeat", "TestState", "ValidateStateMachineDefinition")  # fmt: skip


def actions(service: str, operation: str, fields: Fields, region: str, account: str, context: Mapping[str, Any]) -> list[Action]:
    """The permissions that the operation needs, one for each table, object or topic that it accesses."""
    if (service, operation) in _NEEDS_NO_PERMISSION:
        return []
    action = f"{service}:{_ACTION_OF.get((service, operation), operation)}"
    if service == "dynamodb":
        accessed = [(name, arn, context) for name, arn in _dynamodb(operation, fields, region, account)]
        return accessed or [(action, "*", context)]
    locate = _LOCATORS.get(service)
    arns = locate(operation, fields, f"{service}:{region}:{account}") if locate else ("*",)
    context = _with_keys(service, fields, context)
    needed: list[Action] = [(action, arn, context) for arn in arns] or [(action, "*", context)]
    if service == "rekognition":
        needed += [(name, arn, context) for name, arn in _rekognition_objects(fields)]
    return needed


def _with_keys(service: str, fields: Fields, context: Mapping[str, Any]) -> Mapping[str, Any]:
    if service == "cloudwatch" and "Namespace" in fields:
        return {**context, "cloudwatch:namespace": fields["Namespace"]}
    if service == "sns" and "Protocol" in fields:
        return {**context, "sns:Protocol": fields["Protocol"], "sns:Endpoint": fields.get("Endpoint", "")}
    return context


def _text(fields: Fields, *names: str) -> str:
    """The first of these fields that is a non-empty string, or an empty string."""
    return next((value for name in names if isinstance(value := fields.get(name), str) and value), "")


def _dynamodb(operation: str, fields: Fields, region: str, account: str) -> Iterable[tuple[str, str]]:
    def table(name: str) -> str:
        return name if name.startswith("arn:") else f"arn:aws:dynamodb:{region}:{account}:table/{name}"

    if operation in ("BatchGetItem", "BatchWriteItem"):
        requested = fields.get("RequestItems")
        return [(f"dynamodb:{operation}", table(name)) for name in requested] if isinstance(requested, dict) else []
    if operation in ("TransactGetItems", "TransactWriteItems"):
        steps = [step for item in fields.get("TransactItems") or [] for step in item.items()]
        return [
            (f"dynamodb:{_TRANSACT.get(kind, 'ConditionCheckItem')}", table(step.get("TableName", ""))) for kind, step in steps
        ]
    if operation in ("ExecuteStatement", "BatchExecuteStatement", "ExecuteTransaction"):
        return _partiql(fields, table)
    name = _text(fields, *_DYNAMODB_FIELDS)
    arn = table(name) if name else "*"
    if name and operation in ("Query", "Scan") and fields.get("IndexName"):
        arn = f"{arn}/index/{fields['IndexName']}"
    return [(f"dynamodb:{operation}", arn)]


def _partiql(fields: Fields, table: Callable[[str], str]) -> Iterable[tuple[str, str]]:
    statements = fields.get("Statements") or fields.get("TransactStatements") or [fields]
    for statement in statements:
        found = _PARTIQL.match(str(statement.get("Statement", "")))
        yield (f"dynamodb:PartiQL{found[1].title()}", table(found[2])) if found else ("dynamodb:PartiQLSelect", "*")


def _sqs(operation: str, fields: Fields, scope: str) -> Iterable[str]:
    if source := _text(fields, "SourceArn"):
        return (source,)
    if url := _text(fields, "QueueUrl"):
        account, _, name = url.rstrip("/").rpartition("/")
        owner = account.rpartition("/")[2]
        return (f"arn:aws:{scope.rpartition(':')[0]}:{owner}:{name}" if owner.isdigit() else f"arn:aws:{scope}:{name}",)
    name = _text(fields, "QueueName")
    return (f"arn:aws:{scope}:{name}" if name else "*",)


def _sns(operation: str, fields: Fields, scope: str) -> Iterable[str]:
    if operation == "CreateTopic":
        return (f"arn:aws:{scope}:{_text(fields, 'Name')}",)
    return (_text(fields, "TopicArn", "TargetArn", "ResourceArn") or "*",)


def _states(operation: str, fields: Fields, scope: str) -> Iterable[str]:
    if operation in _STATES_WITHOUT_RESOURCE:
        return ("*",)
    if operation == "CreateStateMachine":
        return (f"arn:aws:{scope}:stateMachine:{_text(fields, 'name')}",)
    if operation == "CreateActivity":
        return (f"arn:aws:{scope}:activity:{_text(fields, 'name')}",)
    return (_text(fields, *_STATES_FIELDS) or "*",)


def _lambda(operation: str, fields: Fields, scope: str) -> Iterable[str]:
    if "EventSourceMapping" in operation:
        uuid = _text(fields, "UUID")
        return (f"arn:aws:{scope}:event-source-mapping:{uuid}" if uuid else "*",)
    if layer := _text(fields, "LayerName"):
        version = _text(fields, "VersionNumber")
        return (f"arn:aws:{scope}:layer:{layer}{':' + version if version else ''}",)
    name = _text(fields, "FunctionName", "Resource", "Arn")
    if not name:
        return ("*",)
    if not name.startswith("arn:"):
        name = f"arn:aws:{scope}:function:{name.rpartition(':function:')[2] if ':function:' in name else name}"
    qualifier = _text(fields, "Qualifier")
    return (f"{name}:{qualifier}" if qualifier and name.count(":") == 6 else name,)


def _rekognition(operation: str, fields: Fields, scope: str) -> Iterable[str]:
    if collection := _text(fields, "CollectionId"):
        return (f"arn:aws:{scope}:collection/{collection}",)
    if operation == "CreateProject":
        return (f"arn:aws:{scope}:project/{_text(fields, 'ProjectName')}/*",)
    return (_text(fields, "ProjectVersionArn", "ProjectArn", "DatasetArn", "ResourceArn") or "*",)


def _rekognition_objects(fields: Fields) -> Iterable[tuple[str, str]]:
    """The S3 permissions for the images. Rekognition reads S3 with the caller's permissions."""
    for name in _REKOGNITION_IMAGES:
        image = fields.get(name)
        place = image.get("S3Object") if isinstance(image, dict) else None
        if isinstance(place, dict) and place.get("Bucket") and place.get("Name"):
            action = "s3:GetObjectVersion" if place.get("Version") else "s3:GetObject"
            yield action, f"arn:aws:s3:::{place['Bucket']}/{place['Name']}"


def _logs(operation: str, fields: Fields, scope: str) -> Iterable[str]:
    """Log ARNs are "log-group:NAME:log-stream:STREAM"; the stream is empty for operations on the group."""
    if arn := _text(fields, "resourceArn", "logGroupArn", "logGroupIdentifier"):
        return (arn if arn.startswith("arn:") else f"arn:aws:{scope}:log-group:{arn}:log-stream:",)
    if operation == "DescribeLogGroups":
        return (f"arn:aws:{scope}:log-group::log-stream:",)
    groups = fields.get("logGroupNames") or [_text(fields, "logGroupName")]
    stream = _text(fields, "logStreamName") if operation in ("PutLogEvents", "GetLogEvents", "DeleteLogStream") else ""
    return tuple(f"arn:aws:{scope}:log-group:{group}:log-stream:{stream}" if group else "*" for group in groups)


def _events(operation: str, fields: Fields, scope: str) -> Iterable[str]:
    if operation == "PutEvents":
        entries = [entry for entry in fields.get("Entries") or [] if isinstance(entry, dict)]
        buses = sorted({_text(entry, "EventBusName") or "default" for entry in entries})
        return tuple(bus if bus.startswith("arn:") else f"arn:aws:{scope}:event-bus/{bus}" for bus in buses)
    bus = _text(fields, "EventBusName").rpartition("/")[2]
    rule = _text(fields, "Rule") or (_text(fields, "Name") if operation.endswith("Rule") else "")
    if rule:
        return (f"arn:aws:{scope}:rule/{bus}/{rule}" if bus not in ("", "default") else f"arn:aws:{scope}:rule/{rule}",)
    return (_text(fields, "ResourceARN") or "*",)


def _ssm(operation: str, fields: Fields, scope: str) -> Iterable[str]:
    names = fields.get("Names") or [name for name in (_text(fields, "Name", "Path"),) if name]
    if not names or "Parameter" not in operation:
        return ("*",)
    return tuple(f"arn:aws:{scope}:parameter/{str(name).removeprefix('/')}" for name in names)


def _sts(operation: str, fields: Fields, scope: str) -> Iterable[str]:
    return (_text(fields, "RoleArn") or "*",)


def _iam(operation: str, fields: Fields, scope: str) -> Iterable[str]:
    account = scope.rpartition(":")[2]
    for field, kind in (("RoleName", "role"), ("PolicyName", "policy"), ("UserName", "user"), ("GroupName", "group")):
        if name := _text(fields, field):
            return (f"arn:aws:iam::{account}:{kind}/{name}",)
    return (_text(fields, "PolicyArn") or "*",)


def _cloudwatch(operation: str, fields: Fields, scope: str) -> Iterable[str]:
    account = scope.partition(":")[2]
    alarm = _text(fields, "AlarmName")
    return (f"arn:aws:cloudwatch:{account}:alarm:{alarm}" if alarm else "*",)


def _cloudformation(operation: str, fields: Fields, scope: str) -> Iterable[str]:
    stack = _text(fields, "StackName", "StackId")
    if stack.startswith("arn:"):
        return (stack,)
    return (f"arn:aws:{scope}:stack/{stack}/*" if stack else "*",)


def _cognito(operation: str, fields: Fields, scope: str) -> Iterable[str]:
    pool = _text(fields, "UserPoolId")
    return (f"arn:aws:{scope}:userpool/{pool}" if pool else _text(fields, "ResourceArn") or "*",)


_LOCATORS: dict[str, Callable[[str, Fields, str], Iterable[str]]] = {
    "sqs": _sqs,
    "sns": _sns,
    "states": _states,
    "lambda": _lambda,
    "rekognition": _rekognition,
    "logs": _logs,
    "events": _events,
    "ssm": _ssm,
    "sts": _sts,
    "iam": _iam,
    "cloudwatch": _cloudwatch,
    "cloudformation": _cloudformation,
    "cognito-idp": _cognito,
}
