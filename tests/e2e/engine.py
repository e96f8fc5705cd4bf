"""Asks for a container engine, in a process of its own: its client leaves sockets open when nothing answers.

`python -m tests.e2e.engine IMAGE` prints what a container calls this machine, or exits with 1 and the reason why there is no use
in trying. The same client finds the engine as the SAM CLI's does.
"""

from __future__ import annotations

import sys
from contextlib import closing

import docker
import requests
from docker.errors import DockerException, ImageNotFound

from local.sam_environment import DESKTOP_NAME, LINUX_BRIDGE

SECONDS = 120


def main() -> None:
    try:
        engine = docker.from_env(timeout=SECONDS)
    except DockerException as error:
        sys.exit(f"no container engine answers: {error}")
    with closing(engine):
        _fetch(engine, sys.argv[1])
        sys.stdout.write(_this_machine(engine))


def _fetch(engine: docker.DockerClient, image: str) -> None:
    try:
        engine.images.get(image)
    except ImageNotFound:
        try:
            engine.images.pull(image)
        except (DockerException, requests.RequestException) as error:
            sys.exit(f"the Lambda base image {image} isn't here and can't be fetched: {error}")


def _this_machine(engine: docker.DockerClient) -> str:
    if sys.platform != "linux":
        return DESKTOP_NAME
    configured = engine.networks.get("bridge").attrs["IPAM"]["Config"] or []
    return str(next((entry["Gateway"] for entry in configured if "Gateway" in entry), LINUX_BRIDGE))


if __name__ == "__main__":
    main()
