"""`python -m local.emulator.rekognition`: a Rekognition-compatible server on this machine, no AWS account needed."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from local.emulator.rekognition.engine import Engine
from local.emulator.rekognition.errors import EngineSetup
from local.emulator.rekognition.server import make_server, no_objects, s3_objects


def parser() -> argparse.ArgumentParser:
    """The command line."""
    arguments = argparse.ArgumentParser(prog="python -m local.emulator.rekognition", description=__doc__)
    arguments.add_argument("--port", type=int, default=4577, help="Port to listen on (0: any free one).")
    arguments.add_argument("--host", default="127.0.0.1", help="Address to listen on.")
    arguments.add_argument("--model", type=Path, help="An ONNX detector or classifier that gives the labels.")
    arguments.add_argument("--labels", type=Path, help="The model's class names, one a line or as JSON.")
    arguments.add_argument("--recorded", type=Path, help="Directory of recorded answers, <sha256 of the image>.json.")
    arguments.add_argument("--s3-endpoint", help="Where S3Objects are read; without it, only Bytes are accepted.")
    return arguments


def main() -> int:
    """Serve until interrupted. Exit code 2 when the engine can't start as asked."""
    options = parser().parse_args()
    try:
        if options.labels and not options.model:
            raise EngineSetup("--labels names the classes of a --model; give both.")
        engine = Engine(options.recorded, options.model, options.labels)
        engine.prepare()
    except EngineSetup as error:
        print(error, file=sys.stderr)
        return 2
    fetch = s3_objects(options.s3_endpoint) if options.s3_endpoint else no_objects
    server = make_server(engine, options.port, host=options.host, fetch=fetch)
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
