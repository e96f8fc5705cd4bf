"""Record Interruption: records the end of an execution that no Catch could see: timed out, aborted, or broken.

EventBridge sends the end of the execution; the image is in the execution's input.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from imagewatch.images.version import ImageVersion
from imagewatch.observability import logs_invocation, set_log_context
from imagewatch.services import interruptions

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


@logs_invocation
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Takes EventBridge's "Step Functions Execution Status Change"; returns whether there was anything to record."""
    detail = event["detail"]
    state = json.loads(detail["input"])["image"]
    set_log_context(state, detail["executionArn"])
    recorded = interruptions.record(
        ImageVersion.from_state(state), detail["status"], detail.get("error") or "", detail.get("cause") or ""
    )
    return {"Recorded": recorded}
