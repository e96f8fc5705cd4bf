"""The client's side of a sign-in with the Secure Remote Password protocol, for scripts: the password isn't sent.

Source: amazon-cognito-identity-js, AuthenticationHelper.js and CognitoUser.js.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from typing import Any

from local.emulator.cognito.srp import INFO, G, N, multiplier, number_of, padded, private_key

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def sign_in(client: Any, pool_id: str, client_id: str, email: str, password: str) -> dict[str, Any]:
    """Sign in with boto3's client for cognito-idp. Returns Cognito's AuthenticationResult, or the next challenge."""
    secret = secrets.randbits(256)
    own_value = pow(G, secret, N)
    parameters = {"USERNAME": email, "SRP_A": f"{own_value:x}"}
    challenge = client.initiate_auth(ClientId=client_id, AuthFlow="USER_SRP_AUTH", AuthParameters=parameters)[
        "ChallengeParameters"
    ]
    pool_name, user_id = pool_id.partition("_")[2], challenge["USER_ID_FOR_SRP"]
    key = _key(own_value, secret, challenge, private_key(pool_name, user_id, password, int(challenge["SALT"], 16)))
    timestamp = _timestamp(time.time())
    message = f"{pool_name}{user_id}".encode() + base64.b64decode(challenge["SECRET_BLOCK"]) + timestamp.encode()
    answer = client.respond_to_auth_challenge(
        ClientId=client_id,
        ChallengeName="PASSWORD_VERIFIER",
        ChallengeResponses={
            "USERNAME": challenge["USERNAME"],
            "PASSWORD_CLAIM_SECRET_BLOCK": challenge["SECRET_BLOCK"],
            "PASSWORD_CLAIM_SIGNATURE": base64.b64encode(hmac.digest(key, message, hashlib.sha256)).decode(),
            "TIMESTAMP": timestamp,
        },
    )
    result: dict[str, Any] = answer.get("AuthenticationResult") or answer
    return result


def _key(own_value: int, secret: int, challenge: dict[str, str], x: int) -> bytes:
    server_value = int(challenge["SRP_B"], 16)
    u = number_of(padded(own_value) + padded(server_value))
    shared = pow(server_value - multiplier() * pow(G, x, N), secret + u * x, N)
    pseudo_random_key = hmac.digest(padded(u), padded(shared), hashlib.sha256)
    return hmac.digest(pseudo_random_key, INFO, hashlib.sha256)[:16]


def _timestamp(seconds: float) -> str:
    """The time in UTC in Cognito's format, in English in every locale; the day has no leading zero."""
    now = time.gmtime(seconds)
    clock = time.strftime("%H:%M:%S", now)
    return f"{DAYS[now.tm_wday]} {MONTHS[now.tm_mon - 1]} {now.tm_mday} {clock} UTC {now.tm_year}"
