"""What signed-in users do with their account: read and change it, sign out everywhere, delete it."""

from __future__ import annotations

from typing import Any

from local.emulator.cognito.codes import CONFIRMATION_SECONDS, Code, check_code
from local.emulator.cognito.errors import CognitoError, invalid_parameter, not_authorized
from local.emulator.cognito.passwords import check_password
from local.emulator.cognito.sign_in import refresh
from local.emulator.cognito.sign_up import EMAIL, check_writable
from local.emulator.cognito.user_pool import UserPool, delivery
from local.emulator.cognito.users import User, attribute_dict, attribute_list

Json = dict[str, Any]


def get_user(pool: UserPool, client_id: str, request: Json) -> Json:
    user = pool.signed_in(request["AccessToken"])
    readable = pool.client(client_id).readable
    attributes = {name: value for name, value in user.attributes.items() if readable is None or name in readable}
    answer: Json = {"Username": user.name, "UserAttributes": attribute_list({"sub": user.sub, **attributes})}
    if user.prefers_totp:
        answer |= {"PreferredMfaSetting": "SOFTWARE_TOKEN_MFA", "UserMFASettingList": ["SOFTWARE_TOKEN_MFA"]}
    return answer


def change_password(pool: UserPool, client_id: str, request: Json) -> Json:
    """Change the password. Tokens that were issued before stay valid, as on AWS."""
    user = pool.signed_in(request["AccessToken"])
    pool.lockouts.check(user.sub, pool.now())
    if not user.verifier.fits(pool.short_name, user.name, request.get("PreviousPassword") or ""):
        pool.lockouts.failed(user.sub, pool.now())
        raise not_authorized()
    check_password(request["ProposedPassword"], pool.settings.password_policy)
    user.verifier, user.modified_at = pool.verifier(user.name, request["ProposedPassword"]), pool.now()
    return {}


def update_user_attributes(pool: UserPool, client_id: str, request: Json) -> Json:
    """Change attributes. A new address takes effect when its code is entered, if the pool verifies it first."""
    user = pool.signed_in(request["AccessToken"])
    changes = attribute_dict(request["UserAttributes"])
    check_writable(changes, pool.client(client_id))
    deliveries = []
    if "email" in changes:
        address = changes.pop("email")
        _check_new_address(pool, user, address)
        if pool.settings.verifies_email_before_update:
            user.unverified_email = address
        else:
            user.attributes |= {"email": address, "email_verified": "false"}
        if pool.settings.auto_verifies_email:
            deliveries.append(_send_verification(pool, user, address))
    user.attributes |= changes
    user.modified_at = pool.now()
    return {"CodeDeliveryDetailsList": deliveries}


def _check_new_address(pool: UserPool, user: User, address: str) -> None:
    if not EMAIL.fullmatch(address):
        raise invalid_parameter("Invalid email address format.")
    if pool.settings.email_is_username and pool.users.find(address) not in (None, user):
        raise CognitoError("AliasExistsException", "An account with the given email already exists.")


def _send_verification(pool: UserPool, user: User, address: str) -> dict[str, str]:
    pool.code_requests.use(user.sub, pool.now())
    user.verification = Code.new(pool.now(), CONFIRMATION_SECONDS)
    pool.mail(address, pool.settings.verification, user.verification.digits, user.email)
    return delivery(address)


def get_user_attribute_verification_code(pool: UserPool, client_id: str, request: Json) -> Json:
    user = pool.signed_in(request["AccessToken"])
    if request["AttributeName"] != "email":
        raise invalid_parameter(f"Cannot verify the attribute {request['AttributeName']}.")
    return {"CodeDeliveryDetails": _send_verification(pool, user, user.unverified_email or user.email)}


def verify_user_attribute(pool: UserPool, client_id: str, request: Json) -> Json:
    user = pool.signed_in(request["AccessToken"])
    pool.code_entries.use(user.sub, pool.now())
    check_code(user.verification, request["Code"], pool.now())
    address = user.unverified_email or user.email
    _check_new_address(pool, user, address)
    user.attributes |= {"email": address, "email_verified": "true"}
    user.unverified_email, user.verification, user.modified_at = "", None, pool.now()
    pool.code_entries.forget(user.sub)
    return {}


def delete_user(pool: UserPool, client_id: str, request: Json) -> Json:
    remove(pool, pool.signed_in(request["AccessToken"]))
    return {}


def remove(pool: UserPool, user: User) -> None:
    pool.tokens.revoke_all(user)
    pool.users.remove(user)


def global_sign_out(pool: UserPool, client_id: str, request: Json) -> Json:
    """Revoke all tokens of the user. API Gateway doesn't notice: it checks tokens without calling Cognito."""
    pool.tokens.revoke_all(pool.signed_in(request["AccessToken"]))
    return {}


def revoke_token(pool: UserPool, client_id: str, request: Json) -> Json:
    """Revoke a refresh token and the access tokens from it. An unknown token is no error (RFC 7009, section 2.2)."""
    if not pool.client(client_id).revokes_tokens:
        raise CognitoError("UnsupportedOperationException", "Token revocation is not enabled for this client.")
    session = pool.tokens.sessions.get(request["Token"])
    if session is None:
        if request["Token"].count(".") == 2:
            raise CognitoError("UnsupportedTokenTypeException", "Only refresh tokens can be revoked.")
        return {}
    if session.client_id != client_id:
        raise CognitoError("UnauthorizedException", "The token belongs to another client.")
    session.revoked = True
    return {}


def get_tokens_from_refresh_token(pool: UserPool, client_id: str, request: Json) -> Json:
    return {"AuthenticationResult": refresh(pool, client_id, request["RefreshToken"])["AuthenticationResult"]}
