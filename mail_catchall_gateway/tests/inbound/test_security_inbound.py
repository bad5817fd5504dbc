"""Sources and contents of mail that came in: who sees what of them, and what cannot be done."""

import contextlib

from odoo.exceptions import AccessError, UserError
from odoo.tests import tagged
from odoo.tools import mute_logger

from ..common import ReviewCommon

SECRET = "zebra"

# Each way is a function of the inbound email and the environment of who takes it.
WAYS = {
    "preview": lambda inbound, env: inbound.read(["preview"]),
    "source": lambda inbound, env: inbound.read(["raw"]),
    "field": lambda inbound, env: inbound.mapped("raw"),
    "export": lambda inbound, env: inbound.export_data(["raw"]),
    "everything": lambda inbound, env: inbound.read(),
    "copy": lambda inbound, env: inbound.copy_data(),
    "groups": lambda inbound, env: inbound.read_group([], ["raw"], ["raw"]),
    "messages": lambda inbound, env: inbound.mail_message_ids.mapped("body"),
    "search by text": lambda inbound, env: (
        SECRET * inbound.search_count([("mail_message_ids.body", "ilike", SECRET)])
    ),
    "attachment": lambda inbound, env: (
        env["ir.attachment"]
        .search([("res_model", "=", inbound._name), ("res_field", "=", "raw")])
        .mapped("raw")
    ),
    "index of the attachment": lambda inbound, env: (
        env["ir.attachment"]
        .search([("index_content", "ilike", SECRET), ("res_field", "!=", False)])
        .mapped("name")
    ),
}


@tagged("post_install", "-at_install", "mail_catchall_gateway")
class TestSecurityInbound(ReviewCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        portal = {"alias_name": False, "notification_type": "email"}
        rights = "base.group_user,base.group_system"
        both = f"{rights},mail_catchall_gateway.group_catchall_manager"
        cls.roles = {
            "recipient": cls.john,
            "other user": cls.jane,
            "manager": cls.manager,
            "administrator": cls._create_user("Ada", "Poe", groups=rights),
            "administrator and manager": cls._create_user("Bob", "Foe", groups=both),
            "portal": cls._create_user("Pam", "Coe", groups="base.group_portal", **portal),
            "public": cls.env.ref("base.public_user"),
        }
        # or export_data() would refuse all of them before any rights count
        cls.env.ref("base.group_allow_export").users |= cls.env["res.users"].union(
            *cls.roles.values()
        )

    def receive_secret(self, to):
        return self.receive(self.make_mail(to, text=f"A {SECRET}.", message_id=f"<1@{to}>"))

    def sees(self, way, inbound, user):
        """Tell whether a way shows the content; AccessError is the only refusal."""
        with self.env.cr.savepoint() as savepoint:
            self.env.invalidate_all()
            env = self.env(user=user.id, su=False)
            try:
                result = way(inbound.with_env(env), env)
            except AccessError:
                result = None
            savepoint.rollback()
        return SECRET in repr(result)

    @mute_logger("odoo.addons.base.models.ir_model", "odoo.addons.base.models.ir_rule")
    def test_who_sees_the_content_of_a_mail(self):
        delivered = self.receive_secret(self.john.alias_email)
        waiting = self.receive_secret(self.typo)
        self.assertEqual((delivered.state, waiting.state), ("delivered", "review"))
        managers = ("manager", "administrator and manager")
        for name, way in WAYS.items():
            for role, user in self.roles.items():
                shown = role in managers and name in ("preview", "everything")
                with self.subTest(way=name, role=role, state="delivered"):
                    self.assertFalse(self.sees(way, delivered, user))
                with self.subTest(way=name, role=role, state="review"):
                    self.assertEqual(self.sees(way, waiting, user), shown)

    def test_a_copy_of_what_was_delivered_is_no_way_to_its_content(self):
        mail = self.make_mail(self.john.alias_email, text=f"A {SECRET}.")
        self.receive(mail)
        copy = self.receive(mail)
        self.assertVerdict(copy, "ignored", "duplicate")
        copy = copy.with_user(self.manager)
        self.manager.alias_name = "max.moe"
        for decide in (
            lambda: self.route(copy, user_id=self.manager),
            lambda: self.act(copy, "action_accept"),
            lambda: self.act(copy, "action_process"),
        ):
            with self.env.cr.savepoint() as savepoint:
                with contextlib.suppress(UserError, AccessError):
                    decide()
                self.assertNotIn(SECRET, copy.preview or "")
                self.assertFalse(self.inbox(self.manager))
                self.assertFalse(self.sent_to(self.manager.email))
                savepoint.rollback()

    def test_nobody_writes_what_the_gateway_decided(self):
        inbound = self.receive_secret(self.john.alias_email)
        for role, user in self.roles.items():
            for values in ({"state": "review"}, {"is_accepted": True}, {"raw": b"x"}):
                with self.subTest(role=role, values=values), self.assertRaises(AccessError):
                    inbound.with_user(user).write(values)
            with self.subTest(role=role), self.assertRaises(AccessError):
                inbound.with_user(user).create({"state": "review"})
            with self.subTest(role=role), self.assertRaises(AccessError):
                inbound.with_user(user).unlink()
