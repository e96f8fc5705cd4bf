"""Connects the deployed user pools with the mailbox and with their triggers' functions."""

from __future__ import annotations

import json
from typing import Any

from local.emulator.cloudformation import Deployment
from local.emulator.cognito.api import UserPools
from local.emulator.cognito.triggers import FunctionFailed, FunctionUnusable
from local.emulator.lambda_.runner import FunctionNotFound, InvokeFault, LambdaRunner
from local.emulator.mailbox import Mailbox

PRINCIPAL = "cognito-idp.amazonaws.com"


def connected_pools(deployment: Deployment, runner: LambdaRunner, mailbox: Mailbox) -> UserPools:
    """The deployment's user pools, ready for use."""
    for pool in deployment.user_pools.values():
        pool.send = lambda sender, to, subject, text: _deliver(mailbox, sender, to, subject, text)
        pool.invoke = _Triggers(deployment, runner, pool.arn)
    return UserPools(deployment.user_pools.values())


def _deliver(mailbox: Mailbox, sender: str, to: str, subject: str, text: str) -> None:
    mailbox.deliver(to, subject, text, sender)


class _Triggers:
    """Invokes the functions of a pool's triggers, if their resource policies allow the pool."""

    def __init__(self, deployment: Deployment, runner: LambdaRunner, pool_arn: str) -> None:
        self._deployment = deployment
        self._runner = runner
        self._pool_arn = pool_arn

    def __call__(self, function_arn: str, event: dict[str, Any]) -> dict[str, Any]:
        """The function's answer. Raises FunctionFailed with the message of its error, or FunctionUnusable."""
        if not self._permitted(function_arn.rpartition(":")[2]):
            raise FunctionUnusable("AccessDeniedException")
        try:
            result = self._runner.invoke(function_arn, json.dumps(event).encode())
        except (FunctionNotFound, InvokeFault, TimeoutError) as error:
            raise FunctionUnusable(str(error)) from error
        answer: dict[str, Any] = json.loads(result.payload)
        if result.error:
            raise FunctionFailed(answer.get("errorMessage", ""))
        return answer

    def _permitted(self, function_name: str) -> bool:
        return any(
            permission.function_name == function_name
            and permission.principal == PRINCIPAL
            and permission.source_arn in (None, self._pool_arn)
            for permission in self._deployment.permissions
        )
