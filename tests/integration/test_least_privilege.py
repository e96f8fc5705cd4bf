"""Least privilege, both ways: each role allows everything that is really done, and nothing could be taken out of it.

The template is deployed on moto; scenarios run the real handlers, and each of their HTTP requests becomes the IAM actions
that it needs. Then every action and resource of every policy is removed, one at a time: something must fail.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import pytest

from local.emulator.gateway.call import Call, request_context
from local.emulator.gateway.identification import identify
from local.emulator.iam.evaluation import allows_service, denied_by_resource
from tests.conftest import LEAST_PRIVILEGE
from tools.sam_template import ACCOUNT_ID

from .conftest import REGION, Event
from .platform_permissions import EVERY_FUNCTION, EVERY_STATE_MACHINE, PLATFORM_PERMISSIONS
from .policy_mutations import Policy, Tally, as_list, refused, without_one, without_one_condition
from .recorded_calls import Account, Sent, deployed
from .workflow_scenarios import SCENARIOS

pytestmark = pytest.mark.slow

BUCKETS = ("ImagesBucket", "RenditionsBucket")
OWNER = f"arn:aws:iam::{ACCOUNT_ID}:root"


@dataclass
class Evidence:
    """What was done with each role (by its logical id) in all scenarios, and what the platform does with it."""

    account: Account
    done: dict[str, list[Sent]]
    platform: dict[str, list[Sent]]


@pytest.fixture(scope="module")
def evidence() -> Iterator[Evidence]:
    with deployed() as account:
        account.add_channel("home", "webhook")
        account.add_channel("ops", "slack")
        account.watch("person", "email", "home")
        for scenario in SCENARIOS:
            scenario(account)
        functions = of_type(account, "AWS::Lambda::Function")
        done = {functions[name]["Role"]["Fn::GetAtt"][0]: calls for name, calls in account.recorder.sent.items()}
        done |= {role: list(invocations(account, machine)) for role, machine in machines(account).items()}
        platform: dict[str, list[Sent]] = {
            role: [
                sent(action, permission.resource(account))
                for permission in PLATFORM_PERMISSIONS
                for action in permission.actions
                if role in roles_of(account, permission.role)
            ]
            for role in done
        }
        yield Evidence(account, done, platform)


@pytest.fixture
def tally(request: pytest.FixtureRequest) -> Iterator[Tally]:
    """This test's own count, and a part of what the run says at its end."""
    tally = Tally()
    yield tally
    request.node.user_properties.append((LEAST_PRIVILEGE, tally.numbers()))


def of_type(account: Account, kind: str) -> dict[str, Event]:
    resources = account.deployment.template.resources
    return {name: entry.get("Properties", {}) for name, entry in resources.items() if entry["Type"] == kind}


def machines(account: Account) -> dict[str, str]:
    """The state machines by the role that each works with."""
    found = of_type(account, "AWS::StepFunctions::StateMachine")
    return {properties["RoleArn"]["Fn::GetAtt"][0]: name for name, properties in found.items()}


def roles_of(account: Account, name: str) -> set[str]:
    if name == EVERY_STATE_MACHINE:
        return set(machines(account))
    return set(of_type(account, "AWS::IAM::Role")) - set(machines(account)) if name == EVERY_FUNCTION else {name}


def sent(action: str, resource: str) -> Sent:
    service, operation = action.split(":")
    return Sent(Call(service, operation, None, [(action, resource, request_context(REGION))]))


def invocations(account: Account, machine: str) -> Iterator[Sent]:
    """What Step Functions calls for the Tasks of the definition that was deployed."""
    described = account.client("stepfunctions").describe_state_machine(stateMachineArn=account.ref(machine))

    def walk(scope: Event) -> Iterator[Sent]:
        for state in scope["States"].values():
            if state["Type"] == "Task":
                yield sent("lambda:InvokeFunction", state["Resource"])
            for branch in state.get("Branches", []):
                yield from walk(branch)

    return walk(json.loads(described["definition"]))


# --------------------------------------------------------------------------------------------------------------- roles


def inline(account: Account, role: str) -> Policy:
    """The statements that stand in the role itself."""
    policies = account.deployment.resolver.resolve(of_type(account, "AWS::IAM::Role")[role].get("Policies", []))
    return [statement for policy in policies for statement in policy["PolicyDocument"]["Statement"]]


