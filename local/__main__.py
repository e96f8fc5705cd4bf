"""`python -m local`: runs Imagewatch on this machine in the foreground. `make up` and `make down` use --detach and --stop."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from local import OPERATIONS_EMAIL, OPERATOR_EMAIL, STACK_NAME, sample_operator
from local.emulator import command
from local.emulator.ports import port_from, port_number, port_problem
from local.emulator.program import Program, Server
from local.keeping import replay, save

if TYPE_CHECKING:
    from local.emulator.emulator import Emulator

REPOSITORY = Path(__file__).resolve().parents[1]
# Large modules that the functions import. The fork server imports them once for all workers.
PRELOAD = (
    "aws_lambda_powertools",
    "aws_lambda_powertools.metrics",
    "aws_lambda_powertools.utilities.batch",
    "PIL.Image",
    "PIL.ImageOps",
    "PIL.JpegImagePlugin",
    "PIL.PngImagePlugin",
    "pi_heif",
)


def template_parameters(options: argparse.Namespace) -> Mapping[str, str]:
    """The local defaults of the template's parameters."""
    return {
        "AlertEmail": OPERATOR_EMAIL,
        "OperationsEmail": OPERATIONS_EMAIL,
        "MaxImagesPerSecond": "50",
        "WatchlistMaxAgeSeconds": "1",  # a new rule applies to a photo that is uploaded right after it
        "SignUp": "on",
        "WebUrl": f"http://localhost:{options.web_port}",
    }


def servers(options: argparse.Namespace, emulator: Emulator) -> Mapping[str, Server]:
    """The viewer's server, which also serves the API. Raises RuntimeError if its port is taken."""
    from local.viewer.api import ApiProxy
    from local.viewer.server import WebServer

    if problem := port_problem(options.host, options.web_port):
        raise RuntimeError(f"the page's {problem}. Stop the process that uses it, or choose another port: make up WEB_PORT=8081")

    api = ApiProxy(emulator.gateway, lambda: emulator.deployment.output("ApiUrl"))
    return {"web": WebServer(options.host, options.web_port, emulator.endpoint, emulator.mailbox, emulator.problems, api)}


def prepare(options: argparse.Namespace, emulator: Emulator) -> None:
    """Create the sample operator. With --keep, bring back the photos, rules and channels of the last run with --keep."""
    sample_operator.create(emulator.deployment, options.state)
    if options.keep:
        replay(emulator, options.state / "kept")


def end(options: argparse.Namespace, emulator: Emulator) -> str:
    """With --keep, keep photos, rules and channels. Returns a sentence about it."""
    return save(emulator, options.state / "kept") if options.keep else ""


PROGRAM = Program(
    name="Imagewatch",
    module="local",
    description="Run Imagewatch on this machine: the template on an AWS emulator, and the viewer.",
    template=REPOSITORY / "template.yaml",
    stack_name=STACK_NAME,
    state=REPOSITORY / ".local",
    preload=PRELOAD,
    parameters=template_parameters,
    # Webhooks may be tried out on this machine. A deployed stack refuses its own loopback addresses.
    environment={"CHANNEL_NETWORKS": "127.0.0.0/8, ::1/128"},
    servers=servers,
    prepare=prepare,
    end=end,
    sources=tuple(REPOSITORY / name for name in ("template.yaml", "statemachine", "functions", "local", "tools/sam_template")),
    variables={"PORT": "port", "WEB_PORT": "web_port", "EYES": "eyes"},
    stop_hint="make down",
    port_hint="make up PORT=4567 WEB_PORT=8081",
    discarded=(
        "Its photos, records, rules, channels, alerts and accounts are discarded. "
        "The e-mails stay in .local/mailbox until the next start."
    ),
)


def parser() -> argparse.ArgumentParser:
    """The emulator's options and --web-port. PORT and WEB_PORT in the environment are the defaults of the ports."""
    arguments = command.command_line(PROGRAM)
    web_port = port_from("WEB_PORT", 8080)
    arguments.add_argument("--web-port", type=port_number, default=web_port, help="The port of the viewer. Default: 8080.")
    arguments.add_argument("--keep", action="store_true", help="Keep photos, rules and channels for the next start with --keep.")
    return arguments


def main() -> int:
    return command.main(PROGRAM, parser())


if __name__ == "__main__":
    sys.exit(main())
