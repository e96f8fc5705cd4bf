"""Maps access keys to roles, and checks a role's permissions for calls inside the emulator."""

from __future__ import annotations

import functools
import hashlib

from local.emulator.cloudformation import RolePolicies
from local.emulator.gateway.call import Call, request_context
from local.emulator.iam.conditions import PolicyError
from local.emulator.iam.evaluation import Denial, Role, authorize
from local.emulator.lambda_.functions import Credentials, Function
from tools.sam_template import TemplateError


class Identities:
    """The roles of the template, and the access keys of the functions. All other keys belong to the root user."""

    def __init__(self, region: str) -> None:
        self._region = region
        self._policies: dict[str, RolePolicies] = {}
        self._by_key: dict[str, Role] = {}
        self._roles: dict[str, Role] = {}

    def load(self, policies: dict[str, RolePolicies], functions: list[Function]) -> None:
        """Load the deployed roles and functions. Raises TemplateError for an unsupported policy."""
        self._policies = policies
        self._roles = {arn: self._role(arn) for arn in policies}
        for function in functions:
            self._by_key[self.credentials(function).access_key] = self._role(function.role_arn, function.name)

    def _role(self, arn: str, session: str = "") -> Role:
        found = self._policies.get(arn)
        if found is None:
            raise TemplateError(f"the template doesn't define the role {arn}")
        try:
            return Role(found.name, arn, found.statements, session)
        except PolicyError as error:
            raise TemplateError(f"the policies of {found.name}: {error}") from error

    def credentials(self, function: Function) -> Credentials:
        """The temporary credentials of the function's role. They are the same at each start."""
        digest = hashlib.sha256(function.arn.encode()).hexdigest().upper()
        return Credentials(f"ASIA{digest[:16]}", digest[16:56], f"session-of-{function.name}")

    def role_of(self, access_key: str | None) -> Role | None:
        """The role of a key, or None for the root user."""
        return self._by_key.get(access_key) if access_key else None

    @functools.lru_cache(maxsize=512)  # noqa: B019 - one instance, as long as the process
    def denial_reason(self, role_arn: str, action: str, resource: str) -> str | None:
        """The reason why the role may not do the action, or None. For calls that don't pass the gateway."""
        role = self._roles.get(role_arn)
        if role is None:
            return f"the role {role_arn} isn't deployed"
        service = action.split(":", 1)[0]
        call = Call(service, action.split(":", 1)[1], None, [(action, resource, request_context(self._region))])
        denial: Denial | None = authorize(call, role)
        return denial.message if denial else None
