import datetime
import logging
import time
import traceback

import psycopg2

from odoo import _, api, fields, models
from odoo.service.model import retrying

from ..tools import source
from .time_limit import get_time_limit

_logger = logging.getLogger(__name__)

#: Minutes to wait before each further attempt; the last one counts for all that follow.
RETRY_MINUTES = (1, 5, 15, 60, 360)
MAX_ATTEMPTS = 8
#: Emails that a worker takes at once. If it dies, they wait for the first retry.
CLAIM_SIZE = 20
#: Seconds for which a mail waits whose copy another worker has in hands.
COPY_SECONDS = 5
#: So often a worker looks again when others were faster.
CLAIM_ATTEMPTS = 20
#: Seconds after which a worker gives back what it took and did not come to: before others take it.
CLAIM_SECONDS = 40
#: Days for which an answer waits for the mail that it answers. Mails that answer each other in a
#: circle would wait for ever.
ANSWER_DAYS = 2


class MailCatchallInbound(models.Model):
    """The queue: any number of workers take what is waiting, and nothing is done twice."""

    _inherit = "mail.catchall.inbound"

    # ------------------------------------------------------------
    # QUEUE
    # ------------------------------------------------------------

    @api.model
    def _process_waiting(self, until=None):
        """Process what is waiting, each mail in a transaction of its own.

        Meant for scheduled actions and fetching: it commits. Any number of workers share the work.

        :param float until: when to stop, as ``time.monotonic`` counts; the rest is for the next run
        """
        until = until or time.monotonic() + get_time_limit()
        while inbounds := self._claim():
            free = inbounds._lock_for_worker()
            (inbounds - free)._release(COPY_SECONDS)
            try:
                left = free._process_claimed(min(until, time.monotonic() + CLAIM_SECONDS))
            finally:
                free._unlock_for_worker()
            self._trigger_mail_queue()
            if time.monotonic() > until:
                if left or self._has_waiting():
                    self.env.ref("mail_catchall_gateway.ir_cron_process_inbound")._trigger()
                break

    def _process_claimed(self, until):
        """Process what this worker took, and give back what it does not come to.

        :return: those given back
        """
        for position, inbound in enumerate(self):
            if position and time.monotonic() > until:
                left = self[position:]
                left._release()
                return left
            inbound._process_in_transaction()
        return self.browse()

    def _release(self, seconds=0):
        """Give rows back as if they had never been taken.

        :param int seconds: for how long they are left alone
        """
        if not self:
            return
        next_attempt = seconds and fields.Datetime.now() + datetime.timedelta(seconds=seconds)
        self.env.cr.execute(
            """
            UPDATE mail_catchall_inbound
               SET state = 'pending', attempt_count = attempt_count - 1, next_attempt = %s
             WHERE id IN (
                SELECT id FROM mail_catchall_inbound
                 WHERE id IN %s AND state = 'processing'
                   FOR UPDATE SKIP LOCKED)
            """,
            [next_attempt or None, tuple(self.ids)],
        )
        self.invalidate_recordset()
        if next_attempt:
            cron = self.env.ref("mail_catchall_gateway.ir_cron_process_inbound")
            cron._trigger(at=next_attempt)
        # for the other workers
        self.env.cr.commit()  # pylint: disable=invalid-commit

    def _lock_for_worker(self):
        """Keep other workers from the copies of these mails, until :meth:`_unlock_for_worker`.

        The key is that of ``_lock_copies``. For a session, not a transaction: what another worker
        wrote is seen only by a transaction that starts after the lock. All at once, because each
        statement costs a mail time.

        :return: those that nobody else has a copy of in hands
        """
        # materialized, or PostgreSQL might lock rows that it looks at and does not return
        self.env.cr.execute(
            """
            WITH taken AS MATERIALIZED (
                SELECT id, hashtext(COALESCE(NULLIF(message_id, ''), %s || id)) AS key
                  FROM mail_catchall_inbound
                 WHERE id IN %s)
            SELECT id FROM taken WHERE pg_try_advisory_lock(key)
            """,
            [f"{self._name},", tuple(self.ids)],
        )
        free = self.browse(sorted(row[0] for row in self.env.cr.fetchall()))
        # the transactions that follow start after the lock
        self.env.cr.commit()  # pylint: disable=invalid-commit
        return free

    def _unlock_for_worker(self):
        if not self or self.env.cr.closed:
            return
        self.env.cr.execute(
            """
            SELECT pg_advisory_unlock(hashtext(COALESCE(NULLIF(message_id, ''), %s || id)))
              FROM mail_catchall_inbound
             WHERE id IN %s
            """,
            [f"{self._name},", tuple(self.ids)],
        )
        # nothing to write; leaves no transaction open
        self.env.cr.commit()  # pylint: disable=invalid-commit

    @api.model
    def _has_waiting(self):
        now = fields.Datetime.now()
        domain = ["|", ("next_attempt", "=", False), ("next_attempt", "<=", now)]
        return bool(
            self.sudo().search_count([("state", "in", ("pending", "processing")), *domain], limit=1)
        )

    @api.model
    def _trigger_mail_queue(self):
        """Have copies and answers sent at once: the mail queue runs only every hour by itself.

        Through the queue, because an SMTP server that is slow or down must not hold up the mail
        that comes in.
        """
        queue = self.env.ref("mail.ir_cron_mail_scheduler_action", raise_if_not_found=False)
        if queue:
            queue._trigger()

    @api.model
    def _claim(self):
        """Take waiting rows for this worker, and commit that.

        A row taken is due again after the time to the next attempt, so that those of a worker
        that died come back; the attempt counts, so that a mail that kills workers has an end. An
        answer is not taken as long as a mail waits that it answers.
        """
        for _attempt in range(CLAIM_ATTEMPTS):
            try:
                ids = self._take_rows()
                # the attempt counts, whatever happens while processing
                self.env.cr.commit()  # pylint: disable=invalid-commit
                return self.browse(ids).sudo()
            except psycopg2.extensions.TransactionRollbackError:
                # another worker took one of them between our look and our hold
                self.env.cr.rollback()
        return self.browse()

    @api.model
    def _take_rows(self):
        self.env.cr.execute(
            """
            UPDATE mail_catchall_inbound
               SET state = 'processing',
                   attempt_count = COALESCE(attempt_count, 0) + 1,
                   next_attempt = %(now)s + INTERVAL '1 minute' * (%(minutes)s::integer[])[
                        LEAST(COALESCE(attempt_count, 0) + 1, %(steps)s)]
             WHERE id IN (
                SELECT id
                  FROM mail_catchall_inbound AS inbound
                 WHERE state IN ('pending', 'processing')
                   AND (next_attempt IS NULL OR next_attempt <= %(now)s)
                   AND NOT EXISTS (
                        SELECT 1
                          FROM mail_catchall_inbound AS answered
                         WHERE answered.message_id = ANY(
                                string_to_array(inbound.answers_to, ' '))
                           AND answered.state IN ('pending', 'processing')
                           AND answered.message_id != COALESCE(inbound.message_id, '')
                           AND inbound.create_date > %(now)s - INTERVAL '1 day' * %(days)s)
              ORDER BY id
                 LIMIT %(limit)s
                   FOR UPDATE SKIP LOCKED)
         RETURNING id
            """,
            {
                "now": fields.Datetime.now(),
                "minutes": list(RETRY_MINUTES),
                "steps": len(RETRY_MINUTES),
                "limit": CLAIM_SIZE,
                "days": ANSWER_DAYS,
            },
            log_exceptions=False,  # others are faster now and then
        )
        return sorted(row[0] for row in self.env.cr.fetchall())

    def _process_in_transaction(self):
        """Process one row and commit; after an error roll back and record it."""
        self.ensure_one()
        try:
            retrying(self._process_locked, self.env)
        except Exception as error:
            self.env.cr.rollback()
            self._record_error(error)

    def _process_locked(self):
        """Process one row, where nobody else has a copy of it in hands.

        Who took this row nevertheless would end with a serialization failure, as all write to it.
        """
        if self.state != "processing":
            return  # another worker was faster
        if self.attempt_count > MAX_ATTEMPTS:
            raise RuntimeError(
                f"the process ended while it handled this mail, {MAX_ATTEMPTS} times"
            )
        if not self.verdict_code:
            # nothing was ever decided about it, so that there is nothing to be read
            for name in ("alias_ids", "mail_message_ids"):
                self.env.cache.set(self, self._fields[name], ())
        self._finish(self._process())

    def _finish(self, verdict):
        """Write the final state. The only place that does, but for errors."""
        if self.state == "failed" and verdict.action != "failed":
            self._close_activities()
        self.write(
            {
                "state": verdict.action,
                "verdict_code": verdict.code,
                "reason": verdict.reason,
                "error": False,
                "next_attempt": False,
            }
        )
        _logger.info(
            "Mail from %s to %s with Message-Id %s: %s (%s) %s",
            self.email_from,
            self.recipients or self.email_to,
            self.message_id,
            verdict.action,
            verdict.code,
            verdict.reason,
        )

    def _record_error(self, error):
        """Note why an attempt failed, over a cursor of its own: ours was rolled back."""
        _logger.warning("Mail with Message-Id %s failed", self.message_id, exc_info=True)
        with self.pool.cursor() as cr:
            inbound = self.with_env(self.env(cr=cr))
            is_last = inbound.attempt_count >= MAX_ATTEMPTS
            inbound.write(
                {
                    "state": "failed" if is_last else "pending",
                    "verdict_code": "error",
                    "reason": source.one_line(str(error)),
                    "error": source.storable("".join(traceback.format_exception(error))),
                }
            )
            if is_last:
                inbound._schedule_for_managers(_("An email could not be processed"), inbound.reason)
        self.invalidate_recordset()
