"""Reads a SAM template as CloudFormation does: expanded, with its parameters, conditions and intrinsic functions."""

from tools.sam_template.intrinsics import NO_VALUE, Resolver, references
from tools.sam_template.template import ACCOUNT_ID, LOCAL_BUCKET, Json, Template, TemplateError, load_template

__all__ = [
    "ACCOUNT_ID",
    "LOCAL_BUCKET",
    "NO_VALUE",
    "Json",
    "Resolver",
    "Template",
    "TemplateError",
    "load_template",
    "references",
]
