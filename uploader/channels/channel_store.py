"""The channels of a deployment: their records, their secrets, and who is subscribed to e-mails."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

from imagewatch.alerts.channel import EMAIL, UNCHECKED, ChannelRecord
from imagewatch.rules.mutes import MUTES_ID
from imagewatch.timestamps import iso_now
from uploader.aws.dynamodb import scan, to_item
from uploader.aws.errors import aws_call
from uploader.aws.session import Aws, is_loopback
from uploader.aws.stack import find_outputs
from uploader.errors import CommandError, UsageError

KINDS = ("slack", "webhook")
MIN_SECRET = 16
"""Characters of a webhook's secret; a shorter one could be guessed from recorded messages."""

_UNCHECKED_REASON = "Not checked yet"
_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_OF_BEFORE = ("PausedUntil", "CheckedAt")


class ChannelStore:
    """Reads and writes channels. Everything raises CommandError with what to do."""

    def __init__(self, aws: Aws, stack: str) -> None:
        self._aws, self._stack = aws, stack
        self._table, self._watchlist = find_outputs(aws, stack, "ChannelsTableName", "WatchlistTableName")

    def all(self) -> list[ChannelRecord]:
        """Every channel, ordered by id, after e-mail, which needs no record."""
        with aws_call("read the channels (dynamodb:Scan)"):
            found = {record["ChannelId"]: record for record in scan(self._aws.dynamodb, self._table, ConsistentRead=True)}
        email = {"ChannelId": EMAIL, **found.pop(EMAIL, {}), "Kind": "email"}
        # A record without a kind is the rate limiter of a channel that was removed.
        others = [record for _, record in sorted(found.items()) if "Kind" in record]
        unchecked = {"Status": UNCHECKED, "StatusReason": _UNCHECKED_REASON}
        return [ChannelRecord.from_item({**unchecked, **record}) for record in (email, *others)]

    def add(self, channel_id: str, kind: str, url: str | None, name: str | None, secret: str) -> bool:
        """Stores the secret, then the record that names it; True when the channel is new. What it replaces is forgotten."""
        parameter = self._parameter(channel_id)
        with aws_call(f"store a secret (ssm:PutParameter on {parameter})"):
            self._aws.ssm.put_parameter(
                Name=parameter, Value=secret, Type="SecureString", Overwrite=True,
                Description=f"Imagewatch: the secret of the alert channel {channel_id}",
            )  # fmt: skip
        record = {
            "Kind": kind,
            "Name": name or channel_id,
            "Enabled": True,
            "SecretParameter": parameter,
            "Status": UNCHECKED,
            "StatusReason": _UNCHECKED_REASON,
            "UpdatedAt": iso_now(),
            **({"Url": url} if url else {}),
        }
        with aws_call("write the channel (dynamodb:UpdateItem)"):
            answer = self._update(channel_id, record, removed=[*_OF_BEFORE, *([] if url else ["Url"])])
        return "Kind" not in answer.get("Attributes", {})

    def switch(self, channel_id: str, *, on: bool) -> None:
        """Uses the channel again, or leaves it alone. Switching it on also forgets that its address was gone."""
        changed: dict[str, Any] = {"Enabled": on, "UpdatedAt": iso_now()}
        if on:
            changed |= {"Status": UNCHECKED, "StatusReason": "Not checked since it was switched on"}
        condition = "" if channel_id == EMAIL else "attribute_exists(Kind)"
        with aws_call("change the channel (dynamodb:UpdateItem)"), _must_exist(channel_id):
            self._update(channel_id, changed, removed=[*_OF_BEFORE] if on else [], condition=condition)

    def remove(self, channel_id: str) -> None:
        """Deletes the record first, so that nothing is sent any more, and then the secret."""
        with aws_call("remove the channel (dynamodb:DeleteItem)"), _must_exist(channel_id):
            self._aws.dynamodb.delete_item(
                TableName=self._table,
                Key={"ChannelId": {"S": channel_id}},
                ConditionExpression="attribute_exists(ChannelId)",
            )
        with aws_call("remove the channel's secret (ssm:DeleteParameter)"):
            # Unlike DeleteParameter, it doesn't mind when there is none.
            self._aws.ssm.delete_parameters(Names=[self._parameter(channel_id)])

    def rules(self) -> dict[str, list[str]]:
        """channel id -> the ids of the rules that send there."""
        found: dict[str, list[str]] = {}
        with aws_call("read the rules (dynamodb:Scan)"):
            for rule in scan(self._aws.dynamodb, self._watchlist, ConsistentRead=True, ProjectionExpression="RuleId, Channels"):
                for channel_id in rule.get("Channels", [EMAIL]) if rule["RuleId"] != MUTES_ID else ():
                    found.setdefault(channel_id, []).append(rule["RuleId"])
        return {channel_id: sorted(rules) for channel_id, rules in found.items()}

    def _parameter(self, channel_id: str) -> str:
        return f"/imagewatch/{self._stack}/channels/{channel_id}"

    def _update(self, channel_id: str, values: Mapping[str, Any], removed: list[str], condition: str = "") -> Mapping[str, Any]:
        sets = "SET " + ", ".join(f"#{name} = :{name}" for name in values)
        drops = f" REMOVE {', '.join(f'#{name}' for name in removed)}" if removed else ""
        return self._aws.dynamodb.update_item(
            TableName=self._table,
            Key={"ChannelId": {"S": channel_id}},
            UpdateExpression=sets + drops,
            ExpressionAttributeNames={f"#{name}": name for name in [*values, *removed]},
            ExpressionAttributeValues={f":{name}": value for name, value in to_item(values).items()},
            ReturnValues="ALL_OLD",
            **({"ConditionExpression": condition} if condition else {}),  # type: ignore[arg-type]
        )


def refuse_id(channel_id: str) -> None:
    """Raises UsageError for an id that can't be a channel's."""
    if channel_id == EMAIL:
        raise UsageError("email is there already. `imagewatch channels add email ADDRESS` subscribes one more address.")
    if not _ID.fullmatch(channel_id):
        raise UsageError(f"{channel_id!r} can't be a channel's id: use a-z, 0-9 and -, at most 32 characters.")


def refuse_url(url: str, what: str) -> None:
    """Raises UsageError unless the address is https, or http to this machine. Never shows the address: it can be a secret."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or url != url.strip() or parts.username is not None:
        raise UsageError(f"{what} is not an address like https://example.com/path.")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(url)):
        raise UsageError(f"{what} must begin with https://: others on the network could read the messages.")


class _must_exist:  # noqa: N801 - reads as a clause of the with statement
    """Turns a failed condition into the sentence that there is no such channel."""

    def __init__(self, channel_id: str) -> None:
        self._channel_id = channel_id

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, ClientError) and error.response["Error"]["Code"] == "ConditionalCheckFailedException":
            raise CommandError(
                f"there is no channel {self._channel_id}. `imagewatch channels list` shows those that there are."
            ) from error
