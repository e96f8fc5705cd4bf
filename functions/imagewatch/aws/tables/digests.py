"""Digests in the AlertsTable: written first, sent second, marked third; the unfinished stand in a sparse index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from imagewatch import timestamps
from imagewatch.alerts.alert import PENDING
from imagewatch.aws.clients import client, translated
from imagewatch.aws.dynamodb import from_item, to_item
from imagewatch.aws.settings import setting
from imagewatch.aws.tables import alerts as alerts_table

RUN_SECONDS = 250
"""How long one run keeps another away: longer than the function may take."""

_RUN = "digest#run"
_UNFINISHED = "unfinished digest"


def begin(run_id: str) -> bool:
    """Whether this run may go ahead; False while another one is at work. One that died stops nobody for long."""
    now = timestamps.milliseconds()
    return alerts_table.write(
        _RUN,
        {"LeasedBy": run_id, "LeasedUntil": now + RUN_SECONDS * 1000},
        condition="attribute_not_exists(LeasedUntil) OR LeasedUntil <= :now OR LeasedBy = :LeasedBy",
        extra={":now": now},
    )


def end(run_id: str) -> None:
    """Lets the next run go ahead."""
    alerts_table.write(_RUN, {"LeasedUntil": 0}, condition="LeasedBy = :run", extra={":run": run_id})


def create(digest_id: str, channel_id: str, members: Sequence[str]) -> dict[str, Any]:
    """Writes a digest of these alerts, not sent yet, over what is recorded under its id; returns its record."""
    digest: dict[str, Any] = {
        "AlertId": f"digest#{digest_id}",
        "DigestId": digest_id,
        "Channel": channel_id,
        "Count": len(members),
        "Members": b"".join(bytes.fromhex(member) for member in members),
        "Status": PENDING,
        "QueuedFor": _UNFINISHED,
        "CreatedAt": timestamps.iso_now(),
    }
    attributes = {name: value for name, value in digest.items() if name != "AlertId"}
    alerts_table.write(digest["AlertId"], attributes, removed=("Reason",))
    return digest


def members_of(digest: Mapping[str, Any]) -> list[str]:
    """The ids of a digest's alerts."""
    packed = bytes(digest["Members"])
    return [packed[start : start + 16].hex() for start in range(0, len(packed), 16)]


def unfinished() -> list[dict[str, Any]]:
    """The digests that a run before this one has left, the oldest first."""
    with translated():
        page = client("dynamodb").query(
            TableName=setting("ALERTS_TABLE"),
            IndexName="Queued",
            KeyConditionExpression="QueuedFor = :unfinished",
            ExpressionAttributeValues=to_item({":unfinished": _UNFINISHED}),
            Limit=100,
        )
        keys = [{"AlertId": item["AlertId"]} for item in page["Items"]]
        if not keys:
            return []
        table = setting("ALERTS_TABLE")
        answer = client("dynamodb").batch_get_item(RequestItems={table: {"Keys": keys, "ConsistentRead": True}})
    digests = [from_item(item) for item in answer["Responses"][table]]
    return sorted((digest for digest in digests if "QueuedFor" in digest), key=lambda digest: str(digest["CreatedAt"]))


def mark(digest: dict[str, Any], **attributes: Any) -> None:
    """Records what became of a digest, in the table and in `digest`."""
    digest |= attributes
    alerts_table.write(digest["AlertId"], attributes)


def finish(digest: Mapping[str, Any]) -> None:
    """Nothing is left to do for this digest."""
    alerts_table.write(digest["AlertId"], {"FinishedAt": timestamps.iso_now()}, removed=("QueuedFor",))
