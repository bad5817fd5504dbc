"""What mail servers refuse, and why, told from the answer (RFC 5321, 4.2; RFC 3463)."""

import re

SENDER, UNVERIFIED, RELAY = "sender", "unverified", "relay"
POLICY, LOGIN, SIZE = "policy", "login", "size"

_MAX_TEXT = 5000

# What a mail server answers, what it means, and who says so. The first that fits wins.
_RULES = (
    # Amazon SES: 554 Message rejected
    (r"\bidentit(?:y|ies) failed the check|address is not verified", UNVERIFIED),
    # SendGrid 550
    (r"does not match a verified sender identity", UNVERIFIED),
    # Microsoft 365 550 5.7.60 and 554 5.2.0, Exchange 550 5.7.1
    (r"5\.7\.60\b|permissions? to send as this sender|send ?as ?denied", SENDER),
    # Postfix 553 and 453, Yandex 553 and 550, Orange 5.5.3
    (r"not owned by (?:auth(?:orized)? )?user", SENDER),
    # Postfix, sender_login_mismatch of who did not log in
    (r"sender address rejected: not logged in", LOGIN),
    # IONOS 550; Zoho 553; smartermail
    (r"sender address is not allowed|relaying disallowed as\b", SENDER),
    (r"not allowed to use the domain .{1,300}as a sender", SENDER),
    # QQ 501; Postal 530
    (r"must be same as authorization user|from/sender name is not valid", SENDER),
    # Google Workspace relay 550 5.7.1
    (r"invalid credentials for relay|mail relay denied", RELAY),
    # one.com, and what other servers say of a sender they do not like
    (r"\b5\d\d\b.{0,300}sender (?:address )?(?:rejected|denied|verify failed)", SENDER),
    # DMARC of the domain in From (Gmail and Yahoo 550 5.7.26, 554 5.7.9); IONOS/GMX 554
    (r"\bdmarc\b|5\.7\.26\b|unauthenticated (?:e-?)?mail", POLICY),
    (r"reject due to policy restrictions", POLICY),
    # RFC 3463: 5.3.4, 5.2.3; RFC 1870: 552
    (r"\b5\.(?:3\.4|2\.3)\b|message size exceeds", SIZE),
    # RFC 4954: 530 5.7.0, 535 5.7.8
    (r"\b(?:530|535)\b.{0,20}5\.7\.[08]\b|authentication (?:required|failed)", LOGIN),
)


def explain(text):
    """Return what a mail server does not like, empty where its answer does not tell.

    :return str: ``sender`` it does not let us use the address in From or the envelope;
        ``unverified`` it wants the address to be confirmed first; ``relay`` it does not know us;
        ``policy`` the domain in From forbids it; ``login``; ``size``
    """
    head = str(text)[:_MAX_TEXT]
    flags = re.IGNORECASE | re.DOTALL
    return next((code for pattern, code in _RULES if re.search(pattern, head, flags)), "")


#: Providers that let an account send only as its own addresses: their own pages, and reports.
_ONE_ACCOUNT_HOSTS = (
    "smtp.gmail.com",  # other addresses are replaced without a word
    *("smtp.office365.com", "smtp-mail.outlook.com"),  # needs the right "Send As" for each of them
    "mail.privateemail.com",  # Namecheap: not even an alias
    *("smtp.zoho.com", "smtp.zoho.eu", "smtppro.zoho.com", "smtppro.zoho.eu"),
    *("smtp.yandex.com", "smtp.yandex.ru"),
    "smtp.protonmail.ch",  # the address of the token
)


def sends_as_one_account(host):
    """Tell whether a mail server is known to accept only the addresses of the account."""
    return (host or "").strip().rstrip(".").lower() in _ONE_ACCOUNT_HOSTS
