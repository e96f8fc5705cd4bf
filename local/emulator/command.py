"""The command line of the emulator. `python -m local.emulator` and programs built on the emulator share it."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from local.emulator.background import INTERRUPTED, REPOSITORY, Background
from local.emulator.code_version import code_version
from local.emulator.instance import Instance, asked_options, option_texts
from local.emulator.isolation import isolate
from local.emulator.lambda_.fork_client import ForkServerClient
from local.emulator.ports import port_from, port_number, port_problem
from local.emulator.program import Program
from local.emulator.rekognition.errors import EngineSetup
from local.emulator.rekognition.options import add_engine_options, engine_options
from local.emulator.state_folder import Occupied, unwritable

if TYPE_CHECKING:
    from local.emulator.emulator import Emulator

QUIET_LOGGERS = ("moto", "botocore", "boto3", "urllib3", "samtranslator")


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
    add(
        "--port",
        type=port_number,
        default=port_from("PORT", 4566),
        help="The port of the endpoint for all services; 0 takes a free one. Default: 4566.",
    )
    add("--host", default="127.0.0.1", help="The address to listen on. Default: %(default)s.")
    add("--state", type=Path, default=program.state, metavar="FOLDER", help="The folder for pid file, log and mailbox.")
    add_engine_options(parser)
    background = parser.add_mutually_exclusive_group()
    background.add_argument("--detach", action="store_true", help="Start in the background and wait until ready.")
    background.add_argument("--stop", action="store_true", help="Stop the instance that runs in the background.")
    return parser


def main(program: Program, parser: argparse.ArgumentParser) -> int:
    """Run the program. Returns 0 after a clean stop, 1 if it can't start, 130 after Ctrl-C; a wrong command line exits with 2."""
    try:
        return _main(program, parser)
    except KeyboardInterrupt:
        print(f"\n{program.name}: interrupted.", file=sys.stderr)
        return INTERRUPTED


def _main(program: Program, parser: argparse.ArgumentParser) -> int:
    options = parser.parse_args()
    isolate()
    names = (program.name, program.module, program.stop_hint)
    background = Background(options.state, options.port, *names, port_hint=program.port_hint, discarded=program.discarded)
    if options.stop:
        return background.stop()
    if options.template is None:
        parser.error("--template is required")
    instance = Instance(str(REPOSITORY), code_version(program.sources), option_texts(options))
    if options.detach:
        arguments = [argument for argument in sys.argv[1:] if argument != "--detach"]
        return background.start(arguments, instance, asked_options(arguments, os.environ, program.variables))
    return _serve(program, options, background, instance)


def template_parameters(program: Program, options: argparse.Namespace) -> dict[str, str]:
    """The program's defaults, overridden by --parameter. Raises ValueError for an argument without "="."""
    values = dict(program.parameters(options))
    for item in options.parameter:
        name, equals, value = item.partition("=")
        if not equals:
            raise ValueError(f"--parameter {item}: the form is NAME=VALUE")
        values[name] = value
    return values


class _Stopping(BaseException):
    """A signal asked the program to stop before it was ready."""


class _Signals:
    """SIGTERM, SIGHUP and Ctrl-C. They interrupt the start, and end `wait` afterwards."""

    def __init__(self) -> None:
        self._stopping = threading.Event()
        self.starting = False

    def install(self) -> None:
        self.starting = True
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._received)

    def _received(self, *_: object) -> None:
        again, starting = self._stopping.is_set(), self.starting
        self._stopping.set()
        if starting and not again:
            raise _Stopping

    def wait(self) -> None:
        while not self._stopping.wait(1):  # polls: a signal that the kernel delivers to another thread doesn't wake this one
            pass


def _serve(program: Program, options: argparse.Namespace, background: Background, instance: Instance) -> int:
    """Run in the foreground until SIGTERM, SIGHUP or Ctrl-C."""
    if problem := port_problem(options.host, options.port):
        return _refuse(program, f"{problem}. Stop the process that uses it, or choose another port: {program.port_hint}")
    signals = _Signals()
    forks: ForkServerClient | None = None
    code = 1
    try:
        signals.install()
        if problem := _occupied(background, options):
            return _refuse(program, problem)
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
        for name in QUIET_LOGGERS:
            logging.getLogger(name).setLevel(logging.CRITICAL)
        forks = ForkServerClient(program.preload)  # started first: it imports while the imports below run
        code = _run(program, options, forks, signals, instance, background)
    except _Stopping:
        print(f"{program.name} was stopped before it was ready.", flush=True)
        code = INTERRUPTED
    finally:
        if forks:
            forks.close()
        background.folder.release()
        logging.shutdown()
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError):  # the disk with the log is full
                stream.flush()
    os._exit(code)  # threads that wait for a dead worker would keep the process alive


def _occupied(background: Background, options: argparse.Namespace) -> str | None:
    """Take the state folder for this process. Returns the reason if that fails."""
    try:
        background.folder.occupy()
    except Occupied as error:
        return str(error)
    except OSError as error:
        return unwritable(options.state, error)
    return None


def _refuse(program: Program, reason: str) -> int:
    print(f"{program.name} can't start: {reason}", file=sys.stderr)
    return 1


def _run(
    program: Program,
    options: argparse.Namespace,
    forks: ForkServerClient,
    signals: _Signals,
    instance: Instance,
    background: Background,
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
            environment=program.environment,
        )
        emulator = Emulator(chosen, forks)
        servers = program.servers(options, emulator)
        emulator.described.update(instance.to_health())
        emulator.addresses.update({name: server.address for name, server in servers.items()})
        background.folder.announce(emulator.endpoint)
        emulator.start(lambda: program.prepare(options, emulator))
        for server in servers.values():
            server.start()
    except (TemplateError, EngineSetup, ValueError, OSError, RuntimeError) as error:
        return _refuse(program, str(error))
    signals.starting = False
    addresses = [f"{address} ({name})" for name, address in emulator.addresses.items()]
    print(f"{program.name} is ready: {', '.join([*addresses, f'{emulator.endpoint} (all AWS services)'])}", flush=True)
    signals.wait()
    logging.getLogger(__name__).info("stopping")
    _run_ending(program, options, emulator, background)
    for server in servers.values():
        server.stop()
    emulator.stop()
    return 0


def _run_ending(program: Program, options: argparse.Namespace, emulator: Emulator, background: Background) -> None:
    """Run the program's own ending, and leave its sentence for the process that asked this one to stop."""
    try:
        sentence = program.end(options, emulator)
    except OSError as error:
        logging.getLogger(__name__).exception("the program's ending failed")
        sentence = f"Nothing was kept: {error}. {program.discarded}"
    background.folder.leave_sentence(sentence)
