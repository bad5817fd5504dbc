import concurrent.futures
import datetime
import logging
import time

import psycopg2

from odoo import _, fields, models

from ..tools.imap_mailbox import ImapMailbox
from ..tools.mailbox import read_ahead
from ..tools.mailbox_result import FetchResult
from ..tools.pop_mailbox import PopMailbox
from ..tools.time_limit import share
from .time_limit import get_time_limit

_logger = logging.getLogger(__name__)

#: Octets in memory: a batch, and the next one that is fetched meanwhile.
BATCH_OCTETS = 10 * 1024 * 1024
#: Mails that one run looks at; the next run takes up the others.
MAX_MAILS = 10_000
#: Minutes that a mailbox is left alone after each error in a row; the last one counts on.
PAUSE_MINUTES = (1, 5, 15, 60)
#: Managers hear of a mailbox that fails for so long.
ALARM_AFTER = datetime.timedelta(days=1)


class FetchmailServer(models.Model):
    """How a catch-all mailbox is read: stored and committed before it is acknowledged."""

    _inherit = "fetchmail.server"

    # ------------------------------------------------------------
    # ALL MAILBOXES
    # ------------------------------------------------------------

    def _fetch_mails(self):
        """Let the scheduled action leave a mailbox alone that failed a moment ago."""
        return super(FetchmailServer, self.with_context(catchall_is_scheduled=True))._fetch_mails()

    def fetch_mail(self):
        """Fetch catch-all mailboxes our way. It commits, as core's method does."""
        catchalls = self.filtered("is_catchall")
        super(FetchmailServer, self - catchalls).fetch_mail()
        if catchalls:
            catchalls._fetch_and_process()
        return True

    def _fetch_and_process(self):
        """Fetch these mailboxes and process what is waiting, within the time that Odoo gives.

        :return dict: FetchResult by mailbox
        """
        start, limit = time.monotonic(), get_time_limit()
        due = self.filtered(lambda server: server._is_due())
        results = {}
        for position, server in enumerate(due.with_context(fetchmail_cron_running=True)):
            # half of the time is for fetching, and no mailbox takes what is another's
            until = share(start + limit / 2, len(due) - position, time.monotonic())
            results[server] = server._fetch_catchall(until)
        if any(result.has_more for result in results.values()):
            self.env.ref("mail.ir_cron_mail_gateway_action")._trigger()
        self.env["mail.catchall.inbound"]._process_waiting(start + limit)
        return results

    def _is_due(self):
        self.ensure_one()
        if self._get_connection_type() == "local":
            return False
        is_paused = self.next_fetch and self.next_fetch > fields.Datetime.now()
        return not (is_paused and self.env.context.get("catchall_is_scheduled"))

    # ------------------------------------------------------------
    # ONE MAILBOX
    # ------------------------------------------------------------

    def _fetch_catchall(self, until):
        """Store what is new in this mailbox. An error stops only this mailbox.

        :param float until: when to stop, as ``time.monotonic`` counts
        :return FetchResult:
        """
        self.ensure_one()
        if not self._lock_mailbox():
            _logger.info("Mailbox %s is being fetched by another process", self.name)
            return FetchResult("busy")
        # what another process stored while we waited for our turn must be seen
        self.env.cr.commit()  # pylint: disable=invalid-commit
        self.env.invalidate_all()
        try:
            result = self._fetch_new(until)
            self.write(self._prepare_success(result))
            self._close_activities()
            _logger.info("Fetched %d email(s) from mailbox %s", result.count, self.name)
        except Exception as error:
            _logger.warning("Mailbox %s could not be fetched", self.name, exc_info=True)
            self.env.cr.rollback()
            result = FetchResult("error", text=self._describe_error(error))
            self.write(self._prepare_error(result))
            self._alarm_managers()
        finally:
            self._unlock_mailbox()
            # what was stored before an error is committed already
            self.env.cr.commit()  # pylint: disable=invalid-commit
        return result

    def _lock_mailbox(self):
        """Take the mailbox for this process: two at once would store every mail twice."""
        self.env.cr.execute("SELECT pg_try_advisory_lock(hashtext(%s), %s)", [self._name, self.id])
        return self.env.cr.fetchone()[0]

    def _unlock_mailbox(self):
        self.env.cr.execute("SELECT pg_advisory_unlock(hashtext(%s), %s)", [self._name, self.id])

    def _open_mailbox(self):
        """Connect, by core's method that other modules extend (Gmail, Outlook)."""
        connection = self.connect()
        if self._get_connection_type() == "pop":
            return PopMailbox(connection)
        return ImapMailbox(
            connection, self.folder or "INBOX", self.after_fetch, self.archive_folder or ""
        )

    def _fetch_new(self, until):
        """Store the new mails of this mailbox.

        :return FetchResult:
        :raise Exception: whatever the connection raises, and MailboxError if the server says no
        """
        mailbox = self._open_mailbox()
        is_done = False
        try:
            with concurrent.futures.ThreadPoolExecutor(1) as line:
                result = self._read_mailbox(mailbox, line, until)
            is_done = True
            return result
        finally:
            self._close_mailbox(mailbox, is_done)

    def _close_mailbox(self, mailbox, is_done):
        """Say goodbye. By POP only that deletes; an error before is the one to be told."""
        try:
            mailbox.close()
        except Exception:
            _logger.info("Mailbox %s did not say goodbye", self.name, exc_info=True)
            if is_done and isinstance(mailbox, PopMailbox):
                raise

    def _read_mailbox(self, mailbox, line, until):
        """Store and acknowledge mails, while the next ones are on their way.

        :param line: executor of the one thread that talks to the mail server
        """
        uids = line.submit(mailbox.list).result()
        stored = self._get_stored(mailbox.key, uids)
        # of an earlier run, that could not acknowledge them
        old = self._get_old(stored)
        acknowledged = [line.submit(mailbox.acknowledge, old)] if old else []
        new = [uid for uid in uids if uid not in stored]
        count, is_late = 0, False
        batches = read_ahead(line, mailbox, new[:MAX_MAILS], self.batch_size, BATCH_OCTETS)
        for bodies in batches:
            fetched = self._store(mailbox, bodies)
            # only what is committed may be acknowledged
            self.env.cr.commit()  # pylint: disable=invalid-commit
            if not self.leave_days:
                acknowledged.append(self._acknowledge(mailbox, line, fetched))
            count += len(fetched)
            is_late = time.monotonic() > until
            if is_late:
                break
        for future in acknowledged:
            future.result()  # raises what went wrong there
        return FetchResult(
            "fetched",
            count,
            has_more=bool(count) and (is_late or len(new) > MAX_MAILS),
            text=self._describe_problems(mailbox.problems),
        )

    def _get_stored(self, key, uids):
        """Return when a mail was stored, by UID, of those that an earlier run stored."""
        if not uids:
            return {}
        domain = [("server_id", "=", self.id), ("uid", "in", uids)]
        domain += [(name, "=", value) for name, value in key.items()]
        stored = (
            self.env["mail.catchall.inbound"].sudo().search_read(domain, ["uid", "create_date"])
        )
        return {row["uid"]: row["create_date"] for row in stored}

    def _get_old(self, stored):
        """Return the UIDs of stored mails that need not be left on the server any longer."""
        if self._get_connection_type() != "pop" or not self.leave_days:
            return list(stored)
        limit = fields.Datetime.now() - datetime.timedelta(days=self.leave_days)
        return [uid for uid, date in stored.items() if date <= limit]

    def _store(self, mailbox, bodies):
        """Store mails. One that cannot be stored does not hold up the others.

        :param dict bodies: source by UID
        :return list: UIDs of those that are stored
        :raise OSError: if the filestore fails, and psycopg2's errors if the database does
        """
        key = {**mailbox.key, "server_id": self.id}
        mails = [(body, {**key, "uid": uid}) for uid, body in bodies.items()]
        try:
            with self.env.cr.savepoint():
                self.env["mail.catchall.inbound"]._store(mails)
            return list(bodies)
        except (OSError, psycopg2.Error):
            raise
        except Exception as error:
            if len(bodies) == 1:
                _logger.warning(
                    "A mail of mailbox %s could not be stored", self.name, exc_info=True
                )
                mailbox.problems.append(f"UID {next(iter(bodies))}: {error}")
                return []
        stored = (self._store(mailbox, {uid: body}) for uid, body in bodies.items())
        return [uid for uids in stored for uid in uids]

    def _acknowledge(self, mailbox, line, uids):
        """Have the server not show these mails again, when it comes to it."""
        return line.submit(mailbox.acknowledge, uids)

    # ------------------------------------------------------------
    # HOW IT WENT
    # ------------------------------------------------------------

    def _prepare_success(self, result):
        now = fields.Datetime.now()
        return {
            "date": now,
            "last_success": now,
            "last_error": result.text or False,
            "error_count": 0,
            "error_since": False,
            "next_fetch": False,
        }

    def _prepare_error(self, result):
        now = fields.Datetime.now()
        minutes = PAUSE_MINUTES[min(self.error_count, len(PAUSE_MINUTES) - 1)]
        return {
            "date": now,
            "last_error": result.text,
            "error_count": self.error_count + 1,
            "error_since": self.error_since or now,
            "next_fetch": now + datetime.timedelta(minutes=minutes),
        }

    def _alarm_managers(self):
        """Tell those who can mend it, once, that a mailbox fails for a day."""
        if self.activity_ids or fields.Datetime.now() - self.error_since < ALARM_AFTER:
            return
        self._schedule_for_managers(_("Mailbox %s cannot be read", self.name), self.last_error)

    def _describe_problems(self, problems):
        if not problems:
            return ""
        return _("Not fetched: %s", "; ".join(problems)[:500])
