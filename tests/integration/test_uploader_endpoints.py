"""The client and endpoints that are not AWS: the address of a local stack, profiles and proxies there, and web pages."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from botocore.exceptions import ProfileNotFound

from uploader.aws.session import Deployment
from uploader.cli import main

Output = pytest.CaptureFixture[str]
PAGE = b"<!DOCTYPE html><html><head><title>Welcome</title><link rel=x></head><body>It works<br></body></html>"
XHTML = b'<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><body><p>It works</p></body></html>'
SIGNED_OUT = """
[profile work]
sso_session = work
sso_account_id = 123456789012
sso_role_name = Reader
region = eu-central-1
[sso-session work]
sso_start_url = https://example.awsapps.com/start
sso_region = eu-central-1
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with a profile whose sign-in has expired, and without credentials."""
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
                 "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION", "AWS_REGION", "NO_PROXY", "no_proxy"):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "config").write_text(SIGNED_OUT)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return tmp_path


@contextmanager
def server(status: int, body: bytes, content_type: str = "text/html") -> Iterator[tuple[str, list[str]]]:
    """The address of a web server with one answer, and the Authorization headers that it got."""
    seen: list[str] = []

    class Page(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            seen.append(self.headers.get("Authorization", ""))
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    httpd = HTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=httpd.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{httpd.server_port}", seen
    finally:
        httpd.shutdown()
        httpd.server_close()
        thread.join()


@pytest.mark.parametrize(
    ("status", "body"),
    [(200, PAGE), (200, XHTML), (200, b""), (200, b"{}"), (404, PAGE), (403, PAGE), (404, b"not found"), (302, b""), (502, PAGE)],
)
def test_an_endpoint_that_answers_with_a_web_page_gets_a_sentence(status: int, body: bytes, capsys: Output) -> None:
    with server(status, body) as (url, _):
        assert main(["rules", "list", "--endpoint-url", url]) == 1
    printed = capsys.readouterr()
    assert "the endpoint doesn't answer as AWS does" in printed.err
    assert "--endpoint-url" in printed.err
    assert len(printed.err.strip().splitlines()) == 1
    assert printed.out == ""


@pytest.mark.parametrize("profile", ["missing", "work"])
@pytest.mark.parametrize("variable", ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"])
@pytest.mark.parametrize("by_option", [True, False])
def test_neither_a_profile_nor_a_proxy_matters_for_this_machine(
    profile: str, variable: str, by_option: bool, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    monkeypatch.setenv(variable, profile)
    for proxy in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(proxy, "http://127.0.0.1:9")
    with server(404, PAGE) as (url, seen):
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9" if by_option else url)
        options = ["--endpoint-url", url] if by_option else []
        assert main(["rules", "list", *options]) == 1
    assert "doesn't answer as AWS does" in capsys.readouterr().err
    assert seen
    assert all("Credential=local/" in header for header in seen)


@pytest.mark.parametrize("profile", ["missing", "work"])
def test_a_profile_that_cannot_be_used_does_not_matter_elsewhere(profile: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", profile)
    credentials = Deployment(endpoint_url="http://192.0.2.1:4566").aws().s3._request_signer._credentials  # type: ignore[attr-defined]
    assert credentials.access_key == "local"


def test_configured_credentials_are_used_for_another_endpoint(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "credentials").write_text("[good]\naws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = secret\n")
    monkeypatch.setenv("AWS_PROFILE", "good")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    s3 = Deployment(endpoint_url="https://vpce-1.s3.eu-west-1.vpce.amazonaws.com").aws().s3
    assert s3._request_signer._credentials.access_key == "AKIDEXAMPLE"  # type: ignore[attr-defined]
    assert s3.meta.region_name == "eu-west-1"


def test_a_profile_that_was_asked_for_is_used_and_must_exist(home: Path) -> None:
    (home / "credentials").write_text("[good]\naws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = secret\n")
    for url in ("http://localhost:4566", "http://192.0.2.1:4566"):
        s3 = Deployment(endpoint_url=url, profile="good", region="us-east-1").aws().s3
        assert s3._request_signer._credentials.access_key == "AKIDEXAMPLE"  # type: ignore[attr-defined]
        with pytest.raises(ProfileNotFound):
            _ = Deployment(endpoint_url=url, profile="missing").aws().s3


def test_suggested_commands_name_the_deployment_again() -> None:
    assert Deployment().options == ""
    other = Deployment("my stack", "http://localhost:4566", "eu-west-1", "$work")
    assert other.options == " --stack 'my stack' --endpoint-url http://localhost:4566 --region eu-west-1 --profile '$work'"


def test_without_an_endpoint_a_missing_profile_is_an_error(monkeypatch: pytest.MonkeyPatch, capsys: Output) -> None:
    monkeypatch.setenv("AWS_PROFILE", "missing")
    assert main(["rules", "list"]) == 1
    assert "The config profile (missing) could not be found. `aws configure list-profiles`" in capsys.readouterr().err
