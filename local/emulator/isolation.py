"""Keeps the shell's AWS settings and proxies away from calls to this machine.

A profile, an endpoint, a CA bundle or a proxy of the shell would break or redirect calls to the local endpoint.
"""

from __future__ import annotations

import os
import urllib.request
from collections.abc import MutableMapping

LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")
# A file without settings: the shell's files can name a profile, an endpoint or a proxy for all programs.
EMPTY_FILES = ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")


def isolate(environment: MutableMapping[str, str] = os.environ) -> None:
    """Remove all AWS settings from the environment, and exclude this machine from its proxies.

    Programs call it once at their start. Other processes that they start inherit the result.
    """
    for name in [name for name in environment if name.startswith("AWS_")]:
        del environment[name]
    environment.update(dict.fromkeys(EMPTY_FILES, os.devnull))
    environment["AWS_EC2_METADATA_DISABLED"] = "true"
    given = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    hosts = [host for host in given.split(",") if host.strip()]
    hosts += [host for host in LOCAL_HOSTS if host not in hosts]
    environment["no_proxy"] = environment["NO_PROXY"] = ",".join(hosts)


def open_local(url: str, timeout: float) -> urllib.request._UrlopenRet:
    """Open a URL of this machine without a proxy. `timeout` is in seconds. Raises URLError, or HTTPError with the answer."""
    return urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=timeout)
