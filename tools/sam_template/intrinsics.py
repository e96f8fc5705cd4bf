"""Evaluates CloudFormation's intrinsic functions, conditions and pseudo parameters."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from typing import Any

from tools.sam_template.template import ACCOUNT_ID, Json, Template, TemplateError

NO_VALUE = object()
_PLACEHOLDER = re.compile(r"\$\{(!?)([^}]+)\}")


class Resolver:
    """Resolves values of one template, for a stack. `ref` and `attribute` look up resources by logical id."""

    def __init__(
        self,
        template: Template,
        region: str,
        ref: Callable[[str], Any],
        attribute: Callable[[str, str], Any],
        *,
        stack_name: str = "stack",
    ) -> None:
        self._template = template
        self._ref = ref
        self._attribute = attribute
        self._pseudo = {
            "AWS::AccountId": ACCOUNT_ID,
            "AWS::Region": region,
            "AWS::Partition": "aws",
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::StackName": stack_name,
            "AWS::StackId": f"arn:aws:cloudformation:{region}:{ACCOUNT_ID}:stack/{stack_name}/local",
            "AWS::NoValue": NO_VALUE,
            "AWS::NotificationARNs": [],
        }

    @property
    def stack_id(self) -> str:
        return str(self._pseudo["AWS::StackId"])

    def resolve(self, value: Any) -> Any:
        """`value` with all intrinsic functions evaluated and AWS::NoValue entries removed."""
        if isinstance(value, list):
            return [item for item in map(self.resolve, value) if item is not NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            name, argument = next(iter(value.items()))
            if name == "Ref" or name.startswith("Fn::"):
                return self._call(name, argument)
        resolved = {key: self.resolve(item) for key, item in value.items()}
        return {key: item for key, item in resolved.items() if item is not NO_VALUE}

    def condition(self, name: str) -> bool:
        try:
            return self._boolean(self._template.body["Conditions"][name])
        except KeyError:
            raise TemplateError(f"the template has no condition {name}") from None

    def _boolean(self, expression: Json) -> bool:
        name, argument = next(iter(expression.items()))
        match name:
            case "Condition":
                return self.condition(argument)
            case "Fn::Equals":
                left, right = (self.resolve(item) for item in argument)
                return str(left) == str(right)
            case "Fn::Not":
                return not self._boolean(argument[0])
            case "Fn::And":
                return all(self._boolean(item) for item in argument)
            case "Fn::Or":
                return any(self._boolean(item) for item in argument)
            case "Fn::Contains":
                values, wanted = (self.resolve(item) for item in argument)
                return str(wanted) in [str(value) for value in values]
        raise TemplateError(f"the condition function {name} isn't supported")

    def check_rules(self) -> None:
        """Evaluates the Rules section. Raises TemplateError with the description of the first assertion that fails."""
        for name, rule in self._template.body.get("Rules", {}).items():
            if "RuleCondition" in rule and not self._boolean(rule["RuleCondition"]):
                continue
            for assertion in rule["Assertions"]:
                if not self._boolean(assertion["Assert"]):
                    raise TemplateError(f"rule {name}: {assertion.get('AssertDescription', 'an assertion fails')}")

    def _call(self, name: str, argument: Any) -> Any:
        match name:
            case "Ref":
                return self.reference(argument)
            case "Fn::GetAtt":
                logical_id, attribute = argument if isinstance(argument, list) else argument.split(".", 1)
                return self._attribute(logical_id, attribute)
            case "Fn::Sub":
                return self._substitute(argument)
            case "Fn::If":
                return self.resolve(argument[1 if self.condition(argument[0]) else 2])
            case "Fn::Join":
                separator, parts = argument
                return str(separator).join(str(part) for part in self.resolve(parts))
            case "Fn::Select":
                index, items = argument
                return self.resolve(items)[int(self.resolve(index))]
            case "Fn::Split":
                return str(self.resolve(argument[1])).split(argument[0])
            case "Fn::FindInMap":
                table, first, second = (self.resolve(item) for item in argument)
                return self._template.body["Mappings"][table][first][second]
            case "Fn::Base64":
                return base64.b64encode(str(self.resolve(argument)).encode()).decode()
        raise TemplateError(f"the intrinsic function {name} isn't supported")

    def reference(self, name: str) -> Any:
        if name in self._pseudo:
            return self._pseudo[name]
        if name in self._template.parameters:
            value = self._template.parameters[name]
            kind = self._template.body["Parameters"][name]["Type"]
            return value.split(",") if kind == "CommaDelimitedList" else value
        return self._ref(name)

    def _substitute(self, argument: Any) -> str:
        text, names = argument if isinstance(argument, list) else (argument, {})

        def fill(match: re.Match[str]) -> str:
            literal, name = match.groups()
            if literal:
                return "${" + name + "}"
            if name in names:
                return str(self.resolve(names[name]))
            return str(self._attribute(*name.split(".", 1)) if "." in name else self.reference(name))

        return _PLACEHOLDER.sub(fill, text)


def references(value: Any) -> Iterator[str]:
    """The names of resources and parameters that `value` refers to with Ref, GetAtt or Sub, also in the branches of If."""
    if isinstance(value, list):
        for item in value:
            yield from references(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key == "Ref":
                yield item
            elif key == "Fn::GetAtt":
                yield item[0] if isinstance(item, list) else item.split(".", 1)[0]
            elif key == "Fn::Sub":
                text, names = item if isinstance(item, list) else (item, {})
                yield from references(list(names.values()))
                placeholders = [name for literal, name in _PLACEHOLDER.findall(text) if not literal]
                yield from (name.split(".")[0] for name in placeholders if name not in names)
            else:
                yield from references(item)
