"""`python -m local`: the whole of Imagewatch on this machine, in the foreground; --detach and --stop for `make up` and `down`."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
from pathlib import Path

from local.emulator.background import Background

REPOSITORY = Path(__file__).resolve().parents[1]


def parser() -> argparse.ArgumentParser:
    """The command line. PORT, WEB_PORT in the environment are the defaults of the options."""
    arguments = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    arguments.add_argument(
        "--parameter", action="append", default=[], metavar="NAME=VALUE", help="Set a parameter of template.yaml."
    )
    port, web_port = os.environ.get("PORT", "4566"), os.environ.get("WEB_PORT", "8080")
    arguments.add_argument("--port", type=int, default=int(port), help="The endpoint for every AWS service (4566).")
    arguments.add_argument("--web-port", type=int, default=int(web_port), help="The viewer (8080).")
    arguments.add_argument("--host", default="127.0.0.1", help="The address to listen on.")
    arguments.add_argument("--template", type=Path, default=REPOSITORY / "template.yaml", help="Another template.")
    arguments.add_argument("--state", type=Path, default=REPOSITORY / ".local", help="Folder for pid, log and mailbox.")
    arguments.add_argument("--recorded", type=Path, help="Folder of recorded Rekognition answers, by content hash.")
    arguments.add_argument("--model", type=Path, help="An ONNX model that gives the labels.")
    background = arguments.add_mutually_exclusive_group()
    background.add_argument("--detach", action="store_true", help="Start in the background and wait until it is ready.")
    background.add_argument("--stop", action="store_true", help="Stop the one that runs in the background.")
    return arguments


def main() -> int:
    """Exit code 0 after a clean stop, 1 when the stack couldn't start, 2 for a wrong command line."""
    options = parser().parse_args()
    background = Background(options.state, options.port)
    if options.stop:
        return background.stop()
    if options.detach:
        return background.start([argument for argument in sys.argv[1:] if argument != "--detach"])
    return serve(options, background)


def parameters_of(options: argparse.Namespace) -> dict[str, str]:
    """The template's parameters as given, over the local defaults; raises ValueError for one without a value."""
    values = {
        "AlertEmail": "operator@example.com",
        "MaxImagesPerSecond": "50",
        "WatchlistMaxAgeSeconds": "1",  # who tries a rule out uploads a photo right after it
        "WebUrl": f"http://localhost:{options.web_port}",
    }
    for item in options.parameter:
        name, equals, value = item.partition("=")
        if not equals:
            raise ValueError(f"--parameter {item}: write it as Name=Value")
        values[name] = value
    return values


def serve(options: argparse.Namespace, background: Background) -> int:
    """Run in the foreground until SIGTERM or Ctrl-C."""
    if background.port_taken(options.host):
        print(f"Port {options.port} is taken. Stop what uses it, or choose another: make up PORT=4567", file=sys.stderr)
        return 1
    try:
        background.occupy()
    except OSError as error:
        print(f"The local stack can't start: {error}", file=sys.stderr)
        return 1
    from local.emulator.lambda_.fork_client import ForkServerClient

    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: stopping.set())
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for noisy in ("moto", "botocore", "boto3", "urllib3", "samtranslator"):
        logging.getLogger(noisy).setLevel(logging.CRITICAL)
    forks = ForkServerClient()  # before the heavy imports: it gets ready while they run
    code = 1
    try:
        code = _run(options, forks, stopping, background)
    finally:
        forks.close()
        background.forget()
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)  # threads that wait for a worker that is gone must not hold us


def _run(options: argparse.Namespace, forks: object, stopping: threading.Event, background: Background) -> int:
    from local.emulator.memory import save_memory, spare_batch

    save_memory()
    spare_batch()
    from local.emulator.emulator import LocalStack, Options
    from local.viewer.server import WebServer
    from tools.sam_template import TemplateError

    try:
        chosen = Options(
            template=options.template,
            state=options.state,
            host=options.host,
            port=options.port,
            web_port=options.web_port,
            recorded=options.recorded,
            model=options.model,
            parameters=parameters_of(options),
        )
        stack = LocalStack(chosen, forks)  # type: ignore[arg-type]
        web = WebServer(options.host, options.web_port, stack.endpoint, stack.mailbox)
        background.announce(stack.endpoint)
        stack.start()
        web.start()
    except (TemplateError, ValueError, OSError) as error:
        print(f"The local stack can't start: {error}", file=sys.stderr)
        return 1
    print(f"Imagewatch is ready: {stack.endpoint} (every AWS service), http://localhost:{web.port} (viewer)", flush=True)
    while not stopping.wait(1):  # a signal that the kernel gives to another thread doesn't wake this one
        pass
    print("Stopping.", flush=True)
    web.stop()
    stack.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
