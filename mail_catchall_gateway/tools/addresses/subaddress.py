"""Subaddresses: ``user+detail``, where one mailbox has many addresses."""


def split_subaddress(local_part, separator):
    """Return the user and the detail of a local part (RFC 5233, 4).

    The RFC leaves it to each system how a detail is written. Here the first separator divides, as
    in Postfix, and what stands before it is never empty.

    :param str local_part: local part of a normalized address, quoted or not
    :param str separator: one character or several in this order; empty where details are off
    :return tuple: (user, detail); the whole local part and ``""`` where there is no detail
    """
    # a quoted string that is left has its quotes for a reason: half of it is no local part
    if not separator or local_part.startswith('"'):
        return local_part, ""
    user, _separator, detail = local_part.partition(separator)
    return (user, detail) if user else (local_part, "")
