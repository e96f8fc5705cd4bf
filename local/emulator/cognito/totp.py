"""Time-based one-time passwords of authenticator apps: RFC 6238 with SHA-1, 30 seconds and 6 digits, as Cognito uses them."""

from __future__ import annotations

import base64
import hmac
import secrets
import struct

STEP_SECONDS = 30
TOLERATED_STEPS = 1
"""A code of the step before or after is accepted, because clocks differ (RFC 6238, section 5.2)."""


def new_secret() -> str:
    """A secret key in base 32, with 256 bits as Cognito's."""
    return base64.b32encode(secrets.token_bytes(32)).decode().rstrip("=")


def code_at(secret: str, step: int) -> str:
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    digest = hmac.digest(key, struct.pack(">Q", step), "sha1")
    start = digest[-1] & 15
    number = int.from_bytes(digest[start : start + 4], "big") & 0x7FFFFFFF
    return f"{number % 1_000_000:06}"


def matching_step(secret: str, code: str, now: float) -> int | None:
    """The time step for which the code is right, or None."""
    current = int(now // STEP_SECONDS)
    for step in range(current - TOLERATED_STEPS, current + TOLERATED_STEPS + 1):
        if hmac.compare_digest(code_at(secret, step), code):
            return step
    return None
