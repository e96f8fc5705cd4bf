"""RespondToAuthChallenge: checks the answers to the challenges of a sign-in.

Source: Amazon Cognito user pools API reference, RespondToAuthChallenge.
"""

from __future__ import annotations

from typing import Any

from local.emulator.cognito import challenges
from local.emulator.cognito.errors import code_mismatch, expired_code, invalid_parameter, not_authorized
from local.emulator.cognito.passwords import check_password
from local.emulator.cognito.sign_in import after_new_password, after_password, parameter, signed_in
from local.emulator.cognito.totp import matching_step
from local.emulator.cognito.user_pool import UserPool
from local.emulator.cognito.users import CONFIRMED, User

Json = dict[str, Any]


def respond_to_auth_challenge(pool: UserPool, client_id: str, request: Json) -> Json:
    """Check the answer to a challenge. Returns the next challenge, or tokens."""
    responses = request.get("ChallengeResponses") or {}
    match request["ChallengeName"]:
        case challenges.SRP:
            return _prove_password(pool, client_id, responses)
        case challenges.NEW_PASSWORD:
            return _set_new_password(pool, client_id, request, responses)
        case challenges.TOTP:
            return _check_totp(pool, client_id, request, responses)
        case name:
            raise invalid_parameter(f"The emulator doesn't support the challenge {name}.")


def _prove_password(pool: UserPool, client_id: str, responses: Json) -> Json:
    block = parameter(responses, "PASSWORD_CLAIM_SECRET_BLOCK")
    signature, timestamp = parameter(responses, "PASSWORD_CLAIM_SIGNATURE"), parameter(responses, "TIMESTAMP")
    name = parameter(responses, "USERNAME")
    challenge = pool.challenges.find(block, challenges.SRP, client_id, pool.now())
    pool.challenges.close(block)
    exchange = challenge.exchange
    user = pool.users.find(challenge.sub) if challenge.sub else None
    key = user.sub if user else pool.users.key(challenge.sign_in_name)
    pool.lockouts.check(key, pool.now())
    same_user = exchange is not None and (name == exchange.user_id or pool.users.find(name) is user)
    if exchange is None or not same_user or not exchange.proves(signature, timestamp) or user is None:
        pool.lockouts.failed(key, pool.now())
        raise not_authorized()
    return after_password(pool, client_id, user)


def _set_new_password(pool: UserPool, client_id: str, request: Json, responses: Json) -> Json:
    session, user = _waiting(pool, client_id, request, responses)
    password = parameter(responses, "NEW_PASSWORD")
    check_password(password, pool.settings.password_policy)
    pool.challenges.close(session)
    user.verifier, user.status, user.temporary_until = pool.verifier(user.name, password), CONFIRMED, None
    user.modified_at = pool.now()
    return after_new_password(pool, client_id, user)


def _check_totp(pool: UserPool, client_id: str, request: Json, responses: Json) -> Json:
    session, user = _waiting(pool, client_id, request, responses)
    pool.lockouts.check(user.sub, pool.now())
    code = parameter(responses, "SOFTWARE_TOKEN_MFA_CODE")
    step = matching_step(user.totp_secret, code, pool.now())
    if step is None:
        pool.lockouts.failed(user.sub, pool.now())
        raise code_mismatch("Invalid code received for user")
    if step <= user.totp_step:
        raise expired_code("Your software token has already been used once.")
    user.totp_step = step
    pool.challenges.close(session)
    return signed_in(pool, client_id, user)


def _waiting(pool: UserPool, client_id: str, request: Json, responses: Json) -> tuple[str, User]:
    """Session and user of the challenge that a request answers."""
    name = parameter(responses, "USERNAME")
    session = request.get("Session") or ""
    challenge = pool.challenges.find(session, request["ChallengeName"], client_id, pool.now())
    user = pool.users.find(challenge.sub)
    if user is None or pool.users.find(name) is not user:
        raise not_authorized("Invalid session for the user.")
    return session, user
