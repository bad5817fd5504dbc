import concurrent.futures
import datetime
import logging
import time

from odoo import _, fields, models

from ...tools.mailbox.imap_mailbox import ImapMailbox
from ...tools.mailbox.mailbox_result import FetchResult
from ...tools.mailbox.pop_mailbox import PopMailbox
from ...tools.time_limit import share

_logger = logging.getLogger(__name__)

#: Minutes that a mailbox is left alone after each error in a row; the last one counts on.
PAUSE_MINUTES = (1, 5, 15, 60)
#: Managers hear of a mailbox that fails for so long.
ALARM_AFTER = datetime.timedelta(days=1)


class FetchmailServer(models.Model):
    """When catch-all mailboxes are fetched, by whom, and how it went."""

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
        start, limit = time.monotonic(), self.env["mail.catchall.queue"]._get_time_limit()
        due = self.filtered(lambda server: server._is_due())
        results = {}
        for position, server in enumerate(due.with_context(fetchmail_cron_running=True)):
            # half of the time is for fetching, and no mailbox takes what is another's
            until = share(start + limit / 2, len(due) - position, time.monotonic())
            results[server] = server._fetch_catchall(until)
        if any(result.has_more for result in results.values()):
            self.env.ref("mail.ir_cron_mail_gateway_action")._trigger()
        self.env["mail.catchall.queue"]._process_waiting(start + limit)
        return results

    def _is_due(self):
        self.ensure_one()
        if self._get_connection_type() == "local":
            return False
        if not self.next_fetch or not self.env.context.get("catchall_is_scheduled"):
            return True
        now = fields.Datetime.now()
        # beyond the longest pause it was written by a clock that was wrong
        return not now < self.next_fetch <= now + datetime.timedelta(minutes=max(PAUSE_MINUTES))

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
        try:
            # what another process stored while we waited for our turn must be seen
            self.env.cr.commit()  # pylint: disable=invalid-commit
            self.env.invalidate_all()
            return self._fetch_locked(until)
        finally:
            self._unlock_mailbox()

    def _fetch_locked(self, until):
        """Fetch, and note how it went. What was stored before an error is committed already."""
        try:
            result = self._fetch_new(until)
            # whoever saved the form meanwhile must not make an error of it
            self.env.cr.commit()  # pylint: disable=invalid-commit
            self.write(self._prepare_success(result))
            self._close_activities()
            _logger.info("Fetched %d email(s) from mailbox %s", result.count, self.name)
        except Exception as error:
            _logger.warning("Mailbox %s could not be fetched", self.name, exc_info=True)
            self.env.cr.rollback()
            result = FetchResult("error", text=self._describe_error(error))
            self.write(self._prepare_error(result))
            self._alarm_managers()
        # released to others only when they can see it
        self.env.cr.commit()  # pylint: disable=invalid-commit
        return result

    def _lock_mailbox(self):
        """Take the mailbox for this process: two at once would store every mail twice."""
        self.env.cr.execute("SELECT pg_try_advisory_lock(hashtext(%s), %s)", [self._name, self.id])
        return self.env.cr.fetchone()[0]

    def _unlock_mailbox(self):
        # a transaction that failed unlocks nothing, and the lock would outlive it
        self.env.cr.rollback()
        self.env.cr.execute("SELECT pg_advisory_unlock(hashtext(%s), %s)", [self._name, self.id])
        # nothing to write; leaves no transaction open
        self.env.cr.commit()  # pylint: disable=invalid-commit

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
