"""SignUp, ConfirmSignUp and ResendConfirmationCode."""

from __future__ import annotations

import re
from typing import Any

from local.emulator.cognito.codes import CONFIRMATION_SECONDS, Code, check_code
from local.emulator.cognito.errors import CognitoError, expired_code, invalid_parameter, not_authorized
from local.emulator.cognito.passwords import check_password
from local.emulator.cognito.settings import ClientSettings
from local.emulator.cognito.triggers import SIGN_UP, pre_sign_up
from local.emulator.cognito.user_pool import UserPool, delivery
from local.emulator.cognito.users import CONFIRMED, UNCONFIRMED, User, attribute_dict

Json = dict[str, Any]
EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")
UNKNOWN = "Username/client id combination not found."


def sign_up(pool: UserPool, client_id: str, request: Json) -> Json:
    """Create an unconfirmed user and send the code for the confirmation."""
    if pool.settings.only_administrators_create:
        raise not_authorized("SignUp is not permitted for this user pool")
    attributes = attribute_dict(request.get("UserAttributes"))
    check_writable(attributes, pool.client(client_id))
    attributes = {"email_verified": "false", **named_attributes(pool, request["Username"], attributes)}
    if not request.get("Password"):
        raise invalid_parameter("Password cannot be empty")
    check_password(request["Password"], pool.settings.password_policy)
    user = new_user(pool, request["Username"], attributes, UNCONFIRMED, request["Password"])
    decision = pre_sign_up(pool, SIGN_UP, client_id, user, request)
    with pool.lock:
        check_name_is_free(pool, request["Username"])
        if decision.verifies_email:
            user.attributes["email_verified"] = "true"
        if decision.confirms:
            user.status = CONFIRMED
        pool.users.add(user)
    answer: Json = {"UserConfirmed": decision.confirms, "UserSub": user.sub}
    if pool.settings.auto_verifies_email and not decision.confirms:
        answer["CodeDeliveryDetails"] = _send_confirmation(pool, user)
    return answer


def check_writable(attributes: dict[str, str], client: ClientSettings) -> None:
    if "sub" in attributes or "email_verified" in attributes:
        raise not_authorized("A client attempted to write unauthorized attribute")
    if client.writable is not None and attributes.keys() - client.writable:
        raise not_authorized("A client attempted to write unauthorized attribute")


def named_attributes(pool: UserPool, name: str, attributes: dict[str, str]) -> dict[str, str]:
    """The attributes of a new user. Raises CognitoError if the name or the address isn't usable."""
    if pool.settings.email_is_username:
        if not EMAIL.fullmatch(name):
            raise invalid_parameter("Username should be an email.")
        if attributes.get("email", name) != name:
            raise invalid_parameter("User email and username must be the same.")
        attributes = {**attributes, "email": name}
    if "email" in attributes and not EMAIL.fullmatch(attributes["email"]):
        raise invalid_parameter("Invalid email address format.")
    check_name_is_free(pool, name)
    return attributes


def check_name_is_free(pool: UserPool, name: str) -> None:
    if pool.users.find(name) is not None:
        text = "An account with the given email already exists." if pool.settings.email_is_username else "User already exists"
        raise CognitoError("UsernameExistsException", text)


def new_user(pool: UserPool, name: str, attributes: dict[str, str], status: str, password: str) -> User:
    return pool.users.new(name, attributes, status, lambda own_name: pool.verifier(own_name, password))


def confirm_sign_up(pool: UserPool, client_id: str, request: Json) -> Json:
    """Confirm a user with the code from the e-mail. The address is verified then, too."""
    user = pool.users.find(request["Username"])
    if user is None:
        if pool.client(client_id).hides_unknown_users:
            raise expired_code()
        raise CognitoError("UserNotFoundException", UNKNOWN)
    if user.status != UNCONFIRMED:
        raise not_authorized(f"User cannot be confirmed. Current status is {user.status}")
    pool.code_entries.use(user.sub, pool.now())
    check_code(user.confirmation, request["ConfirmationCode"], pool.now())
    user.status, user.confirmation = CONFIRMED, None
    user.attributes["email_verified"] = "true"
    user.modified_at = pool.now()
    pool.code_entries.forget(user.sub)
    return {}


def resend_confirmation_code(pool: UserPool, client_id: str, request: Json) -> Json:
    """Send a new code. The earlier one is no longer valid."""
    pool.code_requests.use(pool.users.key(request["Username"]), pool.now())
    user = pool.users.find(request["Username"])
    if user is None or not user.enabled:
        if pool.client(client_id).hides_unknown_users:
            return {"CodeDeliveryDetails": delivery(request["Username"])}
        raise CognitoError("UserNotFoundException", UNKNOWN)
    if user.status != UNCONFIRMED:
        raise invalid_parameter("User is already confirmed.")
    return {"CodeDeliveryDetails": _send_confirmation(pool, user)}


def _send_confirmation(pool: UserPool, user: User) -> dict[str, str]:
    user.confirmation = Code.new(pool.now(), CONFIRMATION_SECONDS)
    pool.mail(user.email, pool.settings.verification, user.confirmation.digits, user.email)
    return delivery(user.email)
