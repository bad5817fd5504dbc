"""How long something may take."""

import datetime

#: A hundred years: no date is much further away.
MAX_DAYS = 36_500


def in_days(days):
    """Return so many days as ``timedelta``; who means for ever writes 999999."""
    return datetime.timedelta(days=min(days, MAX_DAYS))


def smallest_limit(limits, default):
    """Return the smallest of the limits in seconds that is one: 0 and less are none."""
    return min((limit for limit in limits if limit and limit > 0), default=default)


def share(end, parts, now):
    """Return until when one of ``parts`` may take that have the time until ``end`` together.

    :param float end, now: as ``time.monotonic`` counts
    """
    return now + max(0.0, end - now) / max(1, parts)
