"""How long something may take."""

import datetime

#: A hundred years: no date is much further away.
MAX_DAYS = 36_500


def in_days(days):
    """Return so many days as ``timedelta``; who means for ever writes 999999."""
    return datetime.timedelta(days=min(days, MAX_DAYS))


def read_days(value, default):
    """Return the days that a system parameter says, ``default`` where that is no number."""
    return int(value) if value and value.isdecimal() else default


def smallest_limit(limits, default):
    """Return the smallest of the limits in seconds that is one: 0 and less are none."""
    return min((limit for limit in limits if limit and limit > 0), default=default)
