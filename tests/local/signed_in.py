"""Signs people in to a running stack, and calls its HTTP API with their tokens."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from local.emulator.cognito.srp_client import sign_in

from .running_stack import RunningStack

THROTTLED = 429
PASSWORD = "Correct-Horse-9-Battery"


@dataclass
class Reply:
    """An answer of the API. `body` is parsed where it is JSON; the names of `headers` are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: Any


@dataclass
class Person:
    """A person with an account, and the tokens of a sign-in."""

    email: str
    sub: str
    access_token: str
    id_token: str


class SignedIn:
    """The user pool and the API of a running stack."""

    def __init__(self, stack: RunningStack) -> None:
        self.stack = stack
        stacks = stack.client("cloudformation").describe_stacks(StackName="imagewatch")["Stacks"]
        self.outputs = {entry["OutputKey"]: entry["OutputValue"] for entry in stacks[0]["Outputs"]}

    @cached_property
    def cognito(self) -> Any:
        return self.stack.client("cognito-idp")

    def person(self, email: str, *groups: str) -> Person:
        """Creates an account with a confirmed password, and signs in."""
        pool = self.outputs["UserPoolId"]
        user = self.cognito.admin_create_user(UserPoolId=pool, Username=email, MessageAction="SUPPRESS")["User"]["Username"]
        self.cognito.admin_set_user_password(UserPoolId=pool, Username=user, Password=PASSWORD, Permanent=True)
        for group in groups:
            self.cognito.admin_add_user_to_group(UserPoolId=pool, Username=user, GroupName=group)
        tokens = sign_in(self.cognito, pool, self.outputs["WebClientId"], email, PASSWORD)
        return Person(email, claims_of(tokens["AccessToken"])["sub"], tokens["AccessToken"], tokens["IdToken"])

    def call(
        self,
        method: str,
        path: str,
        token: str | None = None,
        query: Any = (),
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Sends a request to a path below the stage. `body` is sent as JSON."""
        sent = dict(headers or {})
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        data = None if body is None else json.dumps(body).encode()
        if data is not None:
            sent.setdefault("Content-Type", "application/json")
        asked = urlencode(query, doseq=True)
        address = f"{self.outputs['ApiUrl']}{path}{'?' if asked else ''}{asked}"
        while (reply := _sent(Request(address, data, sent, method=method))).status == THROTTLED:
            time.sleep(0.5)
        return reply


def claims_of(token: str) -> dict[str, Any]:
    """The claims of a token, unverified."""
    part = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return claims


def with_claims(token: str, **changes: Any) -> str:
    """The token with other claims, and the signature of the first ones."""
    head, _, signature = token.split(".")
    body = base64.urlsafe_b64encode(json.dumps({**claims_of(token), **changes}).encode()).decode().rstrip("=")
    return f"{head}.{body}.{signature}"


def _sent(request: Request) -> Reply:
    try:
        with urlopen(request, timeout=60) as answer:
            return _reply(answer.status, answer.headers, answer.read())
    except HTTPError as error:
        with error:
            return _reply(error.code, error.headers, error.read())


def _reply(status: int, headers: Any, body: bytes) -> Reply:
    found = {name.lower(): value for name, value in headers.items()}
    is_json = found.get("content-type", "").partition(";")[0].endswith("json")
    return Reply(status, found, json.loads(body) if is_json and body else body.decode())
