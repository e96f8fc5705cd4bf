"""The template: the values that AWS's documentation asks for, exact permissions, alarms and names."""

from __future__ import annotations

import json
import re
import tomllib
from typing import Any

import pytest
from botocore.session import Session

from imagewatch.images.version import IMAGE_PREFIXES
from imagewatch.services import reconciliation
from tools.sam_template import Resolver, Template, TemplateError, load_template

from .conftest import ROOT, functions
from .decided_template import decided

SOURCE = (ROOT / "template.yaml").read_text(encoding="utf-8")


def resource(template: Template, logical_id: str) -> dict[str, Any]:
    properties: dict[str, Any] = template.resources[logical_id]["Properties"]
    return properties


def of_type(template: Template, kind: str) -> dict[str, dict[str, Any]]:
    return {name: r.get("Properties", {}) for name, r in template.resources.items() if r["Type"] == kind}


def statements(template: Template) -> list[tuple[str, dict[str, Any]]]:
    found = []
    for name, role in of_type(template, "AWS::IAM::Role").items():
        found += [(name, s) for policy in role.get("Policies", []) for s in policy["PolicyDocument"]["Statement"]]
    for name, policy in of_type(template, "AWS::IAM::ManagedPolicy").items():
        found += [(name, s) for s in policy["PolicyDocument"]["Statement"]]
    return found


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def test_the_visibility_timeout_is_six_times_the_timeout_of_the_function(template: Template) -> None:
    timeout = functions(template)["StartAnalysisFunction"]["Timeout"]
    assert resource(template, "IntakeQueue")["VisibilityTimeout"] >= 6 * timeout


@pytest.mark.parametrize("intakes", ["2", "3", "4", "5", "8", "20", "100"])
@pytest.mark.parametrize("rate", ["1", "1.5", "2", "2.5", "10", "24", "24.9", "25", "25.5", "100", "200", "300"])
def test_no_accepted_combination_lets_intakes_wait_longer_than_their_time(intakes: str, rate: str) -> None:
    """A batch of 10 waits up to 10 x intakes x 1.1 / rate seconds for its slots; 50 of Start Analysis' 60 are for it."""
    parameters = {"IntakeConcurrency": intakes, "MaxImagesPerSecond": rate}
    waits = 10 * int(intakes) * 1.1 / float(rate)
    try:
        load_template(ROOT / "template.yaml", parameters)  # checks the rules
        accepted = True
    except TemplateError as error:
        assert "IntakeConcurrency above 4 needs MaxImagesPerSecond of 25 or more" in str(error)
        accepted = False
    assert waits <= 50 if accepted else int(intakes) > 4
    assert accepted or float(rate) < 25 or rate == "25.5"


def test_a_dead_letter_is_kept_for_ten_days_at_least(template: Template) -> None:
    """Expiration counts from the original enqueue (Amazon SQS developer guide, "Setting-up dead-letter queue retention")."""
    source, dead = (resource(template, name)["MessageRetentionPeriod"] for name in ("IntakeQueue", "DeadLetterQueue"))
    assert source == 4 * 24 * 3600
    assert dead - source >= 10 * 24 * 3600


def test_no_message_is_given_up_before_two_hours(template: Template) -> None:
    queue = resource(template, "IntakeQueue")
    assert (queue["RedrivePolicy"]["maxReceiveCount"] - 1) * queue["VisibilityTimeout"] >= 1.9 * 3600


def test_the_reconciliation_knows_how_long_executions_and_dead_letters_last(template: Template) -> None:
    workflow = json.loads((ROOT / "statemachine" / "analyze_image.asl.json").read_text(encoding="utf-8"))
    assert workflow["TimeoutSeconds"] + 300 <= reconciliation.OVERDUE_SECONDS
    assert resource(template, "DeadLetterQueue")["MessageRetentionPeriod"] <= reconciliation.RETENTION_SECONDS
    # A removal that waits for an analysis to be recorded is retried for longer than that can take.
    queue = resource(template, "IntakeQueue")
    longest = reconciliation.OVERDUE_SECONDS + 2 * 15 * 60
    assert (queue["RedrivePolicy"]["maxReceiveCount"] - 1) * queue["VisibilityTimeout"] > longest
    assert resource(template, "ReconcileImagesFunctionEveryQuarterHour")["ScheduleExpression"] == "rate(15 minutes)"


