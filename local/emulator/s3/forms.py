"""Reads S3 form uploads: POST requests with multipart/form-data, which browsers send with a presigned policy."""

from __future__ import annotations

import base64
import hashlib
import io
from dataclasses import dataclass
from typing import Any

from werkzeug.formparser import parse_form_data


@dataclass(frozen=True, slots=True)
class PostForm:
    """A form upload. Field names are lower case: S3 ignores case. `size` is in bytes, or None without a file."""

    fields: dict[str, str]
    filename: str
    size: int | None
    sha256: str = ""
    """Of the file, in base64."""

    @property
    def key(self) -> str:
        """The object's key. ${filename} in the field stands for the last part of the file's name."""
        name = self.filename.replace("\\", "/").rpartition("/")[2]
        return self.fields.get("key", "").replace("${filename}", name)

    @property
    def access_key(self) -> str | None:
        credential = self.fields.get("x-amz-credential") or self.fields.get("awsaccesskeyid") or ""
        return credential.partition("/")[0] or None


def is_form_upload(method: str, content_type: str) -> bool:
    return method == "POST" and content_type.lower().startswith("multipart/form-data")


def read_form(content_type: str, body: bytes) -> PostForm:
    """Parse the form. Fields after the file are included, as in moto; S3 ignores them."""
    environ: dict[str, Any] = {
        "REQUEST_METHOD": "POST",
        "CONTENT_TYPE": content_type,
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
    }
    _, form, files = parse_form_data(environ, silent=True)
    fields = {name.lower(): value for name, value in form.items()}
    upload = files.get("file")
    if upload is None:
        inline = fields.pop("file", None)
        return PostForm(fields, "", None) if inline is None else _with_file(fields, "", inline.encode())
    filename = upload.filename or ""
    content = upload.stream.read()
    upload.close()
    return _with_file(fields, filename, content)


def _with_file(fields: dict[str, str], filename: str, content: bytes) -> PostForm:
    return PostForm(fields, filename, len(content), base64.b64encode(hashlib.sha256(content).digest()).decode())
