"""Deploys HTTP APIs and their stages."""

from __future__ import annotations

from local.emulator.cloudformation.deployment import Deployment
from local.emulator.cloudformation.registry import Created, supports
from local.emulator.cloudformation.user_pools import generated_id
from local.emulator.http_api.definition import HttpApi, Stage
from tools.sam_template import ACCOUNT_ID, Json, TemplateError

API_PATH = "/_api"
"""Where the endpoint serves HTTP APIs: <endpoint>/_api/<API id>/<stage>/<path>."""


@supports("AWS::ApiGatewayV2::Api", "Body", "FailOnWarnings")
def api(deployment: Deployment, logical_id: str, properties: Json) -> Created:
    api_id = generated_id(deployment, logical_id, 10)
    arn = f"arn:aws:execute-api:{deployment.region}:{ACCOUNT_ID}:{api_id}"
    deployment.apis[api_id] = HttpApi.of(api_id, arn, properties["Body"])
    return Created(api_id, {"ApiId": api_id, "ApiEndpoint": f"{deployment.endpoint}{API_PATH}/{api_id}"})


@supports(
    "AWS::ApiGatewayV2::Stage",
    "ApiId",
    "StageName",
    "Description",
    "AutoDeploy",
    "DefaultRouteSettings.ThrottlingRateLimit",
    "DefaultRouteSettings.ThrottlingBurstLimit",
    "DefaultRouteSettings.DetailedMetricsEnabled",
    "AccessLogSettings.DestinationArn",
    "AccessLogSettings.Format",
    "Tags",
)
def stage(deployment: Deployment, logical_id: str, properties: Json) -> Created:
    name = properties["StageName"]
    if str(properties.get("AutoDeploy", False)).lower() != "true":
        raise TemplateError(f"{logical_id}: the emulator needs AutoDeploy, because it doesn't support deployments")
    limits, log = properties.get("DefaultRouteSettings", {}), properties.get("AccessLogSettings", {})
    deployment.apis[properties["ApiId"]].stages[name] = Stage(
        name=name,
        rate=float(limits["ThrottlingRateLimit"]) if "ThrottlingRateLimit" in limits else None,
        burst=int(limits["ThrottlingBurstLimit"]) if "ThrottlingBurstLimit" in limits else None,
        log_group=log.get("DestinationArn", "").partition(":log-group:")[2].partition(":")[0],
        log_format=log.get("Format", ""),
    )
    return Created(name)
