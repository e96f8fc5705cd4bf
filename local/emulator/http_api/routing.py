"""Finds the route of a request.

API Gateway prefers a full match, then a greedy path variable, then the route $default. Source: Amazon API Gateway developer
guide, "Create routes for HTTP APIs", "Routing API requests".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from local.emulator.http_api.definition import Route

Rank = tuple[int, ...]


@dataclass(frozen=True)
class Match:
    """A route, and the values of its path variables."""

    route: Route
    parameters: dict[str, str]


def find_route(routes: Iterable[Route], method: str, path: str) -> Match | None:
    """The best route for a decoded path without the stage; None if there is none."""
    best: tuple[Rank, Match] | None = None
    for route in routes:
        if route.method not in (method, "ANY"):
            continue
        found = _match(route, path)
        if found is None:
            continue
        rank = (*found[0], 0 if route.method == method else 1)
        if best is None or rank < best[0]:
            best = rank, Match(route, found[1])
    return best[1] if best else None


def _match(route: Route, path: str) -> tuple[Rank, dict[str, str]] | None:
    """Rank (lower is better) and path variables, or None. A literal segment is better than a variable."""
    if route.path == "/$default":
        return (2,), {}
    wanted, given = route.path.split("/")[1:], path.split("/")[1:]
    parameters: dict[str, str] = {}
    variables: list[int] = []
    for number, segment in enumerate(wanted):
        if segment.startswith("{") and segment.endswith("+}"):
            rest = "/".join(given[number:])
            return ((1, -number, *variables), {**parameters, segment[1:-2]: rest}) if rest else None
        if number >= len(given):
            return None
        if segment.startswith("{") and segment.endswith("}"):
            if not given[number]:
                return None
            parameters[segment[1:-1]] = given[number]
            variables.append(1)
        elif segment == given[number]:
            variables.append(0)
        else:
            return None
    return ((0, *variables), parameters) if len(wanted) == len(given) else None
