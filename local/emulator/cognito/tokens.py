"""Issues a pool's tokens and checks them.

Sources: Amazon Cognito developer guide, "Understanding the access token", "Understanding the identity (ID) token", "Refresh
tokens" and "Ending user sessions with token revocation".
"""

from __future__ import annotations

import functools
import hashlib
import secrets
import threading
import uuid
from dataclasses import dataclass, field
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from local.emulator.cognito.errors import not_authorized
from local.emulator.cognito.settings import ClientSettings
from local.emulator.cognito.users import User

ALGORITHM = "RS256"
SCOPE = "aws.cognito.signin.user.admin"
"""The scope of access tokens that the API issues, as opposed to those of an OAuth domain."""

Json = dict[str, Any]


@dataclass
class Session:
    """What a sign-in started: its refresh token, and the claims that all tokens of the sign-in share."""

    client_id: str
    sub: str
    refresh_token: str
    origin_jti: str
    event_id: str
    auth_time: int
    expires_at: float
    revoked: bool = False


@dataclass
class Tokens:
    """The tokens of one pool. `issuer` is the `iss` of each."""

    issuer: str
    sessions: dict[str, Session] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @functools.cached_property
    def _key(self) -> RSAKey:
        key_id = hashlib.sha256(f"{self.issuer}/{secrets.token_hex()}".encode()).hexdigest()[:43]
        return RSAKey.generate_key(2048, {"kid": key_id, "use": "sig", "alg": ALGORITHM}, private=True)

    @property
    def key(self) -> RSAKey:
        """The pool's signing key. It is generated on first use, and different at each start."""
        with self._lock:
            return self._key

    def public_keys(self) -> Json:
        """The JSON Web Key Set of the pool."""
        return {"keys": [dict(self.key.as_dict(private=False))]}

    def sign_in(self, user: User, client_id: str, client: ClientSettings, now: float) -> Json:
        """Start a session. Returns Cognito's AuthenticationResult with all three tokens."""
        session = Session(
            client_id=client_id,
            sub=user.sub,
            refresh_token=secrets.token_urlsafe(192),
            origin_jti=str(uuid.uuid4()),
            event_id=str(uuid.uuid4()),
            auth_time=int(now),
            expires_at=now + client.refresh_seconds,
        )
        self.sessions[session.refresh_token] = session
        return {**self._result(user, session, client, now), "RefreshToken": session.refresh_token}

    def session(self, refresh_token: str, client_id: str, now: float) -> Session:
        """The session of a refresh token. Raises CognitoError if it is unknown, of another client, revoked or expired."""
        session = self.sessions.get(refresh_token)
        if session is None or session.client_id != client_id:
            raise not_authorized("Invalid Refresh Token")
        if session.revoked:
            raise not_authorized("Refresh Token has been revoked")
        if now >= session.expires_at:
            raise not_authorized("Refresh Token has expired")
        return session

    def refreshed(self, user: User, session: Session, client: ClientSettings, now: float) -> Json:
        """Cognito's AuthenticationResult with new access and ID tokens."""
        return self._result(user, session, client, now)

    def revoke_all(self, user: User) -> None:
        for session in self.sessions.values():
            if session.sub == user.sub:
                session.revoked = True

    def access_claims(self, token: str, now: float) -> Json:
        """The claims of an access token. Raises CognitoError if it is invalid, expired or revoked."""
        try:
            claims: Json = dict(jwt.decode(token, self.key, algorithms=[ALGORITHM]).claims)
        except (JoseError, ValueError):
            raise not_authorized("Invalid Access Token") from None
        if claims.get("token_use") != "access" or claims.get("iss") != self.issuer:
            raise not_authorized("Invalid Access Token")
        if now >= claims["exp"]:
            raise not_authorized("Access Token has expired")
        if any(session.origin_jti == claims["origin_jti"] and session.revoked for session in self.sessions.values()):
            raise not_authorized("Access Token has been revoked")
        return claims

    def _result(self, user: User, session: Session, client: ClientSettings, now: float) -> Json:
        shared: Json = {
            "sub": user.sub,
            "iss": self.issuer,
            "origin_jti": session.origin_jti,
            "event_id": session.event_id,
            "auth_time": session.auth_time,
            "iat": int(now),
        }
        if user.groups:
            shared["cognito:groups"] = sorted(user.groups)
        access = {
            **shared,
            "client_id": session.client_id,
            "token_use": "access",
            "scope": SCOPE,
            "exp": int(now) + client.access_seconds,
            "jti": str(uuid.uuid4()),
            "username": user.name,
        }
        identity = {
            **shared,
            **_readable(user, client),
            "cognito:username": user.name,
            "aud": session.client_id,
            "token_use": "id",
            "exp": int(now) + client.id_seconds,
            "jti": str(uuid.uuid4()),
        }
        return {
            "AccessToken": self._signed(access),
            "IdToken": self._signed(identity),
            "ExpiresIn": client.access_seconds,
            "TokenType": "Bearer",
        }

    def _signed(self, claims: Json) -> str:
        return jwt.encode({"kid": self.key.kid, "alg": ALGORITHM}, claims, self.key)


def _readable(user: User, client: ClientSettings) -> Json:
    """The attributes that the client may read. `email_verified` is a boolean in tokens."""
    readable = {name: value for name, value in user.attributes.items() if client.readable is None or name in client.readable}
    return {name: value == "true" if name == "email_verified" else value for name, value in readable.items()}
