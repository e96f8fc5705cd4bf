"""The operations on collections by name: which state they need, and which of them read an image."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from local.emulator.rekognition.collections import faces, users
from local.emulator.rekognition.collections.registry import Registry
from local.emulator.rekognition.collections.stored import Answer, Collection
from local.emulator.rekognition.errors import IdempotentParameterMismatch
from local.emulator.rekognition.found_faces import Encoder, FoundFace

FindFaces = Callable[[], tuple[bytes, Sequence[FoundFace]]]  # the image's bytes, and its faces, the largest first


class CollectionOperations:
    """Rekognition's operations on collections. Thread-safe."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._registry = registry = Registry(encoder.version)
        self._lock = threading.Lock()
        self._of_account: dict[str, Callable[[Answer], Answer]] = {
            "CreateCollection": registry.create,
            "DeleteCollection": registry.delete,
            "DescribeCollection": registry.describe,
            "ListCollections": registry.list,
        }
        self._of_collection: dict[str, Callable[[Collection, Answer], Answer]] = {
            "ListFaces": lambda collection, request: faces.list_faces(collection, request, encoder),
            "DeleteFaces": faces.delete_faces,
            "SearchFaces": lambda collection, request: faces.search_faces(collection, request, encoder),
            "CreateUser": users.create,
            "DeleteUser": users.delete,
            "ListUsers": users.list_users,
            "AssociateFaces": lambda collection, request: users.associate(collection, request, encoder),
            "DisassociateFaces": users.disassociate,
            "SearchUsers": lambda collection, request: users.search(collection, request, encoder),
        }
        self._with_image: dict[str, Callable[[Collection, Answer, bytes, Sequence[FoundFace]], Answer]] = {
            "IndexFaces": lambda one, request, content, found: faces.index(one, request, content, found, encoder),
            "SearchFacesByImage": lambda one, request, _, found: faces.search_by_image(one, request, found, encoder),
            "SearchUsersByImage": lambda one, request, _, found: users.search_by_image(one, request, found, encoder),
        }

    @property
    def names(self) -> list[str]:
        """The names of the operations."""
        return [*self._of_account, *self._of_collection, *self._with_image]

    def answer(self, operation: str, request: Answer, find_faces: FindFaces) -> Answer:
        """Answers a request that has been validated. A missing collection is reported before the image is read.

        Raises RekognitionError.
        """
        if operation in self._with_image:
            with self._lock:
                self._registry.collection(request)
            content, found = find_faces()
            with self._lock:
                return self._with_image[operation](self._registry.collection(request), request, content, found)
        with self._lock:
            if operation in self._of_account:
                return self._of_account[operation](request)
            return self._once(operation, self._registry.collection(request), request)

    def _once(self, operation: str, collection: Collection, request: Answer) -> Answer:
        """Runs an operation once for each ClientRequestToken: a repeated request gets the first answer.

        Raises IdempotentParameterMismatch for another request with the same token.
        """
        token = request.get("ClientRequestToken")
        if token is None:
            return self._of_collection[operation](collection, request)
        completed = collection.completed.get((operation, token))
        if completed is None:
            completed = request, self._of_collection[operation](collection, request)
            collection.completed[operation, token] = completed
        if completed[0] != request:
            raise IdempotentParameterMismatch(f"The ClientRequestToken {token} was used with other parameters.")
        return completed[1]
