"""InitiateAuth: starts sign-ins and refreshes tokens.

Source: Amazon Cognito user pools API reference, InitiateAuth.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from local.emulator.cognito import challenges
from local.emulator.cognito.challenges import Challenge
from local.emulator.cognito.errors import CognitoError, invalid_parameter, not_authorized
from local.emulator.cognito.srp import Exchange
from local.emulator.cognito.user_pool import UserPool
from local.emulator.cognito.users import FORCE_CHANGE_PASSWORD, UNCONFIRMED, User

Json = dict[str, Any]
FLOWS = {
    "USER_SRP_AUTH": "ALLOW_USER_SRP_AUTH",
    "USER_PASSWORD_AUTH": "ALLOW_USER_PASSWORD_AUTH",
    "REFRESH_TOKEN_AUTH": "ALLOW_REFRESH_TOKEN_AUTH",
    "REFRESH_TOKEN": "ALLOW_REFRESH_TOKEN_AUTH",
}


def initiate_auth(pool: UserPool, client_id: str, request: Json) -> Json:
    """Start a sign-in, or exchange a refresh token for new tokens."""
    flow = request["AuthFlow"]
    if flow.startswith("ADMIN_"):
        raise invalid_parameter("Initiate Auth method not supported.")
    if FLOWS.get(flow) not in pool.client(client_id).flows:
        raise invalid_parameter(f"{flow} flow not enabled for this client")
    parameters = request.get("AuthParameters") or {}
    if flow == "USER_SRP_AUTH":
        return _start_srp(pool, client_id, parameters)
    if flow == "USER_PASSWORD_AUTH":
        return _with_password(pool, client_id, parameters)
    return refresh(pool, client_id, parameter(parameters, "REFRESH_TOKEN"))


def refresh(pool: UserPool, client_id: str, token: str) -> Json:
    session = pool.tokens.session(token, client_id, pool.now())
    user = pool.users.find(session.sub)
    if user is None:
        raise not_authorized("Invalid Refresh Token")
    if not user.enabled:
        raise not_authorized("User is disabled.")
    return _result(pool.tokens.refreshed(user, session, pool.client(client_id), pool.now()))


def _start_srp(pool: UserPool, client_id: str, parameters: Json) -> Json:
    name, client = parameter(parameters, "USERNAME"), pool.client(client_id)
    try:
        client_value = int(parameter(parameters, "SRP_A"), 16)
    except ValueError:
        raise invalid_parameter("SRP_A is not a hexadecimal number.") from None
    user = pool.users.find(name)
    if user is None and not client.hides_unknown_users:
        raise CognitoError("UserNotFoundException", "User does not exist.")
    user_id, verifier = (user.name, user.verifier) if user else pool.simulated(name)
    try:
        exchange = Exchange.start(pool.short_name, user_id, verifier, client_value)
    except ValueError as error:
        raise invalid_parameter(str(error)) from error
    block = base64.b64encode(exchange.secret_block).decode()
    sub = user.sub if user else ""
    expires_at = pool.now() + client.session_seconds
    pool.challenges.add(Challenge(challenges.SRP, client_id, sub, expires_at, exchange, name), block)
    return {
        "ChallengeName": challenges.SRP,
        "ChallengeParameters": {
            "USERNAME": user_id,
            "USER_ID_FOR_SRP": user_id,
            "SALT": f"{verifier.salt:x}",
            "SRP_B": f"{exchange.server_value:x}",
            "SECRET_BLOCK": block,
        },
    }


def _with_password(pool: UserPool, client_id: str, parameters: Json) -> Json:
    name, password = parameter(parameters, "USERNAME"), parameter(parameters, "PASSWORD")
    user = pool.users.find(name)
    if user is None and not pool.client(client_id).hides_unknown_users:
        raise CognitoError("UserNotFoundException", "User does not exist.")
    key = user.sub if user else pool.users.key(name)
    pool.lockouts.check(key, pool.now())
    user_id, verifier = (user.name, user.verifier) if user else pool.simulated(name)
    if not verifier.fits(pool.short_name, user_id, password) or user is None:
        pool.lockouts.failed(key, pool.now())
        raise not_authorized()
    return after_password(pool, client_id, user)


def after_password(pool: UserPool, client_id: str, user: User) -> Json:
    """What follows a right password: an error for the user's status, a further challenge, or tokens."""
    if not user.enabled:
        raise not_authorized("User is disabled.")
    if user.status == UNCONFIRMED:
        raise CognitoError("UserNotConfirmedException", "User is not confirmed.")
    if user.status == FORCE_CHANGE_PASSWORD:
        if user.temporary_until is not None and pool.now() >= user.temporary_until:
            raise not_authorized("Temporary password has expired and must be reset by an administrator")
        attributes = {key: value for key, value in user.attributes.items() if key != "sub"}
        details = {"requiredAttributes": "[]", "userAttributes": json.dumps(attributes)}
        return _challenge(pool, client_id, user, challenges.NEW_PASSWORD, details)
    return after_new_password(pool, client_id, user)


def after_new_password(pool: UserPool, client_id: str, user: User) -> Json:
    if pool.settings.mfa != "OFF" and user.prefers_totp:
        return _challenge(pool, client_id, user, challenges.TOTP, {})
    return signed_in(pool, client_id, user)


def _challenge(pool: UserPool, client_id: str, user: User, name: str, details: Json) -> Json:
    expires_at = pool.now() + pool.client(client_id).session_seconds
    session = pool.challenges.add(Challenge(name, client_id, user.sub, expires_at))
    return {
        "ChallengeName": name,
        "Session": session,
        "ChallengeParameters": {"USER_ID_FOR_SRP": user.name, **details},
    }


def signed_in(pool: UserPool, client_id: str, user: User) -> Json:
    pool.lockouts.succeeded(user.sub)
    return _result(pool.tokens.sign_in(user, client_id, pool.client(client_id), pool.now()))


def _result(tokens: Json) -> Json:
    return {"ChallengeParameters": {}, "AuthenticationResult": tokens}


def parameter(parameters: Json, name: str) -> str:
    value = parameters.get(name)
    if not value:
        raise invalid_parameter(f"Missing required parameter {name}")
    return str(value)
