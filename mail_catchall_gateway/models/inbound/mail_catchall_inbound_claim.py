import datetime

import psycopg2

from odoo import api, fields, models

#: Minutes to wait before each further attempt; the last one counts for all that follow.
RETRY_MINUTES = (1, 5, 15, 60, 360)
#: Emails that a worker takes at once. If it dies, they wait for the first retry.
CLAIM_SIZE = 20
#: So often a worker looks again when others were faster.
CLAIM_ATTEMPTS = 20
#: Days for which an answer waits for the mail that it answers. Mails that answer each other in a
#: circle would wait for ever.
ANSWER_DAYS = 2


class MailCatchallInbound(models.Model):
    """How workers share what is waiting: each row is in the hands of one, and its copies too."""

    _inherit = "mail.catchall.inbound"

    # ------------------------------------------------------------
    # TAKING ROWS
    # ------------------------------------------------------------

    @api.model
    def _claim(self):
        """Take waiting rows for this worker, and commit that.

        A row taken is due again after the time to the next attempt, so that those of a worker
        that died come back; the attempt counts, so that a mail that kills workers has an end.
        What comes back is taken alone, or that mail would take others with it each time.
        """
        for _attempt in range(CLAIM_ATTEMPTS):
            try:
                ids = self._take_rows("processing", 1) or self._take_rows("pending", CLAIM_SIZE)
                # the attempt counts, whatever happens while processing
                self.env.cr.commit()  # pylint: disable=invalid-commit
                return self.browse(ids).sudo()
            except psycopg2.extensions.TransactionRollbackError:
                # another worker took one of them between our look and our hold
                self.env.cr.rollback()
        return self.browse()

    @api.model
    def _take_rows(self, state, limit):
        """Mark rows that are due as in process, and return their ids.

        An answer is not taken as long as a mail waits that it answers. What would be due only
        after the longest pause was written by a clock that was wrong, and is due now.
        """
        # materialized, or PostgreSQL may ask again for each row, and take one more each time
        self.env.cr.execute(
            """
            WITH due AS MATERIALIZED (
                SELECT id
                  FROM mail_catchall_inbound AS inbound
                 WHERE state = %(state)s
                   AND (next_attempt IS NULL OR next_attempt <= %(now)s OR next_attempt > %(last)s)
                   AND NOT EXISTS (
                        SELECT 1
                          FROM mail_catchall_inbound AS answered
                         WHERE answered.message_id = ANY(
                                string_to_array(inbound.answers_to, ' '))
                           AND answered.state IN ('pending', 'processing')
                           AND answered.message_id != COALESCE(inbound.message_id, '')
                           AND inbound.create_date > %(now)s - INTERVAL '1 day' * %(days)s
                           AND inbound.create_date < %(now)s + INTERVAL '1 day' * %(days)s)
              ORDER BY id
                 LIMIT %(limit)s
                   FOR UPDATE SKIP LOCKED)
            UPDATE mail_catchall_inbound AS inbound
               SET state = 'processing',
                   attempt_count = COALESCE(attempt_count, 0) + 1,
                   next_attempt = %(now)s + INTERVAL '1 minute' * (%(minutes)s::integer[])[
                        LEAST(COALESCE(attempt_count, 0) + 1, %(steps)s)]
              FROM due
             WHERE inbound.id = due.id
         RETURNING inbound.id
            """,
            {
                "now": fields.Datetime.now(),
                "last": self._get_last_attempt(),
                "minutes": list(RETRY_MINUTES),
                "steps": len(RETRY_MINUTES),
                "state": state,
                "limit": limit,
                "days": ANSWER_DAYS,
            },
            log_exceptions=False,  # others are faster now and then
        )
        return sorted(row[0] for row in self.env.cr.fetchall())

    @api.model
    def _get_last_attempt(self):
        """Return when the last of the rows that wait now is due, if all clocks are right."""
        return fields.Datetime.now() + datetime.timedelta(minutes=max(RETRY_MINUTES) + 1)

    @api.model
    def _has_waiting(self):
        now = fields.Datetime.now()
        domain = [("state", "in", ("pending", "processing"))]
        domain += ["|", "|", ("next_attempt", "=", False), ("next_attempt", "<=", now)]
        domain.append(("next_attempt", ">", self._get_last_attempt()))
        return bool(self.sudo().search_count(domain, limit=1))

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

    # ------------------------------------------------------------
    # COPIES OF A MAIL
    # ------------------------------------------------------------

    def _lock_for_worker(self):
        """Keep other workers from the copies of these mails, until :meth:`_unlock_for_worker`.

        The key is that of ``_lock_copies``: a copy without a Message-Id has the same size. For a
        session, not a transaction: what another worker wrote is seen only by a transaction that
        starts after the lock. All at once, because each statement costs a mail time.

        :return tuple: those that nobody else has a copy of in hands; the keys to unlock
        """
        # materialized, or PostgreSQL might lock rows that it looks at and does not return
        self.env.cr.execute(
            """
            WITH taken AS MATERIALIZED (
                SELECT id, hashtext(COALESCE(NULLIF(message_id, ''), %s || size)) AS key
                  FROM mail_catchall_inbound
                 WHERE id IN %s)
            SELECT id, key FROM taken WHERE pg_try_advisory_lock(key)
            """,
            [f"{self._name},", tuple(self.ids)],
        )
        found = sorted(self.env.cr.fetchall())
        # the transactions that follow start after the lock
        self.env.cr.commit()  # pylint: disable=invalid-commit
        return self.browse(row_id for row_id, _key in found), [key for _id, key in found]

    @api.model
    def _unlock_for_worker(self, keys):
        if not keys or self.env.cr.closed:
            return
        # a transaction that failed unlocks nothing, and the lock would outlive it
        self.env.cr.rollback()
        self.env.cr.execute("SELECT pg_advisory_unlock(key) FROM unnest(%s) AS key", [keys])
        # nothing to write; leaves no transaction open
        self.env.cr.commit()  # pylint: disable=invalid-commit
