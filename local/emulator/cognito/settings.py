"""The settings of user pools and app clients, read from the properties of their CloudFormation resources.

Defaults are those of the API's CreateUserPool and CreateUserPoolClient. Source: Amazon Cognito user pools API reference.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tools.sam_template import Json, TemplateError

SECONDS = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86400}
DEFAULT_SUBJECT = "Your verification code"
DEFAULT_MESSAGE = "Your confirmation code is {####}"
INVITATION_SUBJECT = "Your temporary password"
INVITATION_MESSAGE = "Your username is {username} and temporary password is {####}."
DEFAULT_SENDER = "no-reply@verificationemail.com"


@dataclass(frozen=True)
class PasswordPolicy:
    """What a password must have. `temporary_days` is the lifetime of a temporary password."""

    minimum_length: int = 8
    lowercase: bool = True
    uppercase: bool = True
    numbers: bool = True
    symbols: bool = True
    temporary_days: int = 7

    @staticmethod
    def of(properties: Json) -> PasswordPolicy:
        return PasswordPolicy(
            minimum_length=int(properties.get("MinimumLength", 8)),
            lowercase=_flag(properties.get("RequireLowercase", True)),
            uppercase=_flag(properties.get("RequireUppercase", True)),
            numbers=_flag(properties.get("RequireNumbers", True)),
            symbols=_flag(properties.get("RequireSymbols", True)),
            temporary_days=int(properties.get("TemporaryPasswordValidityDays", 7)),
        )


@dataclass(frozen=True)
class Message:
    """A message with a code: {####} stands for the code, {username} for the user's name."""

    subject: str
    text: str


@dataclass(frozen=True)
class PoolSettings:
    """The settings of a user pool. `mfa` is OFF, ON or OPTIONAL; `triggers` maps a trigger's name to a function's ARN."""

    name: str
    password_policy: PasswordPolicy = field(default_factory=PasswordPolicy)
    email_is_username: bool = False
    case_sensitive: bool = False
    auto_verifies_email: bool = False
    verifies_email_before_update: bool = False
    recovers_by_email: bool = True
    only_administrators_create: bool = False
    mfa: str = "OFF"
    verification: Message = field(default_factory=lambda: Message(DEFAULT_SUBJECT, DEFAULT_MESSAGE))
    invitation: Message = field(default_factory=lambda: Message(INVITATION_SUBJECT, INVITATION_MESSAGE))
    sender: str = DEFAULT_SENDER
    deletion_protection: bool = False
    triggers: dict[str, str] = field(default_factory=dict)

    @staticmethod
    def of(name: str, properties: Json) -> PoolSettings:
        """Raises TemplateError for a setting with a value that the emulator doesn't support."""
        _refuse_unsupported(name, properties)
        recovery = properties.get("AccountRecoverySetting", {}).get("RecoveryMechanisms", [])
        updates = properties.get("UserAttributeUpdateSettings", {})
        creation = properties.get("AdminCreateUserConfig", {})
        verification = properties.get("VerificationMessageTemplate", {})
        invitation = creation.get("InviteMessageTemplate", {})
        email = properties.get("EmailConfiguration", {})
        return PoolSettings(
            name=name,
            password_policy=PasswordPolicy.of(properties.get("Policies", {}).get("PasswordPolicy", {})),
            email_is_username="email" in properties.get("UsernameAttributes", []),
            case_sensitive=_flag(properties.get("UsernameConfiguration", {}).get("CaseSensitive", False)),
            auto_verifies_email="email" in properties.get("AutoVerifiedAttributes", []),
            verifies_email_before_update="email" in updates.get("AttributesRequireVerificationBeforeUpdate", []),
            recovers_by_email=not recovery or any(entry["Name"] == "verified_email" for entry in recovery),
            only_administrators_create=_flag(creation.get("AllowAdminCreateUserOnly", False)),
            mfa=properties.get("MfaConfiguration", "OFF"),
            verification=Message(
                verification.get("EmailSubject", DEFAULT_SUBJECT), verification.get("EmailMessage", DEFAULT_MESSAGE)
            ),
            invitation=Message(
                invitation.get("EmailSubject", INVITATION_SUBJECT), invitation.get("EmailMessage", INVITATION_MESSAGE)
            ),
            sender=_sender(email),
            deletion_protection=properties.get("DeletionProtection") == "ACTIVE",
            triggers=dict(properties.get("LambdaConfig", {})),
        )


def _refuse_unsupported(name: str, properties: Json) -> None:
    if properties.get("MfaConfiguration") == "ON":
        raise TemplateError(f"user pool {name}: the emulator doesn't support MfaConfiguration ON; OPTIONAL and OFF are supported")
    if properties.get("MfaConfiguration", "OFF") != "OFF" and properties.get("EnabledMfas") != ["SOFTWARE_TOKEN_MFA"]:
        raise TemplateError(f"user pool {name}: the emulator supports only SOFTWARE_TOKEN_MFA in EnabledMfas")
    if others := {"phone_number"} & {*properties.get("UsernameAttributes", []), *properties.get("AutoVerifiedAttributes", [])}:
        raise TemplateError(f"user pool {name}: the emulator doesn't support {', '.join(others)} as a name or verified attribute")
    option = properties.get("VerificationMessageTemplate", {}).get("DefaultEmailOption", "CONFIRM_WITH_CODE")
    if option != "CONFIRM_WITH_CODE":
        raise TemplateError(f"user pool {name}: the emulator supports only the DefaultEmailOption CONFIRM_WITH_CODE")
    for attribute in properties.get("Schema", []):
        if attribute["Name"] != "email":
            raise TemplateError(f"user pool {name}: the emulator supports only email in Schema, not {attribute['Name']}")
    if unknown := sorted(properties.get("LambdaConfig", {}).keys() - {"PreSignUp"}):
        raise TemplateError(f"user pool {name}: the emulator doesn't support the trigger {', '.join(unknown)}")


def _sender(email: Json) -> str:
    if email.get("EmailSendingAccount") != "DEVELOPER":
        return DEFAULT_SENDER
    return str(email.get("From") or email["SourceArn"].rpartition("/")[2])


FLOWS = {
    "ALLOW_USER_SRP_AUTH",
    "ALLOW_REFRESH_TOKEN_AUTH",
    "ALLOW_USER_PASSWORD_AUTH",
    "ALLOW_ADMIN_USER_PASSWORD_AUTH",
}
DEFAULT_FLOWS = ("ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH", "ALLOW_CUSTOM_AUTH")


@dataclass(frozen=True)
class ClientSettings:
    """The settings of an app client. Validities are in seconds."""

    name: str
    flows: frozenset[str] = frozenset(DEFAULT_FLOWS)
    hides_unknown_users: bool = False
    revokes_tokens: bool = True
    access_seconds: int = 3600
    id_seconds: int = 3600
    refresh_seconds: int = 30 * 86400
    session_seconds: int = 180
    readable: frozenset[str] | None = None
    writable: frozenset[str] | None = None

    @staticmethod
    def of(name: str, properties: Json) -> ClientSettings:
        """Raises TemplateError for a setting with a value that the emulator doesn't support."""
        if _flag(properties.get("GenerateSecret", False)):
            raise TemplateError(f"app client {name}: the emulator doesn't support a client secret")
        flows = properties.get("ExplicitAuthFlows", DEFAULT_FLOWS)
        if unknown := sorted(set(flows) - FLOWS - {"ALLOW_CUSTOM_AUTH"}):
            raise TemplateError(f"app client {name}: the emulator doesn't support the flow {', '.join(unknown)}")
        units = properties.get("TokenValidityUnits", {})

        def seconds(token: str, unit: str, number: int) -> int:
            return int(properties.get(f"{token}Validity", number)) * SECONDS[units.get(token, unit)]

        return ClientSettings(
            name=name,
            flows=frozenset(flows),
            hides_unknown_users=properties.get("PreventUserExistenceErrors") == "ENABLED",
            revokes_tokens=_flag(properties.get("EnableTokenRevocation", True)),
            access_seconds=seconds("AccessToken", "hours", 1),
            id_seconds=seconds("IdToken", "hours", 1),
            refresh_seconds=seconds("RefreshToken", "days", 30),
            session_seconds=int(properties.get("AuthSessionValidity", 3)) * 60,
            readable=_names(properties.get("ReadAttributes")),
            writable=_names(properties.get("WriteAttributes")),
        )


def _names(attributes: list[str] | None) -> frozenset[str] | None:
    return None if attributes is None else frozenset(attributes)


def _flag(value: object) -> bool:
    return str(value).lower() == "true"
