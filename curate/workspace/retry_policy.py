"""When a failed video is tried again: one table over `curate.records.Reason`.

The table decides about failures that a stage called retryable; a failure it did not call retryable is final for its
fingerprint, whatever stands here. ``curate retry`` overrules both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from curate.records import Reason

MINUTE = 60.0
HOUR = 60 * MINUTE
DAY = 24 * HOUR

CLOCKS_DIFFER = 10 * MINUTE
"""Seconds by which the clocks of two machines may differ without anybody having set one."""


@dataclass(frozen=True)
class RetryPolicy:
    """What happens to a video after it failed for one reason.

    Attributes:
        again: ``automatic``: the next run tries it; ``asked``: only after ``curate retry``, because something outside
            has to change first; ``never``: the answer will not change, so the failure is not retryable.
        wait: Seconds that must have passed since the last try.
        tries: Most tries in all, the first included; ``None`` for no limit.
        advice: What the user can do about it; empty where nothing helps.
    """

    again: Literal["automatic", "asked", "never"]
    wait: float = 0.0
    tries: int | None = None
    advice: str = ""


NEVER = RetryPolicy("never")

POLICIES: Mapping[Reason, RetryPolicy] = MappingProxyType(
    {
        Reason.PRIVATE: NEVER,
        Reason.REMOVED: RetryPolicy("automatic", wait=30 * DAY, tries=3),
        Reason.TERMINATED: NEVER,
        Reason.TERMS: NEVER,
        Reason.COPYRIGHT: NEVER,
        Reason.GEO: RetryPolicy("asked", advice="try from another country: --proxy or --source-address"),
        Reason.AGE: RetryPolicy("asked", advice="try with the cookies of a grown-up account: --cookies FILE"),
        Reason.MEMBERS: NEVER,
        Reason.LIVE: RetryPolicy("automatic", wait=DAY, tries=15),
        Reason.EMBEDDING: RetryPolicy("asked", advice="try another client: extractor_args in --yt-dlp"),
        Reason.NO_FORMAT: RetryPolicy(
            "automatic", wait=DAY, tries=3, advice="a JavaScript runtime and a newer yt-dlp: see curate doctor"
        ),
        Reason.LOW_RESOLUTION: RetryPolicy("asked", advice="try another client: extractor_args in --yt-dlp"),
        Reason.UNSUPPORTED_URL: NEVER,
        Reason.LOCAL_ADDRESS: RetryPolicy("asked", advice="name it with --local-addresses, if you want it fetched"),
        Reason.NOT_FOUND: RetryPolicy("automatic", wait=DAY, tries=3),
        Reason.BLOCKED: RetryPolicy("automatic", advice="cookies, another address, or a PO token provider plugin"),
        Reason.RATE_LIMITED: RetryPolicy("automatic", wait=HOUR, advice="a slower pace: --sleep-interval"),
        Reason.FORBIDDEN: RetryPolicy("automatic", tries=5, advice="cookies, or another address"),
        Reason.NETWORK: RetryPolicy("automatic", tries=10, advice="check the connection"),
        Reason.INCOMPLETE: RetryPolicy("automatic", tries=5),
        Reason.FILE_MISSING: RetryPolicy(
            "automatic", advice="put the file back, or name the list again with where it is now"
        ),
        Reason.EMPTY_FILE: RetryPolicy("automatic", advice="copy the file again"),
        Reason.NOT_A_VIDEO: NEVER,
        Reason.NO_VIDEO_STREAM: NEVER,
        Reason.NO_FRAMES: NEVER,
        Reason.TOO_LARGE: NEVER,
        Reason.UNSUPPORTED_CODEC: NEVER,
        Reason.ENCRYPTED: NEVER,
        Reason.OPTED_OUT: NEVER,
        Reason.DUPLICATE: NEVER,
        Reason.NOT_LISTED: NEVER,
        Reason.NOT_SURGICAL: NEVER,
        Reason.NO_SURGICAL_RUN: NEVER,
        Reason.REVIEWED: NEVER,
        Reason.CRASHED: RetryPolicy("automatic", tries=3),
        Reason.TIMED_OUT: RetryPolicy("automatic", tries=3),
        Reason.OUT_OF_MEMORY: RetryPolicy("automatic", tries=3),
        Reason.BAD_ARTEFACT: RetryPolicy("automatic", tries=3),
        Reason.ERROR: RetryPolicy(
            "automatic", tries=3, advice="for downloads a newer yt-dlp: pip install -U 'curate[download]'"
        ),
    }
)
"""One policy for every reason. The download part follows YouTube's behaviour in 2026: "removed" is sometimes undone
within weeks, "try again later" lasts up to an hour, a live stream becomes a video within days."""


def is_retryable(reason: Reason) -> bool:
    """Whether a failure for this reason may ever be tried again: the value for ``Failed.retryable``."""
    return POLICIES[reason].again != "never"


def may_retry(reason: Reason, *, tries: int, last: float, now: float) -> bool:
    """Whether the next run should try a failed video again without being asked.

    Args:
        reason: Why the last try failed.
        tries: Tries so far, at least 1.
        last: When the last try ended, Unix seconds.
        now: Unix seconds; before ``last`` where a clock went back or those of two machines differ. Then nobody knows
            how long the last try lies back: a few minutes are taken for none, more for long enough.
    """
    policy = POLICIES[reason]
    if policy.again != "automatic" or (policy.tries is not None and tries >= policy.tries):
        return False
    return now - last >= policy.wait or last - now > CLOCKS_DIFFER
