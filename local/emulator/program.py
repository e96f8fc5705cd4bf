"""What a program that is built on the emulator gives it: names, defaults, servers, and its own steps."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from local.emulator.rekognition.options import EYES_VARIABLE

if TYPE_CHECKING:
    from local.emulator.emulator import Emulator


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


def _nothing(options: argparse.Namespace, emulator: Emulator) -> None:
    return None


def _no_sentence(options: argparse.Namespace, emulator: Emulator) -> str:
    return ""


@dataclass(frozen=True)
class Program:
    """A program that runs the emulator.

    `name` is the subject of its messages. `module` is what `python -m` runs. `template`, `stack_name` and `state` are the
    defaults of the options; without a default template, --template is required. `preload` names modules that the fork server
    imports for all functions. `parameters` gives defaults for template parameters from the parsed options. `servers` makes the
    servers that run beside the endpoint, by name; the health document lists their addresses. `sources` are the files and folders
    of the code, for its version. `variables` are environment variables with the options whose defaults they are. `stop_hint` and
    `port_hint` are commands that messages suggest. `discarded` is the sentence about what a stop discards.
    `prepare` runs before the stack is reported as ready. `end` runs before it stops, and returns the sentence to print then
    instead of `discarded`, or an empty text; it may raise OSError.
    """

    name: str
    module: str
    description: str
    template: Path | None = None
    stack_name: str = "stack"
    state: Path = Path(".emulator")
    preload: tuple[str, ...] = ()
    parameters: Callable[[argparse.Namespace], Mapping[str, str]] = _no_parameters
    environment: Mapping[str, str] = field(default_factory=dict)
    """Further variables of every function."""
    servers: Callable[[argparse.Namespace, Emulator], Mapping[str, Server]] = _no_servers
    prepare: Callable[[argparse.Namespace, Emulator], None] = _nothing
    end: Callable[[argparse.Namespace, Emulator], str] = _no_sentence
    sources: tuple[Path, ...] = (Path(__file__).parent,)
    variables: Mapping[str, str] = field(default_factory=lambda: {"PORT": "port", EYES_VARIABLE: "eyes"})
    stop_hint: str = "python -m local.emulator --stop"
    port_hint: str = "--port 4567"
    discarded: str = "What it stored is discarded."
