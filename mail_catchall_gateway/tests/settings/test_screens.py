import ast

from lxml import etree

from odoo.exceptions import ValidationError
from odoo.tests import Form, tagged

from ..common import ReviewCommon


@tagged("post_install", "-at_install", "mail_catchall_gateway")
class TestScreens(ReviewCommon):
    """What lists, badges and the chatter show."""

    def chatter_sender(self, record, user):
        data = record.with_user(user)._get_mail_thread_data(["suggestedRecipients"])
        return data["catchallSender"]

    # ------------------------------------------------------------
    # CHATTER
    # ------------------------------------------------------------

    def test_the_chatter_says_as_whom_a_user_writes(self):
        document = self._create_document()
        expected = f"John Doe <john.doe@{self.domain}>"
        self.assertEqual(self.chatter_sender(document, self.john), expected)
        self.john.alias_name = False
        self.assertEqual(self.chatter_sender(document, self.john), "")

    def test_the_chatter_knows_the_policy_of_the_domain(self):
        document = self._create_document(company_id=self.company_admin.id)
        self.mail_alias_domain.write(
            {"from_policy": "forced", "from_address": f"outgoing@{self.domain}"}
        )
        sender = self.chatter_sender(document, self.john)
        self.assertEqual(sender, f"John Doe <outgoing@{self.domain}>")
        self.mail_alias_domain.from_policy = "dynamic"
        sender = self.chatter_sender(document, self.john)
        self.assertEqual(sender, f"John Doe <john.doe@{self.domain}>")

    def test_the_chatter_shows_what_leaves(self):
        self.john.groups_id += self.env.ref("base.group_partner_manager")
        document = self._create_document(email="mary@customer.example")
        for policy in ("native", "dynamic", "forced"):
            with self.subTest(policy=policy):
                self.mail_alias_domain.write(
                    {"from_policy": policy, "from_address": f"outgoing@{self.domain}"}
                )
                self.post(document, self.john, "Hello", partner_ids=document.ids)
                (sent,) = self.sent_to("mary@customer.example")
                address = sent["From"].addresses[0].addr_spec
                self.assertIn(f"<{address}>", self.chatter_sender(document, self.john))

    # ------------------------------------------------------------
    # REVIEW COUNTER
    # ------------------------------------------------------------

    def notified(self):
        """Return to whom the bus said since the last call that the number changed."""
        self.env.cr.precommit.run()
        Bus = self.env["bus.bus"].sudo()
        found = Bus.search([("message", "like", '"mail.catchall.inbound/review"')])
        channels = found.mapped("channel")
        found.unlink()
        return channels

    def test_the_number_to_review_is_told_when_it_changes(self):
        self.notified()
        inbound = self.receive_typo()
        channels = self.notified()
        self.assertTrue(any(f'"res.partner",{self.manager.partner_id.id}]' in c for c in channels))
        self.assertFalse(any(f'"res.partner",{self.john.partner_id.id}]' in c for c in channels))
        self.act(inbound, "action_discard")
        self.assertTrue(self.notified())
        self.act(inbound, "action_process")
        self.assertTrue(self.notified())

    def test_what_is_delivered_disturbs_nobody(self):
        self.notified()
        self.receive(self.make_mail(f"john.doe@{self.domain}"))
        self.assertFalse(self.notified())

    # ------------------------------------------------------------
    # LISTS
    # ------------------------------------------------------------

    def get_search_view(self, model):
        return etree.fromstring(model.get_view(view_type="search")["arch"])

    def filter_aliases(self, name):
        """Return the aliases that a filter of the list shows a manager."""
        aliases = self.env["mail.alias"].with_user(self.manager)
        (found,) = self.get_search_view(aliases).xpath(f"//filter[@name='{name}']")
        return aliases.search(ast.literal_eval(found.get("domain")))

    def test_aliases_show_the_last_mail(self):
        alias = self.john.alias_id.with_user(self.manager)
        unused = [("inbound_ids", "=", False), ("id", "=", alias.id)]
        self.assertFalse(alias.last_inbound_date)
        self.assertIn(alias, alias.search(unused))
        inbound = self.receive(self.make_mail(f"john.doe@{self.domain}"))
        alias.invalidate_recordset()
        self.assertEqual(alias.last_inbound_date, inbound.create_date)
        self.assertFalse(self.jane.alias_id.with_user(self.manager).last_inbound_date)
        self.assertNotIn(alias, alias.search(unused))
        action = alias.action_view_inbound()
        found = self.env["mail.catchall.inbound"].search(action["domain"])
        self.assertEqual(found, inbound)

    def test_employees_do_not_see_when_others_get_mail(self):
        alias = self.jane.alias_id.with_user(self.john)
        self.assertNotIn("last_inbound_date", alias.fields_get())
        self.assertNotIn("inbound_ids", alias.fields_get())

    def test_managers_may_search_by_every_field_they_are_offered(self):
        for name in ("mail.catchall.inbound", "mail.alias"):
            model = self.env[name].with_user(self.manager)
            for field in self.get_search_view(model).xpath("//field[not(@filter_domain)]"):
                with self.subTest(name, field=field.get("name")):
                    model.search([(field.get("name"), "ilike", "x")], limit=1)

    def test_aliases_of_archived_users_are_found(self):
        self.assertNotIn(self.john.alias_id, self.filter_aliases("archived_users"))
        self.john.active = False
        self.assertIn(self.john.alias_id, self.filter_aliases("archived_users"))

    def test_aliases_are_found_by_what_they_are_for(self):
        team, john = self._create_team_alias(), self.john.alias_id
        self.john.write({"further_alias_ids": [(0, 0, {"alias_name": "jd"})]})
        further = self.john.further_alias_ids
        for name, expected in (
            ("messaging", john | further),
            ("further", further),
            ("documents", team),
            ("unused", team | john | further),
            ("invalid", self.env["mail.alias"]),
        ):
            with self.subTest(name):
                found = self.filter_aliases(name) & (team | john | further)
                self.assertEqual(found, expected)

    def test_the_list_of_aliases_says_where_each_leads(self):
        """To its user or what it creates, and when mail last came; that for managers alone."""
        alias = self.john.alias_id
        inbound = self.receive(self.make_mail(self.john.alias_email))
        for user, date in ((self.manager, inbound.create_date), (self.jane, None)):
            aliases = alias.with_user(user)
            shown = etree.fromstring(aliases.get_view(view_type="tree")["arch"])
            names = shown.xpath("/tree/field/@name")
            values = aliases.read([name for name in names if name in aliases._fields])[0]
            self.assertEqual(values["alias_user_id"], (self.john.id, "John Doe"))
            self.assertEqual(values["alias_model_id"][1], "Conversation")
            self.assertEqual(values.get("last_inbound_date"), date)

    def test_inbound_emails_are_counted_by_alias_and_day(self):
        self.receive(self.make_mail(f"john.doe@{self.domain}, jane.roe@{self.domain}"))
        groups = (
            self.env["mail.catchall.inbound"]
            .with_user(self.manager)
            .read_group(
                [("alias_ids", "in", self.john.alias_id.ids)],
                ["__count"],
                ["alias_ids", "verdict_code", "create_date:day"],
                lazy=False,
            )
        )
        counted = {group["alias_ids"][0]: group["__count"] for group in groups}
        self.assertEqual(counted, {self.john.alias_id.id: 1, self.jane.alias_id.id: 1})

    def test_the_form_says_what_a_mail_became(self):
        inbound = self.receive(self.make_mail(f"john.doe@{self.domain}"))
        self.assertEqual(inbound.with_user(self.manager).document_kind, "Conversation")
        self.assertFalse(self.receive_typo().document_kind)

    def test_the_status_of_a_mailbox(self):
        mailbox = self._create_mailbox()
        self.assertEqual(mailbox.fetch_status, "draft")
        mailbox.state = "done"
        self.assertEqual(mailbox.fetch_status, "new")
        mailbox.last_success = "2026-01-01"
        self.assertEqual(mailbox.fetch_status, "ok")
        mailbox.error_count = 1
        self.assertEqual(mailbox.fetch_status, "failing")


