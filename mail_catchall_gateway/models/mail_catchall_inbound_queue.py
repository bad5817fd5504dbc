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
            left = inbounds._process_claimed(min(until, time.monotonic() + CLAIM_SECONDS))
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

    def _release(self):
        """Give rows back as if they had never been taken."""
        self.env.cr.execute(
            """
            UPDATE mail_catchall_inbound
               SET state = 'pending', attempt_count = attempt_count - 1, next_attempt = NULL
             WHERE id IN (
                SELECT id FROM mail_catchall_inbound
                 WHERE id IN %s AND state = 'processing'
                   FOR UPDATE SKIP LOCKED)
            """,
            [tuple(self.ids)],
        )
        self.invalidate_recordset()
        # for the other workers
        self.env.cr.commit()  # pylint: disable=invalid-commit

    @api.model
    def _has_waiting(self):
        now = fields.Datetime.now()
        domain = ["|", ("next_attempt", "=", False), ("next_attempt", "<=", now)]
        return bool(
            self.sudo().search_count(
                [("state", "in", ("pending", "processing")), *domain], limit=1
            )
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
        key = self.message_id or f"{self._name},{self.id}"
        self.env.cr.execute("SELECT pg_try_advisory_lock(hashtext(%s))", [key])
        if not self.env.cr.fetchone()[0]:
            return  # a copy of this mail is being processed: later, when its outcome is known
        try:
            # what the other transaction wrote is seen only by one that starts after the lock
            self.env.cr.rollback()
            retrying(self._process_locked, self.env)
        except Exception as error:
            self.env.cr.rollback()
            self._record_error(error)
        finally:
            self.env.cr.execute("SELECT pg_advisory_unlock(hashtext(%s))", [key])
            # nothing to write; leaves no transaction open
            self.env.cr.commit()  # pylint: disable=invalid-commit

    def _process_locked(self):
        self.env.cr.execute(
            """
            SELECT id FROM mail_catchall_inbound
             WHERE id = %s AND state = 'processing' FOR UPDATE SKIP LOCKED
            """,
            [self.id],
        )
        if not self.env.cr.fetchone():
            return  # another worker was faster
        if self.attempt_count > MAX_ATTEMPTS:
            raise RuntimeError(
                f"the process ended while it handled this mail, {MAX_ATTEMPTS} times"
            )
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
                inbound._schedule_for_managers(
                    _("An email could not be processed"), inbound.reason
                )
        self.invalidate_recordset()
