import datetime

import psycopg2.errors

from odoo import fields
from odoo.tests import tagged
from odoo.tools import mute_logger

from ...models.inbound.mail_catchall_queue import MAX_ATTEMPTS
from ..common import patch
from .queue_common import QueueCommon, patch_processing


@tagged("post_install", "-at_install", "mail_catchall_gateway")
class TestClaim(QueueCommon):
    """How workers share what waits, also when they die or their clocks are wrong."""

    def let_pass(self, inbounds, **duration):
        """Write the time of the next attempt as if so much time had passed."""
        for inbound in inbounds.filtered("next_attempt"):
            inbound.next_attempt -= datetime.timedelta(**duration)
        self.committing_env.cr.commit()

    def count_locks(self):
        self.env.cr.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
        )
        return self.env.cr.fetchone()[0]

    @mute_logger("odoo.addons.mail_catchall_gateway.models.inbound.mail_catchall_queue")
    def test_mail_that_kills_workers_takes_no_other_with_it(self):
        inbounds = self.store(3)
        deadly = inbounds[0]

        def process(inbound, processed):
            if inbound == deadly:
                raise KeyboardInterrupt  # nothing catches it, like a kill
            return processed()

        with patch_processing(self.env, process):
            for _attempt in range(MAX_ATTEMPTS + 1):
                try:
                    self.queue._process_waiting()
                except KeyboardInterrupt:
                    self.committing_env.cr.rollback()
                self.let_pass(inbounds, hours=6, seconds=1)
        self.assertEqual(inbounds.mapped("state"), ["failed", "delivered", "delivered"])
        self.assertLessEqual(max(inbounds[1:].mapped("attempt_count")), 2)

    def test_answers_and_others_of_a_dead_worker_come_back_in_their_order(self):
        inbounds = self.store(3)
        self.assertEqual(self.queue._claim(), inbounds)
        later = self.store()
        self.let_pass(inbounds, minutes=1, seconds=1)
        self.assertEqual([self.queue._claim() for _number in range(4)], [*inbounds, later])

    def test_no_more_are_taken_than_wanted_however_the_database_finds_them(self):
        """PostgreSQL may ask a part of a statement again for each row, and finds others then."""
        inbounds = self.store(3)
        for way in ("hashjoin", "mergejoin", "hashagg", "sort", "material"):
            self.committing_env.cr.execute(f"SET LOCAL enable_{way} TO off")
        self.assertEqual(self.queue._take_rows("pending", 1), inbounds[0].ids)
        self.assertEqual(self.queue._take_rows("pending", 2), inbounds[1:].ids)

    def test_a_clock_that_was_wrong_delays_nothing(self):
        inbounds = self.store(2)
        self.queue._claim()
        years = datetime.timedelta(days=3 * 365)
        inbounds[0].write({"state": "pending", "next_attempt": fields.Datetime.now() + years})
        inbounds[1].next_attempt = fields.Datetime.now() + years
        self.committing_env.cr.commit()
        self.assertTrue(self.queue._has_waiting())
        self.queue._process_waiting()
        self.assertEqual(inbounds.mapped("state"), ["delivered"] * 2)

    def test_a_mailbox_is_not_left_alone_for_years(self):
        mailbox = self._create_mailbox(server_type="imap")
        scheduled = mailbox.with_context(catchall_is_scheduled=True)
        for pause, is_due in [
            (datetime.timedelta(minutes=59), False),
            (datetime.timedelta(minutes=-1), True),
            (datetime.timedelta(days=3 * 365), True),
        ]:
            with self.subTest(pause=pause):
                mailbox.next_fetch = fields.Datetime.now() + pause
                self.assertEqual(scheduled._is_due(), is_due)
                self.assertTrue(mailbox._is_due())

    def test_no_lock_outlives_what_fails(self):
        self.store(2)

        def fail(queue, _inbound):
            self.assertEqual(self.count_locks(), 2)
            # the transaction is of no use after that
            queue.env.cr.execute("SELECT 1 / 0", log_exceptions=False)

        before = self.count_locks()
        with (
            patch.object(type(self.queue), "_process_in_transaction", fail),
            self.assertRaises(psycopg2.errors.DivisionByZero),
        ):
            self.queue._process_waiting()
        self.assertEqual(self.count_locks(), before)

    def test_copies_without_a_message_id_have_one_key(self):
        raw = b"From: mary@customer.example\r\nTo: x@acme.example\r\nReceived: y\r\n\r\nHello"
        copies = self.model._store([(raw, {}), (raw, {}), (raw + b"!", {})])
        _free, keys = self.queue._lock_for_worker(copies)
        self.queue._unlock_for_worker(keys)
        self.assertEqual(keys[0], keys[1])
        self.assertNotEqual(keys[0], keys[2])

    def test_the_fetched_row_is_another_worker_s(self):
        """What was decided meanwhile stands, whatever error comes late."""
        inbound = self.store()
        self.queue._claim()
        inbound.state = "delivered"
        self.committing_env.cr.commit()
        with mute_logger("odoo.addons.mail_catchall_gateway.models.inbound.mail_catchall_queue"):
            self.queue._record_error(inbound, ValueError("late"))
        self.assertEqual((inbound.state, inbound.reason), ("delivered", False))
