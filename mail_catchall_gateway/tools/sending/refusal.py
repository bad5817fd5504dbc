"""Why a mail server refused a mail, told from its answer (RFC 5321, 4.2; RFC 3463)."""

import re

SENDER, RELAY, SIZE, UNVERIFIED, POLICY, LOGIN = (
    "sender",
    "relay",
    "size",
    "unverified",
    "policy",
    "login",
)

_MAX_TEXT = 5000


def _re(pattern):
    return re.compile(pattern, re.IGNORECASE | re.DOTALL)


# What a mail server answers, what it means, and who says so. The first that fits wins.
_RULES = (
    # Amazon SES: 554 Message rejected
    (_re(r"\bidentit(?:y|ies) failed the check|address is not verified"), UNVERIFIED),
    # SendGrid 550
    (_re(r"does not match a verified sender identity"), UNVERIFIED),
    # Microsoft 365 550 5.7.60, Exchange 550 5.7.1
    (_re(r"5\.7\.60\b|permissions? to send as this sender"), SENDER),
    # Microsoft 365 554 5.2.0
    (_re(r"send ?as ?denied"), SENDER),
    # Postfix 553 and 453, Yandex 553 and 550, Orange 5.5.3
    (_re(r"not owned by (?:auth(?:orized)? )?user"), SENDER),
    # Postfix, sender_login_mismatch of who did not log in
    (_re(r"sender address rejected: not logged in"), LOGIN),
    # IONOS 550; Zoho 553; smartermail
    (_re(r"sender address is not allowed|relaying disallowed as\b"), SENDER),
    (_re(r"not allowed to use the domain .{1,300}as a sender"), SENDER),
    # QQ 501; Postal 530
    (_re(r"must be same as authorization user|from/sender name is not valid"), SENDER),
    # Google Workspace relay 550 5.7.1
    (_re(r"invalid credentials for relay|mail relay denied"), RELAY),
    # one.com, and what other servers say of a sender they do not like
    (_re(r"\b5\d\d\b.{0,300}sender (?:address )?(?:rejected|denied|verify failed)"), SENDER),
    # DMARC of the domain in From (Gmail and Yahoo 550 5.7.26, 554 5.7.9)
    (_re(r"\bdmarc\b|5\.7\.26\b|unauthenticated (?:e-?)?mail"), POLICY),
    # IONOS/GMX 554
    (_re(r"reject due to policy restrictions"), POLICY),
    # RFC 3463: 5.3.4, 5.2.3; RFC 1870: 552
    (_re(r"\b5\.(?:3\.4|2\.3)\b|message size exceeds"), SIZE),
    # RFC 4954: 530 5.7.0, 535 5.7.8
    (_re(r"\b(?:530|535)\b.{0,20}5\.7\.[08]\b|authentication (?:required|failed)"), LOGIN),
)


def explain(text):
    """Return what a mail server does not like.

    :param str text: its answer, or an error that contains it
    :return str: ``sender`` it does not let us use the address in From or the envelope;
        ``unverified`` it wants the address to be confirmed first; ``relay`` it does not know us;
        ``policy`` the domain in From forbids it; ``login``; ``size``; empty where it cannot be told
    """
    head = str(text)[:_MAX_TEXT]
    return next((code for pattern, code in _RULES if pattern.search(head)), "")
