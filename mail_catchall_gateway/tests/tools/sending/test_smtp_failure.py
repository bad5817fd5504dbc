import errno
import smtplib
import socket
import ssl
import types

from odoo.tests.common import BaseCase

from ....tools.sending.smtp_failure import (
    CONTEXT_KEY,
    MaybeSent,
    Sending,
    is_temporary,
    sending_of,
    session_of,
    take_over,
    watch,
)

#: Errors as smtplib raises them: may the same mail be accepted later?
ERRORS = [
    (ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"), True),
    (ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"), True),
    (TimeoutError("timed out"), True),
    (OSError(errno.EHOSTUNREACH, "No route to host"), True),
    (OSError(errno.ENETUNREACH, "Network is unreachable"), True),
    (OSError(errno.EACCES, "Permission denied"), False),
    (socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"), True),
    (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), False),
    (ssl.SSLEOFError(8, "EOF occurred in violation of protocol"), True),
    (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number"), False),
    (smtplib.SMTPServerDisconnected("Connection unexpectedly closed"), True),
    (MaybeSent("Connection unexpectedly closed"), False),
    # RFC 5321, 4.2.1 and 3.8: the first digit, and a server that shuts down
    (smtplib.SMTPConnectError(421, "Too many connections"), True),
    (smtplib.SMTPConnectError(554, "No SMTP service here"), False),
    (smtplib.SMTPConnectError(-1, "HTTP/1.1 400 Bad Request"), False),
    (smtplib.SMTPAuthenticationError(454, b"4.7.0 Temporary authentication failure"), True),
    (smtplib.SMTPAuthenticationError(535, b"5.7.8 Bad password"), False),
    (smtplib.SMTPSenderRefused(451, b"4.3.0 Try again later", "john@acme.com"), True),
    (smtplib.SMTPSenderRefused(553, b"5.7.1 Not owned by user", "john@acme.com"), False),
    (smtplib.SMTPDataError(452, b"4.3.1 Insufficient system storage"), True),
    (smtplib.SMTPDataError(550, b"5.7.26 DMARC"), False),
    (smtplib.SMTPRecipientsRefused({"a@b.c": (450, b"Greylisted")}), True),
    (smtplib.SMTPRecipientsRefused({"a@b.c": (450, b""), "d@b.c": (550, b"")}), False),
    (smtplib.SMTPResponseException("code", "no number"), False),
    (smtplib.SMTPNotSupportedError("SMTPUTF8"), False),
    (ValueError("something else"), False),
    (None, False),
]


class TestSmtpFailure(BaseCase):
    def test_what_may_be_accepted_later(self):
        for error, expected in ERRORS:
            with self.subTest(error=error):
                self.assertIs(is_temporary(error), expected)

    def test_parts_of_a_mail(self):
        sending = Sending()
        sending.plan("<1>", [0, 7, 8])
        self.assertFalse(sending.is_complete("<1>"))
        for accepted in (True, False, True):
            part = sending.take("<1>")
            if accepted:
                sending.accepted["<1>"].append(part)
        self.assertEqual(sending.accepted["<1>"], [0, 8])
        self.assertFalse(sending.is_complete("<1>"))
        sending.plan("<1>", [7])
        sending.accepted["<1>"].append(sending.take("<1>"))
        self.assertTrue(sending.is_complete("<1>"))
        self.assertIsNone(sending.take("<1>"), "more than was planned")
        self.assertIsNone(sending.take("<2>"), "not planned at all")
        self.assertFalse(sending.is_complete("<2>"))

    def test_a_context_from_outside_has_no_sending(self):
        sending = Sending()
        for value, expected in ((sending, sending), ({"parts": {}}, None), (True, None)):
            env = types.SimpleNamespace(context={CONTEXT_KEY: value})
            self.assertIs(sending_of(env), expected)
        self.assertIsNone(sending_of(types.SimpleNamespace(context={})))

    def test_sessions(self):
        smtp = smtplib.SMTP(timeout=1)
        wrapper = types.SimpleNamespace(__obj__=smtp)  # not in all builds
        self.assertIs(session_of(smtp), smtp)
        self.assertIs(session_of(wrapper), smtp)
        self.assertIsNone(session_of(None))
        watch(smtp)
        smtp.quit()  # where it is gone already
        renewed = smtplib.SMTP(timeout=2)
        watch(renewed)
        take_over(wrapper, renewed)
        self.assertIs(session_of(wrapper), renewed)
        quit_ = smtp.quit
        take_over(smtp, renewed)
        self.assertEqual((smtp.timeout, smtp.quit), (2, quit_))
