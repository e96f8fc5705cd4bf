"""Identifies S3's REST requests: bucket and key, the operation, and the IAM actions that it needs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote
from xml.etree import ElementTree

from local.emulator.gateway.call import Action, Call, request_context
from local.emulator.s3.forms import is_form_upload, read_form

Context = Mapping[str, Any]

_VIRTUAL_HOST = re.compile(r"^(?P<bucket>.+?)\.(?:s3(?:[.-](?:dualstack\.)?[a-z0-9-]+)?\.amazonaws\.com|(?:s3\.)?localhost)$")

# Sub-resource -> (noun in the operation, noun in the IAM action) for GET, PUT and DELETE on a bucket.
_BUCKET_CONFIGURATIONS = {
    "accelerate": ("BucketAccelerateConfiguration", "AccelerateConfiguration"),
    "acl": ("BucketAcl", "BucketAcl"),
    "analytics": ("BucketAnalyticsConfiguration", "AnalyticsConfiguration"),
    "cors": ("BucketCors", "BucketCORS"),
    "encryption": ("BucketEncryption", "EncryptionConfiguration"),
    "intelligent-tiering": ("BucketIntelligentTieringConfiguration", "IntelligentTieringConfiguration"),
    "inventory": ("BucketInventoryConfiguration", "InventoryConfiguration"),
    "lifecycle": ("BucketLifecycleConfiguration", "LifecycleConfiguration"),
    "location": ("BucketLocation", "BucketLocation"),
    "logging": ("BucketLogging", "BucketLogging"),
    "metrics": ("BucketMetricsConfiguration", "MetricsConfiguration"),
    "notification": ("BucketNotificationConfiguration", "BucketNotification"),
    "object-lock": ("ObjectLockConfiguration", "BucketObjectLockConfiguration"),
    "ownershipControls": ("BucketOwnershipControls", "BucketOwnershipControls"),
    "policy": ("BucketPolicy", "BucketPolicy"),
    "policyStatus": ("BucketPolicyStatus", "BucketPolicyStatus"),
    "publicAccessBlock": ("PublicAccessBlock", "BucketPublicAccessBlock"),
    "replication": ("BucketReplication", "ReplicationConfiguration"),
    "requestPayment": ("BucketRequestPayment", "BucketRequestPayment"),
    "tagging": ("BucketTagging", "BucketTagging"),
    "versioning": ("BucketVersioning", "BucketVersioning"),
    "website": ("BucketWebsite", "BucketWebsite"),
}
_BUCKET_LISTS = {
    "versions": ("ListObjectVersions", "ListBucketVersions"),
    "uploads": ("ListMultipartUploads", "ListBucketMultipartUploads"),
}
# (method, sub-resource) on an object -> (operation, IAM action, IAM action when a versionId is given).
_OBJECT_CONFIGURATIONS = {
    ("GET", "acl"): ("GetObjectAcl", "GetObjectAcl", "GetObjectVersionAcl"),
    ("PUT", "acl"): ("PutObjectAcl", "PutObjectAcl", "PutObjectVersionAcl"),
    ("GET", "tagging"): ("GetObjectTagging", "GetObjectTagging", "GetObjectVersionTagging"),
    ("PUT", "tagging"): ("PutObjectTagging", "PutObjectTagging", "PutObjectVersionTagging"),
    ("DELETE", "tagging"): ("DeleteObjectTagging", "DeleteObjectTagging", "DeleteObjectVersionTagging"),
    ("GET", "retention"): ("GetObjectRetention", "GetObjectRetention", "GetObjectRetention"),
    ("PUT", "retention"): ("PutObjectRetention", "PutObjectRetention", "PutObjectRetention"),
    ("GET", "legal-hold"): ("GetObjectLegalHold", "GetObjectLegalHold", "GetObjectLegalHold"),
    ("PUT", "legal-hold"): ("PutObjectLegalHold", "PutObjectLegalHold", "PutObjectLegalHold"),
    ("GET", "uploadId"): ("ListParts", "ListMultipartUploadParts", "ListMultipartUploadParts"),
    ("DELETE", "uploadId"): ("AbortMultipartUpload", "AbortMultipartUpload", "AbortMultipartUpload"),
    ("POST", "uploads"): ("CreateMultipartUpload", "PutObject", "PutObject"),
    ("POST", "uploadId"): ("CompleteMultipartUpload", "PutObject", "PutObject"),
    ("POST", "restore"): ("RestoreObject", "RestoreObject", "RestoreObject"),
    ("POST", "select"): ("SelectObjectContent", "GetObject", "GetObject"),
}
# Further permissions that uploads with these headers need.
_UPLOAD_HEADERS = {"x-amz-acl": "s3:PutObjectAcl", "x-amz-tagging": "s3:PutObjectTagging"}
_CONTEXT_HEADERS = ("x-amz-acl", "x-amz-copy-source", "x-amz-metadata-directive", "x-amz-server-side-encryption",
                    "x-amz-server-side-encryption-aws-kms-key-id", "x-amz-storage-class")  # fmt: skip


def identify(
    method: str, host: str, path: str, query: str, headers: Mapping[str, str], body: bytes, key: str | None, region: str
) -> Call:
    """Identify an S3 request. The arguments are those of identification.identify; `headers` has lower-case names."""
    bucket, name = bucket_and_key(host, path)
    fields = dict(parse_qsl(query, keep_blank_values=True)) if query else {}
    context = request_context(region)
    if method == "OPTIONS":
        return Call("s3", "OPTIONS", key, [], "rest-xml", region, method)
    missing = None
    if not bucket:
        operation, actions = "ListBuckets", [("s3:ListAllMyBuckets", "*", context)]
    elif not name:
        if is_form_upload(method, headers.get("content-type", "")):
            form = read_form(headers["content-type"], body)
            key = key or form.access_key
            operation, actions = "PostObject", [("s3:PutObject", f"arn:aws:s3:::{bucket}/{form.key}", context)]
        else:
            operation, actions = _bucket_call(method, bucket, fields, body, context)
    else:
        operation, actions = _object_call(method, bucket, name, fields, headers, context)
        if operation in ("GetObject", "HeadObject", "GetObjectAttributes"):
            missing = ("s3:ListBucket", f"arn:aws:s3:::{bucket}", {**context, "s3:prefix": name})
    return Call("s3", operation, key, actions, "rest-xml", region, method, missing)


def bucket_and_key(host: str, path: str) -> tuple[str, str]:
    """(bucket, key), decoded, of a virtual-hosted or path-style request. A missing part is an empty string."""
    name = host.partition(":")[0].lower()
    if (found := _VIRTUAL_HOST.match(name)) and found["bucket"] != "s3":
        return found["bucket"], unquote(path[1:])
    bucket, _, key = path[1:].partition("/")
    return unquote(bucket), unquote(key)


def _bucket_call(method: str, bucket: str, fields: Mapping[str, str], body: bytes, context: Context) -> tuple[str, list[Action]]:
    arn = f"arn:aws:s3:::{bucket}"
    if method == "POST" and "delete" in fields:
        wanted = _keys_to_delete(body) or [("*", None)]
        return "DeleteObjects", [_delete(arn, key, version, context) for key, version in wanted]
    if method == "HEAD":
        return "HeadBucket", [("s3:ListBucket", arn, context)]
    if method == "GET":
        for sub, (operation, action) in _BUCKET_LISTS.items():
            if sub in fields:
                return operation, [(f"s3:{action}", arn, _list_context(fields, context))]
    for sub, (noun, action) in _BUCKET_CONFIGURATIONS.items():
        if sub in fields:
            return _configure(method, noun, action, arn, context)
    if method == "GET":
        operation = "ListObjectsV2" if fields.get("list-type") == "2" else "ListObjects"
        return operation, [("s3:ListBucket", arn, _list_context(fields, context))]
    operation = {"PUT": "CreateBucket", "DELETE": "DeleteBucket"}.get(method, "Unknown")
    return operation, [(f"s3:{operation}", arn, context)]


def _configure(method: str, noun: str, action: str, arn: str, context: Context) -> tuple[str, list[Action]]:
    verb = {"GET": "Get", "PUT": "Put", "DELETE": "Delete"}.get(method, "Unknown")
    # IAM has delete actions only for policy and website. Deleting other configurations needs the Put permission.
    iam_verb = "Put" if verb == "Delete" and action not in ("BucketPolicy", "BucketWebsite") else verb
    noun = "BucketLifecycle" if verb == "Delete" and noun == "BucketLifecycleConfiguration" else noun
    return f"{verb}{noun}", [(f"s3:{iam_verb}{action}", arn, context)]


def _list_context(fields: Mapping[str, str], context: Context) -> Context:
    keys = {f"s3:{name}": fields[name] for name in ("prefix", "delimiter", "max-keys") if name in fields}
    return {**context, **keys}


def _delete(bucket_arn: str, key: str, version: str | None, context: Context) -> Action:
    if version:
        return "s3:DeleteObjectVersion", f"{bucket_arn}/{key}", {**context, "s3:VersionId": version}
    return "s3:DeleteObject", f"{bucket_arn}/{key}", context


def _keys_to_delete(body: bytes) -> list[tuple[str, str | None]]:
    try:
        root = ElementTree.fromstring(body)  # noqa: S314
    except ElementTree.ParseError:
        return []
    wanted = []
    for entry in root.iter():
        if entry.tag.rpartition("}")[2] == "Object":
            parts = {child.tag.rpartition("}")[2]: child.text or "" for child in entry}
            wanted.append((parts.get("Key", ""), parts.get("VersionId")))
    return wanted


def _object_call(
    method: str, bucket: str, key: str, fields: Mapping[str, str], headers: Mapping[str, str], context: Context
) -> tuple[str, list[Action]]:
    arn, version = f"arn:aws:s3:::{bucket}/{key}", fields.get("versionId")
    if version:
        context = {**context, "s3:VersionId": version}
    if method == "PUT" and "acl" not in fields and "tagging" not in fields:
        return _upload(arn, fields, headers, context)
    if method == "GET" and "attributes" in fields:
        suffix = "Version" if version else ""
        needed = (f"s3:GetObject{suffix}", f"s3:GetObject{suffix}Attributes")
        return "GetObjectAttributes", [(action, arn, context) for action in needed]
    for (verb, sub), (operation, action, version_action) in _OBJECT_CONFIGURATIONS.items():
        if verb == method and sub in fields:
            return operation, [(f"s3:{version_action if version else action}", arn, context)]
    if method in ("GET", "HEAD"):
        return f"{method.title()}Object", [("s3:GetObjectVersion" if version else "s3:GetObject", arn, context)]
    if method == "DELETE":
        return "DeleteObject", [_delete(f"arn:aws:s3:::{bucket}", key, version, context)]
    return "Unknown", [("s3:Unknown", arn, context)]


def _upload(arn: str, fields: Mapping[str, str], headers: Mapping[str, str], context: Context) -> tuple[str, list[Action]]:
    for sub in ("retention", "legal-hold"):
        if sub in fields:
            operation, action, _ = _OBJECT_CONFIGURATIONS["PUT", sub]
            return operation, [(f"s3:{action}", arn, context)]
    keys = {f"s3:{name}": headers[name] for name in _CONTEXT_HEADERS if name in headers}
    context = {**context, **keys} if keys else context
    source = headers.get("x-amz-copy-source")
    part = "uploadId" in fields
    needed: list[Action] = [("s3:PutObject", arn, context)]
    if not part:
        needed += [(action, arn, context) for header, action in _UPLOAD_HEADERS.items() if header in headers]
    if not source:
        return ("UploadPart" if part else "PutObject"), needed
    name, _, version = source.partition("?versionId=")
    place = unquote(name).removeprefix("/")
    needed.append(("s3:GetObjectVersion" if version else "s3:GetObject", f"arn:aws:s3:::{place}", context))
    return ("UploadPartCopy" if part else "CopyObject"), needed
