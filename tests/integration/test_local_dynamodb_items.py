"""Packed DynamoDB items: unpacking restores them, and queries return the same results as moto's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto import mock_aws
from moto.core import DEFAULT_ACCOUNT_ID
from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.models.dynamo_type import DynamoType

from local.emulator.moto_patches import dynamodb_items

VALUES = st.recursive(
    st.one_of(
        st.builds(lambda text: {"S": text}, st.text()),
        st.builds(lambda number: {"N": str(number)}, st.integers()),
        st.builds(lambda on: {"BOOL": on}, st.booleans()),
        st.builds(lambda content: {"B": content}, st.binary()),
        st.builds(lambda texts: {"SS": texts}, st.lists(st.text(min_size=1), min_size=1, unique=True)),
        st.just({"NULL": True}),
    ),
    lambda inner: st.one_of(
        st.builds(lambda items: {"L": items}, st.lists(inner, max_size=4)),
        st.builds(lambda items: {"M": items}, st.dictionaries(st.text(), inner, max_size=4)),
    ),
    max_leaves=25,
)
BY_OWNER = {"IndexName": "ByOwner", "KeyConditionExpression": "#owner = :owner", "ExpressionAttributeNames": {"#owner": "Owner"}}


@given(item=st.dictionaries(st.text(min_size=1), VALUES, max_size=8))
def test_unpacked_attributes_equal_the_packed_ones(item: dict[str, Any]) -> None:
    attributes = {name: DynamoType(value) for name, value in item.items()}
    found = dynamodb_items.unpacked(dynamodb_items.packed(attributes))
    assert list(found) == list(attributes)
    assert {name: value.to_regular_json() for name, value in found.items()} == {
        name: value.to_regular_json() for name, value in attributes.items()
    }


class Items:
    """A table with the keys of the images table. Each call runs as a separate request, as in the emulator."""

    def __init__(self) -> None:
        self._client = boto3.client("dynamodb", region_name="us-east-1")
        text = [{"AttributeName": name, "AttributeType": "S"} for name in ("ImageId", "Owner", "UploadedAt")]
        index = [{"AttributeName": "Owner", "KeyType": "HASH"}, {"AttributeName": "UploadedAt", "KeyType": "RANGE"}]
        self._client.create_table(
            TableName="images",
            AttributeDefinitions=text,
            KeySchema=[{"AttributeName": "ImageId", "KeyType": "HASH"}],
            GlobalSecondaryIndexes=[{"IndexName": "ByOwner", "KeySchema": index, "Projection": {"ProjectionType": "KEYS_ONLY"}}],
            BillingMode="PAY_PER_REQUEST",
        )

    def put(self, image_id: str, owner: str, at: str, **more: Any) -> None:
        item = {"ImageId": {"S": image_id}, "Owner": {"S": owner}, "UploadedAt": {"S": at}, **more}
        self("PutItem", Item=item)

    def owners(self, owner: str, **more: Any) -> list[str]:
        """The images of an owner, from the index."""
        found = self("Query", **BY_OWNER, ExpressionAttributeValues={":owner": {"S": owner}}, **more)
        return [item["ImageId"]["S"] for item in found["Items"]]

    def __call__(self, operation: str, **named: Any) -> dict[str, Any]:
        with dynamodb_items.request(operation):
            return dict(self._client._make_api_call(operation, {"TableName": "images", **named}))

    def at_rest(self) -> list[bool]:
        items = dynamodb_backends[DEFAULT_ACCOUNT_ID]["us-east-1"].tables["images"].items.values()
        return [item._open is None for item in items]


@pytest.fixture
def items() -> Iterator[Items]:
    restore = dynamodb_items.install()
    with mock_aws():
        yield Items()
    restore()


def test_items_are_packed_between_requests(items: Items) -> None:
    items.put("1", "garden", "2026-01-01")
    items("GetItem", Key={"ImageId": {"S": "1"}})
    items("Scan")
    assert items.at_rest() == [True]


def test_a_nested_change_is_stored(items: Items) -> None:
    items.put("1", "garden", "2026-01-01", Moderation={"M": {"Status": {"S": "CHECKED"}, "Labels": {"L": []}}})
    items(
        "UpdateItem",
        Key={"ImageId": {"S": "1"}},
        UpdateExpression="SET Moderation.#status = :status",
        ExpressionAttributeNames={"#status": "Status"},
        ExpressionAttributeValues={":status": {"S": "NOT_CHECKED"}},
    )
    found = items("GetItem", Key={"ImageId": {"S": "1"}})["Item"]
    assert found["Moderation"] == {"M": {"Status": {"S": "NOT_CHECKED"}, "Labels": {"L": []}}}


def test_an_item_that_an_update_creates_is_in_the_index(items: Items) -> None:
    items(
        "UpdateItem",
        Key={"ImageId": {"S": "1"}},
        UpdateExpression="SET #owner = :owner, UploadedAt = :at",
        ExpressionAttributeNames={"#owner": "Owner"},
        ExpressionAttributeValues={":owner": {"S": "garden"}, ":at": {"S": "2026-01-01"}},
    )
    assert items.owners("garden") == ["1"]


def test_the_index_returns_one_owners_images_in_order_and_in_pages(items: Items) -> None:
    for number in range(5):
        items.put(f"g{number}", "garden", f"2026-01-0{9 - number}")
        items.put(f"d{number}", "door", f"2026-01-0{number + 1}")
    assert items.owners("garden") == ["g4", "g3", "g2", "g1", "g0"]
    assert items.owners("garden", ScanIndexForward=False, Limit=2) == ["g0", "g1"]
    page = items("Query", **BY_OWNER, ExpressionAttributeValues={":owner": {"S": "garden"}}, Limit=2)
    assert items.owners("garden", ExclusiveStartKey=page["LastEvaluatedKey"]) == ["g2", "g1", "g0"]
    assert items.owners("cellar") == []


def test_the_index_follows_a_change_of_owner_and_an_overwritten_item(items: Items) -> None:
    items.put("1", "garden", "2026-01-01")
    items.put("2", "garden", "2026-01-02")
    items.put("1", "door", "2026-01-01")
    assert items.owners("garden") == ["2"]
    assert items.owners("door") == ["1"]


def test_a_deleted_item_leaves_the_index_and_is_still_returned(items: Items) -> None:
    items.put("1", "garden", "2026-01-01")
    gone = items("DeleteItem", Key={"ImageId": {"S": "1"}}, ReturnValues="ALL_OLD")["Attributes"]
    assert gone["Owner"] == {"S": "garden"}
    assert items.owners("garden") == []
    assert items("Scan")["Items"] == []


def test_a_refused_write_changes_nothing(items: Items) -> None:
    items.put("1", "garden", "2026-01-01")
    with pytest.raises(Exception, match="ConditionalCheckFailed"):
        items("PutItem", Item={"ImageId": {"S": "1"}}, ConditionExpression="attribute_not_exists(ImageId)")
    assert items("GetItem", Key={"ImageId": {"S": "1"}})["Item"]["Owner"] == {"S": "garden"}
    assert items.owners("garden") == ["1"]
