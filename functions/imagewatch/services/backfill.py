"""One page of a backfill: reads stored findings, matches them against the rule, and updates records and alerts.

A repeated page changes nothing: a record that is up to date isn't written, and an alert keeps its id. So a page can be
interrupted anywhere and restarted from its cursor.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from imagewatch import timestamps
from imagewatch.aws.dynamodb import Item, from_item
from imagewatch.aws.tables import image_scan, search_index
from imagewatch.aws.tables import rules as rules_table
from imagewatch.errors import InvalidRun, TransientError, Unavailable, UnreadableRecord
from imagewatch.observability import logger, set_log_context
from imagewatch.rules.backfill import BackfillRun, Evaluation, Progress, evaluate_record
from imagewatch.rules.matched_rule import MatchedRule
from imagewatch.rules.matching import Watchlist
from imagewatch.rules.model import Rule
from imagewatch.services.delivery import AlertSender

PAGE_SECONDS = 20
RESERVE_SECONDS = 50  # for the last image of a page: an urgent alert waits for its slot, a channel doesn't answer
LONGEST_RUN_SECONDS = 110  # a little more than the function may run
MAX_CONFLICTS = 10  # in succession, over one record

Record = dict[str, Any]


def rule_of(run: BackfillRun, progress: Progress) -> Rule:
    """The rule as the run's first page read it. Raises InvalidRun when it can't be applied, InvalidRule for a damaged one."""
    if progress.rule is None:
        rule = rules_table.read(run.rule_id)
        if rule is None:
            raise InvalidRun(f"There is no rule {run.rule_id} on the watchlist. Is it the rule's id, and not its name?")
        if not rule.enabled:
            raise InvalidRun(f"The rule {run.rule_id} is disabled, so it matches nothing. Enable it first.")
        progress.rule = rule.to_item()
    return Rule.from_item(progress.rule)


class BackfillPage:
    """The images of one invocation. Each finished image is counted in the progress at once."""

    def __init__(self, run: BackfillRun, rule: Rule, progress: Progress, execution_arn: str, redrives: int = 0) -> None:
        """`redrives` counts how often the execution has been resumed."""
        self._run = run
        self._watchlist = Watchlist([rule], rules_table.read_mutes())
        self._progress = progress
        self._execution = execution_arn
        # A page of a stopped execution may still be running when the execution is resumed, so that there are two senders.
        self._sender = f"{execution_arn}#{redrives}" if redrives else execution_arn

    def work(self, remaining: float) -> None:
        """Works for PAGE_SECONDS, or less when little remains of the invocation (seconds), but on at least one image.

        When a service fails, a page that has finished images keeps them, and the next page continues after them. Only a page
        that has finished none raises TransientError, so that the workflow waits before it retries.
        """
        before = self._progress.to_state()
        stop_at = timestamps.now() + round(min(PAGE_SECONDS, remaining - RESERVE_SECONDS) * timestamps.SECOND)
        try:
            self._process_until(stop_at)
        except TransientError as error:
            if self._progress.to_state() == before:
                raise
            logger.warning("The page ends early.", reason=str(error), error=type(error).__name__)
        self._progress.counts["Pages"] += 1
        set_log_context(None, self._execution)

    def _process_until(self, stop_at: int) -> None:
        progress = self._progress
        while not progress.done:
            page = image_scan.read(self._run, progress.cursor)
            for item in page.items:
                set_log_context(from_item({name: item[name] for name in ("ImageId", "Key") if name in item}), self._execution)
                self._process(item)
                progress.cursor = from_item({"ImageId": item["ImageId"]})
                if timestamps.now() >= stop_at:
                    return
            progress.cursor, progress.done = page.cursor, page.cursor is None
            if timestamps.now() >= stop_at:
                return

    def _process(self, item: Item) -> None:
        """Updates one image's record, then alerts, then counts."""
        counts = self._progress.counts
        try:
            record, evaluation = self._update(item)
        except UnreadableRecord as error:
            # One damaged record must not stop the run.
            logger.error("An image was skipped.", reason=str(error))
            counts["Skipped"] += 1
            return
        matched = evaluation.matched if evaluation else None
        if evaluation and matched and self._run.alert:
            self._alert(record, evaluation, matched)
        counts["Examined"] += 1
        counts["Matched"] += bool(matched)

    def _alert(self, record: Record, evaluation: Evaluation, matched: MatchedRule) -> None:
        sender = AlertSender(evaluation.image, record["Moderation"], self._sender, record.get("ExecutionArn", ""))
        [defined] = self._watchlist.with_definitions([matched])
        sender.record_and_send([defined])
        for outcome, number in sender.outcomes.items():
            self._progress.alerts[outcome] += number

    def _update(self, item: Item) -> tuple[Record, Evaluation | None]:
        """The image's record and its evaluation, once the record is up to date; None when the run doesn't include it any more."""
        for _ in range(MAX_CONFLICTS):
            record = from_item(item)
            if not self._run.includes(record):
                return record, None
            evaluation = evaluate_record(self._watchlist, record, datetime.now(UTC))
            if evaluation.update is None:
                return record, evaluation
            # The rows follow the record: a page that is interrupted here finds the record up to date when it is repeated.
            search_index.mark_changed(record["ImageId"], rows_after=timestamps.milliseconds() + LONGEST_RUN_SECONDS * 1000)
            current = image_scan.update_matched_rules(item, evaluation.update)
            if current is None:
                self._progress.counts["Recorded" if evaluation.matched else "Cleared"] += 1
                return record, evaluation
            item = current
        raise Unavailable("The image's record was changed by others at each attempt. It is retried later.")