def managed(account: Account, role: str) -> dict[str, Policy]:
    """The statements of each managed policy of the role, by the policy's logical id."""
    policies = of_type(account, "AWS::IAM::Role")[role].get("ManagedPolicyArns", [])
    return {policy["Ref"]: account.deployment.policies[account.ref(policy["Ref"])] for policy in policies}


def whole(account: Account, role: str) -> Policy:
    return [*inline(account, role), *(one for policy in managed(account, role).values() for one in policy)]


def test_the_scenarios_use_every_function_every_task_and_every_role(evidence: Evidence) -> None:
    account = evidence.account
    functions = set(of_type(account, "AWS::Lambda::Function"))
    assert set(account.recorder.sent) == functions
    assert set(evidence.done) == set(of_type(account, "AWS::IAM::Role"))
    invoked = {call.call.resources[0] for role in machines(account) for call in evidence.done[role]}
    resolve = account.deployment.resolver.resolve
    invoked_by_services = {
        resolve(permission["FunctionName"]) for permission in of_type(account, "AWS::Lambda::Permission").values()
    }
    names = {name for name in functions - {"StartAnalysisFunction"} if account.ref(name) not in invoked_by_services}
    assert invoked == {account.arn(name) for name in names}


def test_every_role_allows_all_that_is_done_with_it(evidence: Evidence) -> None:
    for role, calls in evidence.done.items():
        assert refused([*calls, *evidence.platform[role]], whole(evidence.account, role)) is None


def test_no_role_allows_what_is_done_with_another(evidence: Evidence) -> None:
    """The functions of different tasks have different rights.

    Those that end an analysis clear up alike, and what is applied to history may alert as Send Alert does. Record Alert Failure
    only updates a record, as several others do among other things. People delete and re-analyse their images with the rights of
    the functions that end an analysis, and several functions read the search index.
    """
    clears_up = {"StoreAnalysisRole", "RecordRejectionRole", "RecordFailureRole", "RecordInterruptionRole", "StartAnalysisRole"}
    clears_up.add("ReconcileImagesRole")
    updates_records = {
        *clears_up,
        "EvaluateWatchlistRole",
        "SendAlertRole",
        "EvaluatePageRole",
        "IndexChangesRole",
        "ApiImagesRole",
        "ApiMeRole",
    }
    less_than = {
        "ApiImagesRole": {*clears_up, "ApiLabelsRole", "ApiExportRole", "ApiMeRole"},
        "IndexChangesRole": {"ApiLabelsRole", "ApiExportRole"},
        **{name: {"ApiLabelsRole"} for name in ("ApiWatchlistRole", "ApiStatsRole", "ApiExportRole")},
    }
    for role in evidence.done:
        for other, calls in evidence.done.items():
            alike = {role, other} <= clears_up or (role, other) == ("EvaluatePageRole", "SendAlertRole")
            alike = alike or other in less_than.get(role, ()) or (other == "RecordAlertFailureRole" and role in updates_records)
            if role != other and calls and not alike:  # a function that calls nothing needs no rights
                assert refused(calls, whole(evidence.account, role)), f"{role} could do the work of {other}"


def test_nothing_can_be_taken_out_of_any_role(evidence: Evidence, tally: Tally) -> None:
    account = evidence.account
    for role, calls in evidence.done.items():
        policies = managed(account, role)
        shared = [statement for policy in policies.values() for statement in policy]
        mutations = [(what, [*left, *shared]) for what, left in without_one(inline(account, role))]
        for name in policies:
            rest = [statement for other, policy in policies.items() if other != name for statement in policy]
            mutations.append((name, [*inline(account, role), *rest]))
        for what, left in mutations:
            tally.judge(f"{role}: {what}", refused(calls, left), refused(evidence.platform[role], left))
    assert tally.survived == []


def test_nothing_can_be_taken_out_of_any_managed_policy(evidence: Evidence, tally: Tally) -> None:
    account = evidence.account
    for name in of_type(account, "AWS::IAM::ManagedPolicy"):
        roles = [role for role in evidence.done if name in managed(account, role)]
        for what, left in without_one(account.deployment.policies[account.ref(name)]):
            rest = {role: [*inline(account, role), *left] for role in roles}
            ours = any(refused(evidence.done[role], policy) for role, policy in rest.items())
            tally.judge(f"{name}: {what}", ours, all(refused(evidence.platform[role], rest[role]) for role in roles))
    assert tally.survived == []


