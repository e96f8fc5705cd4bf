"""AssociateSoftwareToken, VerifySoftwareToken and SetUserMFAPreference: time-based codes of an authenticator app.

Source: Amazon Cognito developer guide, "TOTP software token MFA".
"""

from __future__ import annotations

from typing import Any

from local.emulator.cognito.errors import CognitoError, invalid_parameter
from local.emulator.cognito.totp import matching_step, new_secret
from local.emulator.cognito.user_pool import UserPool
from local.emulator.cognito.users import User

Json = dict[str, Any]


def associate_software_token(pool: UserPool, client_id: str, request: Json) -> Json:
    """Return a new secret for the user's app. It replaces the earlier one when a code of it has been verified."""
    user = _user(pool, request)
    user.pending_totp_secret = new_secret()
    return {"SecretCode": user.pending_totp_secret}


def verify_software_token(pool: UserPool, client_id: str, request: Json) -> Json:
    user = _user(pool, request)
    if not user.pending_totp_secret:
        raise CognitoError("SoftwareTokenMFANotFoundException", "Software token MFA has not been set up for this user.")
    pool.code_entries.use(user.sub, pool.now())
    step = matching_step(user.pending_totp_secret, request["UserCode"], pool.now())
    if step is None:
        raise CognitoError("EnableSoftwareTokenMFAException", "Code mismatch and fail enable Software Token MFA")
    user.totp_secret, user.pending_totp_secret, user.totp_step = user.pending_totp_secret, "", step
    pool.code_entries.forget(user.sub)
    return {"Status": "SUCCESS"}


def set_user_mfa_preference(pool: UserPool, client_id: str, request: Json) -> Json:
    user = _user(pool, request)
    others = [name for name in ("SMSMfaSettings", "EmailMfaSettings", "WebAuthnMfaSettings") if request.get(name)]
    if others:
        raise invalid_parameter("User does not have delivery config set to turn on this MFA method.")
    settings = request.get("SoftwareTokenMfaSettings") or {}
    if settings.get("Enabled") and not user.totp_secret:
        raise invalid_parameter("User has not verified software token mfa")
    user.prefers_totp = bool(settings.get("Enabled"))
    return {}


def _user(pool: UserPool, request: Json) -> User:
    if pool.settings.mfa == "OFF":
        raise CognitoError("SoftwareTokenMFANotFoundException", "Software token MFA is not enabled for this user pool.")
    if not request.get("AccessToken"):
        raise invalid_parameter("The emulator needs an access token: it doesn't set up MFA during a sign-in.")
    return pool.signed_in(request["AccessToken"])
