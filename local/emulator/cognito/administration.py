"""The operations of administrators, which need AWS credentials."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

from local.emulator.cognito.account import remove
from local.emulator.cognito.errors import CognitoError, invalid_parameter, not_authorized
from local.emulator.cognito.passwords import check_password, generate_password
from local.emulator.cognito.sign_up import named_attributes, new_user
from local.emulator.cognito.triggers import BY_ADMINISTRATOR, NO_CLIENT, pre_sign_up
from local.emulator.cognito.user_pool import UserPool
from local.emulator.cognito.users import CONFIRMED, FORCE_CHANGE_PASSWORD, UNCONFIRMED, User, attribute_dict

Json = dict[str, Any]
_FILTER = re.compile(r'\s*"?(?P<name>[\w:]+)"?\s*(?P<operator>\^?=)\s*"(?P<value>.*)"\s*')
MOST_USERS = 60
DAY = 86400


def admin_create_user(pool: UserPool, request: Json) -> Json:
    """Create a user with a temporary password, and send it by e-mail unless MessageAction is SUPPRESS."""
    if request.get("MessageAction") == "RESEND":
        return _invite_again(pool, request)
    attributes = attribute_dict(request.get("UserAttributes"))
    if "sub" in attributes:
        raise invalid_parameter("Cannot modify an immutable attribute: sub")
    attributes = named_attributes(pool, request["Username"], attributes)
    password = request.get("TemporaryPassword") or generate_password(pool.settings.password_policy)
    check_password(password, pool.settings.password_policy)
    user = new_user(pool, request["Username"], attributes, FORCE_CHANGE_PASSWORD, password)
    pre_sign_up(pool, BY_ADMINISTRATOR, NO_CLIENT, user, request)
    user.temporary_until = pool.now() + pool.settings.password_policy.temporary_days * DAY
    with pool.lock:
        pool.users.add(user)
    if request.get("MessageAction") != "SUPPRESS":
        _invite(pool, user, password)
    return {"User": user.described()}


def _invite_again(pool: UserPool, request: Json) -> Json:
    user = pool.user(request["Username"])
    if user.status != FORCE_CHANGE_PASSWORD:
        raise CognitoError("UnsupportedUserStateException", "Resend not possible. User status is not FORCE_CHANGE_PASSWORD")
    password = request.get("TemporaryPassword") or generate_password(pool.settings.password_policy)
    check_password(password, pool.settings.password_policy)
    _set_password(pool, user, password, permanent=False)
    _invite(pool, user, password)
    return {"User": user.described()}


def _invite(pool: UserPool, user: User, password: str) -> None:
    if not user.email:
        raise invalid_parameter("User has no email address to send the invitation to.")
    pool.mail(user.email, pool.settings.invitation, password, user.email)


def admin_set_user_password(pool: UserPool, request: Json) -> Json:
    user = pool.user(request["Username"])
    check_password(request["Password"], pool.settings.password_policy)
    _set_password(pool, user, request["Password"], permanent=bool(request.get("Permanent")))
    return {}


def _set_password(pool: UserPool, user: User, password: str, *, permanent: bool) -> None:
    user.verifier, user.modified_at = pool.verifier(user.name, password), pool.now()
    user.status = CONFIRMED if permanent else FORCE_CHANGE_PASSWORD
    user.temporary_until = None if permanent else pool.now() + pool.settings.password_policy.temporary_days * DAY


def admin_get_user(pool: UserPool, request: Json) -> Json:
    user = pool.user(request["Username"])
    totp = {"PreferredMfaSetting": "SOFTWARE_TOKEN_MFA", "UserMFASettingList": ["SOFTWARE_TOKEN_MFA"]}
    return {**user.described("UserAttributes"), **(totp if user.prefers_totp else {})}


def admin_delete_user(pool: UserPool, request: Json) -> Json:
    remove(pool, pool.user(request["Username"]))
    return {}


def admin_confirm_sign_up(pool: UserPool, request: Json) -> Json:
    """Confirm a user without a code. The address stays unverified."""
    user = pool.user(request["Username"])
    if user.status != UNCONFIRMED:
        raise not_authorized(f"User cannot be confirmed. Current status is {user.status}")
    user.status, user.modified_at = CONFIRMED, pool.now()
    return {}


def admin_disable_user(pool: UserPool, request: Json) -> Json:
    """Disable a user. Their tokens are revoked."""
    user = pool.user(request["Username"])
    user.enabled, user.modified_at = False, pool.now()
    pool.tokens.revoke_all(user)
    return {}


def admin_enable_user(pool: UserPool, request: Json) -> Json:
    user = pool.user(request["Username"])
    user.enabled, user.modified_at = True, pool.now()
    return {}


def admin_user_global_sign_out(pool: UserPool, request: Json) -> Json:
    pool.tokens.revoke_all(pool.user(request["Username"]))
    return {}


def admin_add_user_to_group(pool: UserPool, request: Json) -> Json:
    pool.user(request["Username"]).groups.add(pool.group(request["GroupName"]))
    return {}


def admin_remove_user_from_group(pool: UserPool, request: Json) -> Json:
    pool.user(request["Username"]).groups.discard(pool.group(request["GroupName"]))
    return {}


def admin_list_groups_for_user(pool: UserPool, request: Json) -> Json:
    user = pool.user(request["Username"])
    groups = [{"GroupName": name, "UserPoolId": pool.pool_id, "Description": pool.groups[name]} for name in sorted(user.groups)]
    return {"Groups": groups}


def update_user_pool(pool: UserPool, request: Json) -> Json:
    """Change the deletion protection. All other settings come from the template."""
    others = sorted(request.keys() - {"UserPoolId", "DeletionProtection"})
    if others:
        raise invalid_parameter(f"The emulator can't change {', '.join(others)}: change the template, and start again.")
    protected = request.get("DeletionProtection") == "ACTIVE"
    pool.settings = dataclasses.replace(pool.settings, deletion_protection=protected)
    return {}


def delete_user_pool(pool: UserPool, request: Json) -> Json:
    if pool.settings.deletion_protection:
        reason = "deletion protection is activated. Deletion protection must be inactivated first."
        raise invalid_parameter(f"The user pool cannot be deleted because {reason}")
    pool.is_deleted = True
    return {}


def list_users(pool: UserPool, request: Json) -> Json:
    """The users, at most 60 at a time, filtered by one attribute."""
    users = [user for user in pool.users if _passes(user, request.get("Filter") or "")]
    start, limit = _page_start(request), min(int(request.get("Limit") or MOST_USERS), MOST_USERS)
    answer: Json = {"Users": [user.described() for user in users[start : start + limit]]}
    if start + limit < len(users):
        answer["PaginationToken"] = str(start + limit)
    return answer


def _page_start(request: Json) -> int:
    token = str(request.get("PaginationToken") or "0")
    if not token.isdigit():
        raise invalid_parameter("Invalid pagination token")
    return int(token)


def list_users_in_group(pool: UserPool, request: Json) -> Json:
    name = pool.group(request["GroupName"])
    return {"Users": [user.described() for user in pool.users if name in user.groups]}


def _passes(user: User, condition: str) -> bool:
    if not condition:
        return True
    found = _FILTER.fullmatch(condition)
    if found is None:
        raise invalid_parameter("Error while parsing filter")
    known = {
        "sub": user.sub,
        "username": user.name,
        "cognito:user_status": user.status,
        "status": "Enabled" if user.enabled else "Disabled",
        **user.attributes,
    }
    value, wanted = known.get(found["name"], ""), found["value"].replace('\\"', '"')
    return value == wanted if found["operator"] == "=" else value.startswith(wanted)