def test_a_permission_that_nothing_needs_would_be_found(evidence: Evidence) -> None:
    needless = {"Effect": "Allow", "Action": "s3:DeleteBucket", "Resource": "arn:aws:s3:::*"}
    for role, calls in evidence.done.items():
        everything = [*calls, *evidence.platform[role]]
        mutations = without_one([needless, *whole(evidence.account, role)])
        survivors = {what for what, left in mutations if refused(everything, left) is None}
        assert survivors >= {"s3:DeleteBucket of statement 1", "arn:aws:s3:::* of statement 1"}, role


def test_no_role_reaches_all_objects_of_a_bucket(evidence: Evidence) -> None:
    for role in evidence.done:
        for statement in whole(evidence.account, role):
            for resource in as_list(statement["Resource"]):
                _, _, key = resource.removeprefix("arn:aws:s3:::").partition("/")
                assert key != "*" or not resource.startswith("arn:aws:s3:::"), f"{role}: {resource}"


def test_the_table_of_the_platforms_permissions_is_neither_ours_nor_out_of_date(evidence: Evidence) -> None:
    """A row that no policy grants, or that our own calls prove anyway, has no place in it."""
    for permission in PLATFORM_PERMISSIONS:
        for role in roles_of(evidence.account, permission.role):
            granted = {action for one in whole(evidence.account, role) for action in as_list(one["Action"])}
            ours = {action for made in evidence.done[role] for action, _, _ in made.call.actions}
            assert set(permission.actions) <= granted - ours, role


def test_each_role_can_be_assumed_by_the_one_service_that_works_with_it(evidence: Evidence) -> None:
    for role, properties in of_type(evidence.account, "AWS::IAM::Role").items():
        service = "states.amazonaws.com" if role in machines(evidence.account) else "lambda.amazonaws.com"
        (trust,) = properties["AssumeRolePolicyDocument"]["Statement"]
        assert trust == {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}


# --------------------------------------------------------------------------------------------------- resource policies


def queue_policy(account: Account) -> Policy:
    asked = {"QueueUrl": account.ref("IntakeQueue"), "AttributeNames": ["Policy"]}
    policy: Policy = json.loads(account.client("sqs").get_queue_attributes(**asked)["Attributes"]["Policy"])["Statement"]
    return policy


def test_only_the_images_bucket_sends_to_the_queue(evidence: Evidence, tally: Tally) -> None:
    account = evidence.account
    ours = {"aws:SourceArn": account.arn("ImagesBucket"), "aws:SourceAccount": ACCOUNT_ID}
    strangers = {
        "aws:SourceArn": {**ours, "aws:SourceArn": account.arn("RenditionsBucket")},
        "aws:SourceAccount": {**ours, "aws:SourceAccount": "999999999999"},
    }

    def lets_in(policy: Policy, source: Event) -> bool:
        document = {"Statement": list(policy)}
        return allows_service(document, "s3.amazonaws.com", "sqs:SendMessage", account.arn("IntakeQueue"), source)

    judge_service_policy(tally, "IntakeQueuePolicy", queue_policy(account), lets_in, ours, strangers)


