"""What a search reads from the local tables: 20,000 images in moto's DynamoDB, read by the client's own reader.

The items are put into moto's tables directly, because 160,000 requests would take minutes. Nothing goes through the workflow.
"""

from __future__ import annotations

import random
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import boto3
from moto import mock_aws
from moto.core import DEFAULT_ACCOUNT_ID
from moto.dynamodb.models import dynamodb_backends

from bench.tables import Table
from imagewatch.search.find import Search, find
from imagewatch.search.index import EVERYONE, terms_of, viewers
from imagewatch.search.library import SearchLibrary
from imagewatch.search.postings import counts_posting, indexed_rows, key_name, position
from imagewatch.timestamps import iso_utc
from local.emulator.moto_patches import dynamodb_speed
from tools.sam_template import load_template
from uploader.aws.dynamodb import to_item
from uploader.search.reader import TableReader

IMAGES = 20_000
OWNERS = 100
REGION = "us-east-1"
INDEX, RECORDS = "SearchIndexTable", "ImagesTable"
OWNER = "owner-7"

# (query, viewer, rows that one page may read)
QUERIES = (
    ("a label in half of the images", "common", EVERYONE, 60),
    ("the same, for an owner of 1 %", "common", OWNER, 60),
    ("rare AND half", "rare and common", EVERYONE, 150),
    ("half AND half", "common and other", EVERYONE, 150),
    ("half AND NOT half", "common and not other", EVERYONE, 150),
    ("a confidence that one in twelve reaches", "common:90", EVERYONE, 800),
    ("by confidence", "common sort:confidence", EVERYONE, 60),
    ("two halves that never meet", "common and never", EVERYONE, 5_000),
)


def table() -> Table:
    """A row for each query: rows that were read, records, requests and time."""
    with _tables() as dynamodb:
        started = time.monotonic()
        _fill()
        filled = time.monotonic() - started
        rows = [_measured(dynamodb, *query) for query in QUERIES]
    columns = ["query", "rows read", "requests", "images found", "budget", "ratio", "ms"]
    notes = [f"{IMAGES:,} images, written in {filled:.0f} s. A page of 50, with its records. The time is moto's, not DynamoDB's."]
    return Table("Search: rows read from the local tables for one page", columns, rows, notes)


def _measured(dynamodb: Any, name: str, text: str, viewer: str, budget: int) -> list[str]:
    requests: Counter[str] = Counter()
    dynamodb.meta.events.register("before-call.dynamodb", lambda model, **_: requests.update([model.name]), unique_id="count")
    started = time.monotonic()
    page = find(SearchLibrary(viewer, TableReader(dynamodb, INDEX, RECORDS)), Search(text), lambda: b"key")
    milliseconds = 1000 * (time.monotonic() - started)
    dynamodb.meta.events.unregister("before-call.dynamodb", unique_id="count")
    found = f"{len(page.matches)}, cut short" if page.cut_short else str(len(page.matches))
    made = ", ".join(f"{count} {operation}" for operation, count in sorted(requests.items()))
    return [name, f"{page.rows_read:,}", made, found, f"{budget:,}", f"{page.rows_read / budget:.2f}", f"{milliseconds:,.0f}"]


def _fill() -> None:
    """20,000 images of 100 owners: one a minute, with independent labels."""
    dice = random.Random(IMAGES)
    started = datetime(2026, 1, 1, tzinfo=UTC)
    counts: Counter[tuple[str, str]] = Counter()
    for number in range(IMAGES):
        owner, taken_at = f"owner-{number % OWNERS}", iso_utc(started + timedelta(minutes=number))
        record = {"Status": "ANALYZED", "Source": owner, "Labels": _labels(dice), "TakenAt": taken_at}
        image_id = f"{number:032x}"
        for row in indexed_rows(record, position(taken_at, image_id, "1-1"), number % 1440, owner):
            _put(INDEX, {"Posting": row.key[0], "Position": row.key[1], "Minute": number % 1440, "Terms": row.terms})
        _put(RECORDS, {"ImageId": image_id, **record})
        counts.update((viewer, term.name) for viewer in viewers(owner) for term in terms_of(record))
    for (viewer, term), images in counts.items():
        _put(INDEX, {"Posting": counts_posting(viewer), "Position": key_name(term), "Name": term, "Images": images})


def _labels(dice: random.Random) -> list[dict[str, Any]]:
    names = ["common" if dice.random() < 0.5 else "never"]
    names += ["other"] if dice.random() < 0.5 else []
    names += ["rare"] if dice.random() < 0.01 else []
    found = 90 + 9.99 * dice.random() if dice.random() < 1 / 12 else 40 + 50 * dice.random()
    return [{"Name": name, "Confidence": round(found, 2), "Parents": [], "Aliases": [], "Categories": []} for name in names]


def _put(table: str, item: Mapping[str, Any]) -> None:
    dynamodb_backends[DEFAULT_ACCOUNT_ID][REGION].tables[table].put_item(_item(item))


def _item(values: Mapping[str, Any]) -> dict[str, Any]:
    """As `to_item`, which takes longer for the few types that there are here."""
    known: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, str):
            known[name] = {"S": value}
        elif isinstance(value, int):
            known[name] = {"N": str(value)}
        elif isinstance(value, bytes):
            known[name] = {"B": b64encode(value).decode()}
    return known if len(known) == len(values) else {**to_item(values), **known}


@contextmanager
def _tables() -> Iterator[Any]:
    """The client of a DynamoDB in this process, with the template's tables."""
    keys = {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench"}
    resources = load_template(Path(__file__).parents[1] / "template.yaml", {}).resources
    with mock.patch.dict("os.environ", keys), mock_aws(), ExitStack() as exits:
        exits.callback(dynamodb_speed.install())
        client = boto3.client("dynamodb", region_name=REGION)
        for name in (INDEX, RECORDS):
            wanted = ("KeySchema", "AttributeDefinitions", "BillingMode", "GlobalSecondaryIndexes")
            properties = resources[name]["Properties"]
            client.create_table(TableName=name, **{key: properties[key] for key in wanted if key in properties})
        yield client
