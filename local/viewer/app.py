"""The viewer's WSGI application: a page, a JSON API, pictures, and uploads. All else is read-only."""

from __future__ import annotations

import json
import mimetypes
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol
from wsgiref.types import WSGIApplication

from botocore.exceptions import BotoCoreError, ClientError
from werkzeug.exceptions import BadRequest, Forbidden, HTTPException, NotFound, RequestEntityTooLarge
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from imagewatch.errors import InvalidCursor, InvalidQuery
from imagewatch.images.version import image_id as id_of
from imagewatch.search.query import FIELDS, LABEL
from local.viewer import history, pictures
from local.viewer.records import MAX_PAGE_SIZE, ImageRecords, Position
from local.viewer.searches import ImageSearch
from local.viewer.stack import Stack, StackNotReadyError
from local.viewer.uploads import store

STATIC = Path(__file__).parent / "static"
STATIC_FILES = {
    "index.html": "text/html; charset=utf-8",
    "viewer.css": "text/css; charset=utf-8",
    "viewer.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
MAX_UPLOAD_BYTES = 60 * 1024 * 1024
UPLOAD_FOLDER = "uploads/browser/"
PAGE_POLICY = (
    "default-src 'none'; img-src 'self'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
PICTURE_POLICY = "default-src 'none'; sandbox"


class Mailbox(Protocol):
    """The received e-mails, oldest first: {to, subject, body, at}."""

    def list(self) -> Sequence[Mapping[str, Any]]: ...


def make_app(
    endpoint_url: str | None, *, mailbox: Mailbox | None = None, problems: Callable[[], Sequence[str]] = tuple
) -> WSGIApplication:
    """The application for the stack at `endpoint_url`. Without `mailbox`, e-mails are read from the endpoint.

    `problems` returns what is wrong with the stack now, in sentences.
    """
    return _Viewer(Stack(endpoint_url), mailbox, problems)


class _Viewer:
    def __init__(self, stack: Stack, mailbox: Mailbox | None, problems: Callable[[], Sequence[str]]) -> None:
        self.stack = stack
        self.problems = problems
        self.images = ImageRecords(stack)
        self.searches = ImageSearch(stack)
        self.read_mailbox = mailbox.list if mailbox else stack.mailbox
        self.routes = Map(
            [
                Rule("/", endpoint=self.page),
                Rule("/mailbox", endpoint=self.page),
                Rule("/mailbox/<int:_number>", endpoint=self.page),
                Rule("/executions/<path:_arn>", endpoint=self.page),
                Rule("/images/<image_id>", endpoint=self.image_page),
                Rule("/static/<name>", endpoint=self.static),
                Rule("/favicon.ico", endpoint=self.icon),
                Rule("/api/images", endpoint=self.list_images),
                Rule("/api/search", endpoint=self.search),
                Rule("/api/names", endpoint=self.list_names),
                Rule("/api/images/<image_id>", endpoint=self.show_image),
                Rule("/api/executions/<path:arn>", endpoint=self.show_execution),
                Rule("/api/mailbox", endpoint=self.list_mail),
                Rule("/api/problems", endpoint=self.list_problems),
                Rule("/api/uploads/<path:name>", endpoint=self.upload, methods=["PUT"]),
                Rule("/thumbnails/<image_id>", endpoint=self.thumbnail),
                Rule("/pictures/<image_id>", endpoint=self.picture),
            ],
            merge_slashes=False,
        )

    def __call__(self, environ: Any, start_response: Any) -> Any:
        request = Request(environ)
        try:
            endpoint, arguments = self.routes.bind_to_environ(environ).match()
            response = endpoint(request, **arguments)
        except StackNotReadyError as error:
            response = _answer({"error": str(error)}, 503)
        except HTTPException as error:
            response = _answer({"error": error.description}, error.code or 500)
        except ClientError as error:
            response = _answer({"error": f"The local stack returned an error: {error}"}, 502)
        except BotoCoreError as error:
            response = _answer({"error": f"The local stack doesn't answer. Is it running? ({error})"}, 503)
        response.headers.setdefault("Content-Security-Policy", PAGE_POLICY)
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        return response(environ, start_response)

    def page(self, request: Request, _number: int = 0, _arn: str = "") -> Response:
        return self.static(request, "index.html")

    def image_page(self, request: Request, image_id: str) -> Response:
        """The page. For an unknown image the status is 404, and the page shows a message."""
        response = self.static(request, "index.html")
        if self.images.one(image_id) is None:
            response.status_code = 404
        return response

    def static(self, _request: Request, name: str) -> Response:
        if name not in STATIC_FILES:
            raise NotFound("There is no such file.")
        return Response((STATIC / name).read_bytes(), content_type=STATIC_FILES[name])

    def icon(self, request: Request) -> Response:
        return self.static(request, "icon.svg")

    def list_images(self, request: Request) -> Response:
        cards, position = self.images.page(_limit(request), _after(request))
        return _answer(
            {
                "images": cards,
                "next": ".".join(position) if position else None,
                "total": self.images.total(),
            }
        )

    def search(self, request: Request) -> Response:
        """A page of search results. A query with a mistake has status 400 and the place of the mistake (characters, from 0)."""
        asked, limit = request.args, max(1, min(_limit(request), MAX_PAGE_SIZE))
        try:
            return _answer(self.searches.page(asked.get("q", ""), _confidence(request), limit, asked.get("after", "")))
        except InvalidCursor as error:
            return _answer({"error": str(error)}, 400)
        except InvalidQuery as error:
            return _answer({"error": str(error), "position": error.position}, 400)

    def list_names(self, request: Request) -> Response:
        """Names of labels, or of another field of the query language, that begin with a prefix."""
        field = request.args.get("field", LABEL)
        if field not in FIELDS:
            raise BadRequest(f"field must be one of {', '.join(FIELDS)}.")
        return _answer({"names": self.searches.names(request.args.get("prefix", ""), field)})

    def show_image(self, _request: Request, image_id: str) -> Response:
        return _answer(self._record(image_id))

    def show_execution(self, _request: Request, arn: str) -> Response:
        found = history.execution(self.stack, arn)
        if found is None:
            raise NotFound(f"There is no execution {arn}. Executions are lost when the stack restarts.")
        return _answer(found)

    def list_mail(self, _request: Request) -> Response:
        mails = [{"number": number, **mail} for number, mail in enumerate(self.read_mailbox(), start=1)]
        return _answer({"mails": mails[::-1]})

    def list_problems(self, _request: Request) -> Response:
        return _answer({"problems": list(self.problems())})

    def upload(self, request: Request, name: str) -> Response:
        """Store the request's body under uploads/browser/. The required header prevents uploads from pages of other sites."""
        if request.headers.get("X-Imagewatch") != "upload":
            raise Forbidden("An upload must come from this page (the header X-Imagewatch: upload is missing).")
        if not request.content_length:
            raise BadRequest(f"{name} is empty.")
        if request.content_length > MAX_UPLOAD_BYTES:
            raise RequestEntityTooLarge(f"{name} is larger than {MAX_UPLOAD_BYTES // 2**20} MB.")
        bucket, key = self.stack.outputs["ImagesBucketName"], UPLOAD_FOLDER + _file_name(name)
        content_type = mimetypes.guess_type(key)[0] or "application/octet-stream"
        try:
            stored = store(self.stack.client("s3"), bucket, key, request.get_data(), content_type)
        except ValueError as error:
            raise BadRequest(f"{name}: {error}.") from error
        renamed_from = key if stored.key != key else None
        answer = {"Key": stored.key, "ImageId": id_of(bucket, stored.key), "Again": stored.again, "RenamedFrom": renamed_from}
        return _answer(answer, 201)

    def thumbnail(self, request: Request, image_id: str) -> Response:
        return self._shown(request, pictures.thumbnail(self.stack, self._record(image_id)))

    def picture(self, request: Request, image_id: str) -> Response:
        return self._shown(request, pictures.picture(self.stack, self._record(image_id)))

    def _record(self, image_id: str) -> dict[str, Any]:
        record = self.images.one(image_id)
        if record is None:
            raise NotFound(f"There is no image {image_id}. It may have been deleted, or the stack restarted.")
        return record

    def _shown(self, request: Request, shown: pictures.Picture | None) -> Response:
        if shown is None:
            raise NotFound("There is no picture to show for this image.")
        response = Response(shown.body, content_type=shown.content_type)
        response.headers["Content-Security-Policy"] = PICTURE_POLICY
        # With ?v=<version> the picture at a URL never changes.
        response.headers["Cache-Control"] = "private, max-age=86400" if request.args.get("v") else "no-cache"
        return response


def _limit(request: Request) -> int:
    try:
        return int(request.args.get("limit", "60"))
    except ValueError:
        raise BadRequest("limit must be a number.") from None


def _confidence(request: Request) -> float:
    try:
        confidence = float(request.args.get("confidence", "0"))
    except ValueError:
        confidence = -1.0
    if not 0 <= confidence <= 100:
        raise BadRequest("confidence must be a number from 0 to 100.")
    return confidence


def _after(request: Request) -> Position | None:
    given = request.args.get("after")
    if not given:
        return None
    uploaded_at, dot, image_id = given.rpartition(".")
    if not dot:
        raise BadRequest("after must be the value of next in an earlier response.")
    return Position(uploaded_at, image_id)


def _file_name(name: str) -> str:
    """The last part of a path in Unicode form NFC, without control characters. Other characters stay."""
    last = unicodedata.normalize("NFC", name.replace("\\", "/").rsplit("/", 1)[-1])
    kept = "".join(c for c in last if unicodedata.category(c) not in ("Cc", "Cf", "Cs")).strip()
    if not kept or set(kept) == {"."}:
        raise BadRequest("The file has no name.")
    return kept[-200:]


def _answer(content: dict[str, Any], status: int = 200) -> Response:
    return Response(json.dumps(content, ensure_ascii=False), status=status, content_type="application/json")
