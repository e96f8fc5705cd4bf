"""The operations of Step Functions that moto lacks or answers incompletely."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from moto.core.responses import ActionResult
from moto.stepfunctions.responses import StepFunctionResponse

from local.emulator.stepfunctions.history import without_data

if TYPE_CHECKING:
    from local.emulator.stepfunctions.executions import Executions

DEFAULT_PAGE_SIZE = 100


def install(executions: Executions) -> None:
    """Replace StopExecution, GetExecutionHistory and DescribeExecution, and add RedriveExecution."""

    def stop_execution(response: Any) -> ActionResult:
        error, cause = response._get_param("error"), response._get_param("cause")
        execution = executions.stop(response._get_param("executionArn"), error, cause)
        return ActionResult({"stopDate": execution.stop_date})

    def get_execution_history(response: Any) -> ActionResult:
        events = executions.find(response._get_param("executionArn")).to_history_output()["events"]
        if response._get_param("reverseOrder"):
            events = events[::-1]
        first = int(response._get_param("nextToken") or 0)
        last = first + int(response._get_param("maxResults") or DEFAULT_PAGE_SIZE)
        token = str(last) if last < len(events) else None
        page = events[first:last]
        if response._get_param("includeExecutionData") is False:
            page = [without_data(event) for event in page]
        return ActionResult({"events": page, "nextToken": token})

    def describe_execution(response: Any) -> ActionResult:
        execution = executions.find(response._get_param("executionArn"))
        described = {key: value for key, value in execution.to_describe_output().items() if value is not None}
        reason = executions.not_redrivable_reason(execution)
        count = executions.redrive_count(execution)
        described |= {"redriveCount": count, "redriveStatus": "NOT_REDRIVABLE" if reason else "REDRIVABLE"}
        described |= {"redriveStatusReason": reason} if reason else {}
        described |= {"redriveDate": execution.redrive_date} if count else {}
        return ActionResult(described)

    def redrive_execution(response: Any) -> ActionResult:
        return ActionResult({"redriveDate": executions.redrive(response._get_param("executionArn")).redrive_date})

    StepFunctionResponse.stop_execution = stop_execution
    StepFunctionResponse.get_execution_history = get_execution_history
    StepFunctionResponse.describe_execution = describe_execution
    StepFunctionResponse.redrive_execution = redrive_execution
