"""Evaluates identity policies of roles and policies of resources, as IAM does.

Requests are plain HTTP and count as encrypted: aws:SecureTransport is "true" for all calls. A bucket policy that denies
unencrypted requests is evaluated and never denies.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from local.emulator.gateway.call import Call
from local.emulator.iam.conditions import (
    Condition,
    NullCondition,
    PolicyError,
    arn_glob,
    compile_conditions,
    glob,
    refuse_variables,
)

Document = Mapping[str, Any] | str | None
_ELEMENTS = frozenset(
    {"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition", "Principal", "NotPrincipal"}
)


@dataclass(frozen=True, slots=True)
class Denial:
    """A denied call, with the service's error code and HTTP status."""

    action: str
    resource: str
    message: str
    code: str
    status: int


@dataclass(frozen=True, slots=True)
class _Statement:
    allows: bool
    names: Callable[[str], bool]
    covers: Callable[[str], bool]
    conditions: tuple[Condition | NullCondition, ...]
    principals: Mapping[str, frozenset[str]]

    def applies(self, action: str, resource: str, context: Callable[[], Mapping[str, Any]]) -> bool:
        if not (self.names(action) and self.covers(resource)):
            return False
        return not self.conditions or all(condition.holds(context()) for condition in self.conditions)


@dataclass(frozen=True)
class Role:
    """A role with the statements of its identity policies, which are compiled on construction.

    `session` is the name of the role session; Lambda uses the function's name. Raises PolicyError for an unsupported statement.
    """

    name: str
    arn: str
    statements: Sequence[Mapping[str, Any]]
    session: str = ""
    _compiled: tuple[_Statement, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_compiled", tuple(_compile(one, with_principal=False) for one in self.statements))

    @classmethod
    def from_documents(cls, name: str, arn: str, documents: Sequence[Document], session: str = "") -> Role:
        """A role from its policy documents, as objects or JSON."""
        return cls(name, arn, [one for document in documents for one in statements_of(document)], session)

    @property
    def user_arn(self) -> str:
        """The caller's ARN in AWS's messages: the assumed role with its session."""
        return f"arn:aws:sts::{self.arn.split(':')[4]}:assumed-role/{self.name}/{self.session or self.name}"


def authorize(call: Call, role: Role) -> Denial | None:
    """The first denial among the call's actions, or None if all are allowed. An explicit deny overrides an allow."""
    return next((denial for action in call.actions if (denial := _decide(call, role, *action))), None)


def authorize_missing(call: Call, role: Role) -> Denial | None:
    """The denial that replaces S3's 404 for a missing object if the role lacks s3:ListBucket, or None."""
    return _decide(call, role, *call.when_missing) if call.when_missing else None


def denied_by_resource(call: Call, policy: Document, caller_arn: str) -> Denial | None:
    """The denial if the policy of a bucket, queue or topic explicitly denies the call to this caller, or None."""
    for action, resource, given in call.actions:
        context = _context(given, {"aws:PrincipalArn": caller_arn})
        for statement in _resource_statements(_frozen(policy)):
            named = not statement.principals.get("AWS", frozenset()).isdisjoint(("*", caller_arn))
            if named and not statement.allows and statement.applies(action, resource, context):
                return _denial(call, caller_arn, action, resource, "with an explicit deny in a resource-based policy")
    return None


def allows_service(
    policy_document: Document, service_principal: str, action: str, resource_arn: str, context: Mapping[str, Any]
) -> bool:
    """Whether the policy of a queue or topic allows the action to an AWS service, such as "s3.amazonaws.com".

    `context` contains aws:SourceArn and aws:SourceAccount. Without a policy nothing is allowed.
    """
    given = _context({"aws:SecureTransport": "true", "aws:PrincipalIsAWSService": "true"}, context)
    allowed = False
    for statement in _resource_statements(_frozen(policy_document)):
        named = service_principal in statement.principals.get("Service", ())
        if (named or "*" in statement.principals.get("AWS", ())) and statement.applies(action, resource_arn, given):
            if not statement.allows:
                return False
            allowed = True
    return allowed


def statements_of(document: Document) -> list[Mapping[str, Any]]:
    """The statements of a policy document, as object or JSON. None and "" have no statements."""
    if not document:
        return []
    if isinstance(document, str):
        document = json.loads(document)
    statements = document.get("Statement", [])  # type: ignore[union-attr]
    return [statements] if isinstance(statements, Mapping) else list(statements)


def _decide(call: Call, role: Role, action: str, resource: str, given: Mapping[str, Any]) -> Denial | None:
    context = _context(given, {"aws:PrincipalArn": role.arn, "aws:PrincipalAccount": role.arn.split(":")[4]})
    allowed = False
    for statement in role._compiled:
        if statement.applies(action, resource, context):
            if not statement.allows:
                why = "with an explicit deny in an identity-based policy"
                return _denial(call, role.user_arn, action, resource, why)
            allowed = True
    if allowed:
        return None
    why = f"because no identity-based policy allows the {action} action"
    return _denial(call, role.user_arn, action, resource, why)


def _denial(call: Call, caller: str, action: str, resource: str, why: str) -> Denial:
    shown = f'"{resource}"' if call.service == "s3" else resource
    message = f"User: {caller} is not authorized to perform: {action} on resource: {shown} {why}"
    if call.service == "rekognition" and action.startswith("s3:"):
        # AWS's message has only the first two sentences. The part in brackets names the missing permission.
        unreadable = "Unable to get object metadata from S3. Check object key, region and/or access permissions."
        return Denial(action, resource, f"{unreadable} ({message})", "InvalidS3ObjectException", 400)
    if call.service == "sns":
        return Denial(action, resource, message, "AuthorizationError", 403)
    if call.service == "sqs" or call.protocol in ("query", "rest-xml"):
        return Denial(action, resource, message, "AccessDenied", 403)
    return Denial(action, resource, message, "AccessDeniedException", 403 if call.protocol == "rest-json" else 400)


def _context(*parts: Mapping[str, Any]) -> Callable[[], Mapping[str, Any]]:
    """The condition context with lower-case keys, built on first use: few statements have conditions."""
    made: dict[str, Any] = {}

    def context() -> Mapping[str, Any]:
        if not made:
            made.update((key.lower(), value) for part in parts for key, value in part.items())
        return made

    return context


def _frozen(document: Document) -> str:
    return document if isinstance(document, str) else json.dumps(document or {}, sort_keys=True)


@lru_cache(maxsize=256)
def _resource_statements(document: str) -> tuple[_Statement, ...]:
    return tuple(_compile(one, with_principal=True) for one in statements_of(document))


def check_resource_policy(document: Document) -> None:
    """Raise PolicyError for an unsupported statement in a resource's policy. Call it when the policy is stored."""
    _resource_statements(_frozen(document))


def _compile(statement: Mapping[str, Any], *, with_principal: bool) -> _Statement:
    if unknown := set(statement) - _ELEMENTS:
        raise PolicyError(f"the policy element {', '.join(sorted(unknown))} is not supported by the emulator")
    if "NotPrincipal" in statement or ("Principal" in statement) is not with_principal:
        raise PolicyError("Principal is required in resource policies and not allowed in others; NotPrincipal is not supported")
    if statement.get("Effect") not in ("Allow", "Deny"):
        raise PolicyError(f"Effect must be Allow or Deny, not {statement.get('Effect')!r}")
    return _Statement(
        allows=statement["Effect"] == "Allow",
        names=_either(statement, "Action", _action_test),
        covers=_either(statement, "Resource", _resource_test),
        conditions=compile_conditions(statement.get("Condition") or {}),
        principals=_principals(statement.get("Principal", {})),
    )


def _either(statement: Mapping[str, Any], element: str, build: Callable[[str], Callable[[str], bool]]) -> Callable[[str], bool]:
    """The test for an element or its Not form. A statement must have exactly one of them."""
    negated = f"Not{element}" in statement
    if negated is (element in statement):
        raise PolicyError(f"a statement needs {element} or Not{element}, and not both")
    values = statement[f"Not{element}" if negated else element]
    tests = [build(value) for value in ([values] if isinstance(values, str) else values)]
    return lambda text: any(test(text) for test in tests) is not negated


def _action_test(pattern: str) -> Callable[[str], bool]:
    if not isinstance(pattern, str) or (pattern != "*" and pattern.count(":") != 1):
        raise PolicyError(f'an action is "service:Name" or "*", not {pattern!r}')
    compiled = glob(pattern, ignore_case=True)
    return lambda action: compiled.fullmatch(action) is not None


def _resource_test(pattern: str) -> Callable[[str], bool]:
    if pattern == "*":
        return lambda arn: True
    if not isinstance(pattern, str) or not pattern.startswith("arn:"):
        raise PolicyError(f'a resource is an ARN or "*", not {pattern!r}')
    refuse_variables(pattern)
    return arn_glob(pattern)


def _principals(principal: Any) -> Mapping[str, frozenset[str]]:
    if principal == "*":
        return {"AWS": frozenset("*")}
    if not isinstance(principal, Mapping) or set(principal) - {"AWS", "Service"}:
        raise PolicyError(f"the principal {principal!r} is not supported by the emulator")
    return {kind: frozenset([names] if isinstance(names, str) else names) for kind, names in principal.items()}
