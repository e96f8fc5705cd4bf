"""Functions in the emulator: environment, processes, and Lambda's errors."""

from __future__ import annotations

import concurrent.futures
import os
import signal
from pathlib import Path

from .small_stack import SmallStack, eventually


def test_a_warm_worker_is_used_again(small: SmallStack) -> None:
    first, second = small.invoke("nothing"), small.invoke("nothing")
    assert first[0]["pid"] == second[0]["pid"]
    assert first[1] is None


def test_concurrent_invocations_get_separate_workers(small: SmallStack) -> None:
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(small.invoke, ["oversleep", "nothing"]))
    assert answers[0][1] == "Unhandled"
    assert answers[1][1] is None


def test_an_exception_is_answered_with_type_message_and_trace(small: SmallStack) -> None:
    payload, error = small.invoke("fail")
    assert error == "Unhandled"
    assert (payload["errorType"], payload["errorMessage"]) == ("TryAgain", "not today")
    assert any("act.py" in line for line in payload["stackTrace"])


def test_a_crashed_worker_is_an_exit_error_and_the_next_call_gets_a_new_worker(small: SmallStack) -> None:
    before = small.invoke("nothing")[0]["pid"]
    payload, error = small.invoke("crash")
    assert error == "Unhandled"
    assert payload["errorType"] == "Runtime.ExitError"
    assert payload["errorMessage"].endswith("exit status 7")
    after, error = small.invoke("nothing")
    assert error is None
    assert after["pid"] != before


def test_a_worker_that_ended_while_it_was_idle_is_replaced_without_an_error(small: SmallStack) -> None:
    before = small.invoke("nothing")[0]["pid"]
    for _ in range(3):
        os.kill(before, signal.SIGKILL)
        eventually(lambda pid=before: not alive(pid), "the worker did not end")  # type: ignore[misc]
        payload, error = small.invoke("nothing")
        assert error is None, payload
        assert payload["pid"] != before
        before = payload["pid"]


def alive(pid: int) -> bool:
    """Whether the process runs. One that has ended stays visible until its parent has read its status."""
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


def test_a_function_is_stopped_at_its_timeout(small: SmallStack) -> None:
    payload, error = small.invoke("oversleep")
    assert error == "Unhandled"
    assert payload["errorType"] == "Sandbox.Timedout"
    assert payload["errorMessage"].endswith("Task timed out after 5.00 seconds")


def test_a_function_sees_its_own_environment_and_no_one_elses(small: SmallStack) -> None:
    environment, _ = small.invoke("environment")
    assert environment["AWS_LAMBDA_FUNCTION_NAME"] == "act"
    assert environment["TABLE"] == small.outputs["TableName"]
    assert environment["AWS_ENDPOINT_URL"] == small.endpoint.replace("localhost", "127.0.0.1")
    assert environment["AWS_REGION"] == "us-east-1"
    assert not {"VIRTUAL_ENV", "PYTEST_CURRENT_TEST", "PWD"} & environment.keys()


def test_what_a_function_prints_is_found_in_its_log_group(small: SmallStack) -> None:
    small.invoke("say")
    logs = small.client("logs")

    def found() -> bool:
        events = logs.filter_log_events(logGroupName="/small/functions", filterPattern="said")["events"]
        return any(event["message"] == "said aloud" for event in events)

    eventually(found, "the line did not arrive")


def test_a_refused_call_names_action_and_resource(small: SmallStack) -> None:
    role = small.client("lambda").get_function(FunctionName="act")["Configuration"]["Role"]
    assert ":role/" in role
    execution = small.ended(small.start("forbidden"))
    assert execution["status"] == "FAILED"
    assert execution["error"] == "Lambda.AWSLambdaException"
    assert "lambda:InvokeFunction on resource" in execution["cause"]
    assert execution["cause"].count("function:forbidden") == 1
