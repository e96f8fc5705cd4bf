"""The emulator's user pools behave as Cognito does: one test for each behaviour, with its source.

GUIDE is the Amazon Cognito developer guide with the title of the page, API the user pools API reference with the operation.
MODEL is botocore's model of the service. SEEN is an observation of the service that others published, such as messages of
errors, which AWS doesn't document.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from pycognito.aws_srp import AWSSRP

from local.emulator.cognito.srp import N
from local.emulator.cognito.totp import code_at
from local.emulator.cognito.triggers import FunctionFailed, FunctionUnusable

from .cognito_world import CLIENT, EMAIL, NEW_PASSWORD, OTHER_CLIENT, PASSWORD, POOL, World, refusal

Test = Callable[..., None]
SOURCES: dict[str, str] = {}
WRONG = ("NotAuthorizedException", "Incorrect username or password.")
EXPIRED_CODE = ("ExpiredCodeException", "Invalid code provided, please request a code again.")
CODE_MISMATCH = ("CodeMismatchException", "Invalid verification code provided, please try again.")
LIMIT = ("LimitExceededException", "Attempt limit exceeded, please try after some time.")
DAY = 86400
PRE_SIGN_UP = {"LambdaConfig": {"PreSignUp": "arn:aws:lambda:us-east-1:123456789012:function:check"}}


def source(text: str) -> Callable[[Test], Test]:
    """Names the source of the behaviour that a test checks."""

    def note(test: Test) -> Test:
        SOURCES[test.__name__] = text
        return test

    return note


def claims(token: str) -> dict[str, Any]:
    payload = token.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return found


def answer_totp(world: World, challenge: dict[str, Any], code: str) -> dict[str, Any]:
    responses = {"USERNAME": EMAIL, "SOFTWARE_TOKEN_MFA_CODE": code}
    request = {"ClientId": CLIENT, "ChallengeName": "SOFTWARE_TOKEN_MFA", "Session": challenge["Session"]}
    return world.call("RespondToAuthChallenge", **request, ChallengeResponses=responses)


def with_totp() -> tuple[World, str]:
    """A user with a verified authenticator app, and the app's secret."""
    world = World()
    token = world.tokens()["AccessToken"]
    secret = world.call("AssociateSoftwareToken", AccessToken=token)["SecretCode"]
    world.call("VerifySoftwareToken", AccessToken=token, UserCode=code_at(secret, int(world.now // 30)))
    world.call("SetUserMFAPreference", AccessToken=token, SoftwareTokenMfaSettings={"Enabled": True, "PreferredMfa": True})
    world.now += 60
    return world, secret


# ------------------------------------------------------------------------------------------------------------ sign-up


@source("GUIDE Signing up and confirming user accounts: a user who signs up is unconfirmed until the code is entered")
def test_a_new_user_can_sign_in_only_after_the_confirmation() -> None:
    world = World()
    answer = world.sign_up()
    assert answer["UserConfirmed"] is False
    assert refusal(world.sign_in) == ("UserNotConfirmedException", "User is not confirmed.")
    world.call("ConfirmSignUp", ClientId=CLIENT, Username=EMAIL, ConfirmationCode=world.code)
    assert claims(world.sign_in()["AccessToken"])["sub"] == answer["UserSub"]


@source("API SignUp, CodeDeliveryDetails: the destination is masked")
def test_the_code_is_sent_by_email_and_the_answer_hides_the_address() -> None:
    world = World()
    details = world.sign_up()["CodeDeliveryDetails"]
    assert details == {"Destination": "a***@e***", "DeliveryMedium": "EMAIL", "AttributeName": "email"}
    ((_, to, _, _),) = world.mails
    assert to == EMAIL


@source("GUIDE Email and SMS messages: {####} stands for the code")
def test_the_message_is_the_pools() -> None:
    template = {"EmailSubject": "Hello", "EmailMessage": "Use {####} now"}
    world = World({"VerificationMessageTemplate": template})
    world.sign_up()
    sender, _, subject, text = world.mails[-1]
    assert (sender, subject, text) == ("no-reply@verificationemail.com", "Hello", f"Use {world.code} now")


@source("GUIDE Email settings for user pools: with Amazon SES, the sender is FROM, or the address of the identity")
def test_the_sender_is_the_ses_identity() -> None:
    arn = "arn:aws:ses:us-east-1:123456789012:identity/codes@example.com"
    for more, sender in (({}, "codes@example.com"), ({"From": "x@example.com"}, "x@example.com")):
        world = World({"EmailConfiguration": {"EmailSendingAccount": "DEVELOPER", "SourceArn": arn, **more}})
        world.sign_up()
        assert world.mails[-1][0] == sender


@source("SEEN CodeMismatchException of ConfirmSignUp")
def test_a_wrong_code_confirms_no_one() -> None:
    world = World()
    world.sign_up()
    assert world.refusal("ConfirmSignUp", ClientId=CLIENT, Username=EMAIL, ConfirmationCode=world.wrong_code) == CODE_MISMATCH
    assert refusal(world.sign_in)[0] == "UserNotConfirmedException"


@source("GUIDE Quotas: the code of a sign-up is valid for 24 hours")
def test_a_sign_up_code_expires_after_a_day() -> None:
    world = World()
    world.sign_up()
    world.now += DAY
    assert world.refusal("ConfirmSignUp", ClientId=CLIENT, Username=EMAIL, ConfirmationCode=world.code) == EXPIRED_CODE


@source("API ResendConfirmationCode")
def test_a_code_that_is_sent_again_replaces_the_first() -> None:
    world = World()
    world.sign_up()
    first = world.code
    world.call("ResendConfirmationCode", ClientId=CLIENT, Username=EMAIL)
    second = world.code
    if first != second:
        assert world.refusal("ConfirmSignUp", ClientId=CLIENT, Username=EMAIL, ConfirmationCode=first) == CODE_MISMATCH
    world.call("ConfirmSignUp", ClientId=CLIENT, Username=EMAIL, ConfirmationCode=second)


@source("SEEN InvalidParameterException of ResendConfirmationCode")
def test_a_confirmed_user_gets_no_further_code() -> None:
    world = World().confirmed()
    expected = ("InvalidParameterException", "User is already confirmed.")
    assert world.refusal("ResendConfirmationCode", ClientId=CLIENT, Username=EMAIL) == expected


@source("SEEN NotAuthorizedException of ConfirmSignUp")
def test_a_confirmed_user_is_not_confirmed_again() -> None:
    world = World().confirmed()
    expected = ("NotAuthorizedException", "User cannot be confirmed. Current status is CONFIRMED")
    assert world.refusal("ConfirmSignUp", ClientId=CLIENT, Username=EMAIL, ConfirmationCode="123456") == expected


@source(
    "SEEN LimitExceededException; API ConfirmSignUp lists it. The number is the lowest that AWS names for codes, 5 in an hour"
)
def test_codes_cannot_be_guessed() -> None:
    world = World()
    world.sign_up()
    for _ in range(5):
        assert world.refusal("ConfirmSignUp", ClientId=CLIENT, Username=EMAIL, ConfirmationCode=world.wrong_code) == CODE_MISMATCH
    assert world.refusal("ConfirmSignUp", ClientId=CLIENT, Username=EMAIL, ConfirmationCode=world.code) == LIMIT
    world.now += 3600
    world.call("ConfirmSignUp", ClientId=CLIENT, Username=EMAIL, ConfirmationCode=world.code)


@source("SEEN LimitExceededException of ResendConfirmationCode")
def test_codes_are_not_sent_without_limit() -> None:
    world = World()
    world.sign_up()
    for _ in range(5):
        world.call("ResendConfirmationCode", ClientId=CLIENT, Username=EMAIL)
    assert world.refusal("ResendConfirmationCode", ClientId=CLIENT, Username=EMAIL) == LIMIT


@source("API CreateUserPool, AllowAdminCreateUserOnly; SEEN the message")
def test_sign_up_can_be_off() -> None:
    world = World({"AdminCreateUserConfig": {"AllowAdminCreateUserOnly": True}})
    assert refusal(world.sign_up) == ("NotAuthorizedException", "SignUp is not permitted for this user pool")


@source("GUIDE Managing user existence error responses: SignUp always says that a name is taken")
@pytest.mark.parametrize("email", [EMAIL, EMAIL.upper()])
def test_an_address_signs_up_once(email: str) -> None:
    world = World()
    world.sign_up()
    assert refusal(lambda: world.sign_up(email))[0] == "UsernameExistsException"


@source(
    "GUIDE Customizing sign-in attributes: with UsernameAttributes, the name must be an address, and the user name is the sub"
)
def test_the_user_name_is_an_id_and_the_name_must_be_an_address() -> None:
    world = World()
    assert refusal(lambda: world.sign_up("ann")) == ("InvalidParameterException", "Username should be an email.")
    sub = world.sign_up()["UserSub"]
    assert world.call("AdminGetUser", UserPoolId=POOL, Username=EMAIL)["Username"] == sub


@source("GUIDE Adding user pool password requirements; SEEN the messages")
@pytest.mark.parametrize(
    ("password", "problem"),
    [
        ("Short-1a", "Password not long enough"),
        ("No-numbers-here", "Password must have numeric characters"),
        ("Nosymbols1234", "Password must have symbol characters"),
        ("NO-LOWER-CASE-1", "Password must have lowercase characters"),
        ("no-upper-case-1", "Password must have uppercase characters"),
    ],
)
def test_a_password_must_conform_with_the_policy(password: str, problem: str) -> None:
    expected = ("InvalidPasswordException", f"Password did not conform with policy: {problem}")
    world = World()
    assert refusal(lambda: world.sign_up(password=password)) == expected
    world.confirmed()
    token = world.sign_in()["AccessToken"]
    change = {"AccessToken": token, "PreviousPassword": PASSWORD, "ProposedPassword": password}
    assert world.refusal("ChangePassword", **change) == expected


@source("GUIDE App client settings, attribute permissions: a client writes only what it may; API SignUp: not email_verified")
@pytest.mark.parametrize("name", ["email_verified", "name", "custom:owner", "sub"])
def test_a_client_cannot_write_other_attributes(name: str) -> None:
    attributes = [{"Name": name, "Value": "true"}]
    request = {"ClientId": CLIENT, "Username": EMAIL, "Password": PASSWORD, "UserAttributes": attributes}
    assert World().refusal("SignUp", **request) == (
        "NotAuthorizedException",
        "A client attempted to write unauthorized attribute",
    )


@source("GUIDE Pre sign-up Lambda trigger")
def test_the_trigger_gets_the_new_user() -> None:
    world = World(PRE_SIGN_UP)
    sub = world.sign_up()["UserSub"]
    (event,) = world.events
    assert (event["triggerSource"], event["userPoolId"], event["userName"]) == ("PreSignUp_SignUp", POOL, sub)
    assert event["request"]["userAttributes"]["email"] == EMAIL
    assert event["callerContext"]["clientId"] == CLIENT


@source(
    "GUIDE Customizing user pool workflows with Lambda triggers: an error of the function ends the operation; SEEN the message"
)
def test_the_trigger_refuses_a_user() -> None:
    def refuse(event: dict[str, Any]) -> dict[str, Any]:
        raise FunctionFailed("not you")

    world = World(PRE_SIGN_UP)
    world.trigger = refuse
    assert refusal(world.sign_up) == ("UserLambdaValidationException", "PreSignUp failed with error not you.")
    assert world.call("ListUsers", UserPoolId=POOL)["Users"] == []


@source("API SignUp: UnexpectedLambdaException, InvalidLambdaResponseException")
def test_a_broken_trigger_stops_the_sign_up() -> None:
    def unusable(event: dict[str, Any]) -> dict[str, Any]:
        raise FunctionUnusable("no permission")

    world = World(PRE_SIGN_UP)
    world.trigger = unusable
    assert refusal(world.sign_up)[0] == "UnexpectedLambdaException"
    world.trigger = lambda event: {}
    assert refusal(world.sign_up)[0] == "InvalidLambdaResponseException"


@source("GUIDE Pre sign-up Lambda trigger: autoConfirmUser, autoVerifyEmail")
def test_the_trigger_can_confirm_a_user() -> None:
    world = World(PRE_SIGN_UP)
    world.trigger = lambda event: {**event, "response": {"autoConfirmUser": True, "autoVerifyEmail": True}}
    answer = world.sign_up()
    assert answer["UserConfirmed"] is True
    assert "CodeDeliveryDetails" not in answer
    assert claims(world.sign_in()["IdToken"])["email_verified"] is True


# ------------------------------------------------------------------------------------------------------------ sign-in


@source("GUIDE Authentication with user pools, SRP; pycognito is an independent client of AWS's")
def test_an_independent_client_proves_the_password() -> None:
    world = World().confirmed()
    tokens = AWSSRP(EMAIL, PASSWORD, POOL, CLIENT, client=world.boto3).authenticate_user()["AuthenticationResult"]
    assert claims(tokens["AccessToken"])["client_id"] == CLIENT
    wrong = AWSSRP(EMAIL, PASSWORD + "x", POOL, CLIENT, client=world.boto3)
    assert refusal(wrong.authenticate_user) == WRONG


@source("RFC 5054, section 2.5.4: the server must refuse a value that is zero modulo N, which would make the key known")
@pytest.mark.parametrize("value", ["0", f"{N:x}", f"{2 * N:x}"])
def test_a_known_key_is_no_proof(value: str) -> None:
    world = World().confirmed()
    parameters = {"USERNAME": EMAIL, "SRP_A": value}
    request = {"ClientId": CLIENT, "AuthFlow": "USER_SRP_AUTH", "AuthParameters": parameters}
    assert world.refusal("InitiateAuth", **request)[0] == "InvalidParameterException"


@source("SEEN amazon-cognito-identity-js, DateHelper.js: the day of the time stamp has no leading zero")
@pytest.mark.parametrize("text", ["Sat Nov 05 12:00:00 UTC 2026", "2026-11-28T12:00:00Z", ""])
def test_a_time_stamp_in_another_format_is_no_proof(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World().confirmed()
    monkeypatch.setattr("local.emulator.cognito.srp_client._timestamp", lambda seconds: text)
    assert refusal(world.sign_in)[0] in ("NotAuthorizedException", "InvalidParameterException")


@source("API RespondToAuthChallenge: a secret block belongs to one sign-in")
def test_a_proof_is_used_once() -> None:
    world = World().confirmed()
    sent: list[dict[str, Any]] = []
    client = world.boto3
    respond = client.respond_to_auth_challenge
    client.respond_to_auth_challenge = lambda **request: sent.append(request) or respond(**request)
    AWSSRP(EMAIL, PASSWORD, POOL, CLIENT, client=client).authenticate_user()
    code, message = refusal(lambda: respond(**sent[0]))
    assert (code, message) == ("NotAuthorizedException", "Invalid session for the user, session can only be used once.")


@source("API CreateUserPoolClient, ExplicitAuthFlows; SEEN the message")
@pytest.mark.parametrize("flow", ["USER_PASSWORD_AUTH", "CUSTOM_AUTH", "USER_AUTH"])
def test_a_flow_that_the_client_does_not_allow_is_refused(flow: str) -> None:
    parameters = {"USERNAME": EMAIL, "PASSWORD": PASSWORD}
    expected = ("InvalidParameterException", f"{flow} flow not enabled for this client")
    world = World().confirmed()
    assert world.refusal("InitiateAuth", ClientId=CLIENT, AuthFlow=flow, AuthParameters=parameters) == expected


@source("API InitiateAuth: the flows of administrators belong to AdminInitiateAuth")
def test_an_administrators_flow_is_refused() -> None:
    request = {"ClientId": CLIENT, "AuthFlow": "ADMIN_USER_PASSWORD_AUTH", "AuthParameters": {"USERNAME": EMAIL}}
    assert World().refusal("InitiateAuth", **request)[0] == "InvalidParameterException"


@source("API InitiateAuth, USER_PASSWORD_AUTH")
def test_a_password_is_checked_where_the_client_allows_to_send_it() -> None:
    world = World(client={"ExplicitAuthFlows": ["ALLOW_USER_PASSWORD_AUTH"]}).confirmed()

    def sign_in(password: str) -> dict[str, Any]:
        parameters = {"USERNAME": EMAIL, "PASSWORD": password}
        return world.call("InitiateAuth", ClientId=CLIENT, AuthFlow="USER_PASSWORD_AUTH", AuthParameters=parameters)

    assert "AccessToken" in sign_in(PASSWORD)["AuthenticationResult"]
    assert refusal(lambda: sign_in(NEW_PASSWORD)) == WRONG


@source("GUIDE Lockout behavior for failed sign-in attempts: after n failures, 2^(n-5) seconds")
def test_failed_sign_ins_lock_the_user_out_for_longer_and_longer() -> None:
    world = World().confirmed()
    for _ in range(5):
        assert refusal(lambda: world.sign_in(password="wrong")) == WRONG
    locked = ("NotAuthorizedException", "Password attempts exceeded")
    assert refusal(world.sign_in) == locked
    world.now += 1.1
    assert refusal(lambda: world.sign_in(password="wrong")) == WRONG
    world.now += 1.1
    assert refusal(world.sign_in) == locked
    world.now += 1.1
    assert "AccessToken" in world.sign_in()


@source("GUIDE Lockout behavior for failed sign-in attempts: a sign-in, or 15 minutes without one, end it")
def test_a_lockout_is_forgotten_after_fifteen_minutes() -> None:
    world = World().confirmed()
    for _ in range(5):
        refusal(lambda: world.sign_in(password="wrong"))
    world.now += 900
    for _ in range(4):
        assert refusal(lambda: world.sign_in(password="wrong")) == WRONG
    assert "AccessToken" in world.sign_in()


@source("GUIDE Managing user existence error responses: SRP for a name that doesn't exist returns the same salt and id each time")
def test_sign_in_does_not_reveal_which_users_exist() -> None:
    world = World().confirmed()
    parameters = {"USERNAME": "ghost@example.com", "SRP_A": f"{2**512 + 1:x}"}
    request = {"ClientId": CLIENT, "AuthFlow": "USER_SRP_AUTH", "AuthParameters": parameters}
    first, second = (world.call("InitiateAuth", **request)["ChallengeParameters"] for _ in range(2))
    assert (first["SALT"], first["USER_ID_FOR_SRP"]) == (second["SALT"], second["USER_ID_FOR_SRP"])
    assert first["SRP_B"] != second["SRP_B"]
    existing = {**request, "AuthParameters": {**parameters, "USERNAME": EMAIL}}
    assert set(first) == set(world.call("InitiateAuth", **existing)["ChallengeParameters"])
    for _ in range(5):
        assert refusal(lambda: world.sign_in("ghost@example.com")) == WRONG
    assert refusal(lambda: world.sign_in("ghost@example.com"))[1] == "Password attempts exceeded"


@source("GUIDE Managing user existence error responses: LEGACY names the missing user")
def test_a_client_can_reveal_which_users_exist() -> None:
    world = World(client={"PreventUserExistenceErrors": "LEGACY"})
    assert refusal(lambda: world.sign_in("ghost@example.com")) == ("UserNotFoundException", "User does not exist.")
    for operation, more in (
        ("ForgotPassword", {}),
        ("ResendConfirmationCode", {}),
        ("ConfirmSignUp", {"ConfirmationCode": "123456"}),
        ("ConfirmForgotPassword", {"ConfirmationCode": "123456", "Password": PASSWORD}),
    ):
        found = world.refusal(operation, ClientId=CLIENT, Username="ghost@example.com", **more)
        assert found == ("UserNotFoundException", "Username/client id combination not found."), operation


@source("GUIDE Managing user existence error responses: codes go to a simulated destination; a code never sent is expired")
def test_recovery_does_not_reveal_which_users_exist() -> None:
    world = World()
    for operation in ("ForgotPassword", "ResendConfirmationCode"):
        answer = world.call(operation, ClientId=CLIENT, Username="ghost@example.com")
        assert answer["CodeDeliveryDetails"]["Destination"] == "g***@e***"
    assert world.mails == []
    for operation, more in (("ConfirmSignUp", {}), ("ConfirmForgotPassword", {"Password": PASSWORD})):
        request = {"ClientId": CLIENT, "Username": "ghost@example.com", "ConfirmationCode": "123456", **more}
        assert world.refusal(operation, **request) == EXPIRED_CODE


@source("GUIDE Managing users in your user pool: a disabled user can't sign in; SEEN the message")
def test_a_disabled_user_cannot_sign_in_or_refresh() -> None:
    world = World()
    tokens = world.tokens()
    world.call("AdminDisableUser", UserPoolId=POOL, Username=EMAIL)
    assert refusal(world.sign_in) == ("NotAuthorizedException", "User is disabled.")
    assert refusal(lambda: world.refresh(tokens["RefreshToken"]))[0] == "NotAuthorizedException"
    world.call("AdminEnableUser", UserPoolId=POOL, Username=EMAIL)
    assert "AccessToken" in world.sign_in()


@source("SEEN ResourceNotFoundException of an unknown client")
def test_an_unknown_client_is_refused() -> None:
    found = World().refusal("SignUp", ClientId="unknown", Username=EMAIL, Password=PASSWORD)
    assert found == ("ResourceNotFoundException", "User pool client unknown does not exist.")


# ------------------------------------------------------------------------------------------------------------- tokens


@source("GUIDE Understanding the access token")
def test_an_access_token_has_the_claims_of_cognito() -> None:
    world = World()
    found = claims(world.tokens()["AccessToken"])
    assert set(found) == {
        "sub", "iss", "client_id", "origin_jti", "event_id", "token_use", "scope", "auth_time", "exp", "iat", "jti", "username",
    }  # fmt: skip
    assert (found["token_use"], found["scope"]) == ("access", "aws.cognito.signin.user.admin")
    assert found["exp"] - found["iat"] == 15 * 60


@source("GUIDE Understanding the identity (ID) token")
def test_an_id_token_has_the_audience_and_the_attributes() -> None:
    world = World()
    found = claims(world.tokens()["IdToken"])
    assert (found["token_use"], found["aud"], found["email"], found["email_verified"]) == ("id", CLIENT, EMAIL, True)
    assert "scope" not in found
    assert found["exp"] - found["iat"] == 20 * 60


@source("GUIDE App client settings, attribute permissions: an ID token has only what the client may read")
def test_an_id_token_has_only_readable_attributes() -> None:
    world = World(client={"ReadAttributes": ["email_verified"]})
    assert "email" not in claims(world.tokens()["IdToken"])


@source("GUIDE Adding groups to a user pool: both tokens have cognito:groups, from the next sign-in or refresh on")
def test_tokens_name_the_groups() -> None:
    world = World()
    first = world.tokens()
    world.call("AdminAddUserToGroup", UserPoolId=POOL, Username=EMAIL, GroupName="operators")
    assert "cognito:groups" not in claims(first["AccessToken"])
    for tokens in (world.sign_in(), world.refresh(first["RefreshToken"])):
        assert claims(tokens["AccessToken"])["cognito:groups"] == claims(tokens["IdToken"])["cognito:groups"] == ["operators"]
    world.call("AdminRemoveUserFromGroup", UserPoolId=POOL, Username=EMAIL, GroupName="operators")
    assert "cognito:groups" not in claims(world.sign_in()["AccessToken"])


@source("GUIDE Refresh tokens: new access and ID tokens of the same sign-in, and no new refresh token")
def test_a_refresh_gives_tokens_of_the_same_sign_in() -> None:
    world = World()
    first = world.tokens()
    world.now += 600
    second = world.refresh(first["RefreshToken"])
    assert "RefreshToken" not in second
    before, after = claims(first["AccessToken"]), claims(second["AccessToken"])
    assert (before["auth_time"], before["origin_jti"]) == (after["auth_time"], after["origin_jti"])
    assert after["exp"] == before["exp"] + 600
    assert before["jti"] != after["jti"]


@source("API CreateUserPoolClient, RefreshTokenValidity; SEEN the messages")
def test_a_refresh_token_expires_and_belongs_to_its_client() -> None:
    world = World()
    token = world.tokens()["RefreshToken"]
    assert refusal(lambda: world.refresh(token, OTHER_CLIENT)) == ("NotAuthorizedException", "Invalid Refresh Token")
    assert refusal(lambda: world.refresh("made-up")) == ("NotAuthorizedException", "Invalid Refresh Token")
    world.now += 30 * DAY
    assert refusal(lambda: world.refresh(token)) == ("NotAuthorizedException", "Refresh Token has expired")


@source("API GetTokensFromRefreshToken")
def test_tokens_come_from_a_refresh_token_by_the_newer_operation_too() -> None:
    world = World()
    answer = world.call("GetTokensFromRefreshToken", ClientId=CLIENT, RefreshToken=world.tokens()["RefreshToken"])
    assert claims(answer["AuthenticationResult"]["AccessToken"])["client_id"] == CLIENT


@source("SEEN NotAuthorizedException of GetUser: Access Token has expired")
def test_an_access_token_expires_after_fifteen_minutes() -> None:
    world = World()
    token = world.tokens()["AccessToken"]
    world.now += 15 * 60 - 1
    assert world.call("GetUser", AccessToken=token)["Username"]
    world.now += 1
    assert world.refusal("GetUser", AccessToken=token) == ("NotAuthorizedException", "Access Token has expired")


@source("SEEN NotAuthorizedException of GetUser: Invalid Access Token")
def test_only_access_tokens_of_the_pool_are_accepted() -> None:
    world, other = World(), World(own_key=True)
    tokens = world.tokens()
    head, payload, signature = tokens["AccessToken"].split(".")
    forged = f"{head}.{payload[:-2]}AA.{signature}"
    for token in (tokens["IdToken"], forged, "abc", other.tokens()["AccessToken"]):
        assert world.refusal("GetUser", AccessToken=token) == ("NotAuthorizedException", "Invalid Access Token")


@source("GUIDE Ending user sessions with token revocation: the refresh token, and the access tokens from it")
def test_a_revoked_token_ends_its_sign_in_and_no_other() -> None:
    world = World()
    first = world.tokens()
    second = world.sign_in()
    world.call("RevokeToken", ClientId=CLIENT, Token=first["RefreshToken"])
    assert refusal(lambda: world.refresh(first["RefreshToken"])) == ("NotAuthorizedException", "Refresh Token has been revoked")
    revoked = ("NotAuthorizedException", "Access Token has been revoked")
    assert world.refusal("GetUser", AccessToken=first["AccessToken"]) == revoked
    assert world.call("GetUser", AccessToken=second["AccessToken"])["Username"]


@source("API RevokeToken: UnsupportedTokenTypeException, UnauthorizedException, UnsupportedOperationException")
def test_what_cannot_be_revoked_is_refused() -> None:
    world = World()
    tokens = world.tokens()
    assert world.refusal("RevokeToken", ClientId=CLIENT, Token=tokens["AccessToken"])[0] == "UnsupportedTokenTypeException"
    assert world.refusal("RevokeToken", ClientId=OTHER_CLIENT, Token=tokens["RefreshToken"])[0] == "UnauthorizedException"
    without = World(client={"EnableTokenRevocation": False})
    assert without.refusal("RevokeToken", ClientId=CLIENT, Token="any")[0] == "UnsupportedOperationException"


@source("API GlobalSignOut: all of the user's tokens; later sign-ins work")
@pytest.mark.parametrize("by_administrator", [False, True])
def test_a_sign_out_everywhere_ends_every_sign_in(by_administrator: bool) -> None:
    world = World()
    sign_ins = [world.tokens(), world.sign_in()]
    if by_administrator:
        world.call("AdminUserGlobalSignOut", UserPoolId=POOL, Username=EMAIL)
    else:
        world.call("GlobalSignOut", AccessToken=sign_ins[0]["AccessToken"])
    for tokens in sign_ins:
        assert refusal(lambda: world.refresh(tokens["RefreshToken"]))[1] == "Refresh Token has been revoked"  # noqa: B023
        assert world.refusal("GetUser", AccessToken=tokens["AccessToken"])[1] == "Access Token has been revoked"
    assert world.call("GetUser", AccessToken=world.sign_in()["AccessToken"])["Username"]


@source("GUIDE Verifying JSON web tokens: each pool has keys, at /.well-known/jwks.json")
def test_pools_have_different_keys() -> None:
    first, second = (World(own_key=True).pool.tokens.public_keys() for _ in range(2))
    assert {key["alg"] for key in first["keys"]} == {"RS256"}
    assert "d" not in first["keys"][0]
    assert first["keys"][0]["n"] != second["keys"][0]["n"]


# ---------------------------------------------------------------------------------------------------------- passwords


@source("GUIDE Recovering user accounts")
def test_a_forgotten_password_is_replaced_with_the_code() -> None:
    world = World().confirmed()
    world.call("ForgotPassword", ClientId=CLIENT, Username=EMAIL)
    request = {"ClientId": CLIENT, "Username": EMAIL, "Password": NEW_PASSWORD}
    assert world.refusal("ConfirmForgotPassword", **request, ConfirmationCode=world.wrong_code) == CODE_MISMATCH
    world.call("ConfirmForgotPassword", **request, ConfirmationCode=world.code)
    assert "AccessToken" in world.sign_in(password=NEW_PASSWORD)
    assert refusal(world.sign_in) == WRONG
    assert world.refusal("ConfirmForgotPassword", **request, ConfirmationCode=world.code) == EXPIRED_CODE


@source("GUIDE Recovering user accounts: the code is valid for one hour")
def test_a_recovery_code_expires_after_an_hour() -> None:
    world = World().confirmed()
    world.call("ForgotPassword", ClientId=CLIENT, Username=EMAIL)
    world.now += 3600
    request = {"ClientId": CLIENT, "Username": EMAIL, "Password": NEW_PASSWORD, "ConfirmationCode": world.code}
    assert world.refusal("ConfirmForgotPassword", **request) == EXPIRED_CODE


@source("GUIDE Recovering user accounts, forgot password behavior: between 5 and 20 attempts in an hour")
def test_recovery_codes_are_limited() -> None:
    world = World().confirmed()
    for _ in range(5):
        world.call("ForgotPassword", ClientId=CLIENT, Username=EMAIL)
    assert world.refusal("ForgotPassword", ClientId=CLIENT, Username=EMAIL) == LIMIT
    request = {"ClientId": CLIENT, "Username": EMAIL, "Password": NEW_PASSWORD}
    for _ in range(5):
        assert world.refusal("ConfirmForgotPassword", **request, ConfirmationCode=world.wrong_code) == CODE_MISMATCH
    assert world.refusal("ConfirmForgotPassword", **request, ConfirmationCode=world.code) == LIMIT


@source("GUIDE Managing user existence error responses: no code without a verified address, and the answer doesn't show it")
def test_a_code_goes_only_to_a_verified_address() -> None:
    world = World()
    world.sign_up()
    sent = len(world.mails)
    assert world.call("ForgotPassword", ClientId=CLIENT, Username=EMAIL)["CodeDeliveryDetails"]["Destination"] == "a***@e***"
    assert len(world.mails) == sent


@source("API ChangePassword: the previous password is needed, and tokens stay valid")
def test_a_password_is_changed_with_the_previous_one() -> None:
    world = World()
    tokens = world.tokens()
    change = {"AccessToken": tokens["AccessToken"], "ProposedPassword": NEW_PASSWORD}
    assert world.refusal("ChangePassword", **change, PreviousPassword="Wrong-Horse-77") == WRONG
    world.call("ChangePassword", **change, PreviousPassword=PASSWORD)
    assert refusal(world.sign_in) == WRONG
    assert "AccessToken" in world.sign_in(password=NEW_PASSWORD)
    assert "AccessToken" in world.refresh(tokens["RefreshToken"])


# ------------------------------------------------------------------------------------------------------------ account


@source("API GetUser")
def test_a_user_reads_the_account() -> None:
    world = World()
    answer = world.call("GetUser", AccessToken=world.tokens()["AccessToken"])
    attributes = {entry["Name"]: entry["Value"] for entry in answer["UserAttributes"]}
    assert attributes == {"sub": answer["Username"], "email": EMAIL, "email_verified": "true"}


@source("API CreateUserPool, AttributesRequireVerificationBeforeUpdate: the old address stays until the code is entered")
def test_a_new_address_takes_effect_with_its_code() -> None:
    world = World()
    token = world.tokens()["AccessToken"]
    change = [{"Name": "email", "Value": "new@example.com"}]
    world.call("UpdateUserAttributes", AccessToken=token, UserAttributes=change)
    assert world.mails[-1][1] == "new@example.com"
    assert "AccessToken" in world.sign_in()
    assert world.refusal("VerifyUserAttribute", AccessToken=token, AttributeName="email", Code=world.wrong_code) == CODE_MISMATCH
    world.call("VerifyUserAttribute", AccessToken=token, AttributeName="email", Code=world.code)
    assert claims(world.sign_in("new@example.com")["IdToken"])["email"] == "new@example.com"
    assert refusal(world.sign_in) == WRONG


@source("API UpdateUserAttributes: AliasExistsException; attribute permissions of the client")
def test_another_users_address_or_a_verified_flag_cannot_be_taken() -> None:
    world = World().confirmed("bob@example.com")
    token = world.tokens()["AccessToken"]
    taken = [{"Name": "email", "Value": "bob@example.com"}]
    assert world.refusal("UpdateUserAttributes", AccessToken=token, UserAttributes=taken)[0] == "AliasExistsException"
    flag = [{"Name": "email_verified", "Value": "true"}]
    assert world.refusal("UpdateUserAttributes", AccessToken=token, UserAttributes=flag)[0] == "NotAuthorizedException"


@source("API DeleteUser")
def test_a_deleted_user_is_gone_with_the_tokens() -> None:
    world = World()
    tokens = world.tokens()
    world.call("DeleteUser", AccessToken=tokens["AccessToken"])
    assert refusal(world.sign_in) == WRONG
    assert refusal(lambda: world.refresh(tokens["RefreshToken"]))[0] == "NotAuthorizedException"
    assert world.refusal("AdminGetUser", UserPoolId=POOL, Username=EMAIL) == ("UserNotFoundException", "User does not exist.")
    world.confirmed()


# --------------------------------------------------------------------------------------------------------------- TOTP


@source("GUIDE TOTP software token MFA")
def test_a_code_of_the_app_completes_the_sign_in() -> None:
    world, secret = with_totp()
    challenge = world.sign_in()
    assert (challenge["ChallengeName"], challenge.get("AuthenticationResult")) == ("SOFTWARE_TOKEN_MFA", None)
    answer = answer_totp(world, challenge, code_at(secret, int(world.now // 30)))
    assert claims(answer["AuthenticationResult"]["AccessToken"])["client_id"] == CLIENT


@source("SEEN CodeMismatchException of RespondToAuthChallenge; the session stays open for another code")
def test_a_wrong_code_of_the_app_is_refused() -> None:
    world, secret = with_totp()
    challenge = world.sign_in()
    old = code_at(secret, int(world.now // 30) - 40)
    assert refusal(lambda: answer_totp(world, challenge, old)) == ("CodeMismatchException", "Invalid code received for user")
    assert answer_totp(world, challenge, code_at(secret, int(world.now // 30)))["AuthenticationResult"]


@source("SEEN ExpiredCodeException: Your software token has already been used once. RFC 6238, section 5.2")
def test_a_code_of_the_app_is_used_once() -> None:
    world, secret = with_totp()
    code = code_at(secret, int(world.now // 30))
    answer_totp(world, world.sign_in(), code)
    expected = ("ExpiredCodeException", "Your software token has already been used once.")
    assert refusal(lambda: answer_totp(world, world.sign_in(), code)) == expected


@source("API CreateUserPoolClient, AuthSessionValidity: three minutes; SEEN the messages")
def test_a_session_is_used_once_and_expires() -> None:
    world, secret = with_totp()
    challenge = world.sign_in()
    answer_totp(world, challenge, code_at(secret, int(world.now // 30)))
    expected = "Invalid session for the user, session can only be used once."
    assert refusal(lambda: answer_totp(world, challenge, "123456"))[1] == expected
    later = world.sign_in()
    world.now += 180
    assert refusal(lambda: answer_totp(world, later, code_at(secret, int(world.now // 30))))[1] == (
        "Invalid session for the user, session is expired."
    )


@source("GUIDE User pool MFA: five wrong codes lock the user out, as wrong passwords do")
def test_codes_of_the_app_cannot_be_guessed() -> None:
    world, secret = with_totp()
    challenge = world.sign_in()
    for _ in range(5):
        refusal(lambda: answer_totp(world, challenge, code_at(secret, 7)))
    assert (
        refusal(lambda: answer_totp(world, challenge, code_at(secret, int(world.now // 30))))[1] == "Password attempts exceeded"
    )


@source("SEEN EnableSoftwareTokenMFAException; API SetUserMFAPreference")
def test_an_app_must_be_verified_before_it_is_used() -> None:
    world = World()
    token = world.tokens()["AccessToken"]
    preference = {"AccessToken": token, "SoftwareTokenMfaSettings": {"Enabled": True}}
    assert world.refusal("SetUserMFAPreference", **preference) == (
        "InvalidParameterException", "User has not verified software token mfa",
    )  # fmt: skip
    secret = world.call("AssociateSoftwareToken", AccessToken=token)["SecretCode"]
    expected = ("EnableSoftwareTokenMFAException", "Code mismatch and fail enable Software Token MFA")
    assert world.refusal("VerifySoftwareToken", AccessToken=token, UserCode=code_at(secret, 7)) == expected
    assert world.refusal("SetUserMFAPreference", **preference)[0] == "InvalidParameterException"
    assert "AccessToken" in world.sign_in()


# ----------------------------------------------------------------------------------------------------- administrators


@source("API AdminCreateUser: the temporary password arrives by e-mail and must be replaced")
def test_an_invited_user_must_choose_a_password() -> None:
    world = World({"AdminCreateUserConfig": {"InviteMessageTemplate": {"EmailMessage": "{username} {####}"}}})
    user = world.call("AdminCreateUser", UserPoolId=POOL, Username=EMAIL)["User"]
    assert user["UserStatus"] == "FORCE_CHANGE_PASSWORD"
    email, password = world.mails[-1][3].split(" ")
    challenge = world.sign_in(email, password)
    assert challenge["ChallengeName"] == "NEW_PASSWORD_REQUIRED"
    request = {"ClientId": CLIENT, "ChallengeName": "NEW_PASSWORD_REQUIRED", "Session": challenge["Session"]}
    weak = {"USERNAME": EMAIL, "NEW_PASSWORD": "weak"}
    assert world.refusal("RespondToAuthChallenge", **request, ChallengeResponses=weak)[0] == "InvalidPasswordException"
    strong = {"USERNAME": EMAIL, "NEW_PASSWORD": NEW_PASSWORD}
    assert world.call("RespondToAuthChallenge", **request, ChallengeResponses=strong)["AuthenticationResult"]
    assert "AccessToken" in world.sign_in(password=NEW_PASSWORD)


@source("API CreateUserPool, TemporaryPasswordValidityDays; SEEN the message")
def test_a_temporary_password_expires() -> None:
    world = World()
    world.call("AdminCreateUser", UserPoolId=POOL, Username=EMAIL, TemporaryPassword=PASSWORD, MessageAction="SUPPRESS")
    assert world.mails == []
    world.now += 7 * DAY
    expected = "Temporary password has expired and must be reset by an administrator"
    assert refusal(world.sign_in) == ("NotAuthorizedException", expected)


@source("API AdminSetUserPassword: Permanent")
def test_an_administrator_sets_a_password() -> None:
    world = World()
    world.call("AdminCreateUser", UserPoolId=POOL, Username=EMAIL, MessageAction="SUPPRESS")
    world.call("AdminSetUserPassword", UserPoolId=POOL, Username=EMAIL, Password=NEW_PASSWORD, Permanent=True)
    assert "AccessToken" in world.sign_in(password=NEW_PASSWORD)
    world.call("AdminSetUserPassword", UserPoolId=POOL, Username=EMAIL, Password=PASSWORD)
    assert world.sign_in()["ChallengeName"] == "NEW_PASSWORD_REQUIRED"


@source("GUIDE Pre sign-up Lambda trigger: PreSignUp_AdminCreateUser")
def test_the_trigger_hears_of_users_that_administrators_create() -> None:
    world = World(PRE_SIGN_UP)
    world.call("AdminCreateUser", UserPoolId=POOL, Username=EMAIL, MessageAction="SUPPRESS")
    assert [event["triggerSource"] for event in world.events] == ["PreSignUp_AdminCreateUser"]


@source("API ListUsers: Filter with = and ^=, pages of 60 at most")
def test_users_are_listed_by_filter_and_page() -> None:
    world = World()
    for name in ("ann", "anna", "bob"):
        world.call("AdminCreateUser", UserPoolId=POOL, Username=f"{name}@example.com", MessageAction="SUPPRESS")

    def listed(condition: str) -> int:
        return len(world.call("ListUsers", UserPoolId=POOL, Filter=condition)["Users"])

    assert (listed('email = "ann@example.com"'), listed('email ^= "ann"'), listed('email = "x@example.com"')) == (1, 2, 0)
    assert world.refusal("ListUsers", UserPoolId=POOL, Filter="nonsense")[0] == "InvalidParameterException"
    first = world.call("ListUsers", UserPoolId=POOL, Limit=2)
    second = world.call("ListUsers", UserPoolId=POOL, Limit=2, PaginationToken=first["PaginationToken"])
    assert (len(first["Users"]), len(second["Users"]), "PaginationToken" in second) == (2, 1, False)


@source("MODEL: operations with auth type none need no credentials; all others do")
def test_an_administrators_operation_needs_credentials() -> None:
    world = World()
    found = refusal(lambda: world.public("AdminCreateUser", UserPoolId=POOL, Username=EMAIL))
    assert found == ("MissingAuthenticationTokenException", "Missing Authentication Token")
    assert world.public("SignUp", ClientId=CLIENT, Username=EMAIL, Password=PASSWORD)["UserSub"]


@source("MODEL: required members, lengths, patterns and values; SEEN the form of the message")
@pytest.mark.parametrize(
    ("request_", "problem"),
    [
        ({"Username": EMAIL}, "Value at 'clientId' failed to satisfy constraint: Member must not be null"),
        ({"ClientId": CLIENT, "Username": ""}, "Member must have length greater than or equal to 1"),
        ({"ClientId": CLIENT, "Username": "a b"}, "Member must satisfy regular expression pattern"),
        ({"ClientId": CLIENT, "Username": "a" * 129}, "Member must have length less than or equal to 128"),
    ],
)
def test_a_request_must_fit_the_model(request_: dict[str, Any], problem: str) -> None:
    code, message = World().refusal("SignUp", **request_)
    assert code == "InvalidParameterException"
    assert message.startswith("1 validation error detected: ")
    assert problem in message


@source("API CreateUserPool, DeletionProtection")
def test_a_protected_pool_is_not_deleted() -> None:
    world = World({"DeletionProtection": "ACTIVE"}).confirmed()
    assert world.refusal("DeleteUserPool", UserPoolId=POOL)[0] == "InvalidParameterException"
    world.call("UpdateUserPool", UserPoolId=POOL, DeletionProtection="INACTIVE")
    world.call("DeleteUserPool", UserPoolId=POOL)
    assert world.call("ListUserPools", MaxResults=10)["UserPools"] == []
    assert refusal(world.sign_in)[0] == "ResourceNotFoundException"


@source("SEEN NotAuthorizedException of ForgotPassword for a user who was invited and has chosen no password yet")
def test_an_invited_user_has_no_password_to_recover() -> None:
    world = World()
    world.call("AdminCreateUser", UserPoolId=POOL, Username=EMAIL, MessageAction="SUPPRESS")
    expected = ("NotAuthorizedException", "User password cannot be reset in the current state.")
    assert world.refusal("ForgotPassword", ClientId=CLIENT, Username=EMAIL) == expected


# ---------------------------------------------------------------------------------------------------------- the table


def test_each_behaviour_has_a_source() -> None:
    own = {"test_each_behaviour_has_a_source", "test_passwords_are_not_kept", "test_the_clock_of_a_pool_is_the_systems"}
    tests = {name for name, value in globals().items() if name.startswith("test_") and callable(value)} - own
    assert tests == set(SOURCES)
    assert all(text.split(" ")[0].rstrip(":") in ("GUIDE", "API", "MODEL", "SEEN", "RFC") for text in SOURCES.values())


def test_passwords_are_not_kept() -> None:
    world = World().confirmed()
    (user,) = world.pool.users
    assert PASSWORD not in repr(user)


def test_the_clock_of_a_pool_is_the_systems() -> None:
    world = World()
    del world.pool.now
    assert abs(world.pool.now() - time.time()) < 60