def test_an_interruption_that_eventbridge_cannot_deliver_is_kept(template: Template) -> None:
    rule = template.resources["RecordInterruptionFunctionExecutionEnded"]["Properties"]
    (target,) = rule["Targets"]
    assert target["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": ["InterruptionsDeadLetterQueue", "Arn"]}}
    allow, deny = resource(template, "InterruptionsDeadLetterQueuePolicy")["PolicyDocument"]["Statement"]
    assert (allow["Principal"], allow["Action"]) == ({"Service": "events.amazonaws.com"}, "sqs:SendMessage")
    assert allow["Condition"]["ArnEquals"] == {
        "aws:SourceArn": {"Fn::GetAtt": ["RecordInterruptionFunctionExecutionEnded", "Arn"]}
    }
    assert deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_one_bad_message_does_not_repeat_the_others_of_its_batch(template: Template) -> None:
    (mapping,) = of_type(template, "AWS::Lambda::EventSourceMapping").values()
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["ScalingConfig"]["MaximumConcurrency"] == {"Ref": "IntakeConcurrency"}
    assert int(re.search(r"IntakeConcurrency:\n.+\n.+\n\s+MinValue: (\d+)", SOURCE)[1]) >= 2  # type: ignore[index]


def test_the_bucket_reports_creations_and_removals_by_prefix_and_not_by_suffix(template: Template) -> None:
    configurations = resource(template, "ImagesBucket")["NotificationConfiguration"]["QueueConfigurations"]
    rules = [(entry["Event"], *entry["Filter"]["S3Key"]["Rules"]) for entry in configurations]
    expected = [
        (f"s3:{event}:*", {"Name": "prefix", "Value": prefix})
        for prefix in IMAGE_PREFIXES
        for event in ("ObjectCreated", "ObjectRemoved", "LifecycleExpiration")
    ]
    assert rules == expected


def test_an_overwritten_or_deleted_image_can_be_restored_for_a_month(template: Template) -> None:
    rules = resource(template, "ImagesBucket")["LifecycleConfiguration"]["Rules"]
    (days,) = [rule["NoncurrentVersionExpiration"]["NoncurrentDays"] for rule in rules if "NoncurrentVersionExpiration" in rule]
    assert days == 30
    assert all(rule["Status"] == "Enabled" and "ExpirationInDays" not in rule and "Prefix" not in rule for rule in rules)


def test_a_message_becomes_a_dead_letter_within_its_retention(template: Template) -> None:
    """After the queue's retention, SQS deletes a message instead of moving it to the dead-letter queue."""
    queue = resource(template, "IntakeQueue")
    longest = queue["RedrivePolicy"]["maxReceiveCount"] * queue["VisibilityTimeout"]
    assert longest <= 3 * 3600
    assert longest < queue["MessageRetentionPeriod"] / 10


