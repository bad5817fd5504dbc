"""A mailbox read by POP3 (RFC 1939), over a connection that core opened."""

import hashlib
import poplib
import types

from .mailbox import MailboxError

#: Octets. At a longer line poplib gives up, and the dialogue with it. In a mail nothing limits
#: them, and with the 64 KB of core's, which stock mailboxes keep, it is never got past.
MAX_LINE = 64 * 1024 * 1024
#: poplib's own method with that limit
_getline = types.FunctionType(
    poplib.POP3._getline.__code__, {**vars(poplib), "_MAXLINE": MAX_LINE}, "_getline"
)


class PopMailbox:
    """See ``mailbox.py``. The server deletes what was acknowledged at :meth:`close`, not before."""

    def __init__(self, connection):
        # core's wrapper does not hand out the method
        self.connection = getattr(connection, "__obj__", connection)
        self.connection._getline = types.MethodType(_getline, self.connection)
        self.key = {"folder": "POP3", "uid_validity": "-"}
        self.problems = []
        self.numbers = {}

    def list(self):
        try:
            _answer, lines, _octets = self.connection.uidl()
        except poplib.error_proto:
            return self._list_without_uidl()
        for line in lines:
            number, _space, uid = line.partition(b" ")
            self.numbers[uid.decode("ascii", "replace")] = int(number)
        return list(self.numbers)

    def _list_without_uidl(self):
        # UIDL is optional: then the source is what tells a mail from others, and is read first
        for number in self._sizes():
            uid = hashlib.sha256(self._retrieve(number)).hexdigest()
            self.numbers.setdefault(uid, number)
        return list(self.numbers)

    def sizes(self, uids):
        sizes = self._sizes()
        return {uid: sizes.get(self.numbers[uid], 1 << 40) for uid in uids}

    def _sizes(self):
        _answer, lines, _octets = self.connection.list()
        return {int(line.split()[0]): int(line.split()[1]) for line in lines}

    def fetch(self, uids):
        bodies = {}
        for uid in uids:
            try:
                if body := self._retrieve(self.numbers[uid]):
                    bodies[uid] = body
                else:  # no mail: the server cannot read it
                    self.problems.append(f"{uid}: not handed over")
            except poplib.error_proto as error:
                if not str(error).startswith(("b'-ERR", 'b"-ERR')):
                    raise  # no answer of the server's: the dialogue is out of step
                self.problems.append(f"{uid}: {error}")
        return bodies

    def _retrieve(self, number):
        _answer, lines, _octets = self.connection.retr(number)
        lines.append(b"")
        return b"\r\n".join(lines)

    def acknowledge(self, uids):
        for uid in uids:
            self.connection.dele(self.numbers[uid])

    def close(self):
        try:
            self.connection.quit()
        except poplib.error_proto as error:
            # RFC 1939, 6: some of the deleted messages were not removed
            raise MailboxError(str(error)) from error
