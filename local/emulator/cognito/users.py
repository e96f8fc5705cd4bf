"""The users of a pool."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from local.emulator.cognito.codes import Code
from local.emulator.cognito.srp import Verifier

UNCONFIRMED = "UNCONFIRMED"
CONFIRMED = "CONFIRMED"
FORCE_CHANGE_PASSWORD = "FORCE_CHANGE_PASSWORD"  # noqa: S105 - the name of a status


@dataclass
class User:
    """A user. `name` is the user name, which is the id where addresses are user names. Times are seconds since the epoch."""

    sub: str
    name: str
    attributes: dict[str, str]
    verifier: Verifier
    status: str
    created_at: float
    modified_at: float
    enabled: bool = True
    temporary_until: float | None = None
    confirmation: Code | None = None
    recovery: Code | None = None
    verification: Code | None = None
    unverified_email: str = ""
    totp_secret: str = ""
    pending_totp_secret: str = ""
    prefers_totp: bool = False
    totp_step: int = -1
    """The last time step whose code was used."""
    groups: set[str] = field(default_factory=set)

    @property
    def email(self) -> str:
        return self.attributes.get("email", "")

    @property
    def email_is_verified(self) -> bool:
        return self.attributes.get("email_verified") == "true"

    def described(self, key: str = "Attributes") -> dict[str, Any]:
        """The user in the form of the administrators' operations."""
        return {
            "Username": self.name,
            key: attribute_list({"sub": self.sub, **self.attributes}),
            "UserCreateDate": self.created_at,
            "UserLastModifiedDate": self.modified_at,
            "Enabled": self.enabled,
            "UserStatus": self.status,
        }


def attribute_list(attributes: dict[str, str]) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in attributes.items()]


def attribute_dict(attributes: list[dict[str, str]] | None) -> dict[str, str]:
    return {entry["Name"]: entry.get("Value", "") for entry in attributes or ()}


class Directory:
    """The users by name. With `case_sensitive` off, the case of names and addresses doesn't count."""

    def __init__(self, *, email_is_username: bool, case_sensitive: bool) -> None:
        self._email_is_username = email_is_username
        self._case_sensitive = case_sensitive
        self._users: dict[str, User] = {}

    def __iter__(self) -> Iterator[User]:
        return iter(self._users.values())

    def key(self, name: str) -> str:
        return name if self._case_sensitive else name.lower()

    def find(self, name: str) -> User | None:
        """The user with this user name, id or address."""
        key = self.key(name)
        for user in self._users.values():
            if key in (self.key(user.name), self.key(user.sub)):
                return user
            if self._email_is_username and key == self.key(user.email):
                return user
        return None

    def new(self, name: str, attributes: dict[str, str], status: str, verifier_of: Any) -> User:
        """Create a user without adding it. `verifier_of(name)` returns the verifier of its password."""
        now = time.time()
        sub = str(uuid.uuid4())
        own_name = sub if self._email_is_username else name
        return User(sub, own_name, attributes, verifier_of(own_name), status, now, now)

    def add(self, user: User) -> None:
        self._users[user.sub] = user

    def remove(self, user: User) -> None:
        self._users.pop(user.sub, None)
