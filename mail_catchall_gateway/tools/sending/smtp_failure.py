"""What an error of SMTP means for the mail: try again, give up, or nobody knows (RFC 5321)."""

import collections
import contextlib
import dataclasses
import errno
import socket
import ssl
from smtplib import SMTP, SMTPRecipientsRefused, SMTPResponseException, SMTPServerDisconnected

#: What a network says that is away for now.
_NETWORK_ERRORS = {errno.EHOSTDOWN, errno.EHOSTUNREACH}
_NETWORK_ERRORS |= {errno.ENETDOWN, errno.ENETRESET, errno.ENETUNREACH}
#: "Start mail input": what is sent next is the mail.
_START_INPUT = 354
#: Key of the context in which a :class:`Sending` travels while mails are sent.
CONTEXT_KEY = "catchall_sending"


class MaybeSent(SMTPServerDisconnected):
    """The connection broke between the end of a mail and the answer to it (RFC 1047)."""


@dataclasses.dataclass(eq=False)
class Sending:
    """What is known while a number of mails is sent, each of them in parts: one for a recipient."""

    #: those of each mail, by Message-Id, in the order in which they are sent
    parts: dict = dataclasses.field(default_factory=dict)
    #: those of them that a mail server took
    accepted: dict = dataclasses.field(default_factory=lambda: collections.defaultdict(list))
    #: error by server that could not be reached a moment ago
    unreachable: dict = dataclasses.field(default_factory=dict)
    #: errors of servers after which the same mail may be accepted later
    temporary: list = dataclasses.field(default_factory=list)
    _left: dict = dataclasses.field(default_factory=dict)

    def plan(self, message_id, parts):
        """Begin with a mail."""
        self.parts[message_id] = list(parts)
        self.accepted.pop(message_id, None)
        self._left[message_id] = iter(self.parts[message_id])

    def take(self, message_id):
        """Return the part of a mail that is sent now, None if it is not known."""
        return next(self._left.get(message_id, iter(())), None)

    def note(self, error):
        """Note an error of a mail server if it is temporary, and tell whether it is."""
        is_noted = is_temporary(error)
        if is_noted:
            self.temporary.append(error)
        return is_noted

    def is_complete(self, message_id):
        """Tell whether the mail servers took all parts of a mail."""
        parts = self.parts.get(message_id)
        return bool(parts) and set(parts) <= set(self.accepted[message_id])


def sending_of(env):
    """Return the :class:`Sending` under way, or None; no remote call can put one there."""
    sending = env.context.get(CONTEXT_KEY)
    return sending if isinstance(sending, Sending) else None


def is_temporary(error):
    """Tell whether a mail that met this error may be accepted later, and was not accepted now."""
    if isinstance(error, SMTPRecipientsRefused):
        return all(_is_temporary_code(code) for code, _text in error.recipients.values())
    if isinstance(error, SMTPResponseException):
        return _is_temporary_code(error.smtp_code)
    if isinstance(error, SMTPServerDisconnected):
        return not isinstance(error, MaybeSent)
    if isinstance(error, ssl.SSLError):
        return isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError))
    if isinstance(error, socket.gaierror):
        return error.errno == socket.EAI_AGAIN  # a name that does not exist is a mistake
    if isinstance(error, (ConnectionError, TimeoutError)):
        return True
    return isinstance(error, OSError) and error.errno in _NETWORK_ERRORS


def _is_temporary_code(code):
    """RFC 5321, 4.2.1: transient negative completion."""
    return isinstance(code, int) and 400 <= code < 500


def session_of(connection):
    """Return the session with a mail server, None if something stands in for one.

    :param connection: of ``ir.mail_server``; not all builds of Odoo wrap the session
    """
    smtp = getattr(connection, "__obj__", connection)
    return smtp if isinstance(smtp, SMTP) else None


def take_over(connection, renewed):
    """Have a connection whose session ended go on with the session of another."""
    if hasattr(connection, "__obj__"):
        connection.__obj__ = session_of(renewed)
    else:
        watched = ("getreply", "quit")
        state = {name: value for name, value in vars(renewed).items() if name not in watched}
        vars(connection).update(state)


def watch(smtp):
    """Have an SMTP session raise MaybeSent where a mail may be sent, and end without an error."""
    getreply, leave = smtp.getreply, smtp.quit
    last = 0

    def watched_getreply():
        nonlocal last
        try:
            reply = getreply()
        except SMTPServerDisconnected as error:
            if last == _START_INPUT:
                raise MaybeSent(*error.args) from error
            raise
        last = reply[0]
        return reply

    def watched_quit():  # who fails to say goodbye has sent all the same
        with contextlib.suppress(SMTPServerDisconnected):
            return leave()

    smtp.getreply, smtp.quit = watched_getreply, watched_quit
