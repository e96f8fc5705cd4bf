"""ForgotPassword and ConfirmForgotPassword.

Sources: Amazon Cognito developer guide, "Recovering user accounts" and "Managing user existence error responses".
"""

from __future__ import annotations

from typing import Any

from local.emulator.cognito.codes import RECOVERY_SECONDS, Code, check_code
from local.emulator.cognito.errors import CognitoError, expired_code, invalid_parameter, not_authorized
from local.emulator.cognito.passwords import check_password
from local.emulator.cognito.sign_up import UNKNOWN
from local.emulator.cognito.user_pool import UserPool, delivery
from local.emulator.cognito.users import CONFIRMED, FORCE_CHANGE_PASSWORD

Json = dict[str, Any]
NO_ADDRESS = "Cannot reset password for the user as there is no registered/verified email or phone_number"


def forgot_password(pool: UserPool, client_id: str, request: Json) -> Json:
    """Send a code to the user's verified address."""
    name, hides = request["Username"], pool.client(client_id).hides_unknown_users
    user = pool.users.find(name)
    pool.code_requests.use(user.sub if user else pool.users.key(name), pool.now())
    if user is None or not user.enabled:
        if hides:
            return {"CodeDeliveryDetails": delivery(name)}
        raise CognitoError("UserNotFoundException", UNKNOWN)
    if user.status == FORCE_CHANGE_PASSWORD:
        raise not_authorized("User password cannot be reset in the current state.")
    if not (user.email_is_verified and pool.settings.recovers_by_email):
        if hides:
            return {"CodeDeliveryDetails": delivery(name)}
        raise invalid_parameter(NO_ADDRESS)
    user.recovery = Code.new(pool.now(), RECOVERY_SECONDS)
    pool.mail(user.email, pool.settings.verification, user.recovery.digits, user.email)
    return {"CodeDeliveryDetails": delivery(user.email)}


def confirm_forgot_password(pool: UserPool, client_id: str, request: Json) -> Json:
    """Set a new password with the code from the e-mail. Tokens that were issued before stay valid, as on AWS."""
    name = request["Username"]
    user = pool.users.find(name)
    pool.code_entries.use(user.sub if user else pool.users.key(name), pool.now())
    check_password(request["Password"], pool.settings.password_policy)
    if user is None:
        if pool.client(client_id).hides_unknown_users:
            raise expired_code()
        raise CognitoError("UserNotFoundException", UNKNOWN)
    check_code(user.recovery, request["ConfirmationCode"], pool.now())
    user.verifier, user.recovery = pool.verifier(user.name, request["Password"]), None
    user.status, user.modified_at = CONFIRMED, pool.now()
    pool.code_entries.forget(user.sub)
    return {}
