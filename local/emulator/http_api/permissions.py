"""Decides whether an API may invoke a function: its resource policy must allow API Gateway for the route."""

from __future__ import annotations

from collections.abc import Iterable

from local.emulator.cloudformation.deployment import Permission
from local.emulator.http_api.definition import HttpApi
from local.emulator.http_api.events import Target

PRINCIPAL = "apigateway.amazonaws.com"


def may_invoke(permissions: Iterable[Permission], api: HttpApi, target: Target) -> bool:
    """Whether one of the permissions allows this API to invoke the route's function."""
    method = "*" if target.route.method == "ANY" else target.route.method
    source = f"{api.arn}/{target.stage}/{method}{target.route.path}"
    name = target.route.function_arn.rpartition(":")[2]
    return any(
        permission.function_name == name and permission.principal == PRINCIPAL and covers(permission.source_arn, source)
        for permission in permissions
    )


def covers(pattern: str | None, arn: str) -> bool:
    """Whether an ARN matches a pattern in which "*" stands for any text."""
    if pattern is None:
        return True
    first, *others = pattern.split("*")
    if not others:
        return arn == pattern
    if not arn.startswith(first):
        return False
    position = len(first)
    for part in others[:-1]:
        position = arn.find(part, position)
        if position < 0:
            return False
        position += len(part)
    return arn.endswith(others[-1]) and len(arn) - len(others[-1]) >= position
