"""Waiting for news of an IMAP folder: IDLE (RFC 2177), or NOOP where a server has no IDLE."""

import collections
import contextlib
import imaplib
import re
import selectors
import time

from . import imap

#: Seconds that a server may take to answer.
ANSWER_SECONDS = 60

#: What says that there may be new mail (RFC 3501, 7.3).
_NEWS = re.compile(rb"\* \d+ (EXISTS|RECENT)\b", re.IGNORECASE)
_BYE = re.compile(rb"\* BYE\b", re.IGNORECASE)


def find_readable(sockets, seconds):
    """Return which of some sockets, or of what has a file number, can be read; wait so long."""
    with selectors.DefaultSelector() as selector:
        for sock in sockets:
            selector.register(sock, selectors.EVENT_READ)
        return [key.fileobj for key, _events in selector.select(max(0, seconds))]


class WatchedFolder:
    """A folder that is looked at, and never changed, over a connection that is logged in.

    Arguments:
        connection: imaplib's, or core's around it
        folder (str): name as people see it
        wake: socket that ends the waiting when it can be read
        poll_seconds (float): between two looks at a server without IDLE
    """

    def __init__(self, connection, folder, wake, poll_seconds):
        # core's wrapper does not hand out the socket
        self.connection = getattr(connection, "__obj__", connection)
        self.wake = wake
        self.poll_seconds = poll_seconds
        self._count = 0
        self._rest = b""
        self._lines = collections.deque()
        imap.check(self.connection.select(imap.quote(folder), readonly=True))
        self.has_idle = b"IDLE" in imap.get_capabilities(self.connection)

    def wait(self, seconds):
        """Wait until there is news, or ``wake`` can be read, or the time is over.

        Nothing is missed between two calls: the server keeps it for the next command.

        :param float seconds: a server may end an IDLE after 30 minutes
        :return bool: whether there may be new mail
        :raise OSError, imaplib.IMAP4.abort: if the connection is gone, or the server is silent
        """
        news, tag = False, b""
        if self.has_idle:
            tag = self._send_command(b"IDLE")
            news, self.has_idle = self._read_answers(tag, until=b"+")
        if not self.has_idle:
            seconds = min(seconds, self.poll_seconds)
        end = time.monotonic() + seconds
        while not news and (line := self._read_line(end, self.wake)) is not None:
            news = self._note(line)
        if self.has_idle:
            self.connection.send(b"DONE\r\n")
        else:
            tag = self._send_command(b"NOOP")
        return self._read_answers(tag)[0] or news

    def close(self):
        """Say goodbye, if anybody listens."""
        try:
            self.connection.logout()
        except (OSError, imaplib.IMAP4.error):
            with contextlib.suppress(OSError):
                self.connection.shutdown()

    def _send_command(self, command):
        self._count += 1
        tag = b"L%d" % self._count  # imaplib's begin with one of A to P and another letter
        self.connection.send(b"%s %s\r\n" % (tag, command))
        return tag

    def _read_answers(self, tag, until=None):
        """Read to the end of a command or to ``until``: (whether there was news, it was until)."""
        news, end = False, time.monotonic() + ANSWER_SECONDS
        while True:
            line = self._read_line(end)
            if line is None:
                raise imaplib.IMAP4.abort("the server does not answer")
            if until and line.startswith(until):
                return news, True
            if line.startswith(tag + b" "):
                return news, False
            news = self._note(line) or news

    @staticmethod
    def _note(line):
        if _BYE.match(line):
            raise imaplib.IMAP4.abort(line.decode(errors="replace"))
        return bool(_NEWS.match(line))

    def _read_line(self, end, wake=None):
        """Return the next line, or None where the time is over or ``wake`` can be read."""
        while not self._lines:
            if not self._is_readable(end, wake):
                return None
            # past its buffer: what it held back, no selector would tell of
            data = self.connection.file.read1(65536)
            if not data:
                raise imaplib.IMAP4.abort("the server closed the connection")
            *lines, self._rest = (self._rest + data).split(b"\n")
            self._lines.extend(line.rstrip(b"\r") for line in lines)
        return self._lines.popleft()

    def _is_readable(self, end, wake):
        sock = self.connection.sock
        if hasattr(sock, "pending") and sock.pending():  # decrypted already
            return True
        ready = find_readable(filter(None, [sock, wake]), end - time.monotonic())
        return sock in ready and wake not in ready
