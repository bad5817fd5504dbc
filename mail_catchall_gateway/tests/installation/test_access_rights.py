"""Who may do what with which model, before any rule looks at single records."""

from odoo.exceptions import AccessError
from odoo.tests import tagged
from odoo.tools import mute_logger

from ..common import CatchallCommon

OPERATIONS = {"r": "read", "w": "write", "c": "create", "u": "unlink"}
ROLES = ("user", "gateway manager", "access rights", "settings", "receiver", "portal", "public")

# Letters of OPERATIONS, by model and in the order of ROLES.
RIGHTS = {
    "mail.catchall.conversation": ("rwc", "rwc", "rwc", "rwc", "", "", ""),
    "mail.catchall.attach": ("rwcu", "rwcu", "rwcu", "rwcu", "", "", ""),
    "mail.catchall.inbound": ("", "r", "", "", "", "", ""),
    "mail.catchall.inbound.log": ("", "r", "", "", "", "", ""),
    "mail.catchall.blocked": ("", "rwcu", "", "", "", "", ""),
    "mail.catchall.route": ("", "rwcu", "", "", "", "", ""),
    "mail.catchall.bounce": ("", "rwcu", "", "", "", "", ""),
    "mail.catchall.alias.wizard": ("", "", "rwcu", "rwcu", "", "", ""),
    "mail.catchall.alias.wizard.line": ("", "", "rwcu", "rwcu", "", "", ""),
    "mail.catchall.setup": ("", "", "", "rwc", "", "", ""),
}

# What anybody could call by a remote call, and who may: the rights of the model are not enough.
ACTIONS = {
    "mail.catchall.inbound": (
        "action_process action_accept action_route action_bounce action_discard action_download "
        "action_block_sender action_allow_sender"
    ),
    "mail.catchall.conversation": "action_attach action_detach action_open_document",
}


@tagged("post_install", "-at_install", "mail_catchall_gateway")
class TestAccessRights(CatchallCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        create = cls._create_user
        manager = "base.group_user,mail_catchall_gateway.group_catchall_manager"
        bare = {"alias_name": False, "notification_type": "email"}
        receiver = "mail_catchall_gateway.group_catchall_receiver"
        users = (
            cls.jane,
            create("Max", "Moe", groups=manager),
            create("Amy", "Loe", groups="base.group_user,base.group_erp_manager"),
            create("Ada", "Poe", groups="base.group_user,base.group_system"),
            create("Rob", "Boe", groups=receiver, **bare),
            create("Pam", "Coe", groups="base.group_portal", **bare),
            cls.env.ref("base.public_user"),
        )
        cls.roles = dict(zip(ROLES, users, strict=True))

    def letters(self, name, user):
        model = self.env[name].with_user(user)
        return "".join(
            letter
            for letter, operation in OPERATIONS.items()
            if model.check_access_rights(operation, raise_exception=False)
        )

    def test_each_right_of_each_role_on_each_model(self):
        for name, row in RIGHTS.items():
            for (role, user), expected in zip(self.roles.items(), row, strict=True):
                with self.subTest(model=name, role=role):
                    self.assertEqual(self.letters(name, user), expected)

    def test_the_table_names_each_model_of_the_addon(self):
        models = {
            name
            for name, model in self.env.items()
            if model._original_module == "mail_catchall_gateway" and not model._abstract
        }
        self.assertEqual(set(RIGHTS), models)

    def test_nobody_outside_has_a_right_on_any_model_of_the_addon(self):
        for name in RIGHTS:
            for role in ("receiver", "portal", "public"):
                with self.subTest(model=name, role=role):
                    self.assertEqual(self.letters(name, self.roles[role]), "")

    @mute_logger("odoo.addons.base.models.ir_model", "odoo.addons.base.models.ir_rule")
    def test_buttons_are_for_who_may_see_the_record(self):
        inbound = self.receive(self.make_mail(f"jon.doe@{self.domain}"))
        self.assertVerdict(inbound, "review", "unrouted")
        conversation = self.receive(self.make_mail(self.john.alias_email)).conversation_id
        document = self._create_document()
        conversation._attach_to(document)
        for record in (inbound, conversation):
            for name in ACTIONS[record._name].split():
                for role, user in self.roles.items():
                    if role == "gateway manager" and record == inbound:
                        continue
                    if name == "action_attach":
                        continue  # opens a dialog, which is in test_security_conversation
                    with self.subTest(action=name, role=role), self.assertRaises(AccessError):
                        getattr(record.with_user(user), name)()

    def test_each_company_has_its_own_managers(self):
        second = self.company_2
        inbound = self.receive(self.make_mail(f"jon.doe@{self.mail_alias_domain_c2.name}"))
        self.assertEqual(inbound.company_id, second)
        manager = self.roles["gateway manager"]
        with self.assertRaises(AccessError):
            inbound.with_user(manager).read(["name"])
        with self.assertRaises(AccessError):
            inbound.with_user(manager).action_discard()
        manager.company_ids += second
        inbound.with_user(manager).with_company(second).read(["name"])

    @mute_logger("odoo.addons.base.models.ir_model")
    def test_who_hands_mail_over_may_do_nothing_else(self):
        receiver = self.roles["receiver"]
        inbounds = self.env["mail.catchall.inbound"].with_user(receiver)
        number = inbounds.receive(self.make_mail(self.john.alias_email).as_bytes())
        self.assertTrue(number)
        may_read = {
            name
            for name, model in self.env.items()
            if not model._abstract
            and model.with_user(receiver).check_access_rights("read", raise_exception=False)
        }
        # what core gives to everybody who can log in
        self.assertFalse([name for name in may_read if name.startswith(("mail.", "crm.", "sale."))])
        may_write = {
            name
            for name, model in self.env.items()
            if not model._abstract
            and any(
                model.with_user(receiver).check_access_rights(operation, raise_exception=False)
                for operation in ("write", "create", "unlink")
            )
        }
        self.assertFalse(may_write - {"res.users.apikeys.description"}, may_write)
        with self.assertRaises(AccessError):
            inbounds.browse(number).read(["name"])
        with self.assertRaises(AccessError):
            self.env["mail.message"].with_user(receiver).search([])
