"""The emulator: the endpoint, the services behind it, the deployed template, and the functions' workers."""

from __future__ import annotations

import functools
import logging
import os
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from local.emulator.archive import Archive
from local.emulator.cloudformation import Deployment
from local.emulator.cloudformation.stack_api import StackApi
from local.emulator.cloudwatch.alarms import Alarms
from local.emulator.cloudwatch.measurements import Measurements
from local.emulator.cognito.connections import connected_pools
from local.emulator.events.event_bus import EventBus
from local.emulator.events.schedules import Schedules
from local.emulator.gateway.faults import Faults
from local.emulator.gateway.gateway import Gateway
from local.emulator.gateway.http_server import HttpServer
from local.emulator.gateway.moto_services import MotoServices
from local.emulator.http_api.service import HttpApis, Surroundings, check_issuers
from local.emulator.iam.identities import Identities
from local.emulator.lambda_.fork_client import ForkServerClient
from local.emulator.lambda_.log_collector import LogCollector, LogEvent
from local.emulator.lambda_.queue_poller import QueuePoller
from local.emulator.lambda_.runner import InvokeFault, LambdaRunner
from local.emulator.lambda_.workers import Host, Result
from local.emulator.logs.log_store import LogStore
from local.emulator.mailbox import Mailbox, install_sns_capture
from local.emulator.memory import collect_less_often
from local.emulator.moto_patches import (
    dynamodb_items,
    dynamodb_speed,
    dynamodb_transactions,
    s3_object_files,
    sqs_message_moves,
    sqs_queues,
)
from local.emulator.rekognition.options import EngineOptions
from local.emulator.s3 import notifications
from local.emulator.stepfunctions import interpreter
from local.emulator.stepfunctions.executions import Executions
from tools.sam_template import ACCOUNT_ID, Template, load_template

log = logging.getLogger(__name__)

