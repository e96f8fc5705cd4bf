"""A user pool: its settings, app clients and groups."""

from __future__ import annotations

from dataclasses import dataclass, field

from local.emulator.cognito.settings import ClientSettings, PoolSettings


@dataclass
class UserPool:
    """A user pool. `issuer` is the issuer of its tokens; `groups` maps the name of a group to its description."""

    pool_id: str
    arn: str
    issuer: str
    settings: PoolSettings
    clients: dict[str, ClientSettings] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)
