"""A folder read by IMAP (RFC 3501), over a connection that core opened."""

from . import imap
from .mailbox import MailboxError

#: UIDs in one command: servers need not take lines of more than 8,192 octets (RFC 7162, 4).
MAX_UIDS = 500


class ImapMailbox:
    """See ``mailbox.py``. Nothing is marked as seen by being fetched.

    Arguments:
        connection: imaplib's, logged in
        folder (str): name as people see it
        after_fetch (str): what acknowledging a mail is: ``seen``, ``move`` or ``delete``
        archive_folder (str): where it is moved
    """

    def __init__(self, connection, folder, after_fetch="seen", archive_folder=""):
        self.connection = connection
        self.after_fetch = after_fetch
        self.archive_folder = archive_folder
        self.problems = []
        imap.check(connection.select(imap.quote(folder)))
        validity = connection.response("UIDVALIDITY")[1][0] or b""
        self.key = {"folder": folder, "uid_validity": validity.decode("ascii", "replace")}
        self.capabilities = ()
        if after_fetch != "seen":
            self.capabilities = imap.get_capabilities(connection)

    def list(self):
        found = imap.parse_search(self._uid("SEARCH", "UNSEEN"))
        return [str(uid) for uid in sorted(set(found))]

    def sizes(self, uids):
        sizes = {}
        for some in _split(uids):
            data = self._uid("FETCH", some, "(RFC822.SIZE)")
            sizes.update(imap.parse_fetch(data, b"RFC822.SIZE", int))
        # of a mail without a size, it is not known that it is small
        return {uid: sizes.get(int(uid), 1 << 40) for uid in uids}

    def fetch(self, uids):
        try:
            return self._fetch(uids)
        except MailboxError as error:
            if len(uids) > 1:  # one of them must not hold up the others
                return {key: body for uid in uids for key, body in self.fetch([uid]).items()}
            self.problems.append(f"UID {uids[0]}: {error}")
            return {}

    def _fetch(self, uids):
        data = self._uid("FETCH", ",".join(uids), "(BODY.PEEK[])")
        found = imap.parse_fetch(data, b"BODY[]", bytes)
        # an empty one is no mail: the server cannot read it
        bodies = {uid: found[int(uid)] for uid in uids if found.get(int(uid))}
        if left := [uid for uid in uids if uid not in bodies]:
            self.problems.append(f"UID {', '.join(left)}: not handed over")
        return bodies

    def acknowledge(self, uids):
        for some in _split(uids):
            if self.after_fetch == "move":
                self._move(some)
            elif self.after_fetch == "delete":
                self._delete(some)
            else:
                self._uid("STORE", some, "+FLAGS.SILENT", r"(\Seen)")

    def _move(self, some):
        """Move by RFC 6851, or by its parts: what ends between them is moved by the next run."""
        archive = imap.quote(self.archive_folder)
        command = "MOVE" if b"MOVE" in self.capabilities else "COPY"
        try:
            self._uid(command, some, archive)
        except MailboxError:
            # most often for want of the folder; if not for that, it says no again
            self.connection.create(archive)
            self._uid(command, some, archive)
        if command == "COPY":
            self._delete(some)

    def _delete(self, some):
        self._uid("STORE", some, "+FLAGS.SILENT", r"(\Deleted \Seen)")
        if b"UIDPLUS" in self.capabilities:
            self._uid("EXPUNGE", some)
        else:
            imap.check(self.connection.expunge())

    def close(self):
        self.connection.logout()

    def _uid(self, *command):
        return imap.check(self.connection.uid(*command))


def _split(uids):
    """Return UIDs as sequence sets (RFC 3501, 9)."""
    starts = range(0, len(uids), MAX_UIDS)
    return [",".join(uids[start : start + MAX_UIDS]) for start in starts]