FORK_SERVER_SECONDS = 120
LEAST_FREE_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Options:
    """How to start. Port 0 takes a free port. `parameters` are the template's. Files are kept in the folder `state`."""

    template: Path
    state: Path
    stack_name: str = "stack"
    host: str = "127.0.0.1"
    port: int = 4566
    region: str = "us-east-1"
    recognition: EngineOptions = field(default_factory=EngineOptions)
    parameters: dict[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    """Further variables of every function, for what the template leaves to an operator."""


class Emulator:
    """All parts of the emulator. Start `forks` as early as possible: it needs a second to get ready.

    The health document also shows `addresses`, the URLs of the servers that run beside the endpoint, and `described`, what the
    instance runs.
    """

    def __init__(self, options: Options, forks: ForkServerClient) -> None:
        os.environ["MOTO_ACCOUNT_ID"] = ACCOUNT_ID  # without it moto looks the account up for each request
        self._options = options
        self._forks = forks
        self._started = time.monotonic()
        self._objects = options.state / "objects"
        self._pollers: list[QueuePoller] = []
        self.addresses: dict[str, str] = {}
        self.described: dict[str, Any] = {}
        self.status = "starting"
        self.faults = Faults()
        self.mailbox = Mailbox(options.state / "mailbox")
        self.identities = Identities(options.region)
        self._archive = archive = Archive(options.state)
        self._log_store = LogStore(options.region, archive)
        self.logs = LogCollector(self._store_logs)
        self.measurements = Measurements()
        self.alarms = Alarms(self.measurements.metrics, options.region, self._publish_alarm)
        self.engine = options.recognition.engine()
        self.services = MotoServices()
        self.gateway = Gateway(
            self.services,
            self.identities,
            self.faults,
            self.mailbox,
            self.engine,
            self.health,
            lambda: self.addresses.get("web"),
            options.region,
        )
        self.server = HttpServer(options.host, options.port, self.gateway)
        self.services.port = self.server.port
        self.endpoint = f"http://localhost:{self.server.port}"
        self.runner = LambdaRunner(self._worker_host(), self.faults, self.measurements.invocation, self.measurements.throttle)
        self.bus = EventBus(options.region, self.runner, lambda: self.deployment.permissions)
        self.schedules = Schedules(self.bus.rules, self.bus.fire)
        self.executions = Executions(self._publish_execution, self.logs.add, archive)

    def _worker_host(self) -> Host:
        # The IP address makes the SDKs use path-style S3 URLs. Not every resolver resolves bucket.localhost.
        endpoint = f"http://127.0.0.1:{self.server.port}"
        return Host(
            self._forks,
            self.logs,
            self.identities.credentials,
            self._options.region,
            endpoint,
            self._options.environment,
        )

    def start(self, prepare: Callable[[], None] = lambda: None) -> None:
        """Serve, deploy the template, warm up. Returns when ready. Raises TemplateError if the template isn't supported.

        `prepare` is called when the stack works and isn't reported as ready yet.
        """
        self.logs.start()
        self.server.start("endpoint")
        template = load_template(self._options.template, self._options.parameters)
        self._install_patches()
        self.deployment = self._deploy(template)
        self._start_pollers()
        if not self._forks.wait_ready(FORK_SERVER_SECONDS):
            raise RuntimeError("the fork server for the functions didn't start; its error is above")
        self.schedules.start()
        self.alarms.start()
        self.runner.warm([mapping.function_name for mapping in self.deployment.mappings])
        threading.Thread(target=self.engine.prepare, name="prepare-engine", daemon=True).start()
        collect_less_often()
        prepare()
        self.status = "ok"
        log.info("ready after %.1f s", time.monotonic() - self._started)

    def _install_patches(self) -> None:
        interpreter.install(self._invoke_for_state_machine, lambda arn: self.runner.function(arn).timeout)
        dynamodb_speed.install()
        dynamodb_items.install()
        dynamodb_transactions.install()
        sqs_queues.install()
        s3_object_files.install(self._objects)
        self.executions.install()
        self.bus.install()
        notifications.install(self._send_to_queue)
        sqs_message_moves.install()
        install_sns_capture(self.mailbox)
        self.alarms.install()
        _run_functions_in_workers(self.runner)

    def _deploy(self, template: Template) -> Deployment:
        clients = root_clients(self.endpoint, self._options.region)
        deployment = Deployment(template, self._options.stack_name, self._options.region, self.endpoint, clients)
        deployment.deploy()
        self.identities.load(deployment.roles, list(deployment.functions.values()))
        for function in deployment.functions.values():
            self.runner.add(function)
        pools = connected_pools(deployment, self.runner, self.mailbox)
        self.gateway.attach(self.runner, StackApi(deployment), pools, self._http_apis(deployment))
        return deployment

    def _http_apis(self, deployment: Deployment) -> HttpApis:
        keys = {pool.issuer: pool.tokens for pool in deployment.user_pools.values()}
        check_issuers(deployment.apis.values(), keys.keys())
        around = Surroundings(
            runner=self.runner,
            permissions=lambda: deployment.permissions,
            key_of=lambda issuer: keys[issuer].key,
            logged=self.logs.add,
            measured=self.measurements.api,
        )
        return HttpApis(deployment.apis.values(), around)

    def _start_pollers(self) -> None:
        for mapping in self.deployment.mappings:
            poller = QueuePoller(mapping, self.runner, self._options.region, self.identities.denial_reason)
            self._pollers.append(poller)
            poller.start()

    def _send_to_queue(self, queue_arn: str, body: str) -> None:
        from moto.sqs.models import sqs_backends

        sqs_backends[ACCOUNT_ID][self._options.region].send_message(queue_arn.rsplit(":", 1)[-1], body)

    def _store_logs(self, group: str, stream: str, events: list[LogEvent]) -> None:
        self.measurements.embedded(events)
        self._log_store.deliver(group, stream, events)

    def _publish_execution(self, source: str, detail_type: str, resources: list[str], detail: dict[str, Any]) -> None:
        self.measurements.execution(detail["stateMachineArn"], detail["status"])
        self.bus.publish(source, detail_type, resources, detail)

    def _publish_alarm(self, topic_arn: str, subject: str, message: str) -> None:
        sns = self.deployment.client("sns")
        sns.publish(TopicArn=topic_arn, Subject=subject, Message=message, MessageStructure="json")

    def _invoke_for_state_machine(self, role_arn: str, function_arn: str, event: bytes) -> Result:
        if reason := self.identities.denial_reason(role_arn, "lambda:InvokeFunction", function_arn):
            cause = f"{reason} (Service: Lambda, Status Code: 403)"
            raise interpreter.LambdaServiceError("Lambda.AWSLambdaException", cause)
        try:
            return self.runner.invoke(function_arn, event)
        except InvokeFault as error:
            raise interpreter.LambdaServiceError(f"Lambda.{error.fault.code}", error.fault.message) from error

    def health(self) -> tuple[int, dict[str, Any]]:
        """The answer of /_local/health: 200 if all parts run, 503 during the start or if a part is down."""
        parts: dict[str, Any] = {
            "workers": "ok" if self._forks.alive() and self._forks.ready else "starting",
            "queues": {p.mapping.function_name: p.problem or "ok" for p in self._pollers},
            "functions": self.runner.counts(),
            "executions": self.executions.counts(),
            "alarms": self.alarms.states(),
        }
        problems = self.problems()
        if not self._forks.alive():
            parts["workers"] = "down"
        status = "degraded" if self.status == "ok" and problems else self.status
        body = {
            "status": status,
            "endpoint": self.endpoint,
            **self.addresses,
            **self.described,
            "pid": os.getpid(),
            "fork_server_pid": self._forks.pid,
            "uptime_seconds": round(time.monotonic() - self._started, 1),
            "problems": problems,
            "components": parts,
        }
        return (200 if status == "ok" else 503), body

    def problems(self) -> list[str]:
        """What is wrong now, in sentences without a full stop. A problem that is over disappears."""
        found = [poller.problem for poller in self._pollers if poller.problem]
        if not self._forks.alive():
            found.append("the fork server has ended")
        storage = (self._disk_problem(), self._archive.problem(), self.mailbox.problem(), self.logs.problem, self.alarms.problem)
        return found + [problem for problem in storage if problem]

    def _disk_problem(self) -> str | None:
        free = shutil.disk_usage(self._options.state).free
        if free >= LEAST_FREE_BYTES:
            return None
        return f"the disk with {self._options.state} is full ({free // 1024} KB free): free some space, and the stack continues"

    def stop(self) -> None:
        """Stop the workers and the endpoint, and delete the objects' files."""
        self.status = "stopping"
        self.schedules.stop()
        self.alarms.stop()
        for poller in self._pollers:
            poller.stop()
        self.runner.stop()
        self.server.stop()
        s3_object_files.remove(self._objects)


def root_clients(endpoint: str, region: str) -> Callable[[str], Any]:
    """A function that returns the boto3 client for a service name, with the permissions of the account's root user."""
    session = boto3.Session(aws_access_key_id="local", aws_secret_access_key="local", region_name=region)  # noqa: S106
    config = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}, read_timeout=30, proxies={})

    @functools.cache
    def client(service: str) -> Any:
        return session.client(service, endpoint_url=endpoint, config=config)  # type: ignore[call-overload]

    return client


def _run_functions_in_workers(runner: LambdaRunner) -> None:
    """Replace moto's containers, which it starts when S3, SNS or a log subscription triggers a function."""
    from moto.awslambda.models import LambdaFunction

    def invoke(function: LambdaFunction, event: str | None = None) -> tuple[str, bool, str]:
        result = runner.invoke(function.function_name, (event or "{}").encode())
        return result.payload.decode(), result.error is not None, ""

    LambdaFunction._invoke_lambda = invoke
    os.environ["DOCKER_HOST"] = "tcp://127.0.0.1:1"  # nothing listens there
