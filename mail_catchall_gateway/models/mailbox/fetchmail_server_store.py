import logging
import time

import psycopg2

from odoo import fields, models

from ...tools.mailbox.mailbox import read_ahead
from ...tools.mailbox.mailbox_result import FetchResult
from ...tools.message.source import summarize
from ...tools.time_limit import in_days

_logger = logging.getLogger(__name__)

#: Octets in memory: a batch, and the next one that is fetched meanwhile.
BATCH_OCTETS = 10 * 1024 * 1024
#: Mails that one run looks at; the next run takes up the others.
MAX_MAILS = 10_000
#: Classes of PostgreSQL's errors that are the fault of what is stored: data, and what is too large.
DATA_ERRORS = ("22", "54")


class FetchmailServer(models.Model):
    """How a catch-all mailbox is read: stored and committed before it is acknowledged."""

    _inherit = "fetchmail.server"

    def _read_mailbox(self, mailbox, line, until):
        """Store and acknowledge mails, while the next ones are on their way.

        What an earlier run stored and could not acknowledge is fetched again and compared: the
        UID of a mail that is gone may be another's (RFC 1939, 7), or the mailbox was restored.

        :param line: executor of the one thread that talks to the mail server
        :return FetchResult:
        """
        uids = line.submit(mailbox.list).result()
        stored = self._get_stored(mailbox.key, uids)
        left = self._get_left(stored)
        wanted = [uid for uid in uids if uid not in left]
        count, is_late, acknowledged = 0, False, []
        batches = read_ahead(line, mailbox, wanted[:MAX_MAILS], self.batch_size, BATCH_OCTETS)
        for bodies in batches:
            known = self._find_known(bodies, stored)
            new = self._store(
                mailbox, {uid: raw for uid, raw in bodies.items() if uid not in known}
            )
            # only what is committed may be acknowledged
            self.env.cr.commit()  # pylint: disable=invalid-commit
            done = known if self._leaves_mail() else [*known, *new]
            if done:
                acknowledged.append(self._acknowledge(mailbox, line, done))
            count += len(new)
            is_late = time.monotonic() > until
            if is_late:
                break
        for future in acknowledged:
            future.result()  # raises what went wrong there
        return FetchResult(
            "fetched",
            count,
            has_more=bool(count or acknowledged) and (is_late or len(wanted) > MAX_MAILS),
            text=self._describe_problems(mailbox.problems),
        )

    def _acknowledge(self, mailbox, line, uids):
        """Have the server not show these mails again, when it comes to it."""
        return line.submit(mailbox.acknowledge, uids)

    # ------------------------------------------------------------
    # WHAT AN EARLIER RUN STORED
    # ------------------------------------------------------------

    def _leaves_mail(self):
        """Tell whether stored mail stays in the mailbox for others, who read it by POP."""
        return self._get_connection_type() == "pop" and self.leave_days > 0

    def _get_stored(self, key, uids):
        """Return what an earlier run stored, by UID.

        :return dict: values of the inbound emails
        """
        if not uids:
            return {}
        domain = [("server_id", "=", self.id), ("uid", "in", uids)]
        domain += [(name, "=", value) for name, value in key.items()]
        names = ["uid", "create_date", "size", "message_id"]
        rows = self.env["mail.catchall.inbound"].sudo().search_read(domain, names)
        return {row["uid"]: row for row in rows}

    def _get_left(self, stored):
        """Return the UIDs of stored mails that are to stay on the server for some more days."""
        if not self._leaves_mail():
            return set()
        limit = fields.Datetime.now() - in_days(self.leave_days)
        return {uid for uid, row in stored.items() if row["create_date"] > limit}

    def _find_known(self, bodies, stored):
        """Return the UIDs of those mails of a batch that are stored already.

        Where another mail has the UID of a stored one, that one gives it up.

        :param dict bodies: source by UID
        :param dict stored: see :meth:`_get_stored`
        """
        uids = bodies.keys() & stored.keys()
        if not uids:
            return []
        known, outdated = [], []
        inbounds = self.env["mail.catchall.inbound"].sudo()
        sources = inbounds.browse(stored[uid]["id"] for uid in uids)._get_source_attachments()
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
            _logger.info("Mailbox %s uses UIDs again: %s", self.name, ", ".join(outdated))
            inbounds.browse(stored[uid]["id"] for uid in outdated).uid = False
        return known

    # ------------------------------------------------------------
    # STORING
    # ------------------------------------------------------------

    def _store(self, mailbox, bodies):
        """Store mails. One that cannot be stored does not hold up the others.

        :param dict bodies: source by UID
        :return list: UIDs of those that are stored
        :raise OSError: if the filestore fails, and psycopg2's errors if the database does
        """
        if not bodies:
            return []
        key = {**mailbox.key, "server_id": self.id}
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
                _logger.warning(
                    "A mail of mailbox %s could not be stored", self.name, exc_info=True
                )
                mailbox.problems.append(f"UID {next(iter(bodies))}: {error}")
                return []
        stored = (self._store(mailbox, {uid: body}) for uid, body in bodies.items())
        return [uid for uids in stored for uid in uids]
