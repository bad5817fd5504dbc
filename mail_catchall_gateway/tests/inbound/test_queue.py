import datetime
import time

from odoo import fields
from odoo.tests import tagged
from odoo.tools import mute_logger

from ...models.inbound.mail_catchall_queue import MAX_ATTEMPTS
from ...tools.judging.verdict import Verdict
from ..common import patch
from .queue_common import QueueCommon, patch_processing

LOGGER = "odoo.addons.mail_catchall_gateway.models.inbound.mail_catchall_queue"


@tagged("post_install", "-at_install", "mail_catchall_gateway")
class TestQueue(QueueCommon):
    """The queue with real commits and rollbacks, of savepoints."""

    def make_due(self, inbounds):
        """Let the time to the next attempt pass."""
        inbounds.next_attempt = fields.Datetime.now() - datetime.timedelta(seconds=1)
        self.committing_env.cr.commit()

    def fail_on(self, subject):
        """Patch the processing of one mail to write something and raise then."""

        def process(inbound, processed):
            if inbound.name == subject:
                inbound.env["res.partner"].create({"name": "Half done"})
                raise ValueError("no luck\0")
            return processed()

        return patch_processing(self.env, process)

    def test_waiting_mail_is_processed_in_its_order(self):
        inbounds = self.store(3)
        self.queue._process_waiting()
        self.assertEqual(inbounds.mapped("state"), ["delivered"] * 3)
        self.assertEqual(inbounds.mapped("attempt_count"), [1] * 3)
        messages = [inbound.mail_message_ids.id for inbound in inbounds.sorted("id")]
        self.assertEqual(messages, sorted(messages))

    @mute_logger(LOGGER)
    def test_an_error_is_recorded_rolled_back_and_stops_nobody(self):
        inbounds = self.store(3)
        with self.fail_on("Mail 1"):
            self.queue._process_waiting()
        self.assertEqual(inbounds.mapped("state"), ["delivered", "pending", "delivered"])
        failed = inbounds[1]
        self.assertEqual(failed.verdict_code, "error")
        self.assertEqual(failed.reason, "no luck")
        self.assertIn("Traceback", failed.error)
        self.assertGreater(failed.next_attempt, fields.Datetime.now())
        self.assertFalse(self.env["res.partner"].search([("name", "=", "Half done")]))

    @mute_logger(LOGGER)
    def test_it_is_tried_again_when_it_is_time(self):
        inbound = self.store()
        with self.fail_on("Mail 0"):
            self.queue._process_waiting()
        self.queue._process_waiting()
        self.assertEqual(inbound.state, "pending", "not before")
        self.make_due(inbound)
        self.queue._process_waiting()
        self.assertEqual(inbound.state, "delivered")
        self.assertEqual(inbound.attempt_count, 2)
        self.assertFalse(inbound.error)

    @mute_logger(LOGGER)
    def test_the_pauses_grow_and_end(self):
        inbound = self.store()
        minutes = []
        with self.fail_on("Mail 0"):
            for _attempt in range(MAX_ATTEMPTS):
                self.assertEqual(inbound.state, "pending")
                self.make_due(inbound)
                now = fields.Datetime.now()
                self.queue._process_waiting()
                minutes.append(round((inbound.next_attempt - now).total_seconds() / 60))
        self.assertEqual(minutes, [1, 5, 15, 60, 360, 360, 360, 360])
        self.assertEqual(inbound.state, "failed")
        self.assertIn("no luck", inbound.reason)
        self.assertTrue(inbound._get_source(), "it is not lost")
        self.make_due(inbound)
        self.queue._process_waiting()
        self.assertEqual(inbound.state, "failed")

    def test_mail_of_a_worker_that_died_comes_back(self):
        inbound = self.store()
        self.assertEqual(self.queue._claim(), inbound)
        self.assertEqual(inbound.state, "processing")
        self.assertFalse(self.queue._claim(), "not while it may be at work")
        self.make_due(inbound)
        self.queue._process_waiting()
        self.assertEqual(inbound.state, "delivered")

    @mute_logger(LOGGER)
    def test_mail_that_kills_every_worker_has_an_end(self):
        inbound = self.store()
        for _attempt in range(MAX_ATTEMPTS):
            self.assertEqual(self.queue._claim(), inbound)
            self.make_due(inbound)
        self.queue._process_waiting()
        self.assertEqual(inbound.state, "failed")
        self.assertIn("process ended", inbound.reason)

    def test_steps_decide_before_core(self):
        inbound, steps = self.store(), type(self.env["mail.catchall.decision"])

        def _step_no(_self, _inbound, _mail):
            return Verdict("loop", "ignored", "No.")

        with (
            patch.object(steps, "_step_no", _step_no, create=True),
            patch.object(steps, "_get_steps", lambda _self: ["_step_no"]),
        ):
            self.queue._process_waiting()
        self.assertEqual((inbound.state, inbound.verdict_code), ("ignored", "loop"))
        self.assertEqual(inbound.reason, "No.")
        self.assertFalse(inbound.conversation_id)

    def test_what_processing_causes_is_sent_at_once(self):
        self.store()
        queue = self.env.ref("mail.ir_cron_mail_scheduler_action")
        self.env["ir.cron.trigger"].search([]).unlink()
        self.queue._process_waiting()
        self.assertTrue(self.env["ir.cron.trigger"].search([("cron_id", "=", queue.id)]))

    # ------------------------------------------------------------
    # ANSWERS
    # ------------------------------------------------------------

    def store_answer(self, *message_ids, **headers):
        mail = self.make_mail(
            self.john.alias_email, subject="Answer", references=" ".join(message_ids), **headers
        )
        inbound = self.model._store([(mail.as_bytes(), {})])
        self.committing_env.cr.commit()
        return inbound

    @mute_logger(LOGGER)
    def test_an_answer_waits_for_what_it_answers(self):
        first = self.store()
        answer = self.store_answer("<before@customer.example>", first.message_id)
        with self.fail_on("Mail 0"):
            self.queue._process_waiting()
        self.assertEqual((first.state, answer.state), ("pending", "pending"))
        self.assertFalse(answer.attempt_count, "waiting is no attempt")
        self.make_due(first)
        self.queue._process_waiting()
        self.assertEqual((first.state, answer.state), ("delivered", "delivered"))
        self.assertEqual(answer.verdict_code, "reply")
        self.assertEqual(answer.conversation_id, first.conversation_id)

    def test_an_answer_that_came_first_waits_too(self):
        answer = self.store_answer("<first@customer.example>")
        mail = self.make_mail(self.john.alias_email, message_id="<first@customer.example>")
        first = self.model._store([(mail.as_bytes(), {})])
        self.queue._process_waiting()
        self.assertEqual(answer.conversation_id, first.conversation_id)
        self.assertLess(first.mail_message_ids.id, answer.mail_message_ids.id)

    @mute_logger(LOGGER)
    def test_an_answer_does_not_wait_for_what_failed_for_good(self):
        first = self.store()
        first.state = "failed"
        answer = self.store_answer(first.message_id)
        self.queue._process_waiting()
        self.assertEqual(answer.state, "delivered")

    def test_mails_that_answer_each_other_do_not_wait_for_ever(self):
        one = self.store_answer("<two@x.example>", message_id="<one@x.example>")
        two = self.store_answer("<one@x.example>", message_id="<two@x.example>")
        self.queue._process_waiting()
        self.assertEqual(one.state, "pending")
        self.committing_env.cr.execute(
            "UPDATE mail_catchall_inbound SET create_date = create_date - INTERVAL '3 days'"
            " WHERE id = %s",
            [one.id],
        )
        self.queue._process_waiting()
        self.assertEqual((one.state, two.state), ("delivered", "delivered"))

    def test_a_mail_that_names_itself_does_not_wait(self):
        mail = self.store_answer("<self@x.example>", message_id="<self@x.example>")
        self.queue._process_waiting()
        self.assertEqual(mail.state, "delivered")

    # ------------------------------------------------------------
    # TIME AND WORKERS
    # ------------------------------------------------------------

    def test_what_the_time_is_too_short_for_is_given_back(self):
        inbounds = self.store(3)
        cron = self.env.ref("mail_catchall_gateway.ir_cron_process_inbound")
        self.env["ir.cron.trigger"].search([]).unlink()
        self.queue._process_waiting(until=time.monotonic() - 1)
        self.assertEqual(inbounds.mapped("state"), ["delivered", "pending", "pending"])
        self.assertEqual(inbounds.mapped("attempt_count"), [1, 0, 0])
        self.assertTrue(self.env["ir.cron.trigger"].search([("cron_id", "=", cron.id)]))
        self.queue._process_waiting()
        self.assertEqual(inbounds.mapped("state"), ["delivered"] * 3)

    @mute_logger(LOGGER)
    def test_managers_are_asked_to_look_into_what_failed(self):
        inbound = self.store()
        inbound.attempt_count = MAX_ATTEMPTS - 1
        self.make_due(inbound)
        with self.fail_on("Mail 0"):
            self.queue._process_waiting()
        self.assertEqual(inbound.state, "failed")
        managers = self.env.ref("mail_catchall_gateway.group_catchall_manager").users
        activities = inbound.activity_ids
        self.assertEqual(activities.user_id, managers.filtered("active"))
        self.assertIn("no luck", activities[0].note)
        # a manager may say that it is done, though there is no chatter to note that in
        activities[0].with_user(activities[0].user_id).action_done()
        inbound.invalidate_recordset()
        inbound.with_user(managers.filtered("active")[0]).action_process()
        self.assertEqual(inbound.state, "delivered")
        self.assertFalse(inbound.activity_ids, "nothing is to be done any more")
