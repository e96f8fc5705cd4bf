"""The wire protocol of user pools: JSON 1.1 with X-Amz-Target, and the public documents about a pool's keys."""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from local.emulator.cognito import account, administration, challenge_answers, password_recovery, sign_in, sign_up, software_token
from local.emulator.cognito.errors import CognitoError, invalid_parameter
from local.emulator.cognito.requests import check_request, is_public
from local.emulator.cognito.user_pool import UserPool

log = logging.getLogger(__name__)

Json = dict[str, Any]
Answer = tuple[int, list[tuple[str, str]], bytes]

BY_CLIENT: Mapping[str, Callable[[UserPool, str, Json], Json]] = {
    "SignUp": sign_up.sign_up,
    "ConfirmSignUp": sign_up.confirm_sign_up,
    "ResendConfirmationCode": sign_up.resend_confirmation_code,
    "InitiateAuth": sign_in.initiate_auth,
    "RespondToAuthChallenge": challenge_answers.respond_to_auth_challenge,
    "ForgotPassword": password_recovery.forgot_password,
    "ConfirmForgotPassword": password_recovery.confirm_forgot_password,
    "RevokeToken": account.revoke_token,
    "GetTokensFromRefreshToken": account.get_tokens_from_refresh_token,
}
BY_ACCESS_TOKEN: Mapping[str, Callable[[UserPool, str, Json], Json]] = {
    "GetUser": account.get_user,
    "ChangePassword": account.change_password,
    "UpdateUserAttributes": account.update_user_attributes,
    "GetUserAttributeVerificationCode": account.get_user_attribute_verification_code,
    "VerifyUserAttribute": account.verify_user_attribute,
    "DeleteUser": account.delete_user,
    "GlobalSignOut": account.global_sign_out,
    "AssociateSoftwareToken": software_token.associate_software_token,
    "VerifySoftwareToken": software_token.verify_software_token,
    "SetUserMFAPreference": software_token.set_user_mfa_preference,
}
BY_POOL: Mapping[str, Callable[[UserPool, Json], Json]] = {
    "AdminCreateUser": administration.admin_create_user,
    "AdminSetUserPassword": administration.admin_set_user_password,
    "AdminGetUser": administration.admin_get_user,
    "AdminDeleteUser": administration.admin_delete_user,
    "AdminConfirmSignUp": administration.admin_confirm_sign_up,
    "AdminDisableUser": administration.admin_disable_user,
    "AdminEnableUser": administration.admin_enable_user,
    "AdminUserGlobalSignOut": administration.admin_user_global_sign_out,
    "AdminAddUserToGroup": administration.admin_add_user_to_group,
    "AdminRemoveUserFromGroup": administration.admin_remove_user_from_group,
    "AdminListGroupsForUser": administration.admin_list_groups_for_user,
    "UpdateUserPool": administration.update_user_pool,
    "DeleteUserPool": administration.delete_user_pool,
    "ListUsers": administration.list_users,
    "ListUsersInGroup": administration.list_users_in_group,
}
# These invoke a function that can call the pool, so they lock it themselves.
LOCK_THEMSELVES = frozenset({"SignUp", "AdminCreateUser"})


class UserPools:
    """The deployed user pools, behind one endpoint."""

    def __init__(self, pools: Iterable[UserPool]) -> None:
        self._pools = {pool.pool_id: pool for pool in pools}

    def _existing(self) -> list[UserPool]:
        return [pool for pool in self._pools.values() if not pool.is_deleted]

    def handle(self, operation: str, body: bytes, *, signed: bool) -> Answer:
        """Answer one request. `signed` says whether it has AWS credentials."""
        try:
            return _answer(200, self.call(operation, body, signed=signed))
        except CognitoError as error:
            log.info("%s: %s: %s", operation, error.code, error.message)
            headers = [("x-amzn-ErrorType", f"{error.code}:"), ("x-amzn-ErrorMessage", error.message)]
            return _answer(400, {"__type": error.code, "message": error.message}, headers)

    def call(self, operation: str, body: bytes, *, signed: bool) -> Json:
        request = check_request(operation, body)
        if not is_public(operation) and not signed:
            raise CognitoError("MissingAuthenticationTokenException", "Missing Authentication Token")
        if operation == "ListUserPools":
            return {"UserPools": [{"Id": pool.pool_id, "Name": pool.settings.name} for pool in self._existing()]}
        if operation in BY_POOL:
            pool = self._pool(request["UserPoolId"])
            return _locked(pool, operation, lambda: BY_POOL[operation](pool, request))
        if operation in BY_CLIENT:
            pool = self._pool_of_client(request["ClientId"])
            return _locked(pool, operation, lambda: BY_CLIENT[operation](pool, request["ClientId"], request))
        if operation in BY_ACCESS_TOKEN:
            pool, client_id = self._pool_of_token(request.get("AccessToken") or "")
            return _locked(pool, operation, lambda: BY_ACCESS_TOKEN[operation](pool, client_id, request))
        raise CognitoError("UnknownOperationException", f"The emulator doesn't support {operation} of user pools.")

    def _pool(self, pool_id: str) -> UserPool:
        for pool in self._existing():
            if pool.pool_id == pool_id:
                return pool
        raise CognitoError("ResourceNotFoundException", f"User pool {pool_id} does not exist.")

    def _pool_of_client(self, client_id: str) -> UserPool:
        for pool in self._existing():
            if client_id in pool.clients:
                return pool
        raise CognitoError("ResourceNotFoundException", f"User pool client {client_id} does not exist.")

    def _pool_of_token(self, token: str) -> tuple[UserPool, str]:
        """The pool and the client id of an access token. Raises CognitoError if no pool accepts it."""
        if not token:
            raise invalid_parameter("Missing access token.")
        problem = CognitoError("NotAuthorizedException", "Invalid Access Token")
        for pool in self._existing():
            try:
                return pool, pool.tokens.access_claims(token, pool.now())["client_id"]
            except CognitoError as error:
                problem = error if error.message != "Invalid Access Token" else problem
        raise problem

    def document(self, path: str) -> Json | None:
        """The public document at /<pool id>/.well-known/...; None if there is none."""
        pool_id, _, name = path.lstrip("/").partition("/.well-known/")
        pool = self._pools.get(pool_id)
        if pool is None or pool.is_deleted:
            return None
        if name == "jwks.json":
            return pool.tokens.public_keys()
        if name == "openid-configuration":
            return {
                "issuer": pool.issuer,
                "jwks_uri": f"{pool.issuer}/.well-known/jwks.json",
                "id_token_signing_alg_values_supported": ["RS256"],
                "response_types_supported": ["code", "token"],
                "scopes_supported": ["openid", "email", "phone", "profile"],
                "subject_types_supported": ["public"],
                "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            }
        return None


def _locked(pool: UserPool, operation: str, run: Callable[[], Json]) -> Json:
    if operation in LOCK_THEMSELVES:
        return run()
    with pool.lock:
        return run()


def _answer(status: int, body: Json, headers: list[tuple[str, str]] | None = None) -> Answer:
    shared = [("Content-Type", "application/x-amz-json-1.1"), ("x-amzn-RequestId", str(uuid.uuid4()))]
    return status, [*shared, *(headers or [])], json.dumps(body).encode()
