"""Active hours in local time, across midnight and in nights when clocks change; and snoozes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagewatch.errors import InvalidRule
from imagewatch.rules.fields import Place
from imagewatch.rules.model import Rule, Term
from imagewatch.rules.schedule import DAYS, ActiveHours, ActiveWindow, is_snoozed, mute_reason


def hours(zone: str, *windows: tuple[str, str, str]) -> ActiveHours:
    """("mon tue", "22:00", "06:00") and so on."""
    listed = [{"Days": days.split(), "From": start, "To": end} for days, start, end in windows]
    return ActiveHours.from_item({"TimeZone": zone, "Windows": listed})


def at(zone: str, wall: str, fold: int = 0) -> datetime:
    """What the clock on the wall shows, as a moment."""
    return datetime.fromisoformat(wall).replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC)


NIGHT = ("fri", "22:00", "06:00")


@pytest.mark.parametrize(
    ("window", "wall", "inside"),
    [
        # 2026-11-20 is a Friday.
        (("fri", "09:00", "17:00"), "2026-11-20T08:59:59", False),
        (("fri", "09:00", "17:00"), "2026-11-20T09:00:00", True),
        (("fri", "09:00", "17:00"), "2026-11-20T16:59:59", True),
        (("fri", "09:00", "17:00"), "2026-11-20T17:00:00", False),
        (("fri", "09:00", "17:00"), "2026-11-21T12:00:00", False),
        (NIGHT, "2026-11-20T21:59:59", False),
        (NIGHT, "2026-11-20T22:00:00", True),
        (NIGHT, "2026-11-20T23:59:59", True),
        (NIGHT, "2026-11-21T00:00:00", True),
        (NIGHT, "2026-11-21T05:59:59", True),
        (NIGHT, "2026-11-21T06:00:00", False),
        (NIGHT, "2026-11-20T03:00:00", False),  # Friday's small hours belong to Thursday's window
        (NIGHT, "2026-11-21T22:00:00", False),
        (("sun", "22:00", "06:00"), "2026-11-23T03:00:00", True),  # Sunday into Monday
        (("fri", "18:00", "00:00"), "2026-11-20T23:59:59", True),
        (("fri", "18:00", "00:00"), "2026-11-21T00:00:00", False),
        (("fri", "00:00", "00:00"), "2026-11-20T00:00:00", True),
        (("fri", "00:00", "00:00"), "2026-11-20T23:59:59", True),
        (("fri", "00:00", "00:00"), "2026-11-21T00:00:00", False),
        (("fri", "08:00", "08:00"), "2026-11-21T07:59:59", True),
    ],
)
@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "UTC"])
def test_a_window_belongs_to_the_day_it_begins(zone: str, window: tuple[str, str, str], wall: str, inside: bool) -> None:
    assert hours(zone, window).contains(at(zone, wall)) is inside


@pytest.mark.parametrize(
    ("zone", "moment", "inside"),
    [
        ("Asia/Kolkata", "2026-11-20T16:29:59Z", False),  # 21:59:59 at +05:30
        ("Asia/Kolkata", "2026-11-20T16:30:00Z", True),
        ("Asia/Kolkata", "2026-11-21T00:29:59Z", True),
        ("Asia/Kolkata", "2026-11-21T00:30:00Z", False),
        ("Europe/Berlin", "2026-11-20T21:00:00Z", True),
        ("Europe/Berlin", "2026-07-17T20:00:00Z", True),  # in summer an hour earlier
        ("Europe/Berlin", "2026-07-17T19:59:59Z", False),
        ("America/New_York", "2026-11-21T03:00:00Z", True),  # still Friday over there
        ("America/New_York", "2026-11-20T22:00:00Z", False),
    ],
)
def test_hours_are_those_of_the_time_zone(zone: str, moment: str, inside: bool) -> None:
    assert hours(zone, NIGHT).contains(datetime.fromisoformat(moment)) is inside


def real_minutes(active: ActiveHours, start: str, days: int) -> int:
    """How many minutes really pass inside the hours."""
    begin = datetime.fromisoformat(start)
    return sum(active.contains(begin + timedelta(minutes=minute)) for minute in range(days * 24 * 60))


@pytest.mark.parametrize(
    ("zone", "night", "start", "expected_hours"),
    [
        ("Europe/Berlin", "sat", "2026-03-28T12:00:00Z", 7),  # 02:00 -> 03:00 on Sunday
        ("Europe/Berlin", "sat", "2026-10-24T12:00:00Z", 9),  # 03:00 -> 02:00
        ("Europe/Berlin", "sat", "2026-11-21T12:00:00Z", 8),
        ("America/New_York", "sat", "2026-03-07T18:00:00Z", 7),
        ("America/New_York", "sat", "2026-10-31T18:00:00Z", 9),
        ("Australia/Lord_Howe", "sat", "2026-04-04T00:00:00Z", 8.5),  # half an hour back
        ("Asia/Kolkata", "sat", "2026-03-28T08:00:00Z", 8),  # never changes
        ("America/Havana", "sat", "2026-03-07T18:00:00Z", 7),  # midnight itself is skipped: 00:00 -> 01:00
        ("America/Havana", "sat", "2026-10-31T18:00:00Z", 9),
    ],
)
def test_a_night_is_as_long_as_the_change_of_clocks_makes_it(zone: str, night: str, start: str, expected_hours: float) -> None:
    assert real_minutes(hours(zone, (night, "22:00", "06:00")), start, 1) == expected_hours * 60


def test_an_hour_that_occurs_twice_is_in_the_window_both_times_or_neither() -> None:
    active = hours("Europe/Berlin", ("sun", "02:00", "02:30"))
    for fold in (0, 1):
        assert active.contains(at("Europe/Berlin", "2026-10-25T02:29:00", fold))
        assert not active.contains(at("Europe/Berlin", "2026-10-25T02:30:00", fold))


def test_a_window_inside_the_hour_that_is_skipped_never_opens() -> None:
    assert real_minutes(hours("Europe/Berlin", ("sun", "02:00", "03:00")), "2026-03-28T12:00:00Z", 1) == 0


def test_where_midnight_is_skipped_the_next_day_begins_an_hour_later() -> None:
    # Havana, 2026-03-08: after 23:59:59 on Saturday the clock shows 01:00 on Sunday.
    last_second = datetime.fromisoformat("2026-03-08T04:59:59Z")
    saturday, sunday = hours("America/Havana", ("sat", "00:00", "00:00")), hours("America/Havana", ("sun", "00:00", "00:00"))
    assert (saturday.contains(last_second), sunday.contains(last_second)) == (True, False)
    later = last_second + timedelta(seconds=1)
    assert (saturday.contains(later), sunday.contains(later)) == (False, True)
    assert real_minutes(sunday, "2026-03-07T12:00:00Z", 3) == 23 * 60


def test_where_midnight_occurs_twice_the_window_that_crosses_it_stays_open() -> None:
    # Havana, 2026-11-01: at 01:00 on Sunday the clock goes back to 00:00.
    active = hours("America/Havana", ("sat", "23:00", "00:30"))
    assert real_minutes(active, "2026-10-31T12:00:00Z", 1) == 60 + 30 + 30


ZONES = st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Kolkata", "America/Havana", "Australia/Lord_Howe"])
MINUTES = st.integers(0, 24 * 60 - 1)
WINDOWS = st.builds(ActiveWindow, st.sets(st.sampled_from(DAYS), min_size=1).map(tuple), MINUTES, MINUTES)
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))


@given(ZONES, st.lists(WINDOWS, min_size=1, max_size=3), MOMENTS)
def test_windows_add_up(zone: str, windows: list[ActiveWindow], moment: datetime) -> None:
    alone = [ActiveHours(zone, (window,)).contains(moment) for window in windows]
    assert ActiveHours(zone, tuple(windows)).contains(moment) is any(alone)


@given(ZONES, WINDOWS, MOMENTS)
def test_the_time_zone_in_which_a_moment_is_written_does_not_matter(zone: str, window: ActiveWindow, moment: datetime) -> None:
    active = ActiveHours(zone, (window,))
    assert active.contains(moment) is active.contains(moment.astimezone(ZoneInfo("Pacific/Apia")))


@given(ZONES, st.sets(st.sampled_from(DAYS), min_size=1), MINUTES, MINUTES, MOMENTS)
def test_a_window_and_the_rest_of_its_day_cover_each_minute_once(
    zone: str, days: set[str], start: int, end: int, moment: datetime
) -> None:
    whole = ActiveHours(zone, (ActiveWindow(tuple(days), start, start),))
    parts = [ActiveHours(zone, (ActiveWindow(tuple(days), start, end),)), ActiveHours(zone, (_rest(days, start, end),))]
    if start != end:
        assert sum(part.contains(moment) for part in parts) == whole.contains(moment)


def _rest(days: set[str], start: int, end: int) -> ActiveWindow:
    """From the end of the window to the same time a day after its start."""
    next_day = end < start
    shifted = tuple(DAYS[(DAYS.index(day) + next_day) % 7] for day in days)
    return ActiveWindow(shifted, end, start)


@given(ZONES, WINDOWS)
def test_active_hours_survive_being_written_and_read(zone: str, window: ActiveWindow) -> None:
    active = ActiveHours(zone, (ActiveWindow(tuple(sorted(window.days, key=DAYS.index)), window.start, window.end),))
    assert ActiveHours.from_item(active.to_item()) == active


HERE = Place(label="here")
GOOD: dict[str, Any] = {"TimeZone": "Europe/Berlin", "Windows": [{"Days": ["fri"], "From": "22:00", "To": "06:00"}]}


def window(**changes: Any) -> dict[str, Any]:
    return {"Windows": [*GOOD["Windows"], {**GOOD["Windows"][0], **changes}]}


ZONE = "here: TimeZone must be the name of a time zone, such as Europe/Berlin, not"
DAY_LIST = "Days must be a list with 1 to 7 entries, each one of mon, tue, wed, thu, fri, sat, sun, not"
TIME = 'must be a time of day in quotes from "00:00" to "23:59", not'


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"TimeZone": "Europe/Berln"}, f"{ZONE} 'Europe/Berln'. Did you mean Europe/Berlin?"),
        ({"TimeZone": "europe/berlin"}, f"{ZONE} 'europe/berlin'. Did you mean Europe/Berlin?"),
        ({"TimeZone": "Berlin"}, f"{ZONE} 'Berlin'. Did you mean Europe/Berlin?"),
        ({"TimeZone": "Europe"}, f"{ZONE} 'Europe'."),
        ({"TimeZone": "../etc/passwd"}, f"{ZONE} '../etc/passwd'."),
        ({"TimeZone": ""}, f"{ZONE} ''."),
        ({"TimeZone": 1}, f"{ZONE} 1."),
        ({"Windows": []}, "here: Windows must have at least one entry; leave out ActiveHours for a rule that is always active."),
        ({"Windows": "fri"}, "here: Windows must be a list, not 'fri'."),
        ({"Windows": ["fri"]}, "here: Windows, entry 1 must be Days, From and To, not 'fri'."),
        (window(Days=["friday"]), f"here: Windows, entry 2: {DAY_LIST} ['friday']."),
        (window(Days=[["fri"]]), f"here: Windows, entry 2: {DAY_LIST} [['fri']]."),
        (window(Days=[]), f"here: Windows, entry 2: {DAY_LIST} []."),
        (window(From="24:00"), f"here: Windows, entry 2: From {TIME} '24:00'."),
        (window(From="7:00"), f"here: Windows, entry 2: From {TIME} '7:00'."),
        (window(To=1320), f"here: Windows, entry 2: To {TIME} 1320."),
        (window(Till="06:00"), "here: Windows, entry 2: 'Till' is not a field of it. Its fields are Days, From, To."),
        ({"Zone": "UTC"}, "here: 'Zone' is not a field of it. Did you mean TimeZone?"),
    ],
)
def test_what_is_wrong_with_active_hours_is_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRule) as refused:
        ActiveHours.from_item(GOOD | changes, HERE)
    assert str(refused.value) == message


@pytest.mark.parametrize("missing", ["TimeZone", "Windows", "Days", "From", "To"])
def test_what_is_missing_in_active_hours_is_named(missing: str) -> None:
    record = {name: value for name, value in GOOD.items() if name != missing}
    if missing not in GOOD:
        record["Windows"] = [{name: value for name, value in GOOD["Windows"][0].items() if name != missing}]
    with pytest.raises(InvalidRule, match=rf"^here.*: {missing} is missing; it must be "):
        ActiveHours.from_item(record, HERE)


RULE = Rule("r1", "Rule", (Term("car"),), snoozed_until="2026-11-20T12:00:00.000Z")


@pytest.mark.parametrize(
    ("now", "silent"),
    [
        ("2026-11-20T11:59:59.999+00:00", True),
        ("2026-11-20T12:00:00+00:00", False),
        ("2026-11-20T12:59:59+01:00", True),
        ("2026-11-20T13:00:00+01:00", False),
    ],
)
def test_a_snooze_ends_at_its_moment(now: str, silent: bool) -> None:
    assert is_snoozed(RULE, datetime.fromisoformat(now)) is silent


def test_a_rule_that_is_not_snoozed_is_awake() -> None:
    assert not is_snoozed(Rule("r1", "Rule", (Term("car"),)), datetime(2026, 11, 20, tzinfo=UTC))


def test_a_snooze_is_reported_before_the_active_hours() -> None:
    one = Rule("r1", "Rule", active_hours=hours("UTC", ("mon", "00:00", "01:00")), snoozed_until=RULE.snoozed_until)
    friday = datetime(2026, 11, 20, 11, tzinfo=UTC)
    assert mute_reason(one, friday, friday) == "snoozed until 2026-11-20T12:00:00.000Z"
    assert mute_reason(one, friday, friday + timedelta(hours=1)) == "outside its active hours"
