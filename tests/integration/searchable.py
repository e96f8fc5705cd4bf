"""A deployed stack with images that can be searched."""

from __future__ import annotations

import json

from imagewatch.images.version import ImageVersion
from tests.search_library import moment, record_of
from tests.stored_library import Tables

from .conftest import Stack

_TABLES = ("SearchIndexTable", "ImagesTable")


def with_images(stack: Stack) -> Tables:
    """The stack with its outputs and twelve images of two cameras, the latest with the highest confidence of a person."""
    values = {f"{name}Name": stack.name(name) for name in _TABLES} | {"RenditionsBucketName": stack.name("RenditionsBucket")}
    body = {
        "Resources": {"Queue": {"Type": "AWS::SQS::Queue"}},
        "Outputs": {name: {"Value": value} for name, value in values.items()},
    }
    stack.client("cloudformation").create_stack(StackName="imagewatch", TemplateBody=json.dumps(body))
    tables = Tables(stack.client("dynamodb"), stack.name("SearchIndexTable"), stack.name("ImagesTable"))
    for number in range(12):
        add(tables, number, {"Person": 60.0 + 3 * number, "Traffic Light" if number % 2 else "Night": 95.0})
    tables.count()
    return tables


def add(tables: Tables, number: int, labels: dict[str, float], key: str = "") -> str:
    source = f"gate-{number % 2 + 1}"
    image = ImageVersion("images", key or f"uploads/{source}/{number}.jpg", "v1", "e", "0", 1, moment(number), "1")
    stored = {**image.to_state(), "Owner": source, "Thumbnail": image.thumbnail_key}
    record = {**record_of(labels, source=source, key=image.key), **{k: v for k, v in stored.items() if k != "Source"}}
    tables.add(image.image_id, record, moment(number), number)
    return image.image_id
