"""Deploys functions, their event sources and permissions, and state machines."""

from __future__ import annotations

import json
import re
import uuid
from typing import Any

from local.emulator.cloudformation.deployment import Deployment, Permission, QueueMapping
from local.emulator.cloudformation.registry import Created, supports
from local.emulator.lambda_.functions import Function
from tools.sam_template import Json, TemplateError


@supports(
    "AWS::Lambda::Function",
    "FunctionName",
    "Description",
    "Handler",
    "Role",
    "Runtime",
    "Architectures",
    "Code.S3Bucket",
    "Code.S3Key",
    "Timeout",
    "MemorySize",
    "EphemeralStorage",
    "Environment.Variables",
    "LoggingConfig.LogFormat",
    "LoggingConfig.LogGroup",
    "LoggingConfig.ApplicationLogLevel",
    "LoggingConfig.SystemLogLevel",
    "TracingConfig",
    "Tags",
)
def function(deployment: Deployment, logical_id: str, properties: Json) -> Created:
    name = properties.get("FunctionName") or deployment.generated_name(logical_id)
    logging = properties.get("LoggingConfig", {})
    arn = deployment.arn("lambda", f"function:{name}")
    variables = properties.get("Environment", {}).get("Variables", {})
    deployment.functions[name] = Function(
        name=name,
        arn=arn,
        handler=properties["Handler"],
        root=(deployment.template.folder / properties["Code"]["S3Key"]).resolve(),
        role_arn=properties["Role"],
        timeout=float(properties.get("Timeout", 3)),
        memory=int(properties.get("MemorySize", 128)),
        runtime=properties["Runtime"],
        log_group=logging.get("LogGroup") or f"/aws/lambda/{name}",
        log_format=logging.get("LogFormat", "Text"),
        log_level=logging.get("ApplicationLogLevel", ""),
        system_log_level=logging.get("SystemLogLevel", "INFO"),
        environment={key: str(value) for key, value in variables.items()},
    )
    _create_in_moto(deployment, name, properties)
    return Created(name, {"Arn": arn})


def _create_in_moto(deployment: Deployment, name: str, properties: Json) -> None:
    """Create the function in moto, for ListFunctions and GetFunction. The code stays in its folder."""
    same = ("Description", "Handler", "Role", "Runtime", "Architectures", "Timeout", "MemorySize")
    arguments: dict[str, Any] = {key: properties[key] for key in same if key in properties}
    if "Environment" in properties:
        variables = {key: str(value) for key, value in properties["Environment"]["Variables"].items()}
        arguments["Environment"] = {"Variables": variables}
    if "TracingConfig" in properties:
        arguments["TracingConfig"] = properties["TracingConfig"]
    code = {"ZipFile": f"see the folder {properties['Code']['S3Key']}".encode()}
    deployment.client("lambda").create_function(FunctionName=name, Code=code, **arguments)


@supports(
    "AWS::Lambda::EventSourceMapping",
    "EventSourceArn",
    "FunctionName",
    "BatchSize",
    "MaximumBatchingWindowInSeconds",
    "FunctionResponseTypes",
    "ScalingConfig.MaximumConcurrency",
    "Enabled",
    "Tags",
)
def event_source_mapping(deployment: Deployment, logical_id: str, properties: Json) -> Created:
    """Record the mapping for the emulator's poller. moto would start a container inside SendMessage."""
    if ":sqs:" not in properties["EventSourceArn"]:
        raise TemplateError(f"{logical_id}: the emulator supports only SQS queues as event sources")
    mapping = QueueMapping(
        uuid=str(uuid.uuid5(uuid.NAMESPACE_URL, logical_id)),
        queue_arn=properties["EventSourceArn"],
        function_name=properties["FunctionName"].split(":")[-1],
        batch_size=int(properties.get("BatchSize", 10)),
        window_seconds=float(properties.get("MaximumBatchingWindowInSeconds", 0)),
        maximum_concurrency=int(properties.get("ScalingConfig", {}).get("MaximumConcurrency", 5)),
        report_failures="ReportBatchItemFailures" in properties.get("FunctionResponseTypes", []),
        enabled=str(properties.get("Enabled", True)).lower() == "true",
    )
    deployment.mappings.append(mapping)
    return Created(mapping.uuid, {"Id": mapping.uuid})


@supports("AWS::Lambda::Permission", "Action", "FunctionName", "Principal", "SourceArn", "SourceAccount")
def permission(deployment: Deployment, logical_id: str, properties: Json) -> Created:
    name = properties["FunctionName"].split(":")[-1]
    sources = {key: properties[key] for key in ("SourceArn", "SourceAccount") if key in properties}
    deployment.client("lambda").add_permission(
        FunctionName=name,
        StatementId=logical_id,
        Action=properties["Action"],
        Principal=properties["Principal"],
        **sources,
    )
    deployment.permissions.append(Permission(name, properties["Principal"], properties.get("SourceArn")))
    return Created(logical_id)


@supports(
    "AWS::StepFunctions::StateMachine",
    "StateMachineName",
    "StateMachineType",
    "RoleArn",
    "DefinitionS3Location",
    "DefinitionString",
    "DefinitionSubstitutions",
    "LoggingConfiguration",
    "TracingConfiguration",
    "Tags",
)
def state_machine(deployment: Deployment, logical_id: str, properties: Json) -> Created:
    name = properties.get("StateMachineName") or deployment.generated_name(logical_id)
    arn = deployment.client("stepfunctions").create_state_machine(
        name=name,
        definition=_definition(deployment, logical_id, properties),
        roleArn=properties["RoleArn"],
        type=properties.get("StateMachineType", "STANDARD"),
        loggingConfiguration=_lower_initials(properties.get("LoggingConfiguration", {"Level": "OFF"})),
        tracingConfiguration=_lower_initials(properties.get("TracingConfiguration", {"Enabled": False})),
    )["stateMachineArn"]
    return Created(arn, {"Arn": arn, "Name": name})


def _definition(deployment: Deployment, logical_id: str, properties: Json) -> str:
    if "DefinitionString" in properties:
        text: str = properties["DefinitionString"]
    else:
        path = deployment.template.folder / properties["DefinitionS3Location"]["Key"]
        text = path.read_text(encoding="utf-8")
    values = properties.get("DefinitionSubstitutions", {})

    def fill(match: re.Match[str]) -> str:
        if match[1] not in values:
            raise TemplateError(f"{logical_id}: DefinitionSubstitutions has no value for ${{{match[1]}}}")
        return json.dumps(str(values[match[1]]))[1:-1]

    return re.sub(r"\$\{([A-Za-z0-9_]+)\}", fill, text)


def _lower_initials(value: Any) -> Any:
    """The property names of Step Functions' API: CloudFormation's with a lower-case first letter."""
    if isinstance(value, list):
        return [_lower_initials(item) for item in value]
    if isinstance(value, dict):
        return {key[:1].lower() + key[1:]: _lower_initials(item) for key, item in value.items()}
    return value
