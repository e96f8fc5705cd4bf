"""Starting and stopping in the background, as `make up` and `make down` do: idempotent, one stack for each state folder."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlsplit

import pytest

from local.emulator.background import Background
from tests.local.running_stack import ROOT, RunningStack, free_port
from tests.local.small_stack import eventually

Completed = subprocess.CompletedProcess[str]
# Nothing listens on port 1: a call that used the proxy or the profile would fail.
BEHIND_A_PROXY = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), "http://127.0.0.1:1")
LOGGED_OUT = {"AWS_PROFILE": "missing", "AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_CA_BUNDLE": "/missing"}
DISCARDED = "Its photos, records, rules, channels, alerts and accounts are discarded."


class Checkout:
    """`python -m local` with its own state folder and ports, and without `ps` on the PATH."""

    def __init__(self, state: Path) -> None:
        self.state, self.port, self.web_port = state, free_port(), free_port()
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        self.environment["PATH"] = str(Path(sys.executable).parent)

    def command(self, *arguments: str, port: int | None = None) -> list[str]:
        return [sys.executable, "-m", "local", "--state", str(self.state), "--port", str(port or self.port), *arguments]

    def local(self, *arguments: str, port: int | None = None, root: Path = ROOT, **variables: str) -> Completed:
        command, environment = self.command(*arguments, port=port), {**self.environment, **variables}
        return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=180, check=False)

    def up(self, *arguments: str, port: int | None = None, root: Path = ROOT, **variables: str) -> Completed:
        options = ("--web-port", str(self.web_port), "--eyes", "small", "--detach")
        return self.local(*options, *arguments, port=port, root=root, **variables)

    def down(self) -> Completed:
        return self.local("--stop")

    @property
    def pid(self) -> int:
        return int((self.state / "pid").read_text())

    def healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://localhost:{self.port}/_local/health") as answer:
                return bool(json.load(answer)["status"] == "ok")
        except URLError:
            return False


def in_folder(state: Path) -> Background:
    return Background(state, 0, "Imagewatch", "local", "make down")


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Checkout]:
    checkout = Checkout(tmp_path / "state")
    yield checkout
    checkout.down()


def test_up_and_down_are_safe_to_repeat(checkout: Checkout, tmp_path: Path) -> None:
    first = checkout.up(**BEHIND_A_PROXY, **LOGGED_OUT)
    assert (first.returncode, checkout.healthy()) == (0, True), first.stdout + first.stderr
    addresses = re.findall(r"http://\S+", first.stdout)
    assert addresses == [f"http://localhost:{checkout.web_port}", f"http://localhost:{checkout.port}"]
    pid = checkout.pid

    again = checkout.up(**BEHIND_A_PROXY)
    assert (again.returncode, checkout.pid) == (0, pid)
    assert again.stdout == f"Imagewatch already runs and is healthy: http://localhost:{checkout.port} (pid {pid})\n"

    listening = checkout.up("--host", "0.0.0.0")  # noqa: S104 - it is refused
    assert (listening.returncode, checkout.pid) == (1, pid)
    assert "with --host 127.0.0.1, not 0.0.0.0. Run `make down`" in listening.stderr

    elsewhere = copy_of_the_checkout(tmp_path / "elsewhere")
    second = checkout.up("--state", str(elsewhere / ".local"), root=elsewhere)
    assert (second.returncode, checkout.pid) == (1, pid)
    assert f"Port {checkout.port} belongs to an instance of another checkout, {ROOT} (pid {pid}, version" in second.stderr
    assert second.stderr.rstrip().endswith("Run `make down` there, or use other ports here: make up PORT=4567 WEB_PORT=8081")
    assert len(second.stderr.splitlines()) == 1

    answer = redirect(f"http://127.0.0.1:{checkout.port}/")
    assert answer == (302, f"http://127.0.0.1:{checkout.web_port}/")

    for line in ("Imagewatch has stopped.", "Imagewatch isn't running."):
        down = checkout.down()
        assert (down.returncode, down.stderr) == (0, "")
        assert down.stdout.startswith(line)
        assert (DISCARDED in down.stdout) == ("stopped" in line)
        assert not checkout.healthy()
        assert not (checkout.state / "pid").exists()


def copy_of_the_checkout(folder: Path) -> Path:
    for name in ("local", "functions", "statemachine", "tools"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.onnx"))
    shutil.copy(ROOT / "template.yaml", folder)
    return folder


def redirect(address: str) -> tuple[int, str | None]:
    """The status and the Location of the answer that a browser gets."""
    parts = urlsplit(address)
    with closing(http.client.HTTPConnection(str(parts.hostname), parts.port)) as connection:
        connection.request("GET", parts.path, headers={"Accept": "text/html,application/xhtml+xml"})
        answer = connection.getresponse()
        return answer.status, answer.getheader("Location")


def test_photos_rules_and_channels_are_kept_for_the_next_start_when_asked(checkout: Checkout) -> None:
    photo = (ROOT / "samples" / "rocket-on-launch-pad.jpg").read_bytes()
    rule = {"RuleId": {"S": "kept"}, "Name": {"S": "Kept"}, "Terms": {"L": [{"S": "Person"}]}, "Threshold": {"N": "80.5"}}
    first = checkout.up("--keep")
    assert first.returncode == 0, first.stderr
    stack = RunningStack(f"http://localhost:{checkout.port}", checkout.state)
    outputs = outputs_of(stack)
    stack.client("dynamodb").put_item(TableName=outputs["WatchlistTableName"], Item=rule)
    secret = "/imagewatch/imagewatch/channels/team"
    stack.client("ssm").put_parameter(Name=secret, Value="https://hooks.slack.com/services/T/B/x", Type="SecureString")
    team = {"ChannelId": {"S": "team"}, "Kind": {"S": "slack"}, "Enabled": {"BOOL": True}, "SecretParameter": {"S": secret}}
    for item in (team | {"NextSlot": {"N": "5"}}, {"ChannelId": {"S": "removed"}, "NextSlot": {"N": "5"}}):
        stack.client("dynamodb").put_item(TableName=outputs["ChannelsTableName"], Item=item)
    stack.client("sns").subscribe(TopicArn=outputs["AlertsTopicArn"], Protocol="email", Endpoint="second@example.com")
    keys = ["uploads/gate/rocket é.jpg", "uploads/gate/empty.jpg"]
    for key, body in zip(keys, (b"an earlier version", b""), strict=True):
        stack.client("s3").put_object(Bucket=outputs["ImagesBucketName"], Key=key, Body=body)
    stack.client("s3").put_object(
        Bucket=outputs["ImagesBucketName"], Key=keys[0], Body=photo, ContentType="image/jpeg", Metadata={"sha256": "abc"}
    )
    down = checkout.down()
    kept = "2 photos, 1 rule and 1 channel are kept for the next `make up KEEP=1`. Records and alerts are discarded."
    assert down.stdout == f"Imagewatch has stopped. {kept}\n"
    assert (checkout.state / "kept").stat().st_mode & 0o077 == 0

    again = checkout.up("--keep")

    assert again.returncode == 0, again.stderr
    outputs = outputs_of(stack)
    assert stack.client("dynamodb").scan(TableName=outputs["WatchlistTableName"])["Items"] == [rule]
    assert stack.client("dynamodb").scan(TableName=outputs["ChannelsTableName"])["Items"] == [team]
    parameter = stack.client("ssm").get_parameter(Name=secret, WithDecryption=True)["Parameter"]
    assert parameter["Value"] == "https://hooks.slack.com/services/T/B/x"
    subscribed = stack.client("sns").list_subscriptions_by_topic(TopicArn=outputs["AlertsTopicArn"])["Subscriptions"]
    assert sorted(entry["Endpoint"] for entry in subscribed) == ["operator@example.com", "second@example.com"]
    listed = stack.client("s3").list_objects_v2(Bucket=outputs["ImagesBucketName"])["Contents"]
    assert sorted(entry["Key"] for entry in listed) == sorted(keys)
    found = stack.client("s3").get_object(Bucket=outputs["ImagesBucketName"], Key=keys[0])
    assert (found["Body"].read(), found["ContentType"], found["Metadata"]) == (photo, "image/jpeg", {"sha256": "abc"})
    images = outputs["ImagesTableName"]
    eventually(lambda: stack.client("dynamodb").scan(TableName=images)["Items"], "the photo was not analysed again")


def outputs_of(stack: RunningStack) -> dict[str, str]:
    (described,) = stack.client("cloudformation").describe_stacks(StackName="imagewatch")["Stacks"]
    return {entry["OutputKey"]: entry["OutputValue"] for entry in described["Outputs"]}


def test_an_interrupted_start_leaves_nothing_behind(checkout: Checkout) -> None:
    starting = subprocess.Popen(
        checkout.command("--web-port", "0", "--eyes", "small", "--detach"),
        cwd=ROOT,
        env=checkout.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    eventually((checkout.state / "pid").exists, "the stack did not begin to start")
    eventually(lambda: (checkout.state / "pid").read_text(), "the stack did not write its pid")
    pid = checkout.pid

    starting.send_signal(signal.SIGINT)
    output, errors = starting.communicate(timeout=60)

    assert starting.returncode == 130
    assert (output, errors.strip()) == ("", "Imagewatch was interrupted before it was ready. Nothing runs.")
    assert not (checkout.state / "pid").exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.parametrize(
    ("variables", "arguments", "reason"),
    [
        ({"PORT": "abc"}, (), "PORT='abc' is not a port: it must be a number from 0 to 65535."),
        ({"WEB_PORT": "65536"}, (), "WEB_PORT='65536' is not a port: it must be a number from 0 to 65535."),
        ({}, ("--state", "/proc/state"), "Imagewatch can't start: it can't write to the folder /proc/state (No such file"),
        ({}, ("--host", "192.0.2.1"), "Imagewatch can't start: it can't listen on 192.0.2.1: Cannot assign requested address"),
    ],
)
def test_what_prevents_a_start_is_one_sentence(
    checkout: Checkout, variables: dict[str, str], arguments: tuple[str, ...], reason: str
) -> None:
    up = checkout.up(*arguments, **variables)
    assert (up.returncode, up.stdout) == (1, "")
    assert up.stderr.startswith(reason)
    assert len(up.stderr.splitlines()) == 1


def test_a_taken_port_of_the_page_is_one_sentence_without_the_log_of_earlier_runs(checkout: Checkout) -> None:
    checkout.state.mkdir()
    (checkout.state / "stack.log").write_text("Imagewatch can't start: an old reason\n")
    with socket.create_server(("127.0.0.1", checkout.web_port)):
        up = checkout.up()
    assert (up.returncode, up.stdout) == (1, "")
    assert up.stderr == (
        f"Imagewatch can't start: the page's port {checkout.web_port} is taken. "
        "Stop the process that uses it, or choose another port: make up WEB_PORT=8081\n"
    )


def test_a_folder_keeps_the_state_of_one_stack(checkout: Checkout) -> None:
    assert checkout.up().returncode == 0
    pid = checkout.pid

    second = checkout.up(port=free_port())

    assert second.returncode == 1
    assert f"another instance (pid {pid}) uses the state folder {checkout.state}. Stop it with `make down`, or" in second.stderr
    assert (checkout.pid, checkout.healthy()) == (pid, True)


def test_a_paused_stack_stops_when_it_continues(checkout: Checkout) -> None:
    assert checkout.up().returncode == 0
    pid = checkout.pid
    os.kill(pid, signal.SIGSTOP)  # like Ctrl-Z; afterwards any thread can receive the signal below
    os.kill(pid, signal.SIGTERM)
    os.kill(pid, signal.SIGCONT)

    down = checkout.down()

    assert (down.returncode, down.stderr) == (0, "")
    assert not checkout.healthy()


def test_a_pid_that_belongs_to_another_process_is_not_signalled(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "pid").write_text(str(os.getpid()))

    assert in_folder(tmp_path).stop() == 0

    assert capsys.readouterr().out.strip() == "Imagewatch isn't running."
    assert not (tmp_path / "pid").exists()


def test_a_stack_that_does_not_stop_is_killed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    script = f"""
import pathlib, signal, time
from local.emulator.background import Background
signal.signal(signal.SIGTERM, signal.SIG_IGN)
background = Background(pathlib.Path({str(tmp_path)!r}), 0, "Imagewatch", "local", "make down")
background.folder.occupy()
print("here", flush=True)
time.sleep(60)
"""
    monkeypatch.setattr("local.emulator.background.STOP_SECONDS", 0.2)
    with subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True) as deaf:
        assert deaf.stdout
        assert deaf.stdout.readline() == "here\n"
        assert in_folder(tmp_path).stop() == 1
        assert deaf.wait() == -signal.SIGKILL
    assert capsys.readouterr().err.strip() == "Imagewatch didn't stop in time and was killed."
