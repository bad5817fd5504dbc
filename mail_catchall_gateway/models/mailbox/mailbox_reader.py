import concurrent.futures
import contextlib
import logging
import time

import psycopg2

from odoo import _, fields

from ...tools.mailbox.mailbox import FetchResult, read_ahead
from ...tools.message.source import summarize
from ...tools.time_limit import in_days

_logger = logging.getLogger(__name__)

#: Octets in memory: a batch, and the next one that is fetched meanwhile.
BATCH_OCTETS = 10 * 1024 * 1024
#: Mails that one run looks at; the next run takes up the others.
MAX_MAILS = 10_000
#: Classes of PostgreSQL's errors that are the fault of what is stored: data, and what is too large.
DATA_ERRORS = ("22", "54")


class MailboxReader:
    """Reads a mailbox once: a mail is stored and committed before it is acknowledged.

    What an earlier run stored and could not acknowledge is fetched again and compared: the UID of
    a mail that is gone may be another's (RFC 1939, 7), or the mailbox was restored.

    Arguments:
        server: ``fetchmail.server``, locked for this process
        mailbox: its connection, see ``tools/mailbox/mailbox.py``
    """

    def __init__(self, server, mailbox):
        self.server = server
        self.mailbox = mailbox
        self.env = server.env
        # for "Fetch Now": administrators may not read inbound emails; nothing of them is shown
        self.inbounds = self.env["mail.catchall.inbound"].sudo()
        self.is_pop = server._get_connection_type() == "pop"
        # for other programs that read it
        self.leaves_mail = self.is_pop and server.leave_days > 0

    def read_new(self, until):
        """Store what is new, acknowledge it, and say goodbye.

        :param float until: when to stop, as ``time.monotonic`` counts
        :return FetchResult:
        :raise Exception: what the connection raises, and MailboxError if the server says no
        """
        try:
            # one thread talks to the mail server, while this one stores
            with concurrent.futures.ThreadPoolExecutor(1) as line:
                result = self._read(line, until)
        except Exception:
            with contextlib.suppress(Exception):  # the first error is the one to be told
                self.mailbox.close()
            raise
        self._close()
        return result

    def _read(self, line, until):
        uids = line.submit(self.mailbox.list).result()
        stored = self._get_stored(uids)
        left = self._get_left(stored)
        wanted = [uid for uid in uids if uid not in left]
        size = self.server.batch_size
        count, is_late, acknowledged = 0, False, []
        for bodies in read_ahead(line, self.mailbox, wanted[:MAX_MAILS], size, BATCH_OCTETS):
            known = self._find_known(bodies, stored)
            new = self._store({uid: raw for uid, raw in bodies.items() if uid not in known})
            # only what is committed may be acknowledged
            self.env.cr.commit()  # pylint: disable=invalid-commit
            if done := known if self.leaves_mail else [*known, *new]:
                acknowledged.append(line.submit(self.mailbox.acknowledge, done))
            count += len(new)
            is_late = time.monotonic() > until
            if is_late:
                break
        for future in acknowledged:
            future.result()  # raises what went wrong there
        has_more = bool(count or acknowledged) and (is_late or len(wanted) > MAX_MAILS)
        problems = "; ".join(self.mailbox.problems)[:500]
        text = _("Not fetched: %s", problems) if problems else ""
        return FetchResult("fetched", count, has_more, text)

    def _close(self):
        try:
            self.mailbox.close()
        except Exception:
            _logger.info("Mailbox %s did not say goodbye", self.server.name, exc_info=True)
            if self.is_pop:  # only that deletes
                raise

    def _get_stored(self, uids):
        """Return the values of the inbound emails that an earlier run stored, by UID."""
        domain = [("server_id", "=", self.server.id), ("uid", "in", uids)]
        domain += [(name, "=", value) for name, value in self.mailbox.key.items()]
        names = ["uid", "create_date", "size", "message_id"]
        return {row["uid"]: row for row in self.inbounds.search_read(domain, names)}

    def _get_left(self, stored):
        """Return the UIDs of stored mails that are to stay on the server for some more days."""
        if not self.leaves_mail:
            return set()
        limit = fields.Datetime.now() - in_days(self.server.leave_days)
        return {uid for uid, row in stored.items() if row["create_date"] > limit}

    def _find_known(self, bodies, stored):
        """Return the UIDs of those mails of a batch that are stored already.

        Where another mail has the UID of a stored one, that one gives it up.
        """
        uids = bodies.keys() & stored.keys()
        known, outdated = [], []
        sources = self.inbounds.browse(stored[uid]["id"] for uid in uids)._get_source_attachments()
        checksums = {source.res_id: source.checksum for source in sources}
        for uid in uids:
            row, raw = stored[uid], bodies[uid]
            checksum = sources._compute_checksum(raw)
            # machines write mails without Message-Id that are as long as each other
            is_same = (
                row["size"] == len(raw)
                and (row["message_id"] or "") == summarize(raw).message_id
                and checksums.get(row["id"], checksum) == checksum
            )
            (known if is_same else outdated).append(uid)
        if outdated:
            _logger.info("Mailbox %s uses UIDs again: %s", self.server.name, ", ".join(outdated))
            self.inbounds.browse(stored[uid]["id"] for uid in outdated).uid = False
        return known

    def _store(self, bodies):
        """Store sources by UID. One that cannot be stored does not hold up the others.

        :return list: UIDs of those that are stored
        :raise OSError: if the filestore fails, and psycopg2's errors if the database does
        """
        if not bodies:
            return []
        key = {**self.mailbox.key, "server_id": self.server.id}
        mails = [(body, {**key, "uid": uid}) for uid, body in bodies.items()]
        try:
            with self.env.cr.savepoint():
                self.env["mail.catchall.inbound"]._store(mails)
            return list(bodies)
        except OSError:
            raise
        except Exception as error:
            if isinstance(error, psycopg2.Error) and (error.pgcode or "")[:2] not in DATA_ERRORS:
                raise
            if len(bodies) == 1:
                text = "A mail of mailbox %s could not be stored"
                _logger.warning(text, self.server.name, exc_info=True)
                self.mailbox.problems.append(f"UID {next(iter(bodies))}: {error}")
                return []
        return [uid for one, body in bodies.items() for uid in self._store({one: body})]
