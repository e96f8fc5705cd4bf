"""Ports: read from arguments and variables, and checked before they are bound."""

from __future__ import annotations

import argparse
import errno
import os
import socket
import sys

HIGHEST_PORT = 65535


def port_number(text: str) -> int:
    """The port that an argument names. Raises ArgumentTypeError."""
    if not (text.isascii() and text.isdigit() and int(text) <= HIGHEST_PORT):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: it must be a number from 0 to {HIGHEST_PORT}")
    return int(text)


def port_from(variable: str, otherwise: int) -> int:
    """The port in an environment variable, or `otherwise`. A wrong value ends the program with a sentence."""
    try:
        return port_number(os.environ.get(variable) or str(otherwise))
    except argparse.ArgumentTypeError as error:
        sys.exit(f"{variable}={error}.")


def port_problem(host: str, port: int) -> str | None:
    """The reason why the port can't be bound, or None. Port 0 (any free port) can be bound unless the host is wrong."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return f"port {port} is taken"
        if error.errno in (errno.EACCES, errno.EPERM):
            return f"port {port} needs the permissions of the superuser"
        return f"it can't listen on {host}: {error.strerror or error}"
    return None
