"""The started sign-ins that wait for the answer to a challenge."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from local.emulator.cognito.errors import not_authorized
from local.emulator.cognito.srp import Exchange

SRP = "PASSWORD_VERIFIER"
NEW_PASSWORD = "NEW_PASSWORD_REQUIRED"  # noqa: S105 - the name of a challenge
TOTP = "SOFTWARE_TOKEN_MFA"


@dataclass(frozen=True)
class Challenge:
    """A challenge for a user (by id; empty for a user that doesn't exist). `exchange` belongs to PASSWORD_VERIFIER."""

    name: str
    client_id: str
    sub: str
    expires_at: float
    exchange: Exchange | None = None
    sign_in_name: str = ""


@dataclass
class Challenges:
    """Open challenges by their session, or by their secret block."""

    _open: dict[str, Challenge] = field(default_factory=dict)
    _used: set[str] = field(default_factory=set)

    def add(self, challenge: Challenge, session: str = "") -> str:
        """Keep a challenge. Returns its session."""
        session = session or secrets.token_urlsafe(384)
        self._open[session] = challenge
        return session

    def find(self, session: str, name: str, client_id: str, now: float) -> Challenge:
        """The open challenge of a session. Raises CognitoError if there is none, also if it was answered or is expired."""
        if session in self._used:
            raise not_authorized("Invalid session for the user, session can only be used once.")
        challenge = self._open.get(session)
        if challenge is None or challenge.name != name or challenge.client_id != client_id:
            raise not_authorized("Invalid session for the user.")
        if now >= challenge.expires_at:
            raise not_authorized("Invalid session for the user, session is expired.")
        return challenge

    def close(self, session: str) -> None:
        self._open.pop(session, None)
        self._used.add(session)