@tagged("post_install", "-at_install", "mail_catchall_gateway")
class TestSettings(ReviewCommon):
    """The block of the settings: policies of the domain, fetching, state."""

    def rows(self):
        return {row["label"]: row for row in self._create_settings().catchall_state}

    def test_a_policy_and_what_it_needs_are_saved_together(self):
        alias = self._create_team_alias("office", alias_domain_id=self.mail_alias_domain.id)
        domain = self.mail_alias_domain
        self._create_settings(
            catchall_unrouted_policy="forward", catchall_unrouted_alias_id=alias.id
        ).execute()
        self.assertEqual((domain.unrouted_policy, domain.unrouted_alias_id), ("forward", alias))
        self._create_settings(
            catchall_unrouted_policy="review", catchall_unrouted_alias_id=False
        ).execute()
        self.assertEqual(domain.unrouted_policy, "review")
        self.assertFalse(domain.unrouted_alias_id)

    def test_no_number_of_days_is_negative(self):
        for name in ("delivered", "ignored", "renamed_alias", "reply"):
            with self.subTest(name), self.assertRaises(ValidationError):
                self._create_settings(**{f"catchall_{name}_days": -1})

    def test_a_parameter_that_is_no_number_does_not_close_the_settings(self):
        parameters = self.env["ir.config_parameter"]
        parameters.set_param("mail_catchall_gateway.renamed_alias_days", "ninety")
        self.assertEqual(self._create_settings().catchall_renamed_alias_days, 90)

    def test_policies_are_those_of_the_domain_that_was_chosen(self):
        other = self.env["mail.alias.domain"].create(
            {"name": "other.example", "subaddress_separator": "-"}
        )
        company = self.company_admin
        with Form(self.env["res.config.settings"].with_company(company)) as form:
            form.alias_domain_id = other
            self.assertEqual(form.catchall_subaddress_separator, "-")
            form.catchall_subaddress_separator = "="
        self.assertEqual(company.alias_domain_id, other)
        self.assertEqual(other.subaddress_separator, "=")
        self.assertEqual(self.mail_alias_domain.subaddress_separator, "+")

    def test_a_company_without_a_domain_has_no_policies(self):
        company = self.env["res.company"].create({"name": "B", "alias_domain_id": False})
        company.alias_domain_id = False
        settings = self._create_settings(company_id=company.id, catchall_from_policy="forced")
        self.assertFalse(settings.catchall_from_policy)

    def test_the_interval_is_that_of_the_scheduled_action(self):
        action = self.env.ref("mail.ir_cron_mail_gateway_action")
        action.write({"interval_number": 2, "interval_type": "weeks"})
        settings = self._create_settings()
        self.assertEqual(settings.catchall_fetch_interval, 2)
        self.assertEqual(settings.catchall_fetch_unit, "weeks")
        settings.execute()
        self.assertEqual((action.interval_number, action.interval_type), (2, "weeks"))
        self._create_settings(catchall_fetch_interval=3, catchall_fetch_unit="minutes").execute()
        self.assertEqual((action.interval_number, action.interval_type), (3, "minutes"))
        with self.assertRaisesRegex(ValidationError, "at least 1"):
            self._create_settings(catchall_fetch_interval=0)

    def test_the_last_fetch(self):
        action = self.env.ref("mail.ir_cron_mail_gateway_action")
        self.env["fetchmail.server"].search([]).unlink()
        self.assertEqual(self.rows()["Last fetch"]["state"], "todo")
        mailbox = self._create_mailbox(state="done")
        action.active = True
        self.assertEqual(self.rows()["Last fetch"]["text"], "Nothing was fetched yet.")
        mailbox.last_success = "2026-01-01 10:00:00"
        row = self.rows()["Last fetch"]
        self.assertEqual(row["state"], "ok")
        self.assertIn("Mails within a day: 0", row["text"])
        mailbox.write({"error_count": 2, "last_error": "no route"})
        row = self.rows()["Last fetch"]
        self.assertEqual((row["state"], row["text"]), ("error", "Catch-all: no route"))
        action.active = False
        self.assertIn("switched off", self.rows()["Last fetch"]["text"])

    def test_the_description_can_be_opened(self):
        action = self._create_settings().action_open_catchall_description()
        module = self.env[action["res_model"]].browse(action["res_id"])
        self.assertEqual(module.name, "mail_catchall_gateway")
