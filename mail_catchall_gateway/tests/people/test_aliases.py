import datetime

from odoo import fields
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.fields import Command
from odoo.tests import Form, tagged
from odoo.tests.common import BaseCase

from ...tools.addresses.alias_names import make_unique, propose_local_part
from ..common import CatchallCommon


class TestAliasNames(BaseCase):
    def test_names_become_local_parts(self):
        for text, expected in [
            ("John Doe", "john.doe"),
            ("  John   Doe ", "john.doe"),
            ("Jean-Luc Picard", "jean-luc.picard"),
            ("Shaun O'Neil", "shaun.oneil"),
            ("Jürgen Groß", "jurgen.gross"),
            ("Łukasz Żółć", "lukasz.zolc"),
            ("Đặng Văn Lâm", "dang.van.lam"),
            ("Søren Ærø", "soren.aero"),
            ("Dr. J. Smith, Jr.", "dr.j.smith.jr"),
            ("A - B", "a.b"),
            ("a -- b..c", "a.b.c"),
            ("john@gmail.com", "john"),
            ("-x-", "x"),
            ("Þór Œuvre", "thor.oeuvre"),
            ("O’Neil", "oneil"),
            ("Игорь Соловьёв", "igor.soloviov"),
            ("Ελένη Παπαδοπούλου", "elene.papadopoulou"),
            ("李小龍", "li.xiao.long"),
            ("김민수", "gimminsu"),
            ("☺", ""),
            ("...", ""),
            ("", ""),
            (None, ""),
        ]:
            with self.subTest(text=text):
                self.assertEqual(propose_local_part(text), expected)

    def test_clashes_are_numbered(self):
        for taken, expected in [
            ([], "john"),
            (["jane"], "john"),
            (["john"], "john2"),
            (["john", "john2", "john3"], "john4"),
            (["john", "john3"], "john2"),
        ]:
            with self.subTest(taken=taken):
                self.assertEqual(make_unique("john", taken), expected)


