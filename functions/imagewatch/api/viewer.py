"""Who calls the API, from the claims of an access token that the gateway has verified."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from imagewatch.api.problems import RequestRefused

OPERATORS = "operators"
"""The group of the user pool whose members see every image, the watchlist, alerts, channels and statistics."""

_UNAUTHORIZED = "This token is not an access token of a person. Sign in, and send the access token as Authorization: Bearer."
_SUB = re.compile(r"[0-9A-Za-z-]{1,64}")


@dataclass(frozen=True)
class Viewer:
    """A person who has signed in."""

    sub: str
    """The person's id in the user pool. It never changes."""
    groups: frozenset[str] = frozenset()

    @property
    def is_operator(self) -> bool:
        return OPERATORS in self.groups


def viewer_of(event: Mapping[str, Any]) -> Viewer:
    """The viewer of an event of an HTTP API (payload 2.0). Raises RequestRefused (401) without the claims of an access token.

    API Gateway checks signature, issuer, client, expiry and scopes, and not `token_use`. It writes a list as "[a b]".
    Sources: API Gateway developer guide, "Control access to HTTP APIs with JWT authorizers"; Cognito developer guide, "Verifying
    JSON web tokens".
    """
    claims = event.get("requestContext", {}).get("authorizer", {}).get("jwt", {}).get("claims", {})
    sub = str(claims.get("sub", ""))
    if claims.get("token_use") != "access" or not _SUB.fullmatch(sub):
        raise RequestRefused(HTTPStatus.UNAUTHORIZED, _UNAUTHORIZED, headers={"WWW-Authenticate": "Bearer"})
    return Viewer(sub, groups_in(claims.get("cognito:groups", "")))


def groups_in(value: Any) -> frozenset[str]:
    """The groups in a list, or in a list as API Gateway writes it."""
    if isinstance(value, list | tuple):
        return frozenset(map(str, value))
    return frozenset(str(value).removeprefix("[").removesuffix("]").replace(",", " ").split())
