"""A deployed function, and the environment of its workers."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Credentials:
    """Credentials of a function's role. The gateway maps the access key to the role's policies."""

    access_key: str
    secret_key: str
    session_token: str


@dataclass(frozen=True)
class Function:
    """A deployed function. `timeout` is in seconds, `memory` in MB. `root` is the folder of its CodeUri."""

    name: str
    arn: str
    handler: str
    root: Path
    role_arn: str
    timeout: float = 3
    memory: int = 128
    runtime: str = "python3.13"
    log_group: str = ""
    log_format: str = "Text"
    log_level: str = ""
    system_log_level: str = "INFO"
    environment: dict[str, str] = field(default_factory=dict)


def worker_environment(
    function: Function, *, region: str, endpoint: str, runtime_api: str, log_stream: str, credentials: Credentials
) -> dict[str, str]:
    """The variables that Lambda reserves, the function's own variables, and the emulator's endpoint.

    https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
    """
    reserved = {
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "HOME": "/tmp",  # noqa: S108 - the only folder that is writable in Lambda
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if "site-packages" in path),
        "LAMBDA_TASK_ROOT": str(function.root),
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.runtime}",
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": function.log_group,
        "AWS_LAMBDA_LOG_STREAM_NAME": log_stream,
        "AWS_LAMBDA_LOG_FORMAT": function.log_format,
        "AWS_LAMBDA_RUNTIME_API": runtime_api,
        "_HANDLER": function.handler,
        "AWS_ACCESS_KEY_ID": credentials.access_key,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_key,
        "AWS_SESSION_TOKEN": credentials.session_token,
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    if function.log_format == "JSON":
        reserved["AWS_LAMBDA_LOG_LEVEL"] = function.log_level or "INFO"
    return {**function.environment, **reserved}
