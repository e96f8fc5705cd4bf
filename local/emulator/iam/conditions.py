"""IAM's condition operators. Conditions are compiled when a policy is loaded; unsupported ones raise PolicyError."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any


class PolicyError(ValueError):
    """A policy document contains an unsupported element; the message names it."""


# Lower case. With a key that no request has, a Deny would never apply. So other keys are errors.
KNOWN_KEYS = frozenset(
    {
        "aws:principalaccount", "aws:principalarn", "aws:principalisawsservice", "aws:principaltype",
        "aws:requestedregion", "aws:resourceaccount", "aws:securetransport", "aws:sourceaccount", "aws:sourcearn",
        "aws:sourceowner", "aws:viaawsservice", "cloudwatch:namespace", "s3:delimiter", "s3:max-keys", "s3:prefix",
        "s3:tlsversion", "s3:versionid", "s3:x-amz-acl", "s3:x-amz-copy-source", "s3:x-amz-metadata-directive",
        "s3:x-amz-server-side-encryption", "s3:x-amz-server-side-encryption-aws-kms-key-id",
        "s3:x-amz-storage-class", "sns:endpoint", "sns:protocol",
    }
)  # fmt: skip


def glob(pattern: str, *, ignore_case: bool = False) -> re.Pattern[str]:
    """Compile a pattern with IAM's wildcards: * matches any characters, ? exactly one."""
    body = "".join({"*": ".*", "?": "."}.get(char) or re.escape(char) for char in pattern)
    return re.compile(body, re.DOTALL | (re.IGNORECASE if ignore_case else 0))


def arn_glob(pattern: str) -> Callable[[str], bool]:
    """A test for ARNs. Wildcards don't match across the first five colons. Missing components match everything."""
    parts = [glob(part) for part in (pattern.split(":", 5) + ["*"] * 5)[:6]]

    def matches(arn: str) -> bool:
        found = arn.split(":", 5)
        return len(found) == 6 and all(part.fullmatch(text) for part, text in zip(parts, found, strict=True))

    return matches


Test = Callable[[str], bool]


def _equals(value: str) -> Test:
    return lambda given: given == value


def _equals_ignoring_case(value: str) -> Test:
    return lambda given: given.lower() == value.lower()


def _like(value: str) -> Test:
    pattern = glob(value)
    return lambda given: bool(pattern.fullmatch(given))


def _bool(value: str) -> Test:
    if value.lower() not in ("true", "false"):
        raise PolicyError(f'a Bool condition needs "true" or "false", not "{value}"')
    return lambda given: given.lower() == value.lower()


def _numeric(compare: Callable[[float, float], bool]) -> Callable[[str], Test]:
    def build(value: str) -> Test:
        try:
            limit = float(value)
        except ValueError as error:
            raise PolicyError(f'a Numeric condition needs a number, not "{value}"') from error

        def test(given: str) -> bool:
            try:
                return compare(float(given), limit)
            except ValueError:
                return False

        return test

    return build


# Operator -> (function from a policy's value to a test, whether the operator negates the test).
_OPERATORS: dict[str, tuple[Callable[[str], Test], bool]] = {
    "StringEquals": (_equals, False),
    "StringNotEquals": (_equals, True),
    "StringEqualsIgnoreCase": (_equals_ignoring_case, False),
    "StringNotEqualsIgnoreCase": (_equals_ignoring_case, True),
    "StringLike": (_like, False),
    "StringNotLike": (_like, True),
    "ArnEquals": (arn_glob, False),
    "ArnLike": (arn_glob, False),
    "ArnNotEquals": (arn_glob, True),
    "ArnNotLike": (arn_glob, True),
    "Bool": (_bool, False),
    "NumericEquals": (_numeric(lambda given, limit: given == limit), False),
    "NumericNotEquals": (_numeric(lambda given, limit: given == limit), True),
    "NumericLessThan": (_numeric(lambda given, limit: given < limit), False),
    "NumericLessThanEquals": (_numeric(lambda given, limit: given <= limit), False),
    "NumericGreaterThan": (_numeric(lambda given, limit: given > limit), False),
    "NumericGreaterThanEquals": (_numeric(lambda given, limit: given >= limit), False),
}


@dataclass(frozen=True, slots=True)
class Condition:
    """One operator with one key. A statement applies if all its conditions hold."""

    key: str
    tests: tuple[Test, ...]
    negated: bool
    when_absent: bool
    every_value: bool

    def holds(self, context: Mapping[str, Any]) -> bool:
        """`context` has lower-case keys; values are strings, numbers, booleans or lists of them."""
        values = _strings(context.get(self.key))
        if not values:
            return self.when_absent
        fits = (any(test(value) for test in self.tests) is not self.negated for value in values)
        return all(fits) if self.every_value else any(fits)


@dataclass(frozen=True, slots=True)
class NullCondition:
    """The operator Null: "true" requires that the key is absent, "false" that it is present."""

    key: str
    absent: bool

    def holds(self, context: Mapping[str, Any]) -> bool:
        return (not _strings(context.get(self.key))) is self.absent


def compile_conditions(block: Mapping[str, Any]) -> tuple[Condition | NullCondition, ...]:
    """Compile a statement's Condition element. Raises PolicyError for an unsupported operator, key or value."""
    if not isinstance(block, Mapping):
        raise PolicyError(f"Condition must be an object, not {block!r}")
    return tuple(_compile(operator, key, _strings(values)) for operator, keys in block.items() for key, values in keys.items())


def _compile(operator: str, key: str, values: list[str]) -> Condition | NullCondition:
    if key.lower() not in KNOWN_KEYS:
        raise PolicyError(f'the condition key "{key}" is not supported by the emulator')
    for value in values:
        refuse_variables(value)
    if operator == "Null":
        return NullCondition(key.lower(), values == ["true"])
    quantifier, _, rest = operator.rpartition(":")
    base = rest.removesuffix("IfExists")
    if base not in _OPERATORS or quantifier not in ("", "ForAllValues", "ForAnyValue"):
        raise PolicyError(f'the condition operator "{operator}" is not supported by the emulator')
    build, negated = _OPERATORS[base]
    # On AWS, if the key is absent: a positive test fails, a negated one holds, ForAllValues holds, ForAnyValue fails.
    when_absent = rest.endswith("IfExists") or quantifier == "ForAllValues" or (negated and quantifier != "ForAnyValue")
    every_value = quantifier == "ForAllValues" or (negated and not quantifier)
    return Condition(key.lower(), tuple(build(value) for value in values), negated, when_absent, every_value)


def refuse_variables(text: str) -> None:
    if "${" in text:
        raise PolicyError(f'the policy variable in "{text}" is not supported by the emulator')


def _strings(value: Any) -> list[str]:
    if value is None:
        return []
    values: Iterable[Any] = value if isinstance(value, (list, tuple, set, frozenset)) else [value]
    return [str(item).lower() if isinstance(item, bool) else str(item) for item in values]
