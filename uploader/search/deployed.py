"""The search of a deployment: its library, its links, and its errors as commands show them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from imagewatch.errors import InvalidCursor, InvalidQuery
from imagewatch.images.links import image_url
from imagewatch.images.version import ImageVersion
from imagewatch.search.counts import TermCount
from imagewatch.search.find import Results, Search, find, vocabulary
from imagewatch.search.index import EVERYONE
from imagewatch.search.library import SearchLibrary
from uploader.aws.errors import aws_call
from uploader.aws.session import Aws
from uploader.aws.stack import find_outputs, find_parameter
from uploader.errors import UsageError
from uploader.search.reader import TableReader

LINK_SECONDS = 3600
"""How long a link to a thumbnail works."""

T = TypeVar("T")


class DeployedSearch:
    """Searches all images of a stack. AWS credentials that can read its tables see every image. Raises CommandError."""

    def __init__(self, aws: Aws, stack: str) -> None:
        self._aws, self._stack = aws, stack
        index, images, self._renditions = find_outputs(
            aws, stack, "SearchIndexTableName", "ImagesTableName", "RenditionsBucketName"
        )
        self._reader = TableReader(aws.dynamodb, index, images)
        self._web_url: str | None = None

    def find(self, asked: Search) -> Results:
        """A page of results. Raises UsageError for a query with a mistake and for a cursor of another search."""
        return self._searched(lambda library: find(library, asked, self._reader.cursor_key), asked.text)

    def vocabulary(self, prefix: str, field: str, limit: int) -> Sequence[TermCount]:
        """The names in a field that begin with the prefix, with their numbers of images, in alphabetical order."""
        return self._searched(lambda library: vocabulary(library, prefix, field, limit), prefix)

    def page(self, record: Mapping[str, Any]) -> str:
        """The address of the image's page, or of its object in the S3 console where the stack has no web app."""
        if self._web_url is None:
            self._web_url = find_parameter(self._aws, self._stack, "WebUrl")
        return image_url(ImageVersion.from_state(record), self._web_url, self._aws.dynamodb.meta.region_name)

    def thumbnail(self, record: Mapping[str, Any]) -> str:
        """A link to the image's thumbnail that works for LINK_SECONDS; empty where there is none."""
        if not record.get("Thumbnail"):
            return ""
        where = {"Bucket": self._renditions, "Key": record["Thumbnail"]}
        with aws_call("sign a link"):
            return str(self._aws.s3_for_links.generate_presigned_url("get_object", Params=where, ExpiresIn=LINK_SECONDS))

    def _searched(self, use: Callable[[SearchLibrary], T], text: str) -> T:
        try:
            with aws_call("search (dynamodb:Query, BatchGetItem and UpdateItem on the search index, BatchGetItem on the images)"):
                return use(SearchLibrary(EVERYONE, self._reader))
        except InvalidCursor as error:
            raise UsageError(f"--after: {error}") from error
        except InvalidQuery as error:
            raise _mistake(error, text) from error


def _mistake(error: InvalidQuery, text: str) -> UsageError:
    *pointing, message = error.pointing_into(text).split("\n")
    raised = UsageError(message)
    raised.details = pointing if text else ()
    return raised
