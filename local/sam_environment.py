"""Writes the files with which `sam local invoke` runs functions against the local stack.

    python -m local.sam_environment > .aws-sam/env.json
    python -m local.sam_environment --template .aws-sam/build/template.yaml > .aws-sam/build/local.yaml

The first file is for --env-vars: each function's environment with the local endpoint. The second is a copy of the built template
that declares the variables for endpoint and credentials, because SAM passes on only declared variables. See docs/sam-local.md.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from botocore.exceptions import BotoCoreError, ClientError

from local import STACK_NAME
from local.emulator.isolation import isolate
from local.viewer.stack import Stack

REGION = "us-east-1"
LINUX_BRIDGE = "172.17.0.1"
DESKTOP_NAME = "host.docker.internal"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the environments, or the template of --template. Returns 1 if the stack doesn't answer or the file is invalid."""
    args = _parser().parse_args(arguments)
    try:
        if args.template:
            sys.stdout.write(with_declared_variables(args.template.read_text(encoding="utf-8")))
        else:
            found = environments(Stack(args.endpoint_url, REGION), endpoint_from_container(args.endpoint_url, args.host))
            sys.stdout.write(json.dumps(found, indent=2) + "\n")
    except (BotoCoreError, ClientError) as error:
        sys.stderr.write(f"The local stack at {args.endpoint_url} doesn't answer: {error}\n")
        return 1
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{args.template}: {error}\n")
        return 1
    return 0


def environments(stack: Stack, endpoint: str) -> dict[str, dict[str, str]]:
    """For --env-vars: each function's logical id with its deployed variables and those for the endpoint."""
    names = _functions(stack)
    found = {}
    for page in stack.client("lambda").get_paginator("list_functions").paginate():
        for function in page["Functions"]:
            if logical_id := names.get(function["FunctionName"]):
                variables = function.get("Environment", {}).get("Variables", {})
                found[logical_id] = {**variables, **aws_variables(endpoint)}
    return dict(sorted(found.items()))


def aws_variables(endpoint: str) -> dict[str, str]:
    """The variables with which a function in a container calls the local stack as the root user."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_SESSION_TOKEN": "",
    }


def endpoint_from_container(endpoint: str, host: str) -> str:
    """The endpoint as a container reaches it. `localhost` would be the container itself."""
    parts = urlsplit(endpoint)
    if parts.hostname not in ("localhost", "127.0.0.1", "0.0.0.0"):  # noqa: S104 - compared, not bound
        return endpoint
    return f"{parts.scheme}://{host}:{parts.port or 80}"


def with_declared_variables(built: str) -> str:
    """The template written by `sam build`, with the variables of `aws_variables` declared for all functions.

    Raises ValueError for another template. `sam build` writes plain YAML without short forms.
    """
    try:
        template = yaml.safe_load(built)
        variables = template["Globals"]["Function"]["Environment"]["Variables"]
    except (yaml.YAMLError, KeyError, TypeError) as error:
        raise ValueError("not a template written by `sam build` (expected .aws-sam/build/template.yaml)") from error
    variables.update(dict.fromkeys(aws_variables(""), ""))
    return yaml.safe_dump(template, sort_keys=False)


def _functions(stack: Stack) -> Mapping[str, str]:
    """The stack's functions, as a map from deployed name to logical id."""
    resources: list[dict[str, Any]] = stack.client("cloudformation").describe_stack_resources(StackName=STACK_NAME)[
        "StackResources"
    ]
    return {
        resource["PhysicalResourceId"]: resource["LogicalResourceId"]
        for resource in resources
        if resource["ResourceType"] == "AWS::Lambda::Function"
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local.sam_environment", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--endpoint-url",
        default=f"http://localhost:{os.environ.get('PORT') or '4566'}",
        help="The endpoint of the local stack. Default: %(default)s.",
    )
    parser.add_argument(
        "--host",
        default=LINUX_BRIDGE if sys.platform == "linux" else DESKTOP_NAME,
        help="This machine's address as seen from a container. Default: %(default)s.",
    )
    parser.add_argument("--template", type=Path, help="Print this built template with declared variables instead.")
    return parser


if __name__ == "__main__":
    isolate()
    raise SystemExit(main())
