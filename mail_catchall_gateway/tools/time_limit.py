"""How long something may take."""

import datetime

#: A hundred years: no date is much further away.
MAX_DAYS = 36_500


def in_days(days):
    """Return so many days as ``timedelta``; who means for ever writes 999999."""
    return datetime.timedelta(days=min(days, MAX_DAYS))


def read_days(value, default):
    """Return the days that a system parameter says, ``default`` where that is no number.

    :param str value: of the parameter; false where there is none
    """
    return int(value) if value and value.isdecimal() else default


def smallest_limit(limits, default):
    """Return the smallest of the limits in seconds that is one: 0 and less are none."""
    return min((limit for limit in limits if limit and limit > 0), default=default)


def share(end, parts, now):
    """Return until when one of ``parts`` may take that have the time until ``end`` together.

    :param float end, now: as ``time.monotonic`` counts
    """
    return now + max(0.0, end - now) / max(1, parts)
