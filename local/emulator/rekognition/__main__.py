"""`python -m local.emulator.rekognition`: a Rekognition-compatible server on this machine. It needs no AWS account."""

from __future__ import annotations

import argparse
import sys

from local.emulator.rekognition.errors import EngineSetup
from local.emulator.rekognition.options import add_engine_options, engine_options
from local.emulator.rekognition.server import make_server, no_objects, s3_objects


def parser() -> argparse.ArgumentParser:
    """The command line."""
    arguments = argparse.ArgumentParser(prog="python -m local.emulator.rekognition", description=__doc__)
    arguments.add_argument("--port", type=int, default=4577, help="The port to listen on; 0 takes a free one. Default: 4577.")
    arguments.add_argument("--host", default="127.0.0.1", help="The address to listen on. Default: %(default)s.")
    arguments.add_argument("--s3-endpoint", metavar="URL", help="Where S3Objects are read. Without it, only Bytes are accepted.")
    add_engine_options(arguments)
    return arguments


def main() -> int:
    """Serves until interrupted. Returns 2 when the engine can't start as asked."""
    options = parser().parse_args()
    try:
        engine = engine_options(options).engine()
        engine.prepare()
    except EngineSetup as error:
        print(error, file=sys.stderr)
        return 2
    fetch = s3_objects(options.s3_endpoint) if options.s3_endpoint else no_objects
    try:
        server = make_server(engine, options.port, host=options.host, fetch=fetch)
    except OSError as error:
        print(f"The server can't listen on {options.host}:{options.port}: {error.strerror}. Try --port 0.", file=sys.stderr)
        return 2
    print(f"Rekognition ({engine.label_version}) on http://{options.host}:{server.server_address[1]}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        print("Stopped.")
    finally:
        server.server_close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