def test_each_function_of_an_eventbridge_rule_is_invoked_by_that_rule_only(evidence: Evidence, tally: Tally) -> None:
    """One rule reports executions that ended; the others are schedules."""
    account, resolve = evidence.account, evidence.account.deployment.resolver.resolve
    permissions = of_type(account, "AWS::Lambda::Permission").values()
    permitted = [resolve(one["FunctionName"]) for one in permissions if one["Principal"] == "events.amazonaws.com"]
    targets = {}
    for rule, properties in of_type(account, "AWS::Events::Rule").items():
        (target,) = properties["Targets"]
        targets[rule] = resolve(target["Arn"])
        policy = json.loads(account.client("lambda").get_policy(FunctionName=targets[rule])["Policy"])["Statement"]
        ours = {"aws:SourceArn": account.arn(rule)}
        strangers = {"aws:SourceArn": {"aws:SourceArn": f"{account.arn(rule)}-of-another-account"}}

        def lets_in(policy: Policy, source: Event, arn: str = targets[rule]) -> bool:
            return allows_service({"Statement": list(policy)}, "events.amazonaws.com", "lambda:InvokeFunction", arn, source)

        judge_service_policy(tally, f"the permission of {rule}", policy, lets_in, ours, strangers)
    names = {
        "RecordInterruptionFunction",
        "ReconcileImagesFunction",
        "IndexChangesFunction",
        "SendDigestFunction",
        "CheckChannelsFunction",
    }
    assert sorted(targets.values()) == sorted(account.arn(name) for name in names)
    assert sorted(permitted) == sorted(account.ref(name) for name in names)
    by_event = [rule for rule, properties in of_type(account, "AWS::Events::Rule").items() if "EventPattern" in properties]
    assert [targets[rule] for rule in by_event] == [account.arn("RecordInterruptionFunction")]


def test_each_function_of_a_route_or_a_trigger_is_invoked_by_our_api_or_user_pool_only(evidence: Evidence) -> None:
    account, resolve = evidence.account, evidence.account.deployment.resolver.resolve
    api = f"arn:aws:execute-api:{REGION}:{ACCOUNT_ID}:{account.ref('Api')}/*/"
    sources = {"apigateway.amazonaws.com": api, "cognito-idp.amazonaws.com": account.arn("UserPool")}
    found = [one for one in of_type(account, "AWS::Lambda::Permission").values() if one["Principal"] in sources]
    assert {one["Principal"] for one in found} == set(sources)
    for permission in found:
        assert resolve(permission["SourceArn"]).startswith(sources[permission["Principal"]])


def judge_service_policy(
    tally: Tally,
    name: str,
    policy: Policy,
    lets_in: Callable[[Policy, Event], bool],
    ours: Event,
    strangers: Mapping[str, Event],
) -> None:
    """Our own service gets in by each action and resource; each condition by itself keeps a stranger out."""
    allow = [one for one in policy if one["Effect"] == "Allow"]
    assert lets_in(policy, ours)
    assert not any(lets_in(policy, stranger) for stranger in strangers.values())
    for what, left in without_one(allow):
        tally.judge(f"{name}: {what}", not lets_in(left, ours))
    for key, left in without_one_condition(allow):
        tally.judge(f"{name}: condition {key}", lets_in(left, strangers[key]))
    assert tally.survived == []


def test_plain_http_is_kept_out_of_buckets_and_queue(evidence: Evidence, tally: Tally) -> None:
    account, s3 = evidence.account, evidence.account.client("s3")
    policies = {name: json.loads(s3.get_bucket_policy(Bucket=account.ref(name))["Policy"])["Statement"] for name in BUCKETS}
    for name, policy in {**policies, "IntakeQueue": queue_policy(account)}.items():
        calls = calls_about(account, name)
        deny = [one for one in policy if one["Effect"] == "Deny"]
        assert all(kept_out(call, deny, secure=False) for call in calls)
        assert not any(kept_out(call, deny, secure=True) for call in calls)
        for what, left in without_one(deny):
            tally.judge(f"policy of {name}: {what}", not all(kept_out(call, left, secure=False) for call in calls))
        for key, left in without_one_condition(deny):
            tally.judge(f"policy of {name}: condition {key}", any(kept_out(call, left, secure=True) for call in calls))
    assert tally.survived == []


def calls_about(account: Account, name: str) -> list[Call]:
    """Listing a bucket and reading from it, or sending to the queue."""
    if name not in BUCKETS:
        return [sent("sqs:SendMessage", account.arn(name)).call]
    paths = (f"/{account.ref(name)}", f"/{account.ref(name)}/uploads/a.jpg")
    return [identify("GET", f"s3.{REGION}.amazonaws.com", path, "", {}, b"") for path in paths]


def kept_out(call: Call, policy: Policy, *, secure: bool) -> bool:
    transport = {"aws:SecureTransport": str(secure).lower()}
    actions = [(action, resource, {**context, **transport}) for action, resource, context in call.actions]
    return denied_by_resource(replace(call, actions=actions), {"Statement": list(policy)}, OWNER) is not None
