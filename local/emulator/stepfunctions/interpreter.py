"""Makes moto's interpreter of state machines faster, and lets it call Lambda directly.

moto parses the definition for each execution, deep-copies all values, and starts a thread for each program, task and retry.
The replacements keep moto's results.
"""

from __future__ import annotations

import copy
import functools
import json
import marshal
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from moto.stepfunctions.parser import utils as parser_utils
from moto.stepfunctions.parser.api import HistoryEventType, LambdaFunctionFailedEventDetails
from moto.stepfunctions.parser.asl.component.common.error_name.custom_error_name import CustomErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import FailureEvent
from moto.stepfunctions.parser.asl.component.common.path import result_path
from moto.stepfunctions.parser.asl.component.common.string import string_expression
from moto.stepfunctions.parser.asl.component.common.timeouts.timeout import TimeoutSeconds
from moto.stepfunctions.parser.asl.component.eval_component import EvalComponent
from moto.stepfunctions.parser.asl.component.program.program import Program
from moto.stepfunctions.parser.asl.component.state import state as state_module
from moto.stepfunctions.parser.asl.component.state.exec import execute_state
from moto.stepfunctions.parser.asl.component.state.exec.state_parallel import state_parallel
from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils
from moto.stepfunctions.parser.asl.component.state.exec.state_task.state_task_lambda import StateTaskLambda
from moto.stepfunctions.parser.asl.eval import environment as environment_module
from moto.stepfunctions.parser.asl.eval import states as states_module
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
from moto.stepfunctions.parser.asl.utils import json_path

from local.emulator.timestamps import now_iso

Invoke = Callable[[str, str, bytes], Any]
FunctionTimeout = Callable[[str], float]


class LambdaServiceError(Exception):
    """An error of the Lambda service. Retry and Catch match `error`, such as Lambda.TooManyRequestsException."""

    def __init__(self, error: str, cause: str) -> None:
        super().__init__(cause)
        self.error = error
        self.cause = cause


def install(invoke: Invoke, function_timeout: FunctionTimeout) -> None:
    """Replace the slow parts of moto's interpreter, once for the process.

    `invoke(role ARN, function ARN, event)` invokes a function with the state machine's role. It returns a Result or raises
    LambdaServiceError. `function_timeout(function ARN)` is in seconds.
    """
    AmazonStateLanguageParser.parse = staticmethod(functools.lru_cache(maxsize=32)(AmazonStateLanguageParser.parse))
    json_path.parse = functools.lru_cache(maxsize=512)(json_path.parse)
    result_path.parse = functools.lru_cache(maxsize=512)(result_path.parse)
    _install_fast_copies()
    _install_entered_time()
    # Executions share parsed programs. moto creates this key on first use, which isn't thread-safe.
    EvalComponent.heap_key = property(lambda component: str(id(component)))
    Program.eval = _evaluate_program
    execute_state.ExecutionState._evaluate_with_timeout = _evaluator(
        execute_state.ExecutionState._evaluate_with_timeout, function_timeout
    )
    lambda_eval_utils._invoke_lambda_function = _lambda_invoker(invoke)
    StateTaskLambda._from_error = _error_reader(StateTaskLambda._from_error)


def json_copy(value: Any) -> Any:
    """A deep copy. For JSON-like data it is twenty times faster than copy.deepcopy."""
    kind = type(value)
    if kind is str or kind is int or kind is float or kind is bool or value is None:
        return value
    try:
        return marshal.loads(marshal.dumps(value))  # noqa: S302 - our own bytes, never stored
    except ValueError:
        return copy.deepcopy(value)


def _install_fast_copies() -> None:
    environment_module.copy = SimpleNamespace(deepcopy=_copy_program_state)
    for module in (states_module, execute_state, result_path, state_parallel, string_expression):
        module.copy = SimpleNamespace(deepcopy=json_copy)


def _copy_program_state(value: Any) -> Any:
    return json_copy(value) if isinstance(value, dict) else copy.copy(value)


def _install_entered_time() -> None:
    """Write $$.State.EnteredTime as AWS does: 2026-01-31T12:00:00.000Z instead of +00:00."""

    def state_data(**values: Any) -> dict[str, Any]:
        return {**values, "EnteredTime": now_iso()}

    state_module.StateData = state_data


def _evaluate_program(program: Program, env: Any) -> None:
    """Run the program in the caller's thread. Executions enforces the timeout of the program."""
    env.next_state_name = getattr(env, "resume_at", None) or program.start_at.start_at_name
    EvalComponent.eval(program, env)


def _evaluator(original: Callable[..., None], function_timeout: FunctionTimeout) -> Callable[..., None]:
    def evaluate(state: Any, env: Any) -> None:
        parser_utils.TMP_THREADS.clear()  # moto appends all threads that it starts, and never removes them
        if not _needs_no_timeout_thread(state, function_timeout):
            original(state, env)
            return
        frame = env.open_frame()
        frame.states.reset(input_value=env.states.get_input())
        frame.stack = list(env.stack)
        try:
            state._eval_execution(frame)
        finally:
            frame.set_ended()
            env.close_frame(frame)
        env.stack.append(frame.stack.pop())
        if state.assign_decl:
            state.assign_decl.eval(env=env)
        if state.result_selector:
            state.result_selector.eval(env=env)
        state.result_path.eval(env)

    return evaluate


def _needs_no_timeout_thread(state: Any, function_timeout: FunctionTimeout) -> bool:
    """Whether the state needs no timeout thread: a Parallel, or a function whose timeout is not longer than the state's."""
    if not state._is_language_query_jsonpath() or not state.result_path:
        return False
    if isinstance(state, state_parallel.StateParallel):
        return bool(state.timeout.is_default_value())
    if not isinstance(state, StateTaskLambda) or not isinstance(state.timeout, TimeoutSeconds):
        return False
    return function_timeout(state.resource.resource_arn) <= float(state.timeout.timeout_seconds)


def _lambda_invoker(invoke: Invoke) -> Callable[..., dict[str, Any]]:
    def call(parameters: dict[str, Any], region: str, state_credentials: Any) -> dict[str, Any]:
        result = invoke(state_credentials.role_arn, parameters["FunctionName"], parameters["Payload"])
        answer: dict[str, Any] = {"StatusCode": 200, "ExecutedVersion": "$LATEST"}
        if result.error:
            answer["FunctionError"] = result.error
        answer["Payload"] = json.loads(result.payload or b"null")
        return answer

    return call


def _error_reader(original: Callable[..., FailureEvent]) -> Callable[..., FailureEvent]:
    def from_error(state: Any, env: Any, ex: Exception) -> FailureEvent:
        if not isinstance(ex, LambdaServiceError):
            return original(state, env, ex)
        details = LambdaFunctionFailedEventDetails(error=ex.error, cause=ex.cause)
        return FailureEvent(
            env=env,
            error_name=CustomErrorName(ex.error),
            event_type=HistoryEventType.LambdaFunctionFailed,
            event_details=EventDetails(lambdaFunctionFailedEventDetails=details),
        )

    return from_error
