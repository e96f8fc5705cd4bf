"""One page of a run that applies a rule to history: stored findings, read once, held against the rule, and never asked for again.

Whatever is repeated changes nothing: what is on the record already isn't written again, and an alert has the id that it had
before. So a page can be cut off anywhere and begun again from its cursor.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from imagewatch import timestamps
from imagewatch.aws.dynamodb import Item, from_item
from imagewatch.aws.tables import image_scan as history_table
from imagewatch.aws.tables import rules as watchlist_table
from imagewatch.errors import InvalidRun, TransientError, Unavailable, UnreadableRecord
from imagewatch.observability import logger, set_log_context
from imagewatch.rules.backfill import Judgement, Progress, Run, judge
from imagewatch.rules.matching import Watchlist
from imagewatch.rules.model import Rule
from imagewatch.services.delivery import AlertSender

PAGE_SECONDS = 20
RESERVE_SECONDS = 50  # that the last image of a page may take: an urgent alert waits for its turn, a channel hangs
MAX_RACES = 10  # lost in a row over one record

Record = dict[str, Any]


def rule_of(run: Run, progress: Progress) -> Rule:
    """The rule as the run's first page found it. Raises InvalidRun when there is none to apply, InvalidRule for a damaged one."""
    if progress.rule is None:
        rule = watchlist_table.read(run.rule_id)
        if rule is None:
            raise InvalidRun(f"There is no rule {run.rule_id} on the watchlist. Is it the rule's id, and not its name?")
        if not rule.enabled:
            raise InvalidRun(f"The rule {run.rule_id} is disabled, so it matches nothing. Enable it first.")
        progress.rule = rule.to_record()
    return Rule.from_record(progress.rule)


class Page:
    """The images of one invocation. What is done with goes into the progress, one by one."""

    def __init__(self, run: Run, rule: Rule, progress: Progress, execution_arn: str, redrives: int = 0) -> None:
        """`redrives` counts how often the execution has been resumed."""
        self._run = run
        self._watchlist = Watchlist([rule])
        self._progress = progress
        self._execution = execution_arn
        # A page of an execution that was stopped may still be at work when it is resumed: they are two senders of alerts.
        self._sender = f"{execution_arn}#{redrives}" if redrives else execution_arn

    def work(self, remaining: float) -> None:
        """Goes on for PAGE_SECONDS, less when little remains of the invocation (seconds), and at least by one image.

        A page that has got something done keeps it when a service fails: the next page begins where this one ended. Only one
        that has done nothing raises TransientError, so that the workflow waits before it tries again.
        """
        before = self._progress.to_state()
        stop_at = timestamps.now() + round(min(PAGE_SECONDS, remaining - RESERVE_SECONDS) * timestamps.SECOND)
        try:
            self._go_on(stop_at)
        except TransientError as error:
            if self._progress.to_state() == before:
                raise
            logger.warning("The page ends early.", reason=str(error), error=type(error).__name__)
        self._progress.counts["Pages"] += 1
        set_log_context(None, self._execution)

    def _go_on(self, stop_at: int) -> None:
        progress = self._progress
        while not progress.done:
            piece = history_table.read(self._run, progress.cursor)
            for item in piece.items:
                set_log_context(from_item({name: item[name] for name in ("ImageId", "Key") if name in item}), self._execution)
                self._apply(item)
                progress.cursor = from_item({"ImageId": item["ImageId"]})
                if timestamps.now() >= stop_at:
                    return
            progress.cursor, progress.done = piece.cursor, piece.cursor is None
            if timestamps.now() >= stop_at:
                return

    def _apply(self, item: Item) -> None:
        """Brings one image's record in line with the rule, then alerts; counts what it has done, whatever comes after."""
        counts = self._progress.counts
        try:
            record, judgement = self._settle(item)
        except UnreadableRecord as error:
            # One record must not keep the run from all the others.
            logger.error("An image was skipped.", reason=str(error))
            counts["Skipped"] += 1
            return
        if judgement and judgement.verdict and self._run.alert:
            sender = AlertSender(judgement.image, record["Moderation"], self._sender, record.get("ExecutionArn", ""))
            [verdict] = self._watchlist.explained([judgement.verdict])
            self._progress.alerts[sender.record_and_send(verdict)] += 1
        counts["Examined"] += 1
        counts["Matched"] += bool(judgement and judgement.verdict)

    def _settle(self, item: Item) -> tuple[Record, Judgement | None]:
        """The image's record and how it is judged, once it says so; None when the run no longer covers it."""
        for _ in range(MAX_RACES):
            record = from_item(item)
            if not self._run.covers(record):
                return record, None
            judgement = judge(self._watchlist, record, datetime.now(UTC))
            if judgement.changed is None:
                return record, judgement
            current = history_table.rewrite(item, judgement.changed)
            if current is None:
                self._progress.counts["Recorded" if judgement.verdict else "Cleared"] += 1
                return record, judgement
            item = current
        raise Unavailable("The image's record is changed again and again; it is tried later.")
