"""Deploys buckets, bucket policies and tables."""

from __future__ import annotations

import json
from typing import Any

from local.emulator.cloudformation.deployment import Deployment
from local.emulator.cloudformation.registry import Created, supports
from tools.sam_template import Json


@supports(
    "AWS::S3::Bucket",
    "BucketName",
    "BucketEncryption",
    "PublicAccessBlockConfiguration",
    "VersioningConfiguration",
    "OwnershipControls",
    "Tags",
    "CorsConfiguration.CorsRules.AllowedHeaders",
    "CorsConfiguration.CorsRules.AllowedMethods",
    "CorsConfiguration.CorsRules.AllowedOrigins",
    "CorsConfiguration.CorsRules.ExposedHeaders",
    "CorsConfiguration.CorsRules.MaxAge",
    "LifecycleConfiguration.Rules.Id",
    "LifecycleConfiguration.Rules.Status",
    "LifecycleConfiguration.Rules.Prefix",
    "LifecycleConfiguration.Rules.ExpirationInDays",
    "LifecycleConfiguration.Rules.ExpiredObjectDeleteMarker",
    "LifecycleConfiguration.Rules.NoncurrentVersionExpiration.NoncurrentDays",
    "LifecycleConfiguration.Rules.NoncurrentVersionExpiration.NewerNoncurrentVersions",
    "LifecycleConfiguration.Rules.AbortIncompleteMultipartUpload.DaysAfterInitiation",
    "NotificationConfiguration.QueueConfigurations.Event",
    "NotificationConfiguration.QueueConfigurations.Queue",
    "NotificationConfiguration.QueueConfigurations.Filter.S3Key.Rules",
)
def bucket(deployment: Deployment, logical_id: str, properties: Json) -> Created:
    s3 = deployment.client("s3")
    name = properties.get("BucketName") or deployment.generated_name(logical_id).lower()
    s3.create_bucket(Bucket=name)
    if encryption := properties.get("BucketEncryption"):
        s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration=_encryption(encryption))
    if block := properties.get("PublicAccessBlockConfiguration"):
        s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=block)
    if versioning := properties.get("VersioningConfiguration"):
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration=versioning)
    if ownership := properties.get("OwnershipControls"):
        s3.put_bucket_ownership_controls(Bucket=name, OwnershipControls=ownership)
    if cors := properties.get("CorsConfiguration"):
        rules = [_cors_rule(rule) for rule in cors["CorsRules"]]
        s3.put_bucket_cors(Bucket=name, CORSConfiguration={"CORSRules": rules})
    if lifecycle := properties.get("LifecycleConfiguration"):
        rules = [_lifecycle_rule(rule) for rule in lifecycle["Rules"]]
        s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": rules})
    if notification := properties.get("NotificationConfiguration"):
        s3.put_bucket_notification_configuration(Bucket=name, NotificationConfiguration=_notification(notification))
    domain = f"{name}.s3.amazonaws.com"
    regional = f"{name}.s3.{deployment.region}.amazonaws.com"
    return Created(name, {"Arn": f"arn:aws:s3:::{name}", "DomainName": domain, "RegionalDomainName": regional})


def _encryption(encryption: Json) -> Json:
    rules = []
    for rule in encryption["ServerSideEncryptionConfiguration"]:
        api_rule = {"ApplyServerSideEncryptionByDefault": rule["ServerSideEncryptionByDefault"]}
        if "BucketKeyEnabled" in rule:
            api_rule["BucketKeyEnabled"] = rule["BucketKeyEnabled"]
        rules.append(api_rule)
    return {"Rules": rules}


def _cors_rule(rule: Json) -> Json:
    names = {"ExposedHeaders": "ExposeHeaders", "MaxAge": "MaxAgeSeconds"}
    return {names.get(key, key): value for key, value in rule.items()}


def _lifecycle_rule(rule: Json) -> Json:
    api_rule: Json = {"Status": rule["Status"], "Filter": {"Prefix": rule.get("Prefix", "")}}
    if "Id" in rule:
        api_rule["ID"] = rule["Id"]
    expiration: Json = {}
    if "ExpirationInDays" in rule:
        expiration["Days"] = int(rule["ExpirationInDays"])
    if "ExpiredObjectDeleteMarker" in rule:
        expiration["ExpiredObjectDeleteMarker"] = rule["ExpiredObjectDeleteMarker"]
    if expiration:
        api_rule["Expiration"] = expiration
    for name in ("NoncurrentVersionExpiration", "AbortIncompleteMultipartUpload"):
        if name in rule:
            api_rule[name] = {key: int(value) for key, value in rule[name].items()}
    return api_rule


def _notification(notification: Json) -> Json:
    """The API's notification configuration, with one entry for each queue and filter. CloudFormation has one for each event."""
    queues: dict[str, Json] = {}
    for entry in notification["QueueConfigurations"]:
        rules = entry.get("Filter", {}).get("S3Key", {}).get("Rules", [])
        key = json.dumps([entry["Queue"], rules])
        queues.setdefault(key, {"QueueArn": entry["Queue"], "Events": []})["Events"].append(entry["Event"])
        if rules:
            queues[key]["Filter"] = {"Key": {"FilterRules": rules}}
    return {"QueueConfigurations": list(queues.values())}


@supports("AWS::S3::BucketPolicy", "Bucket", "PolicyDocument")
def bucket_policy(deployment: Deployment, logical_id: str, properties: Json) -> Created:
    document = json.dumps(properties["PolicyDocument"])
    deployment.client("s3").put_bucket_policy(Bucket=properties["Bucket"], Policy=document)
    return Created(properties["Bucket"])


@supports(
    "AWS::DynamoDB::Table",
    "TableName",
    "AttributeDefinitions",
    "KeySchema",
    "BillingMode",
    "GlobalSecondaryIndexes.IndexName",
    "GlobalSecondaryIndexes.KeySchema",
    "GlobalSecondaryIndexes.Projection",
    "SSESpecification.SSEEnabled",
    "PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled",
    "TimeToLiveSpecification",
    "DeletionProtectionEnabled",
    "Tags",
)
def table(deployment: Deployment, logical_id: str, properties: Json) -> Created:
    dynamodb = deployment.client("dynamodb")
    name = properties.get("TableName") or deployment.generated_name(logical_id)
    same = ("AttributeDefinitions", "KeySchema", "BillingMode", "GlobalSecondaryIndexes", "Tags")
    arguments: dict[str, Any] = {key: properties[key] for key in same if key in properties}
    if "SSESpecification" in properties:
        arguments["SSESpecification"] = {"Enabled": properties["SSESpecification"]["SSEEnabled"]}
    if "DeletionProtectionEnabled" in properties:
        arguments["DeletionProtectionEnabled"] = properties["DeletionProtectionEnabled"]
    dynamodb.create_table(TableName=name, **arguments)
    if recovery := properties.get("PointInTimeRecoverySpecification"):
        dynamodb.update_continuous_backups(TableName=name, PointInTimeRecoverySpecification=recovery)
    if expiry := properties.get("TimeToLiveSpecification"):
        dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification=expiry)
    return Created(name, {"Arn": deployment.arn("dynamodb", f"table/{name}")})
