"""The settings of user pools and app clients come from the template; what the emulator doesn't support is an error."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from local.emulator.cognito.settings import ClientSettings, PasswordPolicy, PoolSettings
from tools.sam_template import Resolver, TemplateError, load_template

TEMPLATE = Path(__file__).parents[2] / "template.yaml"


def properties(logical_id: str, **parameters: str) -> dict[str, Any]:
    template = load_template(TEMPLATE, parameters)
    resolver = Resolver(template, "us-east-1", lambda name: name, lambda name, attribute: f"{name}.{attribute}")
    resolved: dict[str, Any] = resolver.resolve(template.resources[logical_id]["Properties"])
    return resolved


@pytest.mark.parametrize(("value", "only_administrators"), [("off", True), ("on", False)])
def test_the_parameter_of_the_template_decides_about_sign_up(value: str, only_administrators: bool) -> None:
    settings = PoolSettings.of("pool", properties("UserPool", SignUp=value))
    assert settings.only_administrators_create is only_administrators
    assert settings.password_policy == PasswordPolicy(minimum_length=12)
    assert (settings.mfa, settings.email_is_username, settings.case_sensitive) == ("OPTIONAL", True, False)
    assert settings.deletion_protection
    assert settings.triggers == {"PreSignUp": "CheckSignUpFunction.Arn"}


def test_the_templates_ses_identity_is_the_sender() -> None:
    arn = "arn:aws:ses:us-east-1:123456789012:identity/example.com"
    given = properties("UserPool", SignInEmailIdentityArn=arn, SignInEmailFrom="codes@example.com")
    assert PoolSettings.of("pool", given).sender == "codes@example.com"


def test_the_templates_client_allows_srp_and_short_access_tokens_only() -> None:
    settings = ClientSettings.of("web", properties("WebClient"))
    assert settings.flows == {"ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"}
    assert (settings.access_seconds, settings.refresh_seconds, settings.session_seconds) == (900, 30 * 86400, 180)
    assert settings.hides_unknown_users
    assert settings.revokes_tokens
    assert settings.writable == {"email"}


def test_defaults_are_those_of_the_api() -> None:
    settings = ClientSettings.of("client", {})
    assert (settings.access_seconds, settings.id_seconds, settings.refresh_seconds) == (3600, 3600, 30 * 86400)
    assert not settings.hides_unknown_users
    assert "ALLOW_USER_PASSWORD_AUTH" not in settings.flows
    assert PoolSettings.of("pool", {}).password_policy == PasswordPolicy(8, True, True, True, True, 7)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"MfaConfiguration": "OPTIONAL", "EnabledMfas": ["SMS_MFA"]}, "only SOFTWARE_TOKEN_MFA"),
        ({"MfaConfiguration": "ON", "EnabledMfas": ["SOFTWARE_TOKEN_MFA"]}, "MfaConfiguration ON"),
        ({"UsernameAttributes": ["phone_number"]}, "phone_number"),
        ({"AutoVerifiedAttributes": ["phone_number"]}, "phone_number"),
        ({"VerificationMessageTemplate": {"DefaultEmailOption": "CONFIRM_WITH_LINK"}}, "CONFIRM_WITH_CODE"),
        ({"Schema": [{"Name": "department"}]}, "department"),
        ({"LambdaConfig": {"PostConfirmation": "arn"}}, "PostConfirmation"),
    ],
)
def test_an_unsupported_setting_of_a_pool_is_named(given: dict[str, Any], problem: str) -> None:
    with pytest.raises(TemplateError, match=problem):
        PoolSettings.of("pool", given)


@pytest.mark.parametrize(
    ("given", "problem"),
    [({"GenerateSecret": True}, "client secret"), ({"ExplicitAuthFlows": ["ALLOW_USER_AUTH"]}, "ALLOW_USER_AUTH")],
)
def test_an_unsupported_setting_of_a_client_is_named(given: dict[str, Any], problem: str) -> None:
    with pytest.raises(TemplateError, match=problem):
        ClientSettings.of("client", given)