def test_only_the_images_bucket_of_this_account_may_send_to_the_intake(template: Template) -> None:
    """A bucket's name can be taken by another account after it was deleted (IAM user guide, "The confused deputy problem")."""
    policy = resource(template, "IntakeQueuePolicy")["PolicyDocument"]["Statement"]
    (allowed,) = [statement for statement in policy if statement["Effect"] == "Allow"]
    assert allowed["Principal"] == {"Service": "s3.amazonaws.com"}
    assert allowed["Condition"]["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
    assert "aws:SourceArn" in allowed["Condition"]["ArnEquals"]


def test_no_write_of_a_function_starts_the_workflow(template: Template) -> None:
    """But for the forms that Api Uploads signs: what people send with them is to be analysed."""
    assert "NotificationConfiguration" not in resource(template, "RenditionsBucket")
    for name, statement in statements(template):
        if "s3:PutObject" in as_list(statement["Action"]) and name != "ApiUploadsRole":
            assert "ImagesBucket" not in str(statement["Resource"]), name


def test_s3_may_send_before_the_notification_is_created(template: Template) -> None:
    assert "IntakeQueuePolicy" in as_list(template.resources["ImagesBucket"]["DependsOn"])


def test_buckets_are_private_encrypted_and_reached_by_tls_only(template: Template) -> None:
    policies = {policy["Bucket"]["Ref"]: policy for policy in of_type(template, "AWS::S3::BucketPolicy").values()}
    for name, bucket in of_type(template, "AWS::S3::Bucket").items():
        assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}, name
        assert bucket["BucketEncryption"], name
        (deny,) = policies[name]["PolicyDocument"]["Statement"]
        assert (deny["Effect"], deny["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}}), name


def test_tables_that_hold_peoples_data_can_be_restored_to_any_moment(template: Template) -> None:
    for name, table in of_type(template, "AWS::DynamoDB::Table").items():
        if name != "IntakeRateLimiterTable":  # one counter: nothing to restore
            assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}, name


def test_tables_are_encrypted_with_dynamodbs_own_key(template: Template) -> None:
    """Every table is encrypted at rest. SSEEnabled: true would choose the key alias/aws/dynamodb, whose use AWS KMS charges for.

    Source: Amazon DynamoDB developer guide, "Encryption at rest: How it works" (the default is an AWS owned key, free of charge).
    """
    for name, table in of_type(template, "AWS::DynamoDB::Table").items():
        assert "SSESpecification" not in table, name


def test_data_outlives_the_stack(template: Template) -> None:
    for name, entry in template.resources.items():
        if entry["Type"] in ("AWS::S3::Bucket", "AWS::DynamoDB::Table") and name != "IntakeRateLimiterTable":
            protected = entry["Properties"].get("DeletionProtectionEnabled")
            kept = "Retain" if protected else "RetainExceptOnCreate"  # a rollback could not delete a protected table
            assert (entry["DeletionPolicy"], entry["UpdateReplacePolicy"]) == (kept, "Retain"), name


def test_tables_with_users_data_are_protected_against_deletion(template: Template) -> None:
    tables = of_type(template, "AWS::DynamoDB::Table")
    protected = {name for name, table in tables.items() if table.get("DeletionProtectionEnabled")}
    assert set(tables) - protected == {"IntakeRateLimiterTable", "CooldownsTable"}


def test_the_policy_of_a_kept_bucket_is_kept_too(template: Template) -> None:
    """Otherwise a bucket that outlives its stack would accept requests without TLS."""
    for name, entry in template.resources.items():
        if entry["Type"] == "AWS::S3::BucketPolicy":
            bucket = template.resources[entry["Properties"]["Bucket"]["Ref"]]
            assert entry["DeletionPolicy"] == bucket["DeletionPolicy"], name


LONGEST_STACK_NAME = 24


def test_bucket_names_fit_for_every_region_if_the_stack_name_has_the_length_that_the_template_says(template: Template) -> None:
    """A bucket's name has at most 63 characters (Amazon S3 user guide, "General purpose bucket naming rules")."""
    regions = [region for partition in ("aws", "aws-cn", "aws-us-gov") for region in regions_of(partition)]
    for name, bucket in of_type(template, "AWS::S3::Bucket").items():
        for region in regions:
            values = {"AWS::StackName": "s" * LONGEST_STACK_NAME, "AWS::AccountId": "1" * 12, "AWS::Region": region}
            full = re.sub(r"\$\{([\w:]+)\}", lambda match: values[match[1]], bucket["BucketName"]["Fn::Sub"])  # noqa: B023
            assert len(full) <= 63, f"{name}: {full}"
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for text in (template.body["Description"], readme):
        assert f"at most {LONGEST_STACK_NAME} characters" in " ".join(text.split())


def regions_of(partition: str) -> list[str]:
    """The Regions with Rekognition; a stack needs one."""
    return Session().get_available_regions("rekognition", partition_name=partition)


def test_the_environments_of_samconfig_have_separate_stacks_and_ci_asks_nothing() -> None:
    config = tomllib.loads((ROOT / "samconfig.toml").read_text(encoding="utf-8"))
    environments = {name: entry for name, entry in config.items() if isinstance(entry, dict)}
    names = [entry["global"]["parameters"]["stack_name"] for entry in environments.values()]
    assert len(names) == len(set(names))
    for name, entry in environments.items():
        assert re.fullmatch(rf"[a-z][a-z0-9-]{{0,{LONGEST_STACK_NAME - 1}}}", entry["global"]["parameters"]["stack_name"]), name
        deploy = entry["deploy"]["parameters"]
        assert deploy["confirm_changeset"] is deploy.get("fail_on_empty_changeset", True), f"{name} mixes CI and a person"


def test_each_function_has_a_separate_role(template: Template) -> None:
    roles = [str(properties["Role"]) for properties in functions(template).values()]
    assert len(roles) == len(set(roles))


def test_no_action_is_a_wildcard(template: Template) -> None:
    for name, statement in statements(template):
        assert not any("*" in action for action in as_list(statement["Action"])), name


def test_each_wildcard_resource_has_its_reason_beside_it() -> None:
    lines = SOURCE.splitlines()
    wildcards = [number for number, line in enumerate(lines) if 'Resource: "*"' in line]
    assert wildcards
    for number in wildcards:
        first = next(above for above in range(number, 0, -1) if "Effect: Allow" in lines[above])
        assert " # " in lines[first] or lines[first - 1].lstrip().startswith("# "), f"template.yaml, line {number + 1}"


def test_every_function_traces_and_logs_json_into_the_shared_log(template: Template) -> None:
    for name, properties in functions(template).items():
        assert properties["TracingConfig"] == {"Mode": "Active"}, name
        assert properties["LoggingConfig"]["LogFormat"] == "JSON", name
        assert properties["LoggingConfig"]["LogGroup"] == {"Ref": "FunctionsLogGroup"}, name
        assert properties["Runtime"] == "python3.13", name


def test_every_function_logs_lambdas_report_of_each_invocation(template: Template) -> None:
    """At WARN, Lambda leaves out platform.report, which has the duration, memory and initialisation of an invocation."""
    for name, properties in functions(template).items():
        assert properties["LoggingConfig"]["SystemLogLevel"] == "INFO", name


def test_alarms_reach_the_alert_address_if_operations_has_none() -> None:
    for alert, operations, expected in (("a@x", "", "a@x"), ("a@x", "o@x", "o@x"), ("", "o@x", "o@x"), ("", "", None)):
        template = load_template(ROOT / "template.yaml", {"AlertEmail": alert, "OperationsEmail": operations})
        found = decided(template)["Resources"].get("OperationsEmailSubscription")
        resolver = Resolver(template, "us-east-1", lambda name: name, lambda name, attribute: name)
        assert (resolver.resolve(found["Properties"]["Endpoint"]) if found else None) == expected


def test_the_alarms_that_operators_rely_on_reach_the_operations_topic(template: Template) -> None:
    alarms = of_type(template, "AWS::CloudWatch::Alarm")
    watched = {(alarm["Namespace"], alarm["MetricName"]) for alarm in alarms.values()}
    assert watched >= {
        ("AWS/SQS", "ApproximateNumberOfMessagesVisible"),
        ("AWS/SQS", "ApproximateAgeOfOldestMessage"),
        ("AWS/States", "ExecutionsFailed"),
    }
    operations = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    for name, alarm in alarms.items():
        assert alarm["AlarmActions"] == [{"Ref": "OperationsTopic"}], name
        assert f"| {name} |" in operations, f"docs/operations.md doesn't list {name}"


def test_the_stacks_of_one_account_are_counted_separately(template: Template) -> None:
    stack = {"Ref": "AWS::StackName"}
    for name, properties in functions(template).items():
        assert properties["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"] == stack, name
    ours = [alarm for alarm in of_type(template, "AWS::CloudWatch::Alarm").values() if alarm["Namespace"] == "Imagewatch"]
    assert len(ours) >= 2
    assert [alarm["Dimensions"] for alarm in ours] == [[{"Name": "service", "Value": stack}]] * len(ours)


def test_one_call_with_all_its_attempts_ends_before_any_function(template: Template) -> None:
    """tests/unit/test_aws_errors.py checks the client's timeouts."""
    assert min(properties["Timeout"] for properties in functions(template).values()) >= 30


def test_every_alarm_has_a_section_that_says_what_to_do(template: Template) -> None:
    operations = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    sections = {heading.lower().replace(" ", "-") for heading in re.findall(r"^## (.+)$", operations, re.MULTILINE)}
    for name in of_type(template, "AWS::CloudWatch::Alarm"):
        (row,) = re.findall(rf"^\| {name} \|.*$", operations, re.MULTILINE)
        led = re.findall(r"\]\(#([-a-z]+)\)", row)
        assert led, name
        assert set(led) <= sections, name


def test_eventbridge_reports_every_end_that_no_catch_handles(template: Template) -> None:
    (rule,) = [rule for rule in of_type(template, "AWS::Events::Rule").values() if "EventPattern" in rule]
    assert set(rule["EventPattern"]["detail"]["status"]) >= {"TIMED_OUT", "ABORTED", "FAILED"}


def test_every_environment_variable_that_is_set_is_read_and_every_one_that_is_read_is_set(template: Template) -> None:
    read = set()
    for path in (ROOT / "functions").rglob("*.py"):
        # optional_setting() is for what the template leaves to an operator, such as CHANNEL_NETWORKS.
        read |= set(re.findall(r'\bsetting\("(\w+)"\)', path.read_text(encoding="utf-8")))
    given = {name for properties in functions(template).values() for name in properties["Environment"]["Variables"]}
    assert {name for name in given if not name.startswith("POWERTOOLS_")} == read - {"AWS_REGION"}


def test_every_parameter_has_a_description_in_full_sentences(template: Template) -> None:
    for name, parameter in template.body["Parameters"].items():
        assert parameter.get("Description", "").endswith((".", ")")), name


def test_the_highest_rate_stays_below_the_writes_that_one_dynamodb_key_accepts() -> None:
    """All intakes update one item, up to three times for each start (test_pacing_backlog), and refused updates count too.

    Source: Amazon DynamoDB developer guide, "Best practices for designing and using partition keys": 1,000 write units a second.
    """
    highest = re.search(r"MaxImagesPerSecond:\n(?:.+\n)*?\s+MaxValue: (\d+)", SOURCE)
    assert highest is not None
    assert 3 * int(highest[1]) < 1_000


def test_the_rate_names_the_quota_of_every_rekognition_operation() -> None:
    described = re.search(r"MaxImagesPerSecond:\n(?:    .+\n)+", SOURCE)
    assert described is not None
    operations = {"DetectLabels", "DetectModerationLabels", "DetectText"}
    assert {name for name in operations if f"rekognition:{name}" in SOURCE} == operations
    assert {name for name in operations if re.search(rf"\b{name}\b", described[0])} == operations


def test_refused_invocations_raise_an_alarm(template: Template) -> None:
    alarms = of_type(template, "AWS::CloudWatch::Alarm").values()
    (alarm,) = [alarm for alarm in alarms if alarm.get("MetricName") == "Throttles"]
    assert (alarm["Namespace"], alarm["Statistic"], alarm["ComparisonOperator"]) == (
        "AWS/Lambda",
        "Sum",
        "GreaterThanOrEqualToThreshold",
    )
    assert alarm["Dimensions"] == [{"Name": "FunctionName", "Value": {"Ref": "ValidateImageFunction"}}]  # each image passes it
    assert alarm["Period"] * alarm["EvaluationPeriods"] <= 900
