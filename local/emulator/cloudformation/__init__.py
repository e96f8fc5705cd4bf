"""CloudFormation: deploys a template through the services' APIs, with one function for each resource type."""

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
