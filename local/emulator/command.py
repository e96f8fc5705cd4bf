"""The command line of the emulator. `python -m local.emulator` and programs built on the emulator share it."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from local.emulator.background import Background, port_taken
from local.emulator.lambda_.fork_client import ForkServerClient
from local.emulator.rekognition.errors import EngineSetup
from local.emulator.rekognition.options import add_engine_options, engine_options

if TYPE_CHECKING:
    from local.emulator.emulator import Emulator

QUIET_LOGGERS = ("moto", "botocore", "boto3", "urllib3", "samtranslator")


class Server(Protocol):
    """A server that runs beside the emulator's endpoint, at the URL `address`."""

    @property
    def address(self) -> str: ...

    def start(self) -> None: ...

    def stop(self) -> None: ...


def _no_parameters(options: argparse.Namespace) -> Mapping[str, str]:
    return {}


def _no_servers(options: argparse.Namespace, emulator: Emulator) -> Mapping[str, Server]:
    return {}


@dataclass(frozen=True)
class Program:
    """A program that runs the emulator.

    `name` is the subject of its messages. `module` is what `python -m` runs. `template`, `stack_name` and `state` are the
    defaults of the options; without a default template, --template is required. `preload` names modules that the fork server
    imports for all functions. `parameters` gives defaults for template parameters from the parsed options. `servers` makes the
    servers that run beside the endpoint, by name; the health document lists their addresses. `stop_hint` and `port_hint` are
    commands that messages suggest.
    """

    name: str
    module: str
    description: str
    template: Path | None = None
    stack_name: str = "stack"
    state: Path = Path(".emulator")
    preload: tuple[str, ...] = ()
    parameters: Callable[[argparse.Namespace], Mapping[str, str]] = _no_parameters
    servers: Callable[[argparse.Namespace, Emulator], Mapping[str, Server]] = _no_servers
    stop_hint: str = "python -m local.emulator --stop"
    port_hint: str = "--port 4567"


def command_line(program: Program) -> argparse.ArgumentParser:
    """The parser for the program's options. PORT in the environment is the default of --port."""
    parser = argparse.ArgumentParser(prog=f"python -m {program.module}", description=program.description, allow_abbrev=False)
    add = parser.add_argument
    template_help = "The SAM template to deploy."
    if program.template:
        template_help += f" Default: {program.template.name}."
    add("--template", type=Path, default=program.template, metavar="FILE", help=template_help)
    add("--stack-name", default=program.stack_name, metavar="NAME", help="The name of the stack. Default: %(default)s.")
    add("--parameter", action="append", default=[], metavar="NAME=VALUE", help="Set a template parameter. Can be repeated.")
    port = int(os.environ.get("PORT", "4566"))
    add("--port", type=int, default=port, help="The port of the endpoint for all services; 0 takes a free one. Default: 4566.")
    add("--host", default="127.0.0.1", help="The address to listen on. Default: %(default)s.")
    add("--state", type=Path, default=program.state, metavar="FOLDER", help="The folder for pid file, log and mailbox.")
    add_engine_options(parser)
    background = parser.add_mutually_exclusive_group()
    background.add_argument("--detach", action="store_true", help="Start in the background and wait until ready.")
    background.add_argument("--stop", action="store_true", help="Stop the instance that runs in the background.")
    return parser


def main(program: Program, parser: argparse.ArgumentParser) -> int:
    """Run the program. Returns 0 after a clean stop, 1 if it can't start; a wrong command line exits with 2."""
    options = parser.parse_args()
    background = Background(options.state, options.port, program.name, program.module, program.stop_hint)
    if options.stop:
        return background.stop()
    if options.template is None:
        parser.error("--template is required")
    if options.detach:
        return background.start([argument for argument in sys.argv[1:] if argument != "--detach"])
    return _serve(program, options, background)


def template_parameters(program: Program, options: argparse.Namespace) -> dict[str, str]:
    """The program's defaults, overridden by --parameter. Raises ValueError for an argument without "="."""
    values = dict(program.parameters(options))
    for item in options.parameter:
        name, equals, value = item.partition("=")
        if not equals:
            raise ValueError(f"--parameter {item}: the form is NAME=VALUE")
        values[name] = value
    return values


def _serve(program: Program, options: argparse.Namespace, background: Background) -> int:
    """Run in the foreground until SIGTERM, SIGHUP or Ctrl-C."""
    if port_taken(options.host, options.port):
        print(
            f"Port {options.port} is taken. Stop the process that uses it, or choose another port: {program.port_hint}",
            file=sys.stderr,
        )
        return 1
    try:
        background.occupy()
    except OSError as error:
        print(f"{program.name} can't start: {error}", file=sys.stderr)
        return 1
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: stopping.set())
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for name in QUIET_LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    forks = ForkServerClient(program.preload)  # started first: it imports while the imports below run
    code = 1
    try:
        code = _run(program, options, forks, stopping, background)
    finally:
        forks.close()
        background.release()
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)  # threads that wait for a dead worker would keep the process alive


def _run(
    program: Program, options: argparse.Namespace, forks: ForkServerClient, stopping: threading.Event, background: Background
) -> int:
    from local.emulator.memory import load_batch_lazily, reduce_memory

    reduce_memory()
    load_batch_lazily()
    from local.emulator.emulator import Emulator, Options
    from tools.sam_template import TemplateError

    try:
        chosen = Options(
            template=options.template,
            stack_name=options.stack_name,
            state=options.state,
            host=options.host,
            port=options.port,
            recognition=engine_options(options),
            parameters=template_parameters(program, options),
        )
        emulator = Emulator(chosen, forks)
        servers = program.servers(options, emulator)
        emulator.addresses.update({name: server.address for name, server in servers.items()})
        background.announce(emulator.endpoint)
        emulator.start()
        for server in servers.values():
            server.start()
    except (TemplateError, EngineSetup, ValueError, OSError, RuntimeError) as error:
        print(f"{program.name} can't start: {error}", file=sys.stderr)
        return 1
    further = "".join(f", {address} ({name})" for name, address in emulator.addresses.items())
    print(f"{program.name} is ready: {emulator.endpoint} (all AWS services){further}", flush=True)
    while not stopping.wait(1):  # polls: a signal that the kernel delivers to another thread doesn't wake this one
        pass
    print("Stopping.", flush=True)
    for server in servers.values():
        server.stop()
    emulator.stop()
    return 0
