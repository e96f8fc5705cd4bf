"""CreateCollection, DeleteCollection, ListCollections and DescribeCollection."""

from __future__ import annotations

import time
from collections.abc import Callable

from local.emulator.rekognition.collections.paging import page
from local.emulator.rekognition.collections.stored import Answer, Collection
from local.emulator.rekognition.errors import ResourceAlreadyExists, ResourceNotFound
from tools.sam_template import ACCOUNT_ID

REGION = "us-east-1"
MOST_RESULTS = 4096  # MaxResults of ListCollections


class Registry:
    """The account's collections by id. Ids are case-sensitive. `version` is the model that turns faces into vectors.

    Not thread-safe: the caller holds a lock.
    """

    def __init__(self, version: str, clock: Callable[[], float] = time.time) -> None:
        self._version = version
        self._clock = clock
        self._collections: dict[str, Collection] = {}

    def collection(self, request: Answer) -> Collection:
        """Returns the collection that a request names. Raises ResourceNotFound."""
        collection_id = request["CollectionId"]
        if collection_id not in self._collections:
            raise ResourceNotFound(f"The collection id: {collection_id} does not exist")
        return self._collections[collection_id]

    def create(self, request: Answer) -> Answer:
        """CreateCollection. As in AWS's answers, this ARN, unlike DescribeCollection's, begins with "aws:"."""
        collection_id = request["CollectionId"]
        if collection_id in self._collections:
            raise ResourceAlreadyExists(f"The collection id: {collection_id} already exists")
        self._collections[collection_id] = Collection(collection_id, self._clock())
        return {
            "StatusCode": 200,
            "CollectionArn": _arn(collection_id).removeprefix("arn:"),
            "FaceModelVersion": self._version,
        }

    def delete(self, request: Answer) -> Answer:
        """DeleteCollection: with all of its faces and users."""
        del self._collections[self.collection(request).collection_id]
        return {"StatusCode": 200}

    def list(self, request: Answer) -> Answer:
        """ListCollections, in pages."""
        limit = request.get("MaxResults") or MOST_RESULTS
        ids, more = page(self._collections, limit, request.get("NextToken"))
        return {"CollectionIds": ids, "FaceModelVersions": [self._version] * len(ids), **more}

    def describe(self, request: Answer) -> Answer:
        """DescribeCollection."""
        collection = self.collection(request)
        return {
            "FaceCount": len(collection.faces),
            "UserCount": len(collection.users),
            "FaceModelVersion": self._version,
            "CollectionARN": _arn(collection.collection_id),
            "CreationTimestamp": round(collection.created, 3),
        }


def _arn(collection_id: str) -> str:
    return f"arn:aws:rekognition:{REGION}:{ACCOUNT_ID}:collection/{collection_id}"
