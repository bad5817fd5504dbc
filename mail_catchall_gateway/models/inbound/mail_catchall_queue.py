import datetime
import logging
import time
import traceback

import psycopg2

from odoo import SUPERUSER_ID, _, api, fields, models, tools
from odoo.service.model import retrying

from ...tools import pauses
from ...tools.message.header_text import one_line, storable
from ...tools.time_limit import smallest_limit

_logger = logging.getLogger(__name__)

MAX_ATTEMPTS = pauses.MAX_ATTEMPTS["inbound"]
#: Emails that a worker takes at once. If it dies, they wait for the first retry.
CLAIM_SIZE = 20
#: So often a worker looks again when others were faster.
CLAIM_ATTEMPTS = 20
#: Seconds after which a worker gives back what it took and did not come to: before others take it.
CLAIM_SECONDS = 40
#: Seconds for which a mail waits while another worker has its copy in hands.
COPY_SECONDS = 5
#: Days for which an answer waits for the mail that it answers. Mails that answer each other in a
#: circle would wait for ever.
ANSWER_DAYS = 2


class MailCatchallQueue(models.AbstractModel):
    """The queue of inbound emails: workers take what is due, process it, and note errors.

    Any number of workers share the work. A row is in the hands of one of them, and its copies too.
    What a mail means is decided in ``mail.catchall.gateway``.
    """

    _name = "mail.catchall.queue"
    _description = "Queue of Inbound Emails"

    @api.model
    def _get_rows(self):
        """Return the model of the rows, whoever has the queue processed."""
        # OdooBot: what a mail becomes is not the user's who pressed a button, nor in their language
        return self.env(user=SUPERUSER_ID, context={})["mail.catchall.inbound"]

    @api.model
    def _trigger(self, at=None):
        """Have the scheduled action run now, or at a time (naive UTC)."""
        self.env.ref("mail_catchall_gateway.ir_cron_process_inbound")._trigger(at=at)

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
    def _get_time_limit(self):
        """Return how many seconds a run may take, well before Odoo ends the worker."""
        names = ("limit_time_real", "limit_time_real_cron", "limit_time_cpu")
        return 0.75 * smallest_limit((tools.config[name] for name in names), 600)

    @api.model
    def _process_waiting(self, until=None):
        """Process what is due, each mail in a transaction of its own.

        Meant for scheduled actions and fetching: it commits.

        :param float until: when to stop, as ``time.monotonic`` counts; the rest is for the next run
        """
        until = until or time.monotonic() + self._get_time_limit()
        # what was written before is not ours to roll back
        self.env.cr.commit()  # pylint: disable=invalid-commit
        while inbounds := self._claim():
            free, keys = self._lock_for_worker(inbounds)
            try:
                self._release(inbounds - free, COPY_SECONDS)
                left = self._process_claimed(free, min(until, time.monotonic() + CLAIM_SECONDS))
            finally:
                self._unlock_for_worker(keys)
            self._trigger_mail_queue()
            if time.monotonic() > until:
                if left or self._has_waiting():
                    self._trigger()
                break

    @api.model
    def _process_claimed(self, inbounds, until):
        """Process what this worker took; give back and return what it does not come to."""
        for position, inbound in enumerate(inbounds._with_source_files()):
            if position and time.monotonic() > until:
                left = inbounds[position:]
                self._release(left)
                return left
            # each transaction reads its own row, and not those of all others again
            self._process_in_transaction(inbound.with_prefetch())
        return inbounds.browse()

    @api.model
    def _process_in_transaction(self, inbound):
        """Process one row and commit; after an error roll back and record it."""
        try:
            retrying(lambda: self._process_locked(inbound), self.env)
        except Exception as error:
            self.env.cr.rollback()
            self._record_error(inbound, error)

    @api.model
    def _process_locked(self, inbound):
        """Process one row whose copies no other worker has in hands.

        A worker that took this row nevertheless ends with a serialization failure: all write to it.
        """
        if inbound.state != "processing":
            return  # another worker was faster
        if inbound.attempt_count > MAX_ATTEMPTS:
            text = f"the process ended while it handled this mail, {MAX_ATTEMPTS} times"
            raise RuntimeError(text)
        if not inbound.verdict_code:
            # nothing was ever decided about it, so that there is nothing to be read
            for name in ("alias_ids", "mail_message_ids"):
                self.env.cache.set(inbound, inbound._fields[name], ())
        inbound._finish(inbound.env["mail.catchall.gateway"]._process(inbound))

    @api.model
    def _process_at_once(self):
        """Process what is new in the transaction at hand: all of it, or nothing.

        For demo data, which is loaded while a module is installed; the queue commits each.
        """
        for inbound in self._get_rows().search([("state", "=", "pending")], order="id"):
            inbound.write({"state": "processing", "attempt_count": 1})
            self._process_locked(inbound)

    @api.model
    def _record_error(self, inbound, error):
        """Note why an attempt failed, over a cursor of its own: ours was rolled back."""
        _logger.warning("Mail with Message-Id %s failed", inbound.message_id, exc_info=True)
        # nothing to write; leaves no transaction open
        self.env.cr.commit()  # pylint: disable=invalid-commit
        with self.pool.cursor() as cr:
            row = inbound.with_env(inbound.env(cr=cr))
            if row.state != "processing":
                return  # another worker took it, while our connection was gone
            is_last = row.attempt_count >= MAX_ATTEMPTS
            row.write(
                {
                    "state": "failed" if is_last else "pending",
                    "verdict_code": "error",
                    "reason": one_line(str(error)),
                    "error": storable("".join(traceback.format_exception(error))),
                }
            )
            if is_last:
                row._schedule_for_managers(_("An email could not be processed"), row.reason)
        inbound.invalidate_recordset()

    @api.model
    def _claim(self):
        """Take rows that are due for this worker, and commit that.

        A row taken is due again after the time to the next attempt, so that those of a worker
        that died come back; the attempt counts, so that a mail that kills workers has an end.
        What comes back is taken alone, or that mail would take others with it each time.
        """
        rows = self._get_rows()
        for _attempt in range(CLAIM_ATTEMPTS):
            try:
                ids = self._take_rows("processing", 1) or self._take_rows("pending", CLAIM_SIZE)
                # the attempt counts, whatever happens while processing
                self.env.cr.commit()  # pylint: disable=invalid-commit
                return rows.browse(ids)
            except psycopg2.extensions.TransactionRollbackError:
                # another worker took one of them between our look and our hold
                self.env.cr.rollback()
        return rows.browse()

    @api.model
    def _take_rows(self, state, limit):
        """Mark rows that are due as in process, and return their ids.

        An answer is not taken as long as a mail waits that it answers.
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
                           AND inbound.create_date > %(now)s - INTERVAL '1 day' * %(days)s)
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
                "last": fields.Datetime.now() + pauses.LONGEST,
                "minutes": list(pauses.MINUTES["inbound"]),
                "steps": len(pauses.MINUTES["inbound"]),
                "state": state,
                "limit": limit,
                "days": ANSWER_DAYS,
            },
            log_exceptions=False,  # others are faster now and then
        )
        return sorted(row[0] for row in self.env.cr.fetchall())

    @api.model
    def _has_waiting(self):
        now = fields.Datetime.now()
        domain = [("state", "in", ("pending", "processing"))]
        domain += ["|", "|", ("next_attempt", "=", False), ("next_attempt", "<=", now)]
        domain.append(("next_attempt", ">", now + pauses.LONGEST))
        return bool(self._get_rows().search_count(domain, limit=1))

    @api.model
    def _release(self, inbounds, seconds=0):
        """Give rows back as if they had never been taken, to be left alone for some seconds."""
        if not inbounds:
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
            [next_attempt or None, tuple(inbounds.ids)],
        )
        inbounds.invalidate_recordset()
        if next_attempt:
            self._trigger(at=next_attempt)
        # for the other workers
        self.env.cr.commit()  # pylint: disable=invalid-commit

    @api.model
    def _lock_for_worker(self, inbounds):
        """Keep other workers from the copies of these mails, until :meth:`_unlock_for_worker`.

        A copy has the same Message-Id; one without has the same size. For a session, not a
        transaction: what another worker wrote is seen only by a transaction that starts after
        the lock. All at once, because each statement costs a mail time.

        :return tuple: those whose copies no other worker has in hands; the keys to unlock
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
            [f"{inbounds._name},", tuple(inbounds.ids)],
        )
        found = sorted(self.env.cr.fetchall())
        # the transactions that follow start after the lock
        self.env.cr.commit()  # pylint: disable=invalid-commit
        return inbounds.browse(row_id for row_id, _key in found), [key for _id, key in found]

    @api.model
    def _unlock_for_worker(self, keys):
        if not keys or self.env.cr.closed:
            return
        # a transaction that failed unlocks nothing, and the lock would outlive it
        self.env.cr.rollback()
        self.env.cr.execute("SELECT pg_advisory_unlock(key) FROM unnest(%s) AS key", [keys])
        # nothing to write; leaves no transaction open
        self.env.cr.commit()  # pylint: disable=invalid-commit

    @api.model
    def _lock_for_transaction(self, inbound):
        """Keep workers from a mail and its copies in this transaction; False if one has them."""
        key = inbound.message_id or f"{inbound._name},{inbound.size}"
        self.env.cr.execute("SELECT pg_try_advisory_xact_lock(hashtext(%s))", [key])
        if not self.env.cr.fetchone()[0]:
            return False
        # a worker that wrote to one of them since our transaction began makes Odoo begin again
        self.env.cr.execute(
            "SELECT id FROM mail_catchall_inbound WHERE id = %s OR message_id = %s FOR UPDATE",
            [inbound.id, inbound.message_id or None],
        )
        return True
