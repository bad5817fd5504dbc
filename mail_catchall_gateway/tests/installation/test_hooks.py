from odoo.tests import tagged

from ...hooks import post_init_hook
from ..common import CatchallCommon


@tagged("post_install", "-at_install", "mail_catchall_gateway")
class TestPostInit(CatchallCommon):
    """What a database had before the gateway was installed goes on, and is named."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env["fetchmail.server"].search([]).unlink()
        cls.env["mail.alias"].search([]).alias_incoming_local = False
        cls.parameters = cls.env["ir.config_parameter"]
        for key in ("mail.catchall.domain.allowed", "mail.force.smtp.from"):
            cls.parameters.search([("key", "=", key)]).unlink()
        cls.parameters.search([("key", "=", "mail.dynamic.smtp.from")]).unlink()
        cls.administrator = cls._create_user(
            "Ada", "Min", groups="base.group_user,base.group_system"
        )
        others = cls.env.ref("base.group_system").users - cls.administrator
        others.write({"groups_id": [(3, cls.env.ref("base.group_system").id)]})

    def _create_server(self, **values):
        values = {"name": "Old mailbox", "server": "imap.example", "state": "done", **values}
        return self.env["fetchmail.server"].create({"server_type": "imap", **values})

    def install(self):
        """Run the hook; return the text of the notification, or nothing."""
        before = self.inbox(self.administrator)
        with self.mock_mail_gateway():
            post_init_hook(self.env)
        self.assertFalse(self.emails, "what is installed may still be rolled back")
        messages = self.inbox(self.administrator) - before
        self.assertLessEqual(len(messages), 1)
        return str(messages.body or "")

    def test_nothing_to_say(self):
        self.assertFalse(self.install())

    def test_a_mailbox_is_proposed_and_goes_on_as_before(self):
        partner_model = self.env["ir.model"]._get_id("res.partner")
        jobs = self._create_server(user="jobs@acme.example", object_id=partner_model)
        by_aliases = self._create_server(user="office@acme.example", name="By aliases")
        catchall = self._create_server(
            user=self.mail_alias_domain.catchall_email, object_id=partner_model, name="Right one"
        )
        text = self.install()
        self.assertIn(f"Right one ({catchall.user}), By aliases ({by_aliases.user})", text)
        self.assertNotIn(jobs.user, text)
        self.assertFalse((jobs | by_aliases | catchall).filtered("is_catchall"))
        guide = self.env["mail.catchall.setup"]._find(self.company_admin)
        self.assertEqual(guide.mailbox_id, catchall)
        self.assertIn("Right one", guide.found_notes)
        catchall.is_catchall = True
        guide = self.env["mail.catchall.setup"]._find(self.company_admin)
        self.assertNotIn("By aliases", guide.found_notes or "")

    def test_a_domain_with_capitals_is_found(self):
        domain = self.mail_alias_domain
        for name, taken, expected in [
            ("Shop.Example", "shop.example", "Shop.Example"),
            ("Acme.Example", "other.example", "acme.example"),
        ]:
            with self.subTest(name=name):
                self.mail_alias_domain_c2.name = taken
                self.env.flush_all()
                # as core wrote it
                query = "UPDATE mail_alias_domain SET name = %s WHERE id = %s"
                self.env.cr.execute(query, [name, domain.id])
                self.env.invalidate_all()
                self.install()
                self.assertEqual(domain.name, expected)
        self.assertEqual(self.john.alias_id.alias_full_name, "john.doe@acme.example")

    def test_domains_of_local_parts(self):
        alias = self._create_team_alias(name="sales", alias_incoming_local=True)
        self.assertIn("sales", self.install())
        key = "mail.catchall.domain.allowed"
        self.env.cr.execute(
            "INSERT INTO ir_config_parameter (key, value) VALUES (%s, %s)",
            [key, "Acme.org, acme.net,"],
        )
        self.registry.clear_cache()
        text = self.install()
        self.assertIn("acme.net, acme.org", text)
        self.assertEqual(self.parameters.get_param(key), "acme.org,acme.net")
        found = self.env["mail.catchall.recipients"]._resolve_recipients(
            ("sales@acme.org", "sales@other.example"), ("sales@acme.org",)
        )
        self.assertEqual(found["sales@acme.org"].alias_ids, (alias.id,))
        self.assertEqual(found["sales@other.example"].kind, "foreign")

    def test_sender_parameters_of_former_versions(self):
        self.parameters.set_param("mail.dynamic.smtp.from", "out@acme.example")
        self.assertIn("not yours leaves as out@acme.example", self.install())
        self.parameters.set_param("mail.force.smtp.from", "one@acme.example")
        text = self.install()
        self.assertIn("All mail leaves as one@acme.example", text)
        self.assertNotIn("out@acme.example", text, "the other one outdoes it")

    def test_an_own_address_that_is_ours_is_named(self):
        self.env.cr.execute(
            "UPDATE res_partner SET email_normalized = %s WHERE id = %s",
            [self.john.alias_email, self.jane.partner_id.id],
        )
        self.env.invalidate_all()
        self.assertIn(f"{self.jane.name} ({self.john.alias_email})", self.install())

    def test_in_the_administrators_language(self):
        self.env["res.lang"]._activate_lang("fr_FR")
        self.administrator.lang = "fr_FR"
        self.parameters.set_param("mail.force.smtp.from", "<one@acme.example>")
        seen = []
        model = self.env.registry["mail.catchall.setup.servers"]
        get_found = model._get_found

        def look(servers):
            seen.append(servers.env.lang)
            return get_found(servers)

        self.patch(model, "_get_found", look)
        self.assertIn("&lt;one@acme.example&gt;", self.install())
        self.assertEqual(seen, ["fr_FR"])
