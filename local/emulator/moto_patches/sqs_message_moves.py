"""SQS's dead-letter redrive, which moto lacks: StartMessageMoveTask and ListMessageMoveTasks.

A task completes immediately. It moves the visible messages of the dead-letter queue to their source queue, or to DestinationArn.
Source: the SQS API reference. Only dead-letter queues can be a source.
"""

from __future__ import annotations

import time
import uuid
from typing import Any

from moto.core.responses import ActionResult
from moto.sqs.exceptions import InvalidParameterValue
from moto.sqs.models import Message, Queue, SQSBackend
from moto.sqs.responses import SQSResponse

from local.emulator.moto_patches.replacing import Restore, replace

_tasks: list[dict[str, Any]] = []


def install() -> Restore:
    """Add the two operations to moto's SQS. Returns a function that restores moto."""
    return replace(
        (SQSResponse, "start_message_move_task", _start),
        (SQSResponse, "list_message_move_tasks", _list),
    )


def _start(response: SQSResponse) -> ActionResult:
    backend = response.sqs_backend
    source = _queue(backend, response._get_param("SourceArn"))
    destination_arn = response._get_param("DestinationArn")
    sources = backend.list_dead_letter_source_queues(source.name)
    if not sources:
        raise InvalidParameterValue(f"{source.name} is not a dead-letter queue: no queue has it in its RedrivePolicy.")
    destination = _queue(backend, destination_arn) if destination_arn else sources[0]
    visible = [message for message in list(source._messages) if message.visible]
    for message in visible:
        source._messages.remove(message)
        source.pending_messages.discard(message)
        destination.add_message(_copy(message))
    _tasks.append(
        {
            "TaskHandle": uuid.uuid4().hex,
            "Status": "COMPLETED",
            "SourceArn": source.queue_arn,
            "DestinationArn": destination.queue_arn,
            "ApproximateNumberOfMessagesMoved": len(visible),
            "ApproximateNumberOfMessagesToMove": len(visible),
            "StartedTimestamp": int(time.time() * 1000),
        }
    )
    return ActionResult({"TaskHandle": _tasks[-1]["TaskHandle"]})


def _list(response: SQSResponse) -> ActionResult:
    source = response._get_param("SourceArn")
    most = int(response._get_param("MaxResults", 1))
    found = [task for task in reversed(_tasks) if task["SourceArn"] == source]
    return ActionResult({"Results": [{k: v for k, v in task.items() if k != "TaskHandle"} for task in found[:most]]})


def _queue(backend: SQSBackend, arn: str) -> Queue:
    return backend.get_queue(arn.rsplit(":", 1)[-1])


def _copy(message: Message) -> Message:
    """A new message with the same body and attributes. Its receive count starts at zero, as in SQS."""
    moved = Message(str(uuid.uuid4()), message.body, dict(message.system_attributes))
    moved.message_attributes = message.message_attributes
    moved.mark_sent()
    return moved
