import logging
import time
import traceback

from odoo import _, api, models
from odoo.service.model import retrying

from ...tools.message import source
from .time_limit import get_time_limit

_logger = logging.getLogger(__name__)

MAX_ATTEMPTS = 8
#: Seconds for which a mail waits whose copy another worker has in hands.
COPY_SECONDS = 5
#: Seconds after which a worker gives back what it took and did not come to: before others take it.
CLAIM_SECONDS = 40


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
        self.env["ir.cron"].sudo()._wake_mail_actions()
        # what was written before is not ours to roll back
        self.env.cr.commit()  # pylint: disable=invalid-commit
        while inbounds := self._claim():
            free, keys = inbounds._lock_for_worker()
            try:
                (inbounds - free)._release(COPY_SECONDS)
                left = free._process_claimed(min(until, time.monotonic() + CLAIM_SECONDS))
            finally:
                self._unlock_for_worker(keys)
            self._trigger_mail_queue()
            if time.monotonic() > until:
                if left or self._has_waiting():
                    self.env.ref("mail_catchall_gateway.ir_cron_process_inbound")._trigger()
                break

    def _process_claimed(self, until):
        """Process what this worker took, and give back what it does not come to.

        :return: those given back
        """
        for position, inbound in enumerate(self._with_source_files()):
            if position and time.monotonic() > until:
                left = self[position:]
                left._release()
                return left
            # each transaction reads its own row, and not those of all others again
            inbound.with_prefetch()._process_in_transaction()
        return self.browse()

    @api.model
    def _trigger_mail_queue(self):
        """Have copies and answers sent at once: the mail queue runs only every hour by itself.

        Through the queue, because an SMTP server that is slow or down must not hold up the mail
        that comes in.
        """
        queue = self.env.ref("mail.ir_cron_mail_scheduler_action", raise_if_not_found=False)
        if queue:
            queue._trigger()

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
        # nothing to write; leaves no transaction open
        self.env.cr.commit()  # pylint: disable=invalid-commit
        with self.pool.cursor() as cr:
            inbound = self.with_env(self.env(cr=cr))
            if inbound.state != "processing":
                return  # somebody else took it, while our connection was gone
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