@tagged("post_install", "-at_install", "mail_catchall_gateway")
class TestGivingAliases(CatchallCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.ann = cls._create_user("Ann", "Lee", alias_name=False)
        cls.portal = cls._create_portal_user()

    def open_wizard(self, users, **values):
        wizard = self.env["mail.catchall.alias.wizard"].with_context(
            active_model="res.users", active_ids=users.ids
        )
        return Form(wizard)

    def test_it_shows_what_it_would_give_and_writes_nothing(self):
        with self.open_wizard(self.ann | self.john | self.portal) as form:
            self.assertEqual(len(form.line_ids), 1)
            with form.line_ids.edit(0) as line:
                self.assertEqual(line.user_id, self.ann)
                self.assertEqual(line.alias_name, "ann.lee")
                self.assertEqual(line.alias_domain, self.domain)
                self.assertFalse(line.note)
            self.assertIn("John Doe", form.skipped)
            self.assertIn(self.portal.name, form.skipped)
        self.assertFalse(self.ann.alias_id)

    def test_it_gives_what_is_shown(self):
        with self.open_wizard(self.ann) as form:
            with form.line_ids.edit(0) as line:
                line.alias_name = "ann"
        form.save().action_apply()
        self.assertEqual(self.ann.alias_email, f"ann@{self.domain}")

    def test_names_of_logins(self):
        self.ann.login = "a.lee@home.example"
        with self.open_wizard(self.ann) as form:
            form.source = "login"
            with form.line_ids.edit(0) as line:
                self.assertEqual(line.alias_name, "a.lee")

    def test_clashes_are_resolved(self):
        self._create_team_alias("ann.lee")
        other = self._create_user("Ann", "Lee", login="ann2", email="ann2@x.test", alias_name=False)
        proposals = (self.ann | other)._propose_alias_names()
        self.assertEqual(list(proposals.values()), ["ann.lee2", "ann.lee3"])
        self.ann.name = self.mail_alias_domain.catchall_alias
        self.assertEqual(self.ann._propose_alias_names()[self.ann], "catchall.test2")
        with self.open_wizard(self.ann) as form:
            with form.line_ids.edit(0) as line:
                line.alias_name = "john.doe"
                self.assertIn("taken", line.note)
        with self.assertRaises(UserError):
            form.save().action_apply()

    def test_a_name_that_makes_no_address_is_left_to_the_administrator(self):
        self.ann.write({"name": "☺", "login": "?"})
        with self.open_wizard(self.ann) as form:
            with form.line_ids.edit(0) as line:
                self.assertFalse(line.alias_name)
                self.assertIn("enter one", line.note)
        with self.assertRaises(UserError):
            form.save().action_apply()

    def test_employees_do_not_give_aliases(self):
        with self.assertRaises(AccessError):
            self.env["mail.catchall.alias.wizard"].with_user(self.john).create({})

    def test_new_users_get_one_if_the_setting_says_so(self):
        self.assertFalse(self._create_user("Bob", "One", alias_name=False).alias_id)
        settings = self._create_settings(catchall_automatic_alias=True)
        settings.execute()
        bob = self._create_user("Bob", "Two", login="bob2", alias_name=False)
        self.assertEqual(bob.alias_email, f"bob.two@{self.domain}")
        chosen = self._create_user("Bob", "Three", login="bob3", alias_name="b3")
        self.assertEqual(chosen.alias_name, "b3")
        portal = self._create_user("P", "O", groups="base.group_portal", alias_name=False,
                                   notification_type="email")  # fmt: skip
        self.assertFalse(portal.alias_id)
        self._create_settings(catchall_automatic_alias=False).execute()
        last = self._create_user("Bob", "Four", login="bob4", alias_name=False)
        self.assertFalse(last.alias_id)


@tagged("post_install", "-at_install", "mail_catchall_gateway")
class TestOwnAddresses(CatchallCommon):
    """The own address of a user is never one at which Odoo receives mail: that is a loop."""

    def assertLoop(self):
        return self.assertRaises(ValidationError)

    def test_the_message_says_so(self):
        with self.assertRaisesRegex(ValidationError, "John Doe .* in a loop"):
            self.john.email = self.mail_alias_domain.catchall_email

    def test_not_on_the_user(self):
        self._create_team_alias()
        domain = self.mail_alias_domain
        for email in (
            f"team@{self.domain}",
            f"Team <TEAM@{self.domain}>",
            self.john.alias_email,
            self.jane.alias_email,
            domain.catchall_email,
            domain.bounce_email,
            domain.default_from_email,
        ):
            with self.subTest(email=email), self.assertLoop():
                self.john.email = email
            with self.subTest(email=email, on="partner"), self.assertLoop():
                self.john.partner_id.email = email
            with self.subTest(email=email, on="new user"), self.assertLoop():
                self._create_user("New", "User", email=email)

    def test_not_on_the_alias(self):
        self.john.email = f"private@{self.domain}"
        with self.assertLoop():
            self.jane.alias_name = "private"
        with self.assertLoop():
            self._create_team_alias("private")

    def test_not_on_the_alias_domain(self):
        self.john.email = f"private@{self.domain}"
        for fname in ("catchall_alias", "bounce_alias", "default_from"):
            with self.subTest(fname=fname), self.assertLoop():
                self.mail_alias_domain[fname] = "private"

    def test_other_addresses_of_the_domain_are_fine(self):
        self.john.email = f"private@{self.domain}"
        self._create_team_alias("public")

    def test_customers_may_have_any_address(self):
        self._create_document(email=self.john.alias_email)


@tagged("post_install", "-at_install", "mail_catchall_gateway")
class TestAliasLife(CatchallCommon):
    def find_user(self, name):
        """Return who gets mail at a local part."""
        alias = self.env["mail.alias"]._find_by_addresses([f"{name}@{self.domain}"])
        return alias._get_receiving_user() if alias else self.env["res.users"]

    def test_further_addresses_route_and_are_never_the_sender(self):
        self.john.write({"further_alias_ids": [(0, 0, {"alias_name": "j.doe"})]})
        self.assertEqual(self.find_user("j.doe"), self.john)
        self.assertEqual(self.john.further_alias_ids.alias_full_name, f"j.doe@{self.domain}")
        self.assertEqual(self.john.alias_email, f"john.doe@{self.domain}")
        identity = self.env["res.users"]._replace_own_address("john@home.example")
        self.assertIn("john.doe@", identity)
        inbound = self.receive(self.make_mail(f"j.doe@{self.domain}"))
        self.assertEqual(inbound.conversation_id.user_ids, self.john)

    def test_further_addresses_on_the_form(self):
        self.john.write({"further_alias_ids": [(0, 0, {"alias_name": "j.doe"})]})
        admin = self.env.ref("base.user_admin")
        with Form(self.john.with_user(admin), view="base.view_users_form") as form:
            with form.further_alias_ids.new() as line:
                line.alias_name = "doe"
            form.further_alias_ids.remove(0)
        self.assertEqual(self.john.further_alias_ids.mapped("alias_name"), ["doe"])

    def test_further_addresses_of_a_new_user(self):
        user = self._create_user("Ann", "Lee", further_alias_ids=[(0, 0, {"alias_name": "al"})])
        self.assertEqual(user.further_alias_ids.alias_full_name, f"al@{self.domain}")

    def test_who_manages_users_manages_their_addresses(self):
        manager = self._create_user("User", "Manager", groups="base.group_erp_manager")
        self.john.with_user(manager).write(
            {"alias_name": "jd", "further_alias_ids": [(0, 0, {"alias_name": "j.doe"})]}
        )
        self.assertEqual(self.find_user("j.doe"), self.john)
        with self.assertRaises(AccessError):
            self.john.with_user(self.john).write(
                {"further_alias_ids": [(0, 0, {"alias_name": "boss"})]}
            )

    def test_further_addresses_go_with_the_user(self):
        self.john.write({"further_alias_ids": [(0, 0, {"alias_name": "j.doe"})]})
        self.john.unlink()
        self.assertFalse(self.env["mail.alias"].search([("alias_name", "=", "j.doe")]))

    def test_a_former_name_is_received_for_some_time(self):
        self.john.alias_name = "jd"
        former = self.john.further_alias_ids
        self.assertEqual(former.alias_name, "john.doe")
        expected = fields.Date.today() + datetime.timedelta(days=90)
        self.assertEqual(former.alias_expiration, expected)
        self.assertEqual(self.find_user("john.doe"), self.john)
        self.assertEqual(self.john.alias_email, f"jd@{self.domain}")

        self.env["mail.alias"]._gc_expired_aliases()
        self.assertTrue(former.exists())
        former.alias_expiration = fields.Date.today() - datetime.timedelta(days=1)
        self.env["mail.alias"]._gc_expired_aliases()
        self.assertFalse(former.exists())
        self.assertFalse(self.find_user("john.doe"))

    def test_a_former_name_can_be_taken_back(self):
        self.john.alias_name = "jd"
        self.john.alias_name = "john.doe"
        self.assertEqual(self.john.alias_email, f"john.doe@{self.domain}")
        self.assertEqual(self.john.further_alias_ids.mapped("alias_name"), ["jd"])

    def test_a_former_name_is_not_free_for_others(self):
        self.john.alias_name = "jd"
        with self.assertRaises(UserError):
            self.jane.alias_name = "john.doe"

    def test_the_time_is_a_setting(self):
        self._create_settings(catchall_renamed_alias_days=5).execute()
        self.john.alias_name = "jd"
        expected = fields.Date.today() + datetime.timedelta(days=5)
        self.assertEqual(self.john.further_alias_ids.alias_expiration, expected)
        self._create_settings(catchall_renamed_alias_days=0).execute()
        self.jane.alias_name = "jr"
        self.assertFalse(self.jane.further_alias_ids)

    def test_who_changes_the_company_changes_the_domain(self):
        self.john.write({"further_alias_ids": [(0, 0, {"alias_name": "j.doe"})]})
        self.john.alias_name = "jd"
        self.john.write({"company_ids": [(4, self.company_2.id)], "company_id": self.company_2.id})
        self.assertEqual(self.john.alias_email, f"jd@{self.alias_domain_c2_name}")
        further = self.john.further_alias_ids
        self.assertEqual(further.mapped("alias_full_name"), [f"j.doe@{self.alias_domain_c2_name}"])

    def test_team_aliases_are_renamed_as_in_core(self):
        alias = self._create_team_alias()
        alias.alias_name = "office"
        self.assertFalse(self.env["mail.alias"].search([("alias_name", "=", "team")]))

    def test_mail_of_who_left_goes_to_the_delegate(self):
        max_ = self._create_user("Max", "Power")
        self.john.alias_delegate_id = max_
        self.john.active = False
        self.assertEqual(self.find_user("john.doe"), max_)
        inbound = self.receive(self.make_mail(self.john.alias_email))
        self.assertEqual(inbound.conversation_id.user_ids, max_)
        self.assertEqual(len(self.inbox(max_)), 1)

        max_.write({"active": False, "alias_delegate_id": self.jane.id})
        self.assertEqual(self.find_user("john.doe"), self.jane, "and on to the delegate's delegate")
        self.john.active = True
        self.assertEqual(self.find_user("john.doe"), self.john, "until he is back")

    def test_mail_of_who_left_without_a_delegate_is_unrouted(self):
        self.john.active = False
        inbound = self.receive(self.make_mail(self.john.alias_email))
        self.assertEqual((inbound.state, inbound.verdict_code), ("review", "unrouted"))
        self.assertIn("archived", inbound.reason)
        self.assertFalse(self.emails)
        with self.assertRaises(ValueError):
            self.env["mail.thread"].message_process(
                None, self.make_mail(self.john.alias_email).as_bytes()
            )

    def test_no_answer_is_delivered_to_who_left(self):
        """Nobody else could read it, and he would read it in his own mailbox."""
        self.mail_alias_domain.signed_reply_to = True
        inbound = self.receive(self.make_mail(self.john.alias_email))
        conversation = inbound.conversation_id
        self.post(conversation, self.john, "Which colour?")
        (sent,) = self.sent_to("mary@customer.example")
        self.john.active = False
        for delegate, jane_too, expected in [
            (self.env["res.users"], False, "review"),
            (self.jane, False, "delivered"),
            (self.env["res.users"], True, "delivered"),
        ]:
            with self.subTest(delegate=delegate.name, jane_too=jane_too):
                self.john.alias_delegate_id = delegate
                if jane_too:
                    conversation.write({"user_ids": [Command.link(self.jane.id)]})
                    self.env.invalidate_all()  # core's cache forgets who is archived
                answer = self.make_mail(sent["Reply-To"], in_reply_to=sent["Message-Id"])
                inbound = self.receive(answer)
                self.assertEqual(inbound.state, expected, inbound.reason)
                self.assertFalse(self.sent_to("john@home.example"))
                if expected == "review":
                    self.assertIn("archived", inbound.reason)
                    continue
                self.assertEqual(inbound.conversation_id == conversation, jane_too)
                self.assertEqual(inbound.conversation_id.user_ids, self.jane)
                self.assertIn(inbound.mail_message_ids, self.inbox(self.jane))

    def test_only_who_is_written_to_inherits(self):
        max_ = self._create_user("Max", "Power")
        inbound = self.receive(self.make_mail(self.john.alias_email))
        self.john.write({"active": False, "alias_delegate_id": max_.id})
        answer = self.make_mail(self.jane.alias_email, in_reply_to=inbound.message_id)
        inbound = self.receive(answer)
        self.assertEqual(inbound.conversation_id.user_ids, self.jane)
        self.assertFalse(self.inbox(max_))

    def test_delegates_in_a_circle_end(self):
        self.john.alias_delegate_id = self.jane
        self.jane.alias_delegate_id = self.john
        (self.john | self.jane).write({"active": False})
        self.assertFalse(self.find_user("john.doe"))
