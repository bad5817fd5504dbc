"""How long something may take."""


def smallest_limit(limits, default):
    """Return the smallest of the limits in seconds that is one: 0 and less are none."""
    return min((limit for limit in limits if limit and limit > 0), default=default)


def share(end, parts, now):
    """Return until when one of ``parts`` may take that have the time until ``end`` together.

    :param float end, now: as ``time.monotonic`` counts
    """
    return now + max(0.0, end - now) / max(1, parts)
