"""What an instance says about itself, and the isolation from the shell's AWS settings and proxies."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import boto3
import pytest

from local.emulator.code_version import code_version
from local.emulator.gateway.gateway import page_address
from local.emulator.instance import Instance, asked_options, option_texts
from local.emulator.isolation import isolate


def instance(**options: str) -> Instance:
    return Instance("/here", "abc", options)


def test_an_option_that_was_not_asked_for_may_differ() -> None:
    running = instance(host="0.0.0.0", web_port="8081")  # noqa: S104 - compared, not bound
    wanted = instance(host="127.0.0.1", web_port="8080")
    assert list(wanted.other_options(running, ())) == []
    assert list(wanted.other_options(running, ("host",))) == ["--host 0.0.0.0, not 127.0.0.1"]
    assert list(wanted.other_options(wanted, ("host", "web_port"))) == []


def test_an_instance_survives_its_health_document() -> None:
    assert Instance.from_health(instance(host="x").to_health()) == instance(host="x")


def test_asked_options_come_from_arguments_and_variables() -> None:
    variables = {"WEB_PORT": "web_port", "EYES": "eyes"}
    arguments = ["--host", "127.0.0.1", "--stack-name=other"]
    assert asked_options(arguments, {"WEB_PORT": "8081", "EYES": ""}, variables) == {"host", "stack_name", "web_port"}


def test_relative_paths_of_two_folders_differ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = argparse.Namespace(state=Path("state"), parameter=["A=1", "B=2"], model=None, detach=True)
    monkeypatch.chdir(tmp_path)
    assert option_texts(options) == {"state": str(tmp_path / "state"), "parameter": "A=1, B=2", "model": ""}


def test_the_version_of_the_code_changes_with_each_edit(tmp_path: Path) -> None:
    code, template = tmp_path / "code", tmp_path / "template.yaml"
    (code / "deep").mkdir(parents=True)
    (code / "deep" / "one.py").write_text("a = 1\n")
    template.write_text("Resources: {}\n")
    first = code_version((code, template))
    assert code_version((code, template)) == first
    (code / "notes.txt").write_text("not code")
    assert code_version((code, template)) == first
    (code / "deep" / "one.py").write_text("a = 2\n")
    second = code_version((code, template))
    template.write_text("Resources: {A: {}}\n")
    assert len({first, second, code_version((code, template))}) == 3


def test_no_setting_of_the_shell_reaches_a_local_client() -> None:
    environment = {
        "AWS_PROFILE": "missing",
        "AWS_DEFAULT_PROFILE": "missing",
        "AWS_ENDPOINT_URL_S3": "http://elsewhere",
        "AWS_CONFIG_FILE": "/home/user/.aws/config",
        "no_proxy": "example.com,localhost",
        "HOME": "/home/user",
    }
    isolate(environment)
    assert environment == {
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "no_proxy": "example.com,localhost,127.0.0.1,::1",
        "NO_PROXY": "example.com,localhost,127.0.0.1,::1",
        "HOME": "/home/user",
    }


def test_a_missing_profile_does_not_prevent_a_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "missing")
    environment = dict(os.environ)
    isolate(environment)
    for name in set(os.environ) - set(environment):
        monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    client = boto3.Session(aws_access_key_id="a", aws_secret_access_key="b", region_name="us-east-1").client("s3")
    assert client.meta.region_name == "us-east-1"


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("localhost:4566", "http://localhost:8080/"),
        ("192.168.1.7:4566", "http://192.168.1.7:8080/"),
        ("[::1]:4566", "http://[::1]:8080/"),
        ("", "http://localhost:8080"),
    ],
)
def test_a_browser_is_sent_to_the_page_under_the_name_that_it_used(host: str, address: str) -> None:
    assert page_address("http://localhost:8080", host) == address
