"""Deploys the expanded template on the mock services: one function per resource type, each with the properties it claims."""

from local.emulator.cloudformation import compute, identity, messaging, observability, storage
from local.emulator.cloudformation.deployment import Deployment, Output, Permission, QueueMapping, RolePolicies

__all__ = [
    "Deployment",
    "Output",
    "Permission",
    "QueueMapping",
    "RolePolicies",
    "compute",
    "identity",
    "messaging",
    "observability",
    "storage",
]
