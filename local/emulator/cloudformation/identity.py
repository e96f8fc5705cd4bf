"""Deploys roles and policies, and records each role's statements for the gateway's permission checks."""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Mapping
from typing import Any

from local.emulator.cloudformation.deployment import Deployment, RolePolicies
from local.emulator.cloudformation.registry import Created, supports
from local.emulator.iam.evaluation import statements_of
from tools.sam_template import ACCOUNT_ID, Json, TemplateError


@supports("AWS::IAM::ManagedPolicy", "ManagedPolicyName", "Description", "Path", "PolicyDocument")
def managed_policy(deployment: Deployment, logical_id: str, properties: Json) -> Created:
    name = properties.get("ManagedPolicyName") or deployment.generated_name(logical_id)
    document = properties["PolicyDocument"]
    arn = deployment.client("iam").create_policy(
        PolicyName=name,
        Path=properties.get("Path", "/"),
        Description=properties.get("Description", ""),
        PolicyDocument=json.dumps(document),
    )["Policy"]["Arn"]
    deployment.policies[arn] = statements_of(document)
    return Created(arn, {"PolicyArn": arn})


@supports(
    "AWS::IAM::Role",
    "RoleName",
    "Path",
    "Description",
    "AssumeRolePolicyDocument",
    "Policies.PolicyName",
    "Policies.PolicyDocument",
    "ManagedPolicyArns",
    "Tags",
)
def role(deployment: Deployment, logical_id: str, properties: Json) -> Created:
    iam = deployment.client("iam")
    name = properties.get("RoleName") or deployment.generated_name(logical_id)
    path = properties.get("Path", "/")
    iam.create_role(RoleName=name, Path=path, AssumeRolePolicyDocument=json.dumps(properties["AssumeRolePolicyDocument"]))
    statements: list[Mapping[str, Any]] = []
    for policy in properties.get("Policies", []):
        document = policy["PolicyDocument"]
        iam.put_role_policy(RoleName=name, PolicyName=policy["PolicyName"], PolicyDocument=json.dumps(document))
        statements += statements_of(document)
    for policy_arn in properties.get("ManagedPolicyArns", []):
        iam.attach_role_policy(RoleName=name, PolicyArn=policy_arn)
        statements += _managed_statements(deployment, policy_arn)
    arn = f"arn:aws:iam::{ACCOUNT_ID}:role{path}{name}"
    deployment.roles[arn] = RolePolicies(name, arn, statements)
    return Created(name, {"Arn": arn})


def _managed_statements(deployment: Deployment, arn: str) -> list[Mapping[str, Any]]:
    if arn in deployment.policies:
        return deployment.policies[arn]
    iam = deployment.client("iam")
    try:
        version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    except iam.exceptions.NoSuchEntityException:
        raise TemplateError(f"the managed policy {arn} isn't known to the emulator") from None
    document = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
    return statements_of(urllib.parse.unquote(document) if isinstance(document, str) else document)
