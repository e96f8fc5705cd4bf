"""A user pool with a clock that a test sets, a mailbox, and a trigger, for the tests of the emulator's user pools."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from joserfc.jwk import RSAKey

from local.emulator.cognito.api import UserPools
from local.emulator.cognito.errors import CognitoError
from local.emulator.cognito.settings import ClientSettings, PoolSettings
from local.emulator.cognito.srp_client import sign_in
from local.emulator.cognito.tokens import Tokens
from local.emulator.cognito.user_pool import UserPool

POOL = "us-east-1_abcDEF123"
CLIENT = "client1234567890"
OTHER_CLIENT = "otherclient12345"
EMAIL = "ann@example.com"
PASSWORD = "Correct-Horse-7"
NEW_PASSWORD = "Other-Horse-99"
Json = dict[str, Any]

POOL_PROPERTIES: Json = {
    "UsernameAttributes": ["email"],
    "AutoVerifiedAttributes": ["email"],
    "UserAttributeUpdateSettings": {"AttributesRequireVerificationBeforeUpdate": ["email"]},
    "AccountRecoverySetting": {"RecoveryMechanisms": [{"Name": "verified_email", "Priority": 1}]},
    "Policies": {"PasswordPolicy": {"MinimumLength": 12, "TemporaryPasswordValidityDays": 7}},
    "MfaConfiguration": "OPTIONAL",
    "EnabledMfas": ["SOFTWARE_TOKEN_MFA"],
}
CLIENT_PROPERTIES: Json = {
    "ExplicitAuthFlows": ["ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
    "PreventUserExistenceErrors": "ENABLED",
    "TokenValidityUnits": {"AccessToken": "minutes", "IdToken": "minutes", "RefreshToken": "days"},
    "AccessTokenValidity": 15,
    "IdTokenValidity": 20,
    "RefreshTokenValidity": 30,
    "ReadAttributes": ["email", "email_verified"],
    "WriteAttributes": ["email"],
}


@functools.cache
def _shared_key() -> RSAKey:
    return Tokens("shared").key


class World:
    """`now` is the time in seconds; `mails` are (sender, to, subject, text); `trigger` answers PreSignUp."""

    def __init__(self, pool: Json | None = None, client: Json | None = None, *, own_key: bool = False) -> None:
        settings = PoolSettings.of("pool", {**POOL_PROPERTIES, **(pool or {})})
        arn = f"arn:aws:cognito-idp:us-east-1:123456789012:userpool/{POOL}"
        self.pool = UserPool(POOL, arn, f"http://localhost/{POOL}", settings)
        if not own_key:
            self.pool.tokens.__dict__["_key"] = _shared_key()  # generating a key takes longer than a test
        self.pool.clients[CLIENT] = ClientSettings.of("client", {**CLIENT_PROPERTIES, **(client or {})})
        self.pool.clients[OTHER_CLIENT] = ClientSettings.of("other", CLIENT_PROPERTIES)
        self.pool.groups["operators"] = "Operators"
        self.now = 1_800_000_000.0
        self.mails: list[tuple[str, str, str, str]] = []
        self.events: list[Json] = []
        self.trigger: Callable[[Json], Json] = lambda event: event
        self.pool.now = lambda: self.now
        self.pool.send = lambda *mail: self.mails.append(mail)
        self.pool.invoke = self._invoke
        self._pools = UserPools([self.pool])

    def _invoke(self, function_arn: str, event: Json) -> Json:
        self.events.append(event)
        return self.trigger(event)

    def call(self, operation: str, **request: Any) -> Json:
        """Call an operation with AWS credentials. Raises CognitoError."""
        return self._pools.call(operation, json.dumps(request).encode(), signed=True)

    def public(self, operation: str, **request: Any) -> Json:
        """Call an operation without AWS credentials."""
        return self._pools.call(operation, json.dumps(request).encode(), signed=False)

    def refusal(self, operation: str, **request: Any) -> tuple[str, str]:
        """Code and message of the error of a call that must fail."""
        return refusal(lambda: self.call(operation, **request))

    @property
    def code(self) -> str:
        """The code in the newest e-mail."""
        found = re.search(r"\b\d{6}\b", self.mails[-1][3])
        assert found, self.mails[-1]
        return found[0]

    @property
    def wrong_code(self) -> str:
        return f"{(int(self.code) + 1) % 1_000_000:06}"

    def sign_up(self, email: str = EMAIL, password: str = PASSWORD) -> Json:
        return self.call("SignUp", ClientId=CLIENT, Username=email, Password=password)

    def confirmed(self, email: str = EMAIL) -> World:
        """Sign up and confirm a user."""
        self.sign_up(email)
        self.call("ConfirmSignUp", ClientId=CLIENT, Username=email, ConfirmationCode=self.code)
        return self

    @property
    def boto3(self) -> Any:
        """The two operations of a sign-in as methods of a boto3 client."""
        return SimpleNamespace(
            initiate_auth=lambda **request: self.call("InitiateAuth", **request),
            respond_to_auth_challenge=lambda **request: self.call("RespondToAuthChallenge", **request),
        )

    def sign_in(self, email: str = EMAIL, password: str = PASSWORD) -> Json:
        """Tokens, or the next challenge."""
        return sign_in(self.boto3, POOL, CLIENT, email, password)

    def tokens(self) -> Json:
        """The tokens of a new, confirmed user."""
        return self.confirmed().sign_in()

    def refresh(self, token: str, client_id: str = CLIENT) -> Json:
        parameters = {"REFRESH_TOKEN": token}
        answer = self.call("InitiateAuth", ClientId=client_id, AuthFlow="REFRESH_TOKEN_AUTH", AuthParameters=parameters)
        result: Json = answer["AuthenticationResult"]
        return result


def refusal(call: Callable[[], Any]) -> tuple[str, str]:
    try:
        call()
    except CognitoError as error:
        return error.code, error.message
    raise AssertionError("the call was accepted")
