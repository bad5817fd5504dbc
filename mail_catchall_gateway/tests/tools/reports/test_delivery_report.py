import base64
import email
import email.policy
import logging
import time
from unittest.mock import patch

from odoo.tests.common import BaseCase

from ....tools.reports import report_text
from ....tools.reports.delivery_report import DeliveryReport, read_report
from ....tools.reports.report_parts import MAX_TEXT

ID = "<1.sale.order@acme.test>"
ANN, BOB = ("ann@x.test",), ("bob@x.test",)
DAEMON = "Return-Path: <>\nFrom: MAILER-DAEMON@mx.test (Mail Delivery System)\n"
POSTMASTER = "Return-Path: <>\nFrom: Postmaster <postmaster@mx.test>\n"
PERSON = "Return-Path: <bob@mx.test>\nFrom: Bob <bob@mx.test>\n"
ORIGINAL = f"From: John <john@acme.test>\nTo: ann@x.test\nMessage-ID: {ID}\n\nHello\n"
FINAL = "Final-Recipient: rfc822; ann@x.test\n"
FAILED = f"{FINAL}Action: failed\nStatus: 5.1.1\n"
QMAIL = (
    "Hi. This is the qmail-send program at mx.test.\n"
    "I'm afraid I wasn't able to deliver your message to the following addresses.\n\n"
    "<ann@x.test>:\nSorry, no mailbox here by that name. (#5.1.1)\n\n"
)


def part(content_type, body, fields=""):
    return f"Content-Type: {content_type}\n{fields}\n{body}"


def multipart(head, *parts, kind="multipart/report; report-type=delivery-status"):
    boundary = f"=_{sum(map(len, parts))}"  # another one for a mail in a mail
    body = "".join(f"--{boundary}\n{each}\n" for each in parts)
    return f'{head}Content-Type: {kind};\n boundary="{boundary}"\n\n{body}--{boundary}--\n'


RETURNED = part("message/rfc822", ORIGINAL)


def dsn(*blocks, text="", returned=RETURNED, head=DAEMON):
    status = "\n".join(["Reporting-MTA: dns; mx.test\n", *blocks])
    parts = [part("text/plain", text), part("message/delivery-status", status), returned]
    return multipart(head, *filter(None, parts))


def mdn(disposition, head=PERSON, text=""):
    fields = (
        "Original-Recipient: rfc822;ann@x.test\nFinal-Recipient: rfc822;bob@x.test\n"
        f"Original-Message-ID: {ID}\nDisposition: {disposition}\n"
    )
    parts = (part("text/plain", text), part("message/disposition-notification", fields))
    return multipart(head, *parts, kind="multipart/report; report-type=disposition-notification")


def arf(feedback):
    fields = (
        f"Feedback-Type: {feedback}\nUser-Agent: Feedback/1.0\nVersion: 1\n"
        "Original-Rcpt-To: <Ann@x.test>\nOriginal-Rcpt-To: bob@x.test\n"
    )
    parts = (part("text/plain", "A report"), part("message/feedback-report", fields), RETURNED)
    kind = "multipart/report; report-type=feedback-report"
    return multipart("From: feedback@x.test\n", *parts, kind=kind)


def encoded(content_type, body):
    body = base64.encodebytes(body.encode()).decode()
    return part(content_type, body, "Content-Transfer-Encoding: BASE64\n")


