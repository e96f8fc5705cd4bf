"""The counts in the SearchIndexTable: counters by viewer and term, what is counted for each image, and the fold under way.

Source of the size limits: DynamoDB developer guide, "Quotas in Amazon DynamoDB" (400 KB for an item).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from imagewatch import timestamps
from imagewatch.aws.clients import client, error_code, translated
from imagewatch.aws.dynamodb import conditional_update, read_batch, to_item
from imagewatch.aws.settings import setting
from imagewatch.aws.tables import search_index
from imagewatch.aws.tables.search_index import CHANGED, query
from imagewatch.search.counting import Change, Counted, Plan, pack_terms, unpack_terms
from imagewatch.search.postings import counts_posting, key_name

RUN_SECONDS = 150
"""How long one run's lease keeps other runs away: longer than the function may run."""
ZERO_SECONDS = 24 * 3600
"""How long a counter that has reached 0 remains: longer than a fold can take that is repeated after a crash."""

PAGE = 250
"""Marks that one read asks for."""

_COUNTED = "counted"
_FOLD = {"Posting": "fold", "Position": "plan"}
_ALL = {"Posting": "fold", "Position": "every image"}
_LEASE = {"Posting": "fold", "Position": "lease"}


@dataclass(frozen=True)
class Mark:
    """A changed image."""

    image_id: str
    token: str
    rows_after: int
    """When its rows have to be written too: milliseconds since the epoch; 0 where they need not be."""


@dataclass(frozen=True)
class Fold:
    """The latest fold: its number, and its plan until it is applied."""

    number: int
    plan: Plan | None


def marks() -> Iterator[Mark]:
    """The changed images, as a strongly consistent read finds them."""
    found = query(
        {
            "KeyConditionExpression": "Posting = :posting",
            "ExpressionAttributeValues": to_item({":posting": CHANGED}),
            "ConsistentRead": True,
            "Limit": PAGE,
        }
    )
    return (Mark(item["Position"], item["Token"], int(item.get("RowsAfter", 0))) for item in found)


def rows_are_written(mark: Mark) -> None:
    """Notes that the rows of a changed image follow its record, unless another writer has asked for them since."""
    key = {"Posting": CHANGED, "Position": mark.image_id}
    _update(key, "REMOVE #RowsAfter", "#RowsAfter = :after", {":after": mark.rows_after})


def read_counted(image_ids: Sequence[str]) -> dict[str, Counted]:
    """What is counted for each of these images for which something is."""
    keys = [{"Posting": _COUNTED, "Position": image_id} for image_id in image_ids]
    found = read_batch(setting("SEARCH_INDEX_TABLE"), keys)
    return {item["Position"]: Counted(item["Owner"], unpack_terms(bytes(item["Terms"]))) for item in found}


def acquire_run_lease(run_id: str) -> bool:
    """Whether this run may start; False while another one is at work. The lease of a crashed run ends after RUN_SECONDS."""
    now = timestamps.milliseconds()
    values = {":run": run_id, ":until": now + RUN_SECONDS * 1000, ":now": now}
    free = "attribute_not_exists(#LeasedUntil) OR #LeasedUntil <= :now"
    return _update(_LEASE, "SET #LeasedBy = :run, #LeasedUntil = :until", free, values)


def release_run_lease(run_id: str) -> None:
    """Lets the next run start."""
    _update(_LEASE, "SET #LeasedUntil = :never", "#LeasedBy = :run", {":never": 0, ":run": run_id})


def read_fold() -> Fold:
    """The latest fold."""
    found = read_batch(setting("SEARCH_INDEX_TABLE"), [_FOLD])
    item: Mapping[str, Any] = found[0] if found else {}
    return Fold(int(item.get("Number", 0)), Plan.unpack(bytes(item["Plan"])) if "Plan" in item else None)


def begin_fold(number: int, packed: bytes) -> bool:
    """Writes the plan of the fold with this number; False when another run has done so."""
    new = "attribute_not_exists(#Number) OR (#Number = :before AND attribute_not_exists(#Plan))"
    values = {":number": number, ":plan": packed, ":before": number - 1}
    return _update(_FOLD, "SET #Number = :number, #Plan = :plan", new, values)


def end_fold(number: int) -> None:
    """Removes the plan of a fold that is applied."""
    _update(_FOLD, "REMOVE #Plan", "#Number = :number", {":number": number})


def request_all() -> None:
    """Asks for the rows and counts of every image, from the beginning."""
    _update(_ALL, "SET #Cursor = :start", "", {":start": ""})


def requested_from() -> str | None:
    """The image id behind which the request for every image goes on; empty at its beginning, None without a request."""
    found = read_batch(setting("SEARCH_INDEX_TABLE"), [_ALL])
    return str(found[0]["Cursor"]) if found else None


def continue_request(cursor: str) -> None:
    """Notes how far every image is marked; an empty cursor ends the request."""
    if cursor:
        _update(_ALL, "SET #Cursor = :cursor", "attribute_exists(#Cursor)", {":cursor": cursor})
    else:
        search_index.delete([(_ALL["Posting"], _ALL["Position"])])


def apply_change(number: int, viewer: str, term: str, change: Change) -> None:
    """Changes a counter, once for each fold."""
    key = {"Posting": counts_posting(viewer), "Position": key_name(term)}
    update = "SET #Fold = :fold, #Images = if_not_exists(#Images, :zero) + :images"
    values: dict[str, Any] = {":fold": number, ":zero": 0, ":images": change.images}
    if change.name:
        update, values[":name"] = f"{update}, #Name = :name", change.name
    update = f"{update} REMOVE #ExpiresAt"
    if change.through:
        update, values[":through"] = f"{update} ADD #Through :through", change.through
    unapplied = "attribute_not_exists(#Fold) OR #Fold < :fold"
    written = conditional_update(setting("SEARCH_INDEX_TABLE"), key, update, unapplied, values)
    if written.item.get("Images") == 0:  # a name that no image has any more disappears
        expires = timestamps.milliseconds() // 1000 + ZERO_SECONDS
        _update(key, "SET #ExpiresAt = :expires", "#Images = :zero", {":expires": expires, ":zero": 0})


def write_counted(counted: Mapping[str, Counted]) -> None:
    """Replaces what is counted for these images."""
    search_index.write_items(
        [
            {"Posting": _COUNTED, "Position": image_id, "Owner": one.owner, "Terms": pack_terms(one.terms)}
            for image_id, one in counted.items()
            if one.terms
        ]
    )
    search_index.delete([(_COUNTED, image_id) for image_id, one in counted.items() if not one.terms])


def delete_mark(image_id: str, token: str) -> None:
    """Deletes the mark of an image, unless it was renewed."""
    try:
        with translated():
            client("dynamodb").delete_item(
                TableName=setting("SEARCH_INDEX_TABLE"),
                Key=to_item({"Posting": CHANGED, "Position": image_id}),
                ConditionExpression="#Token = :token",
                ExpressionAttributeNames={"#Token": "Token"},
                ExpressionAttributeValues=to_item({":token": token}),
            )
    except ClientError as error:
        if error_code(error) != "ConditionalCheckFailedException":
            raise


def _update(key: Mapping[str, str], update: str, condition: str, values: Mapping[str, Any]) -> bool:
    return conditional_update(setting("SEARCH_INDEX_TABLE"), key, update, condition, values, returns="NONE").done
