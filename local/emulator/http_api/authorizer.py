"""Checks tokens as a JWT authorizer does.

The order and the checks are those of the Amazon API Gateway developer guide, "Control access to HTTP APIs with JWT authorizers".
The header www-authenticate follows "Troubleshooting issues with HTTP API JWT authorizers". Its descriptions of errors are
similar to AWS's, not always the same. Tokens that the issuer has revoked are accepted until they expire, as on AWS.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from local.emulator.http_api.definition import Authorizer, Route

ALGORITHMS = ["RS256", "RS384", "RS512"]
KeyOf = Callable[[str], RSAKey | None]
"""The signing key of an issuer."""


class Refused(Exception):
    """A token isn't accepted: the status (401 or 403), and the header www-authenticate."""

    def __init__(self, status: int, challenge: str, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.challenge = challenge


@dataclass(frozen=True)
class Authorized:
    """The claims of an accepted token, and the route's scopes."""

    claims: Mapping[str, Any]
    scopes: tuple[str, ...]

    def context(self) -> dict[str, Any]:
        """The token in the event of the function: all claims are texts."""
        return {
            "claims": {name: text_of(value) for name, value in self.claims.items()},
            "scopes": list(self.scopes) if self.scopes else None,
        }


def text_of(value: Any) -> str:
    """A value of the claims as API Gateway passes it on: a list becomes "[a b]"."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{' '.join(text_of(item) for item in value)}]"
    return str(value)


def authorize(route: Route, headers: Mapping[str, str], key_of: KeyOf, now: float) -> Authorized | None:
    """Check the request's token. Returns None for a route without an authorizer. Raises Refused."""
    if route.authorizer is None:
        return None
    token = _token(headers.get(route.authorizer.source, ""))
    if not token:
        raise Refused(401, "Bearer", "no token")
    try:
        claims = _verified(token, route.authorizer, key_of)
        _check_claims(claims, route.authorizer, now)
    except ValueError as error:
        scopes = " ".join(route.scopes)
        challenge = f'Bearer scope="{scopes}" error="invalid_token" error_description="{error}"'
        raise Refused(401, challenge, str(error)) from error
    if route.scopes and not set(route.scopes) & set(_scopes(claims)):
        expected = f"expected scopes: [{' '.join(route.scopes)}]"
        challenge = f'Bearer scope="{" ".join(route.scopes)}" error="insufficient_scope" error_description="{expected}"'
        raise Refused(403, challenge, expected)
    return Authorized(claims, route.scopes)


def _token(header: str) -> str:
    """The token, with or without the prefix Bearer."""
    scheme, _, rest = header.strip().partition(" ")
    return rest.strip() if scheme.lower() == "bearer" else header.strip()


def _verified(token: str, authorizer: Authorizer, key_of: KeyOf) -> dict[str, Any]:
    """The claims of a token with a valid signature. Raises ValueError."""
    key = key_of(authorizer.issuer)
    if key is None:
        raise ValueError("OIDC discovery failed")
    try:
        decoded = jwt.decode(token, key, algorithms=ALGORITHMS)
    except (JoseError, ValueError):
        raise ValueError("signature or format of the token is invalid") from None
    if decoded.header.get("kid") != key.kid:
        raise ValueError("unable to find the token's signing key")
    return dict(decoded.claims)


def _check_claims(claims: Mapping[str, Any], authorizer: Authorizer, now: float) -> None:
    if claims.get("iss") != authorizer.issuer:
        raise ValueError("the token does not have a valid issuer")
    audience = claims.get("aud", claims.get("client_id"))
    named = audience if isinstance(audience, list) else [audience]
    if not set(map(str, named)) & set(authorizer.audience):
        raise ValueError("the token does not have a valid audience")
    if not isinstance(claims.get("exp"), int | float) or now >= claims["exp"]:
        raise ValueError("the token has expired")
    for name in ("nbf", "iat"):
        if name in claims and (not isinstance(claims[name], int | float) or now < int(claims[name])):
            raise ValueError("the token is not valid yet")


def _scopes(claims: Mapping[str, Any]) -> list[str]:
    scopes = claims.get("scope", claims.get("scp", ""))
    return [str(scope) for scope in scopes] if isinstance(scopes, list) else str(scopes).split()