class TestDeliveryReport(BaseCase):
    def report(self, source):
        source = source if isinstance(source, bytes) else source.encode()
        return read_report(email.message_from_bytes(source, policy=email.policy.SMTP))

    def check(self, *rows):
        for name, source, *expected in rows:
            with self.subTest(name):
                self.assertEqual(self.report(source), DeliveryReport(*expected))

    def test_delivery_status_of_servers(self):
        """In the style of the servers that they are named after."""
        said = "550 5.1.1 <ann@x.test>: User unknown"
        self.check(
            (
                "Postfix",
                dsn(
                    "Final-Recipient: rfc822; Ann@x.test\n"
                    "Original-Recipient: rfc822;ann@x.test\nAction: failed\nStatus: 5.1.1\n"
                    f"Remote-MTA: dns; x.test\nDiagnostic-Code: smtp; 550 5.1.1\n"
                    f"    {said[10:]}\n",
                    text=f"This is the mail system.\n\n<ann@x.test>: host x.test said: {said}",
                ),
                *("failed", ANN, ANN, said, (ID,)),
            ),
            (
                "Postfix, a warning",
                dsn(
                    f"{FINAL}Action: delayed\nStatus: 4.4.1\n"
                    "Diagnostic-Code: X-Postfix; connect to x.test: Connection timed out\n"
                    "Will-Retry-Until: Wed, 25 Nov 2026 10:00:00 +0000\n",
                    text="# THIS IS A WARNING ONLY.  YOU DO NOT NEED TO RESEND YOUR MESSAGE. #",
                    returned=part("text/rfc822-headers", ORIGINAL.partition("\n\n")[0]),
                ),
                *("delayed", ANN, ANN, "connect to x.test: Connection timed out", (ID,)),
            ),
            (
                "Postfix, NOTIFY=SUCCESS",
                dsn(
                    f"{FINAL}Action: relayed\nStatus: 2.1.5\nDiagnostic-Code: smtp; 250 2.1.5 Ok\n",
                    head="Return-Path: <>\nFrom: MAILER-DAEMON@mx.test\n"
                    "Subject: Successful Mail Delivery Report\n",
                ),
                *("delivered", ANN, ANN, "250 2.1.5 Ok", (ID,)),
            ),
            (
                "Exim",
                dsn(
                    "Action: failed\nFinal-Recipient: rfc822;ann@x.test\nStatus: 5.0.0\n"
                    f"Remote-MTA: dns; x.test\nDiagnostic-Code: smtp; {said}\n",
                    head=DAEMON + "X-Failed-Recipients: ann@x.test\n",
                ),
                *("failed", ANN, ANN, said, (ID,)),
            ),
            (
                "Gmail, a reply of several lines",
                multipart(
                    "Return-Path: <>\nX-Failed-Recipients: ann@x.test\n"
                    "From: Mail Delivery Subsystem <mailer-daemon@googlemail.com>\n",
                    multipart(
                        "",
                        part("text/html", "<p>Address not found</p>"),
                        kind="multipart/related",
                    ),
                    part(
                        "message/delivery-status",
                        f"Reporting-MTA: dns; googlemail.com\nX-Original-Message-ID: {ID}\n\n"
                        f"{FINAL}Action: failed\nStatus: 5.1.1\n"
                        "Diagnostic-Code: smtp; 550-5.1.1 No such account. Please try\n"
                        " 550-5.1.1 double-checking the address.\n 550 5.1.1 See our help\n",
                    ),
                    RETURNED,
                ),
                "failed",
                *(ANN, ANN),
                "550 5.1.1 No such account. Please try double-checking the address. See our help",
                (ID,),
            ),
            (
                "Gmail, a delay that names failed recipients",
                dsn(
                    f"{FINAL}Action: delayed\nStatus: 4.4.2\n",
                    head=DAEMON + "X-Failed-Recipients: ann@x.test\n",
                ),
                *("delayed", ANN, ANN, "4.4.2 problem with the network", (ID,)),
            ),
            (
                "Exchange Online, without the original",
                dsn(
                    "Final-Recipient: rfc822;ann@x.test\nAction: failed\nStatus: 5.1.10\n"
                    "Diagnostic-Code: smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound; no\n",
                    head="From: MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@mx.test\n"
                    f"In-Reply-To: {ID}\nSubject: Undeliverable: Offer\n",
                    returned="",
                ),
                "failed",
                *(ANN, ANN, "550 5.1.10 RESOLVER.ADR.RecipientNotFound; no", (ID,)),
            ),
            (
                "Outlook and Amazon put their own Message-Id",
                dsn(
                    FAILED,
                    returned=part(
                        "message/rfc822",
                        "Message-ID: <0@ses>\nX-Microsoft-Original-Message-ID:\n <1@acme>\n"
                        "X-Odoo-Message-Id: <2@acme>\n\nHello",
                    ),
                ),
                *("failed", ANN, ANN, "5.1.1 no such mailbox"),
                ("<0@ses>", "<2@acme>", "<1@acme>"),
            ),
            (
                "Mandrill, no type and no Final-Recipient, one block",
                multipart(
                    "From: MAILER-DAEMON <bounces-noreply@mandrillapp.com>\n",
                    part(
                        "message/delivery-status",
                        "Original-Recipient: <ann@x.test>\nAction: failed\n"
                        f"Diagnostic-Code: smtp; {said}\n",
                    ),
                    kind="multipart/report",
                ),
                *("failed", ANN, (), said),
            ),
            (
                "GMX, only text in the report",
                multipart(DAEMON, part("text/plain", f"{QMAIL}Message-ID: {ID}\n")),
                "failed",
                *(
                    ANN,
                    (),
                    "<ann@x.test>: Sorry, no mailbox here by that name. (#5.1.1)",
                    (ID,),
                ),
            ),
        )

    def test_forms_of_delivery_status(self):
        """RFC 3464, RFC 6533 and what departs from them."""
        text = "5.1.1 no such mailbox"
        utf8 = "jörg@xn--bcher-kva.test"
        self.check(
            (
                "failed, relayed and delayed: who failed",
                dsn(
                    "Final-Recipient: rfc822; bob@x.test\nAction: relayed\nStatus: 2.0.0\n",
                    "Final-Recipient: rfc822; eve@x.test\nAction: delayed\nStatus: 4.0.0\n",
                    FAILED,
                ),
                *("failed", ANN, ANN, text, (ID,)),
            ),
            (
                "delivered and delayed: who waits",
                dsn(
                    "Final-Recipient: rfc822; bob@x.test\nAction: delivered\nStatus: 2.0.0\n",
                    f"{FINAL}Action: delayed\nStatus: 4.2.2\n",
                ),
                *("delayed", ANN, ANN, "4.2.2 the mailbox is full", (ID,)),
            ),
            (
                "two failed, one of them twice",
                dsn(FAILED, FAILED.replace("ann", "bob"), FAILED.replace("ann", "Ann")),
                *("failed", ANN + BOB, ANN + BOB, text, (ID,)),
            ),
            (
                "forwarded to where it failed",
                dsn(f"Original-Recipient: rfc822;bob@x.test\n{FAILED}"),
                *("failed", BOB, ANN, text, (ID,)),
            ),
            (
                "xtext left as it was (RFC 3461, 4)",
                dsn(f"Original-Recipient: rfc822;bob+2Btag+3D1@x.test\n{FAILED}"),
                *("failed", ("bob+tag=1@x.test",), ANN, text, (ID,)),
            ),
            (
                "what looks like xtext and is none",
                dsn("Original-Recipient: rfc822;bob+2B@x.test\n" + FAILED.replace("ann", "bob+2B")),
                *("failed", ("bob+2b@x.test",), ("bob+2b@x.test",), text, (ID,)),
            ),
            (
                "a subaddress of digits",
                dsn(f"Original-Recipient: rfc822;bob+2024@x.test\n{FAILED}"),
                *("failed", ("bob+2024@x.test",), ANN, text, (ID,)),
            ),
            (
                "utf-8 as it is (RFC 6533)",
                multipart(
                    DAEMON,
                    part(
                        "message/global-delivery-status",
                        "Reporting-MTA: dns; mx.test\n\n"
                        "Final-Recipient: utf-8; jörg@bücher.test\nAction: failed\n"
                        "Status: 5.1.1\n\nFinal-Recipient: utf-8; ann@x.test\nAction: relayed\n",
                    ),
                    part("message/global-headers", f"To: jörg@bücher.test\nMessage-ID: {ID}\n"),
                ),
                *("failed", (utf8,), (utf8,), text, (ID,)),
            ),
            (
                "utf-8 as it is in a part for ASCII",
                dsn(FAILED.replace("ann@x", "jörg@bücher")),
                *("failed", (utf8,), (utf8,), text, (ID,)),
            ),
            (
                "utf-8 in the form for 7 bit",
                dsn(
                    "Final-Recipient: utf-8; j\\x{F6}rg@b\\x{fc}cher.test\n"
                    "Action: failed\nStatus: 5.1.1\n"
                ),
                *("failed", (utf8,), (utf8,), text, (ID,)),
            ),
            (
                "code points that are none",
                dsn(f"Original-Recipient: utf-8;\\x{{D800}}\\x{{FFFFFF}}@x.test\n{FAILED}"),
                *("failed", ("?\U0010ffff@x.test",), ANN, text, (ID,)),
            ),
            (
                "an address that is none, an angle-addr, a comment",
                dsn(
                    "Original-Recipient: x-local; nobody\n"
                    "Final-Recipient: rfc822; <Ann@x.test.> (expanded)\n"
                    "Action: failed (bounced)\nStatus: 5.1.1 (bad mailbox)\n"
                ),
                *("failed", ANN, ANN, text, (ID,)),
            ),
            (
                "types in capitals",
                dsn(FAILED)
                .replace("report-type=delivery", "REPORT-TYPE=Delivery")
                .replace("multipart/report", "Multipart/Report")
                .replace("message/delivery-status", "Message/Delivery-Status"),
                *("failed", ANN, ANN, text, (ID,)),
            ),
            (
                "a status that says nothing: the text, but not the original below it",
                dsn(
                    f"{FINAL}Action: failed\nStatus: 5.0.0\n",
                    text="Your mail could\nnot be delivered.\n\nann@x.test\n\n"
                    "The host said:\n550 no such user\nhere\n\n--- copy of the mail\n\n554 x\n",
                ),
                *("failed", ANN, ANN, "550 no such user here", (ID,)),
            ),
            (
                "no word of the server at all",
                dsn(f"{FINAL}Action: failed\nStatus: 5.0.0\n", text="ann@x.test\n\nSorry."),
                *("failed", ANN, ANN, "", (ID,)),
            ),
            (
                "a long word",
                dsn(f"{FAILED}Diagnostic-Code: smtp; {'x' * 9000}\n"),
                *("failed", ANN, ANN, "x" * 500, (ID,)),
            ),
            (
                "an empty Final-Recipient, the address in the text",
                dsn("Final-Recipient: rfc822;\nAction: failed\nStatus: 5.1.1\n", text=QMAIL),
                *("failed", ANN, (), text, (ID,)),
            ),
            (
                "an empty Final-Recipient in a warning, the address in the text",
                dsn("Final-Recipient: rfc822;\nAction: delayed\nStatus: 4.7.1\n", text=QMAIL),
                "delayed",
                *(ANN, (), "4.7.1 refused for reasons of security or policy", (ID,)),
            ),
            (
                "an empty Final-Recipient, the address nowhere",
                dsn("Final-Recipient:\nAction: delayed\nStatus: 4.4.7\n"),
                *("delayed", (), (), "4.4.7 the time for delivery has run out", (ID,)),
            ),
            (
                "encoded parts, which RFC 2046 forbids",
                multipart(
                    DAEMON,
                    encoded("message/delivery-status", f"Reporting-MTA: dns; mx\n\n{FAILED}"),
                    encoded("message/rfc822", f"{ORIGINAL}Message-ID: <quoted@acme.test>\n"),
                ),
                *("failed", ANN, ANN, text, (ID,)),
            ),
            (
                "a quoted-printable header",
                dsn(
                    FAILED,
                    returned=part(
                        "text/rfc822-headers",
                        "To: ann@x.test\nMessage-Id: <1.sale.or=\nder@acme.test>\n",
                        "Content-Transfer-Encoding: quoted-printable\n",
                    ),
                ),
                *("failed", ANN, ANN, text, (ID,)),
            ),
            (
                "a returned report is not what is reported",
                dsn(
                    FAILED,
                    returned=part(
                        "message/rfc822",
                        dsn(FAILED.replace("ann", "bob"), head=f"Message-Id: {ID}\n"),
                    ),
                ),
                *("failed", ANN, ANN, text, (ID,)),
            ),
            (
                "from a postmaster, but not as a report",
                multipart(
                    f"{POSTMASTER}Subject: Delivery Failure\n",
                    part("message/delivery-status", f"Reporting-MTA: dns; mx\n\n{FAILED}"),
                    kind="multipart/mixed",
                ),
                *("failed", ANN, ANN, text),
            ),
        )

    def test_dispositions(self):
        """RFC 8098, and mail systems that reject by such a notification (RFC 5429)."""
        text = "Your message to <ann@x.test> was automatically rejected:\nQuota exceeded\n"
        self.check(
            (
                "read",
                mdn("manual-action/MDN-sent-manually; displayed"),
                *("read", ANN, BOB, "", (ID,)),
            ),
            (
                "read, with a modifier; a date is no error code",
                mdn(
                    "automatic-action/MDN-sent-automatically; Displayed/x",
                    text="ann@x.test\n5.4.12",
                ),
                *("read", ANN, BOB, "", (ID,)),
            ),
            (
                "read (RFC 6533)",
                mdn("x; displayed").replace("message/disp", "message/global-disp"),
                *("read", ANN, BOB, "", (ID,)),
            ),
            (
                "Outlook, deleted without having been read",
                mdn("automatic-action/MDN-sent-automatically; deleted"),
                *("delivered", ANN, BOB, "deleted", (ID,)),
            ),
            (
                "Dovecot, a full mailbox",
                mdn(
                    "automatic-action/MDN-sent-automatically; deleted",
                    head="Return-Path: <>\nFrom: Mail Delivery Subsystem <postmaster@x.test>\n",
                    text=text,
                ),
                "failed",
                *(ANN, BOB, " ".join(text.split()), (ID,)),
            ),
        )

    def test_complaints(self):
        """RFC 5965; what RFC 6591 adds is about forged mail, and nobody complains of not-spam."""
        for feedback in (
            "abuse",
            "fraud",
            "miscategorized",
            "Opt-Out",
            "opt-out-list",
            "other",
            "virus",
        ):
            with self.subTest(feedback):
                expected = ("complaint", ANN + BOB, (), feedback.lower(), (ID,))
                self.assertEqual(self.report(arf(feedback)), DeliveryReport(*expected))
        for feedback in ("not-spam", "auth-failure", ""):
            with self.subTest(feedback):
                self.assertEqual(self.report(arf(feedback)).kind, "unknown")

    def test_actions_and_statuses(self):
        """RFC 3464, 2.3.3; the status tells where there is no action, or one of our own making."""
        for fields, kind in [
            ("Action: failed", "failed"),
            ("Action: error", "failed"),
            ("Action: DELAYED", "delayed"),
            ("Action: delivered", "delivered"),
            ("Action: relayed (to mx)", "delivered"),
            ("Action: expanded", "delivered"),
            ("Action: fehlgeschlagen\nStatus: 5.0.0", "failed"),
            ("Status: 4.0.0", "delayed"),
            ("Status: 2.0.0", "delivered"),
            ("Diagnostic-Code: smtp; 550-5.1.1 x", "failed"),
            ("Diagnostic-Code: smtp; 192.0.2.5 is down", "unknown"),
            ("Action: delayed\nStatus: 5.0.0", "delayed"),
            ("Action: failed\nStatus: 4.0.0", "failed"),
        ]:
            for field in ("Original-Recipient", "Final-Recipient"):
                with self.subTest(fields, field=field):
                    report = self.report(dsn(f"{field}: rfc822;ann@x.test\n{fields}\n"))
                    self.assertEqual(report.kind, kind)
                    self.assertEqual(report.recipients, ANN if kind != "unknown" else ())

    def test_meanings_of_statuses(self):
        """Our words for those of RFC 3463, 3; the subject where the detail is not known."""
        for status, meaning in [
            ("5.1.1", "no such mailbox"),
            ("5.1.2", "no such mail system"),
            ("5.1.9", "problem with the address"),
            ("5.2.0", "problem with the mailbox"),
            ("5.2.1", "the mailbox is disabled"),
            ("4.2.2", "the mailbox is full"),
            ("5.2.3", "the message is too big for the mailbox"),
            ("4.3.2", "problem with the mail system"),
            ("5.3.4", "the message is too big for the mail system"),
            ("4.4.1", "problem with the network"),
            ("5.4.6", "mail loop"),
            ("5.4.7", "the time for delivery has run out"),
            ("5.5.2", "problem with the mail protocol"),
            ("5.6.1", "problem with the content"),
            ("5.7.26", "refused for reasons of security or policy"),
        ]:
            with self.subTest(status):
                report = self.report(dsn(f"{FINAL}Action: failed\nStatus: {status} (text)\n"))
                self.assertEqual(report.reason, f"{status} {meaning}")

    def test_types_of_the_returned_mail(self):
        for content_type in (
            "message/rfc822",
            "Message/RFC822; charset=utf-8",
            "message/rfc822-headers",
            "message/global",
            "message/global-headers",
            "text/rfc822-headers",
        ):
            with self.subTest(content_type):
                report = self.report(dsn(FAILED, returned=part(content_type, ORIGINAL)))
                self.assertEqual(report.message_ids, (ID,))

    def test_free_text(self):
        """In the style of the servers that they are named after, some of them long gone."""
        no_mailbox = "<ann@x.test>: Sorry, no mailbox here by that name. (#5.1.1)"
        exim = (
            "This message was created automatically by mail delivery software.\n\n"
            "A message that you sent could not be delivered to one or more of its\n"
            "recipients. This is a permanent error. The following address(es) failed:\n\n"
            "  ann@x.test\n    host x.test [192.0.2.1]\n    550 5.1.1 unknown user\n\n"
        )
        html = (
            "<style>p {width: 550 px}</style><p>Hi. This is the mail system.</p><br><br>"
            "<p>&lt;ann@x.test&gt;:<br>550 <b>No such user</b></p>"
        )
        self.check(
            (
                "qmail",
                f"{DAEMON}Subject: failure notice\n\n{QMAIL}--- Below this line is a copy of the"
                f" message.\n\nReturn-Path: <john@acme.test>\n{ORIGINAL}\n550 x\n"
                "> Message-ID: <quoted@acme.test>\n",
                *("failed", ANN, (), no_mailbox, (ID,)),
            ),
            (
                "Exim, the header of the original in the text",
                f"{DAEMON}X-Failed-Recipients: ann@x.test,\n  Bob@x.test\n\n{exim}"
                "------ This is a copy of the message's headers. ------\n\n"
                f"X-Odoo-Message-Id: <2@acme.test>\n{ORIGINAL}",
                *("failed", ANN + BOB, ()),
                "ann@x.test host x.test [192.0.2.1] 550 5.1.1 unknown user",
                ("<2@acme.test>", ID),
            ),
            (
                "Exim, a warning",
                f"{DAEMON}Subject: Warning: message 1k0-0 delayed 24 hours\n\n"
                "A message that you sent has not yet been delivered to one or more of its\n"
                "recipients after more than 24 hours on the queue.\n\n"
                "The address to which the message has not yet been delivered is:\n\n"
                "  ann@x.test\n    Delay reason: Connection timed out\n\n"
                "No action is required on your part.\n",
                *("delayed", ANN, (), "ann@x.test Delay reason: Connection timed out"),
            ),
            (
                "Gmail, before it wrote reports",
                "From: Mail Delivery Subsystem <mailer-daemon@googlemail.com>\n"
                "X-Failed-Recipients: ann@x.test\n"
                "Subject: Delivery Status Notification (Failure)\n\n"
                "Delivery to the following recipient failed permanently:\n\n     ann@x.test\n\n"
                "Technical details of permanent failure:\nThe other server returned:\n"
                f"550 5.1.1 No such account\n\n----- Original message -----\n\n{ORIGINAL}",
                *("failed", ANN, (), "550 5.1.1 No such account", (ID,)),
            ),
            (
                "Gmail, a delay that names failed recipients",
                "From: Mail Delivery Subsystem <mailer-daemon@googlemail.com>\n"
                "X-Failed-Recipients: ann@x.test\n"
                "Subject: Delivery Status Notification (Delay)\n\nMessage will be retried\n",
                *("delayed", ANN),
            ),
            (
                "Yahoo",
                "From: MAILER-DAEMON@yahoo.com\nSubject: Failure Notice\n\n"
                "Sorry, we were unable to deliver your message to the following address.\n\n"
                "<ann@x.test>:\n552: mailbox full\n\n"
                f"--- Below this line is a copy of the message.\n\n{ORIGINAL}",
                *("failed", ANN, (), "<ann@x.test>: 552: mailbox full", (ID,)),
            ),
            (
                "Postfix through what made its report a mixed mail",
                multipart(
                    DAEMON,
                    part("text/plain", "   The Postfix program\n\n<ann@x.test>: gone for good\n"),
                    RETURNED,
                    kind="multipart/mixed",
                ),
                *("failed", ANN, (), "<ann@x.test>: gone for good", (ID,)),
            ),
            (
                "Netscape",
                multipart(
                    DAEMON,
                    part(
                        "text/plain",
                        "This Message was undeliverable due to the following reason:\n\n"
                        "Host x.test is not responding.\n\n     <ann@x.test>\n",
                    ),
                ),
                *("failed", ANN),
            ),
            (
                "base64 and a charset that is none",
                f"{DAEMON}{encoded('text/plain; charset=x-none', QMAIL)}",
                *("failed", ANN, (), no_mailbox),
            ),
            (
                "HTML",
                f"{DAEMON}{part('text/html', html)}",
                *("failed", ANN, (), "<ann@x.test>: 550 No such user"),
            ),
            (
                "HTML below nothing",
                multipart(DAEMON, part("text/plain", " \n"), part("text/html", html)),
                *("failed", ANN, (), "<ann@x.test>: 550 No such user"),
            ),
            (
                "HTML below the text",
                multipart(DAEMON, part("text/plain", QMAIL), part("text/html", html)),
                *("failed", ANN, (), no_mailbox),
            ),
            (
                "a charset, an address in capitals, a sender of any name",
                "From: x@mx.test\nX-Failed-Recipients: ann@x.test\nContent-Type: text/plain;\n"
                " charset=iso-8859-15\n\nD\xe9sol\xe9 :\n<ANN@X.TEST> est \xe0 la p\xeache".encode(
                    "latin-1"
                ),
                *("failed", ANN, (), "<ANN@X.TEST> est à la pêche"),
            ),
            (
                "a boundary that is lost",
                f"{DAEMON}{part('multipart/mixed; boundary=x', QMAIL)}",
                *("failed", ANN, (), no_mailbox),
            ),
            (
                "a postmaster",
                f"{POSTMASTER}Subject: Undeliverable: Offer\n\n{QMAIL}",
                *("failed", ANN, (), no_mailbox),
            ),
            (
                "a null address and a title",
                f"Return-Path: <>\nFrom: ndr@mx.test\nSubject: Returned mail\n\n{QMAIL}",
                *("failed", ANN, (), no_mailbox),
            ),
            (
                "what some servers make of a null address",
                "Return-Path: <MAILER-DAEMON>\nFrom: ndr@mx.test\nSubject: Returned mail\n\n"
                f"{QMAIL}",
                *("failed", ANN, (), no_mailbox),
            ),
            (
                "no address in From",
                f"From: Mail System <>\nSubject: Oops\n\n{QMAIL}",
                *("failed", ANN, (), no_mailbox),
            ),
            (
                "nothing in it",
                f"{DAEMON}In-Reply-To: {ID}\n\nYour message has reached nobody.\n",
                *("unknown", (), (), "", (ID,)),
            ),
            (
                "nothing but a code in it",
                f"{DAEMON}\nHello.\n\nWe said 192.5.1.1:\n554 5.7.1 Spam\n",
                *("unknown", (), (), "554 5.7.1 Spam"),
            ),
        )

    def test_titles_and_senders_of_mail_systems(self):
        """Who writes under such a name is believed if the title is one that servers give."""
        for title in (
            "Undeliverable: Offer",
            "Non-Delivery: Offer",
            "Mail not delivered",
            "Mail System Error",
            "Mail failed, returning to sender",
            "Returning message to sender",
            "failure notice",
            "Delivery has failed",
            "Delivery Report",
            "Delivery Problem",
            "Error in delivery? Delivery error!",
            "Delivery Status",
            "Delivery warning",
            "Message delayed",
            "Rejected mail",
            "Your message could not be sent",
            "Unzustellbar: Angebot",
            "Offre : non remis",
            "No entregado: Oferta",
            "Mancato recapito: Offerta",
            "Onbestelbaar: Aanbod",
        ):
            with self.subTest(title):
                source = f"{POSTMASTER[16:]}Subject: {title}\n\n{QMAIL}"
                self.assertEqual(self.report(source).recipients, ANN)
        for sender in (
            "MDaemon@mx.test",
            '"Mail" <Mailer-Daemon>',
            "Mail.Daemon@mx.test (Jane)",
            "MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@mx.test",
        ):
            with self.subTest(sender):
                self.assertEqual(self.report(f"From: {sender}\n\n{QMAIL}").recipients, ANN)
        for sender in (
            "MAILER-DAEMON <bounces@mx.test>",
            "System Administrator <admin@mx.test>",
            "Mail Delivery Subsystem <ndr@mx.test>",
            "Mail_Service@mx.test",
            "mailadmin@mx.test",
            "Mail.System@mx.test",
        ):
            with self.subTest(sender):
                source = f"From: {sender}\nSubject: Undeliverable\n\n{QMAIL}"
                self.assertEqual(self.report(source).recipients, ANN)
                self.assertIsNone(self.report(f"From: {sender}\nSubject: Hello\n\n{QMAIL}"))

    def test_words_of_delay(self):
        """The library finds a failure in each of them."""
        for words in (
            "Delivery has been delayed",
            "THIS IS A WARNING MESSAGE ONLY",
            "It has not yet been delivered",
            "It is still being retried",
            "It will be retried",
            "No action is required",
        ):
            with self.subTest(words):
                source = f"{DAEMON}X-Failed-Recipients: ann@x.test\n\n{words}.\n"
                self.assertEqual(self.report(source).kind, "delayed")
                failed = self.report(source.replace(words, f"{'-' * 3} copy of it\n\n{words}"))
                self.assertEqual(failed.kind, "failed")

    def test_what_is_no_report(self):
        away = "I am away. Please write to Ann, ann@x.test, in urgent cases.\n"
        quoted = "".join(f"> {line}\n" for line in QMAIL.splitlines())
        vacation = f"Return-Path: <>\nFrom: Bob <bob@x.test>\nIn-Reply-To: {ID}\n"
        for name, source in [
            (
                "a vacation notice (RFC 3834, RFC 5230)",
                f"{vacation}Subject: Auto: Mail failure\nAuto-Submitted: auto-replied\n\n{away}",
            ),
            (
                "a vacation notice titled by its writer",
                f"{vacation}Subject: On the beach\n\n{away}",
            ),
            (
                "a vacation notice of Exchange",
                f"{vacation}Subject: Automatic reply: Undeliverable: Offer\n\n{away}",
            ),
            *(
                (
                    f"a vacation notice with {field}",
                    f"{vacation}{field}: yes\nSubject: Delivery report\n\n{away}",
                )
                for field in (
                    "X-Autoreply",
                    "X-Autorespond",
                    "X-Autoresponder",
                    "X-AutoReply-From",
                )
            ),
            ("a forwarded report", f"{PERSON}Subject: Fwd: failure notice\n\n{QMAIL}"),
            ("a report in a mail with its title", f"{PERSON}Subject: failure notice\n\n{QMAIL}"),
            ("a quoted report", f"{PERSON}Subject: Re: failure notice\n\nSee?\n{quoted}"),
            *(
                (
                    f"a postmaster in person, {prefix}",
                    f"{POSTMASTER[16:]}Subject: {prefix}: Undeliverable: Offer\n\n{QMAIL}",
                )
                for prefix in ("Re", "AW", "Fwd", "FW", "WG", "TR", "RV")
            ),
            (
                "a postmaster on another matter",
                f"{POSTMASTER[16:]}Subject: Your mail to Ann\n\n{QMAIL}",
            ),
            (
                "a postmaster who says nothing of it",
                f"{POSTMASTER}Subject: Delivery Status\n\nAll systems are up.\n",
            ),
            (
                "a domain that is called like a mail system",
                f"From: Bob <bob@mail-systems.test>\nSubject: Delivery problem\n\n{QMAIL}",
            ),
            (
                "a report as an attachment",
                multipart(PERSON, part("message/rfc822", dsn(FAILED)), kind="multipart/mixed"),
            ),
            (
                "parts of a report as attachments",
                multipart(
                    PERSON,
                    part("message/delivery-status", f"A: b\n\n{FAILED}"),
                    kind="multipart/mixed",
                ),
            ),
            (
                "a report on TLS (RFC 8460)",
                multipart(
                    f"{POSTMASTER}Subject: Delivery report\n",
                    part("text/plain", QMAIL),
                    kind="multipart/report; report-type=tlsrpt",
                ),
            ),
            ("a null address and a newsletter", f"Return-Path: <>\nFrom: shop@x.test\n\n{QMAIL}"),
            ("a reply", f"{PERSON}In-Reply-To: {ID}\n\nThank you, ann@x.test 550 5.1.1\n"),
            ("garbage", b"\xff\xfe\0\0From: (((\r\r\n=_B\x80"),
            ("nothing", b""),
        ]:
            with self.subTest(name):
                self.assertIsNone(self.report(source))

    def test_text_of_people_is_not_searched(self):
        with patch.object(report_text, "all_failures", side_effect=AssertionError) as search:
            self.report(f"{PERSON}Subject: failure notice\n\n{QMAIL}")
            self.report(dsn(FAILED, text=QMAIL))
        search.assert_not_called()

    def test_the_library_may_fail(self):
        with (
            patch.object(report_text, "all_failures", side_effect=IndexError),
            self.assertLogs(report_text.__name__, "DEBUG") as logs,
        ):
            self.assertEqual(self.report(f"{DAEMON}\n{QMAIL}").kind, "unknown")
        self.assertEqual([record.levelname for record in logs.records], ["DEBUG"])

    def test_the_library_does_not_log(self):
        self.assertFalse(logging.getLogger("flufl.bounce").isEnabledFor(logging.ERROR))

    def test_only_the_beginning_of_a_text_is_read(self):
        half = part("text/plain", "x\n" * (MAX_TEXT // 4 + 1))
        source = multipart(DAEMON, half, half, part("text/plain", QMAIL))
        self.assertEqual(self.report(source), DeliveryReport("unknown"))
        long = "x\n" * (MAX_TEXT // 2 + 1)
        self.assertEqual(self.report(f"{DAEMON}\n{long}{QMAIL}"), DeliveryReport("unknown"))

    def test_hostile_mail_is_read_in_no_time(self):
        """Each of them takes minutes, or raises, where an expression or a parser is careless."""
        big, quotes = 300_000, '"\\' * 100_000
        for name, source, expected in [
            ("comments in comments", f"Return-Path: <>\nFrom: {'(' * big}\n\n", None),
            ("dashes", f"{DAEMON}\n{'-' * big}\n", "unknown"),
            ("brackets", f"{DAEMON}Content-Type: text/html\n\n{'<' * big}", "unknown"),
            ("styles", f"{DAEMON}Content-Type: text/html\n\n{'<style' * big}", "unknown"),
            (
                "one line",
                f"{DAEMON}\n{QMAIL}Your message could not be delivered to\n{'x' * big}",
                "failed",
            ),
            (
                "long fields",
                dsn(f"Final-Recipient: rfc822; {'a' * big}\nAction: {'x' * big}\n"),
                "unknown",
            ),
            ("quotation marks", dsn(f"Final-Recipient: {quotes}\nAction: failed\n"), "failed"),
            ("a long title", f"{POSTMASTER}Subject: {'delivery ' * big}\n\n", None),
            (
                "a charset with NUL",
                f'{DAEMON}Content-Type: text/plain; charset="a\0b"\n\n\xe9',
                "unknown",
            ),
            (
                "a codec that is no charset",
                f"{DAEMON}Content-Type: text/x; charset=hex\n\n\xe9",
                "unknown",
            ),
            (
                "blocks in a block",
                multipart(DAEMON, part("message/global-delivery-status", "a: b\n\n" * big)),
                "unknown",
            ),
        ]:
            with self.subTest(name):
                start = time.process_time()
                found = self.report(source)
                self.assertLess(time.process_time() - start, 2)
                self.assertEqual(found and found.kind, expected)

    def test_a_message_of_any_policy(self):
        for policy in (email.policy.compat32, email.policy.default, email.policy.SMTPUTF8):
            message = email.message_from_string(dsn(FAILED), policy=policy)
            self.assertEqual(read_report(message).recipients, ANN)
