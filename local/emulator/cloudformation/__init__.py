"""CloudFormation: deploys a template through the services' APIs, with one function for each resource type."""

from local.emulator.cloudformation import compute, http_apis, identity, messaging, observability, storage, user_pools
from local.emulator.cloudformation.deployment import Deployment, Output, Permission, QueueMapping, RolePolicies

__all__ = [
    "Deployment",
    "Output",
    "Permission",
    "QueueMapping",
    "RolePolicies",
    "compute",
    "http_apis",
    "identity",
    "messaging",
    "observability",
    "storage",
    "user_pools",
]
