"""The errors that Rekognition answers with, as exceptions.

RekognitionError
|-- InvalidParameter        a parameter breaks the service's model, or a side is below 80 px
|-- InvalidImageFormat      not a JPEG or PNG, or one that doesn't decode
|-- ImageTooLarge           too many bytes, or a side above 10,000 px
|-- InvalidS3Object         the object can't be read (raised for ObjectNotReadable)
|-- ResourceNotFound        a collection, user or face that doesn't exist
|-- ResourceAlreadyExists   a collection that exists
|-- Conflict                a user that exists
|-- IdempotentParameterMismatch   a ClientRequestToken that came with other parameters before
|-- InvalidPaginationToken  a NextToken that isn't one of ours
|-- ServiceQuotaExceeded    more faces than a user may have
|-- UnknownOperation        an operation that this engine doesn't offer
|-- Serialization           the request isn't JSON 1.1
`-- InternalFailure         a bad recording, or a model that fails
ObjectNotReadable           what a `fetch` function raises
EngineSetup                 the engine can't start as asked: the message says what to do
`-- ModelFileError          a model's weights are damaged, exchanged, or of another kind
"""

from __future__ import annotations


class RekognitionError(Exception):
    """An error as the wire carries it: `code` is AWS's name for it, `status` the HTTP status."""

    code = "InternalServerError"
    status = 400

    def answer(self) -> dict[str, str]:
        """The JSON body of the error."""
        return {"__type": self.code, "Message": str(self)}


class InvalidParameter(RekognitionError):
    code = "InvalidParameterException"


class InvalidImageFormat(RekognitionError):
    code = "InvalidImageFormatException"


class ImageTooLarge(RekognitionError):
    code = "ImageTooLargeException"


class InvalidS3Object(RekognitionError):
    code = "InvalidS3ObjectException"


class ResourceNotFound(RekognitionError):
    code = "ResourceNotFoundException"


class ResourceAlreadyExists(RekognitionError):
    code = "ResourceAlreadyExistsException"


class Conflict(RekognitionError):
    code = "ConflictException"


class IdempotentParameterMismatch(RekognitionError):
    code = "IdempotentParameterMismatchException"


class InvalidPaginationToken(RekognitionError):
    code = "InvalidPaginationTokenException"


class ServiceQuotaExceeded(RekognitionError):
    code = "ServiceQuotaExceededException"


class UnknownOperation(RekognitionError):
    code = "UnknownOperationException"


class Serialization(RekognitionError):
    code = "SerializationException"


class InternalFailure(RekognitionError):
    code = "InternalServerError"
    status = 500


class ObjectNotReadable(Exception):
    """Raised by a `fetch` function when the bucket, key or version doesn't exist or may not be read."""


class EngineSetup(Exception):
    """The engine can't start as asked; the message says what to do."""


class ModelFileError(EngineSetup):
    """A weights file is damaged, isn't the expected one, or has a form that isn't supported."""
