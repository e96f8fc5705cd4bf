"""Searches over the real tables, against moto: the same results as a look at every image, whatever comes and goes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto import mock_aws

from imagewatch.errors import InvalidCursor
from imagewatch.search.days import local_day
from imagewatch.search.find import Search, days, find, vocabulary
from imagewatch.search.grammar import parse
from imagewatch.search.index import EVERYONE, terms_of, viewers
from tests.search_library import IMAGES, SECRET, TEXTS, Image, every_page, image_of, moment, plainly, record_of
from tests.stored_library import INDEX, RECORDS, Tables
from tools.sam_template import load_template

from .conftest import REGION, ROOT


@pytest.fixture(scope="module")
def dynamodb() -> Iterator[Any]:
    with mock_aws(), pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        client = boto3.client("dynamodb", region_name=REGION)
        resources = load_template(ROOT / "template.yaml", {}).resources
        for name in (INDEX, RECORDS):
            wanted = ("KeySchema", "AttributeDefinitions", "BillingMode", "GlobalSecondaryIndexes")
            properties = resources[name]["Properties"]
            client.create_table(TableName=name, **{key: properties[key] for key in wanted if key in properties})
        yield client


@pytest.fixture
def tables(dynamodb: Any) -> Tables:
    return empty(dynamodb)


def empty(dynamodb: Any) -> Tables:
    for table, keys in ((INDEX, ("Posting", "Position")), (RECORDS, ("ImageId",))):
        for item in dynamodb.scan(TableName=table)["Items"]:
            dynamodb.delete_item(TableName=table, Key={key: item[key] for key in keys})
    return Tables(dynamodb)


def filled(dynamodb: Any, images: list[Image]) -> Tables:
    tables = empty(dynamodb)
    for number, image in enumerate(images):
        image_id, record, taken_at, minute = image_of(number, image)
        for label in record["Labels"]:  # "Traffic Light" has a parent, an alias and a category
            if label["Name"] == "Traffic Light":
                label |= {"Parents": ["Light"], "Aliases": ["Stoplight"], "Categories": ["Transport and Logistics"]}
        tables.add(image_id, record, taken_at, minute, owner=f"owner-{number % 3}" if number % 3 else "")
    tables.count()
    return tables


SLOW = settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
ORDERS = st.sampled_from(["newest", "oldest", "confidence"])


@SLOW
@given(IMAGES, TEXTS, st.sampled_from(["", " or light", " and stoplight:60", ' or category:"transport and logistics"']), ORDERS,
       st.integers(1, 7), st.sampled_from([0.0, 60.0, 90.0]), st.sampled_from([EVERYONE, "owner-1"]))  # fmt: skip
def test_all_pages_have_what_a_look_at_every_image_finds(
    dynamodb: Any, images: list[Image], text: str, more: str, order: str, size: int, confidence: float, viewer: str
) -> None:
    tables, text = filled(dynamodb, images), f"(({text}){more}) sort:{order}"
    seen = {i: found for i, found in tables.images.items() if viewer in viewers(tables.owners[i])}
    assert every_page(tables.library(viewer), Search(text, confidence, size)) == plainly(seen, parse(text), confidence)
    assert {one.term: one.images for one in vocabulary(tables.library(viewer))} == {
        term: number
        for term, number in Counter(t.name for _, record in seen.values() for t in terms_of(record)).items()
        if term.startswith("label:")
    }
    by_day = Counter(local_day(row.taken_at, row.minute_of_day) for row, _ in seen.values())
    assert [(one.day, one.images) for one in days(tables.library(viewer), "0001-01-01", "9999-12-31")] == sorted(
        by_day.items(), reverse=True
    )


@SLOW
@given(IMAGES, TEXTS, ORDERS, st.integers(1, 5), st.data())
def test_results_stay_stable_while_images_come_and_go(
    dynamodb: Any, images: list[Image], text: str, order: str, size: int, data: st.DataObject
) -> None:
    tables, text = filled(dynamodb, images), f"({text}) sort:{order}"
    expected, found, cursor, arrived = plainly(tables.images, parse(text)), list[str](), "", 0
    while cursor is not None:
        page = find(tables.library(), Search(text, size=size, cursor=cursor), lambda: SECRET)
        found += [match.image_id for match in page.matches]
        cursor = page.cursor
        if arrived < 3:
            tables.add(f"new{arrived}", record_of({"Person": 99.5, "Car": 99.5}), moment(90 * 24 * 60 + arrived), 0)
            arrived += 1
        if waiting := [image for image in expected if image in tables.images and image not in found]:
            tables.remove(data.draw(st.sampled_from(waiting)), rows_stay=data.draw(st.booleans()))
    old = [image for image in found if not image.startswith("new")]
    assert len(found) == len(set(found))
    assert old == [image for image in expected if image in old]
    assert {image for image in expected if image in tables.images} <= set(old)


def test_an_owner_never_sees_counts_or_infers_anothers_images(tables: Tables) -> None:
    mine = record_of({"Cat": 90.0}, source="me")
    theirs = record_of({"Person": 60.0, "Cat": 60.0, "Xylophone": 99.0}, source="them", status="FAILED")
    tables.add("mine", mine, moment(1), 0, owner="me")
    for number in range(30):
        tables.add(f"theirs-{number}", theirs, moment(2 + number), 0, owner="them")
    tables.count()

    def page(text: str, viewer: str = "me", **asked: Any) -> Any:
        return find(tables.library(viewer), Search(text, **asked), lambda: SECRET)

    for text in ("", "person or cat", "not dog", "status:failed or cat", "source:them or cat", "label:xylophone or cat", "cat",
                 "cat sort:confidence", "(cat or xylophone) sort:confidence", "time:00:00-23:59", "taken:2026"):  # fmt: skip
        found = page(text, min_confidence=50)
        assert ([match.image_id for match in found.matches], found.hidden, found.cursor) == (["mine"], 0, None), text
        assert found.rows_read <= 2, text
    assert page("person", min_confidence=80).hidden == 0
    for text in ("xylophon", "persn", "source:the", "rule:x"):
        assert [one.suggestions for one in page(text).unknown] == [()] or page(text).unknown[0].suggestions == ("cat",), text
    assert [one.name for one in vocabulary(tables.library("me"))] == ["Cat"]
    assert [one.name for one in vocabulary(tables.library("me"), field="source")] == ["me"]
    assert [one.images for one in days(tables.library("me"), "2026-01-01", "2026-12-31")] == [1]
    stolen = page("cat", "them", size=1).cursor
    with pytest.raises(InvalidCursor):
        page("cat", size=1, cursor=stolen)
    for viewer in ("", "m", "me|time", "operator"):
        assert page("", viewer).matches == []


def test_the_key_of_the_cursors_is_made_once(tables: Tables) -> None:
    key = tables.reader.cursor_key()
    assert len(key) == 32
    assert tables.reader.cursor_key() == key
