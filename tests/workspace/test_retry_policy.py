import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.records import Reason
from curate.workspace.events import Event
from curate.workspace.ledger import unite
from curate.workspace.retry_policy import DAY, HOUR, POLICIES, is_retryable, may_retry

NOW = 1_800_000_000.0


def test_every_reason_has_a_policy():
    assert set(POLICIES) == set(Reason)


@pytest.mark.parametrize("reason", ["private", "terminated", "terms", "copyright", "members", "unsupported_url"])
def test_final_reasons_are_never_retried(reason):
    assert not is_retryable(Reason(reason))
    assert not may_retry(Reason(reason), tries=1, last=0.0, now=NOW)


@pytest.mark.parametrize("reason", ["geo", "age", "low_resolution"])
def test_reasons_that_need_a_change_outside_wait_for_curate_retry(reason):
    assert is_retryable(Reason(reason))
    assert not may_retry(Reason(reason), tries=1, last=0.0, now=NOW)
    assert POLICIES[Reason(reason)].advice


def test_removed_videos_are_tried_twice_more_each_time_after_thirty_days():
    assert not may_retry(Reason.REMOVED, tries=1, last=NOW - 29 * DAY, now=NOW)
    assert may_retry(Reason.REMOVED, tries=1, last=NOW - 30 * DAY, now=NOW)
    assert may_retry(Reason.REMOVED, tries=2, last=NOW - 30 * DAY, now=NOW)
    assert not may_retry(Reason.REMOVED, tries=3, last=NOW - 300 * DAY, now=NOW)


def test_rate_limited_waits_an_hour_however_often():
    assert not may_retry(Reason.RATE_LIMITED, tries=50, last=NOW - HOUR + 1, now=NOW)
    assert may_retry(Reason.RATE_LIMITED, tries=50, last=NOW - HOUR, now=NOW)


def test_a_clock_that_went_back_does_not_make_a_video_wait_for_it_to_catch_up():
    assert may_retry(Reason.RATE_LIMITED, tries=1, last=NOW + HOUR, now=NOW)
    assert not may_retry(Reason.RATE_LIMITED, tries=1, last=NOW + 30, now=NOW)
    assert not may_retry(Reason.REMOVED, tries=3, last=NOW + HOUR, now=NOW)


@given(reason=st.sampled_from(Reason), tries=st.integers(1, 30), age=st.floats(0, 400 * DAY), more=st.floats(0, DAY))
def test_waiting_longer_never_takes_a_retry_away(reason, tries, age, more):
    if may_retry(reason, tries=tries, last=NOW - age, now=NOW):
        assert may_retry(reason, tries=tries, last=NOW - age - more, now=NOW)
        assert is_retryable(reason)


def record(*outcomes: str):
    """The record of a video after some failures (by reason), ``done`` or ``reset``, one a second."""
    events = []
    for n, outcome in enumerate(outcomes, start=1):
        failed = outcome not in ("done", "reset")
        reason = Reason(outcome) if failed else None
        events.append(Event(float(n), "v", "download", "failed" if failed else outcome, "f", reason=reason))
    return unite(events)["v", "download"]


def test_tries_are_counted_by_reason():
    assert record("blocked", "blocked", "blocked", "incomplete").tries == 1
    assert record("incomplete", "incomplete").tries == 2
    assert record("incomplete", "blocked", "incomplete").tries == 1
    assert record("removed", "removed", "reset").tries == 0
    assert record("removed", "reset", "removed").tries == 1
    assert record("removed", "done").tries == 0


def test_the_first_failure_is_remembered_until_a_success():
    assert record("blocked", "incomplete", "reset", "removed").first_failure == 1.0
    assert record("blocked", "done").first_failure == 0.0
    assert record("blocked", "done", "network").first_failure == 3.0
