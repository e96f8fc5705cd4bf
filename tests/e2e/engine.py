"""Looks for a container engine in a separate process, because the client leaves sockets open when no engine answers.

`python -m tests.e2e.engine IMAGE` prints the address of this machine as containers see it, or exits with 1 and the reason. The
client finds the engine in the same way as the SAM CLI.
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
        sys.exit(f"No container engine answers: {error}")
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
            sys.exit(f"The Lambda base image {image} is missing and cannot be downloaded: {error}")


def _this_machine(engine: docker.DockerClient) -> str:
    if sys.platform != "linux":
        return DESKTOP_NAME
    configured = engine.networks.get("bridge").attrs["IPAM"]["Config"] or []
    return str(next((entry["Gateway"] for entry in configured if "Gateway" in entry), LINUX_BRIDGE))


if __name__ == "__main__":
    main()
