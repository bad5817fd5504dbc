from odoo.tests.common import BaseCase

from ....tools.sending.refusal import explain

# FACTS.md, section 4: what relays really answer
ANSWERS = [
    (
        "(550, b'5.7.60 SMTP; Client does not have permissions to send as this sender "
        "[AM0PR.eurprd.prod.outlook.com]')",
        "sender",
    ),
    (
        "554 5.2.0 STOREDRV.Submission.Exception:SendAsDeniedException.MapiExceptionSendAsDenied; "
        "Failed to process message; Cannot submit message",
        "sender",
    ),
    ("550 5.7.1 Client does not have permissions to send as this sender", "sender"),
    (
        "550-Requested action not taken: mailbox unavailable\n550 Sender address is not allowed.",
        "sender",
    ),
    ("554-Transaction failed\n554-Reject due to policy restrictions.", "policy"),
    (
        "{'x@y.example': (553, b'5.7.1 <john@acme.com>: Sender address rejected: "
        "not owned by user acme')}",
        "sender",
    ),
    ("553 5.7.1 <john@acme.com>: Sender address rejected: not logged in", "login"),
    ("553 5.7.1 Sender address rejected: not owned by auth user.", "sender"),
    (
        "550 5.7.0 Sender or From header address rejected: not owned by authorized user",
        "sender",
    ),
    ("553 Relaying disallowed as john@acme.com", "sender"),
    (
        "554 Message rejected: Email address is not verified. The following identities failed the "
        "check in region EU-WEST-1: john@acme.com",
        "unverified",
    ),
    ("550 The from address does not match a verified Sender Identity", "unverified"),
    ("501 mail from address must be same as authorization user", "sender"),
    ("530 From/Sender name is not valid", "sender"),
    ("5.5.3 Mail from not owned by user. LPN105_421", "sender"),
    ("You are not allowed to use the domain acme.com as a sender domain", "sender"),
    ("550 5.7.1 Invalid credentials for relay [192.0.2.1]", "relay"),
    # RFC 4954, 6; RFC 3463
    ("530 5.7.0 Authentication required", "login"),
    ("535, b'5.7.8 Error: authentication failed: bad password'", "login"),
    ("552 5.3.4 Message size exceeds fixed limit", "size"),
    # Gmail's and Yahoo's answers where DMARC forbids the domain
    (
        "550-5.7.26 Unauthenticated email from acme.com is not accepted due to DMARC policy",
        "policy",
    ),
    # nothing to do with who we are
    ("550 5.1.1 <mary@customer.example>: Recipient address rejected: User unknown", ""),
    ("421 4.7.0 Try again later", ""),
    ("[Errno 111] Connection refused", ""),
    ("", ""),
    ("x" * 1_000_000, ""),
    ("550 " * 500_000, ""),
]


class TestRefusal(BaseCase):
    def test_answers_of_relays(self):
        for text, code in ANSWERS:
            with self.subTest(text=text[:80]):
                self.assertEqual(explain(text), code)
