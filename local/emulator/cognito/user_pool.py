"""A user pool: its settings, app clients, groups and users, and what its operations share."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from local.emulator.cognito.attempts import HourlyLimit, Lockouts
from local.emulator.cognito.challenges import Challenges
from local.emulator.cognito.errors import CognitoError, not_authorized, user_not_found
from local.emulator.cognito.settings import ClientSettings, Message, PoolSettings
from local.emulator.cognito.srp import Verifier
from local.emulator.cognito.tokens import Tokens
from local.emulator.cognito.users import Directory, User

Mailer = Callable[[str, str, str, str], None]
"""Sends an e-mail: sender, recipient, subject, text."""
Trigger = Callable[[str, dict[str, Any]], dict[str, Any]]
"""Invokes a trigger's function: its ARN and the event. Returns the function's answer."""


def _no_mail(sender: str, to: str, subject: str, text: str) -> None:
    raise RuntimeError("the user pool has no mailbox")


def _no_trigger(function_arn: str, event: dict[str, Any]) -> dict[str, Any]:
    raise RuntimeError("the user pool has no functions")


@dataclass
class UserPool:
    """A user pool. `issuer` is the issuer of its tokens; `groups` maps the name of a group to its description.

    `send` delivers e-mails, `invoke` runs triggers, and `now` returns the time in seconds since the epoch.
    """

    pool_id: str
    arn: str
    issuer: str
    settings: PoolSettings
    is_deleted: bool = False
    clients: dict[str, ClientSettings] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)
    send: Mailer = _no_mail
    invoke: Trigger = _no_trigger
    now: Callable[[], float] = time.time

    def __post_init__(self) -> None:
        self.lock = threading.RLock()
        self.users = Directory(email_is_username=self.settings.email_is_username, case_sensitive=self.settings.case_sensitive)
        self.tokens = Tokens(self.issuer)
        self.challenges = Challenges()
        self.lockouts = Lockouts()
        self.code_requests = HourlyLimit()
        self.code_entries = HourlyLimit()
        self._secret = secrets.token_bytes(32)

    @property
    def region(self) -> str:
        return self.pool_id.partition("_")[0]

    @property
    def short_name(self) -> str:
        """The part of the id after the underscore, which SRP uses as the pool's name."""
        return self.pool_id.partition("_")[2]

    def client(self, client_id: str) -> ClientSettings:
        return self.clients[client_id]

    def user(self, name: str, missing: str = "User does not exist.") -> User:
        """The user with this name, id or address. Raises CognitoError with the text `missing` if there is none."""
        user = self.users.find(name)
        if user is None:
            raise user_not_found(missing)
        return user

    def signed_in(self, access_token: str) -> User:
        """The user of an access token. Raises CognitoError if the token isn't valid now."""
        claims = self.tokens.access_claims(access_token, self.now())
        user = self.users.find(claims["sub"])
        if user is None:
            raise user_not_found()
        if not user.enabled:
            raise not_authorized("User is disabled.")
        return user

    def group(self, name: str) -> str:
        if name not in self.groups:
            raise CognitoError("ResourceNotFoundException", "Group not found.")
        return name

    def verifier(self, user_name: str, password: str) -> Verifier:
        return Verifier.of(self.short_name, user_name, password)

    def simulated(self, name: str) -> tuple[str, Verifier]:
        """User id and verifier for a name that doesn't exist: always the same for the same name.

        Source: Amazon Cognito developer guide, "Managing user existence error responses".
        """
        digest = hmac.digest(self._secret, self.users.key(name).encode(), hashlib.sha512)
        return str(uuid.UUID(bytes=digest[:16], version=4)), Verifier(
            int.from_bytes(digest[16:32], "big"), int.from_bytes(digest[32:], "big")
        )

    def mail(self, to: str, message: Message, code: str, username: str = "") -> None:
        text = message.text.replace("{####}", code).replace("{username}", username)
        self.send(self.settings.sender, to, message.subject, text)


def delivery(address: str) -> dict[str, str]:
    """Cognito's CodeDeliveryDetails, with the address masked: a***@e***."""
    local, _, domain = address.partition("@")
    return {"Destination": f"{local[:1]}***@{domain[:1]}***", "DeliveryMedium": "EMAIL", "AttributeName": "email"}
