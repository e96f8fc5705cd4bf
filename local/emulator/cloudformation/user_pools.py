"""Deploys Cognito user pools, app clients and groups."""

from __future__ import annotations

import hashlib

from local.emulator.cloudformation.deployment import Deployment
from local.emulator.cloudformation.registry import Created, supports
from local.emulator.cognito.settings import ClientSettings, PoolSettings
from local.emulator.cognito.user_pool import UserPool
from tools.sam_template import Json

LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


@supports(
    "AWS::Cognito::UserPool",
    "UserPoolName",
    "UserPoolTier",
    "DeletionProtection",
    "UsernameAttributes",
    "UsernameConfiguration.CaseSensitive",
    "Schema.Name",
    "Schema.AttributeDataType",
    "Schema.Required",
    "Schema.Mutable",
    "AutoVerifiedAttributes",
    "UserAttributeUpdateSettings.AttributesRequireVerificationBeforeUpdate",
    "AccountRecoverySetting.RecoveryMechanisms",
    "AdminCreateUserConfig.AllowAdminCreateUserOnly",
    "AdminCreateUserConfig.InviteMessageTemplate.EmailSubject",
    "AdminCreateUserConfig.InviteMessageTemplate.EmailMessage",
    "Policies.PasswordPolicy.MinimumLength",
    "Policies.PasswordPolicy.RequireLowercase",
    "Policies.PasswordPolicy.RequireUppercase",
    "Policies.PasswordPolicy.RequireNumbers",
    "Policies.PasswordPolicy.RequireSymbols",
    "Policies.PasswordPolicy.TemporaryPasswordValidityDays",
    "MfaConfiguration",
    "EnabledMfas",
    "VerificationMessageTemplate.DefaultEmailOption",
    "VerificationMessageTemplate.EmailSubject",
    "VerificationMessageTemplate.EmailMessage",
    "EmailConfiguration.EmailSendingAccount",
    "EmailConfiguration.SourceArn",
    "EmailConfiguration.From",
    "LambdaConfig.PreSignUp",
    "UserPoolTags",
)
def user_pool(deployment: Deployment, logical_id: str, properties: Json) -> Created:
    name = properties.get("UserPoolName") or deployment.generated_name(logical_id)
    pool_id = f"{deployment.region}_{generated_id(deployment, logical_id, 9)}"
    pool = UserPool(
        pool_id=pool_id,
        arn=deployment.arn("cognito-idp", f"userpool/{pool_id}"),
        issuer=f"{deployment.endpoint}/{pool_id}",
        settings=PoolSettings.of(name, properties),
    )
    deployment.user_pools[pool_id] = pool
    attributes = {"Arn": pool.arn, "ProviderURL": pool.issuer, "ProviderName": pool.issuer.partition("://")[2]}
    return Created(pool_id, {**attributes, "UserPoolId": pool_id})


@supports(
    "AWS::Cognito::UserPoolClient",
    "UserPoolId",
    "ClientName",
    "GenerateSecret",
    "ExplicitAuthFlows",
    "PreventUserExistenceErrors",
    "EnableTokenRevocation",
    "TokenValidityUnits",
    "AccessTokenValidity",
    "IdTokenValidity",
    "RefreshTokenValidity",
    "AuthSessionValidity",
    "ReadAttributes",
    "WriteAttributes",
)
def user_pool_client(deployment: Deployment, logical_id: str, properties: Json) -> Created:
    name = properties.get("ClientName") or deployment.generated_name(logical_id)
    client_id = generated_id(deployment, logical_id, 26)
    pool = deployment.user_pools[properties["UserPoolId"]]
    pool.clients[client_id] = ClientSettings.of(name, properties)
    return Created(client_id, {"ClientId": client_id, "Name": name})


@supports("AWS::Cognito::UserPoolGroup", "UserPoolId", "GroupName", "Description", "Precedence")
def user_pool_group(deployment: Deployment, logical_id: str, properties: Json) -> Created:
    name = properties.get("GroupName") or deployment.generated_name(logical_id)
    deployment.user_pools[properties["UserPoolId"]].groups[name] = properties.get("Description", "")
    return Created(name)


def generated_id(deployment: Deployment, logical_id: str, length: int) -> str:
    """An id of lower-case letters and digits. It is the same at each start."""
    digest = hashlib.sha256(f"{deployment.stack_name}/{logical_id}".encode()).digest()
    return "".join(LETTERS[byte % len(LETTERS)] for byte in digest[:length])
