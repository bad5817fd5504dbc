"""Every way we know to what is written in a conversation, taken by everybody."""

from psycopg2 import Error

from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import tagged
from odoo.tools import mute_logger

from ..common import CatchallCommon

CONVERSATION = "mail.catchall.conversation"
#: In all that is secret: subject, text, file name, content of the file.
SECRET = "zebra"

# Each way is a function of what is aimed at and the environment of who takes it.
MESSAGE_WAYS = {
    "read": lambda t, env: t.message(env).read(["body", "subject"]),
    "web client": lambda t, env: t.message(env).web_read({"body": {}, "record_name": {}}),
    "search and read": lambda t, env: t.messages(env).search_read([t.is_it], ["body"]),
    "search by text": lambda t, env: t.found(t.messages(env).search([("body", "ilike", SECRET)])),
    "name_search": lambda t, env: t.messages(env).name_search(SECRET),
    "groups": lambda t, env: t.messages(env).read_group([t.is_it], ["subject"], ["subject"]),
    "chatter": lambda t, env: t.message(env).message_format(),
    "fetch of a thread": lambda t, env: t.fetch_thread(env),
    "field": lambda t, env: t.message(env).mapped("body"),
    "filter": lambda t, env: t.found(
        t.message(env).filtered_domain([("subject", "ilike", SECRET)])
    ),
    "copy": lambda t, env: t.message(env).copy_data(),
    "private copy": lambda t, env: t.message(env).copy({"model": False, "res_id": 0}).body,
    "export": lambda t, env: t.message(env).export_data(["body", "subject"]),
    "onchange": lambda t, env: t.message(env).onchange(
        {"is_internal": True}, ["is_internal"], {"body": {}, "preview": {}, "description": {}}
    ),
    "display name": lambda t, env: t.message(env).display_name,
    "notification": lambda t, env: env["mail.notification"].search_read(
        [("mail_message_id", "=", t.source.id)], ["mail_message_id"]
    ),
    "notification by text": lambda t, env: t.found(
        env["mail.notification"].search([("mail_message_id.body", "ilike", SECRET)])
    ),
    "groups of notifications": lambda t, env: env["mail.notification"].read_group(
        [("mail_message_id", "=", t.source.id)], [], ["mail_message_id"]
    ),
    "resending": lambda t, env: (
        env["mail.resend.message"]
        .with_context(mail_message_to_resend=t.source.id)
        .create({})
        .read(["mail_message_id"])
    ),
    "schedule": lambda t, env: (
        env["mail.message.schedule"]
        .create({"mail_message_id": t.source.id, "scheduled_datetime": "2050-01-01 00:00:00"})
        .read(["mail_message_id"])
    ),
    "composer": lambda t, env: t.compose(env, parent_id=t.source.id),
    "composer that is not saved": lambda t, env: env["mail.compose.message"].onchange(
        {"parent_id": t.source.id, "composition_mode": "comment"},
        ["parent_id"],
        {"subject": {}, "record_name": {}, "parent_id": {"fields": {"display_name": {}}}},
    ),
    "answer in a channel": lambda t, env: t.answer_elsewhere(env),
    "template": lambda t, env: (
        env["mail.template"]
        .create(
            {"name": "x", "model_id": t.model_id("mail.message"), "subject": "{{object.subject}}"}
        )
        ._render_field("subject", t.source.ids)
    ),
    "outgoing mail": lambda t, env: env["mail.mail"].search_read(
        [("mail_message_id", "=", t.sent.id)], ["body_html", "mail_message_id"]
    ),
    "outgoing mail by text": lambda t, env: t.found(
        env["mail.mail"].search([("body_html", "ilike", SECRET)])
    ),
    "star": lambda t, env: t.found(
        t.message(env).toggle_message_starred() or t.messages(env).search([("starred", "=", True)])
    ),
}

THREAD_WAYS = {
    "read": lambda t, env: t.thread(env).read(["name", "email_from", "message_ids"]),
    "search and read": lambda t, env: env[CONVERSATION].search_read([], ["name"]),
    "search by text": lambda t, env: t.found(
        env[CONVERSATION].search([("message_ids.body", "ilike", SECRET)])
    ),
    "count": lambda t, env: t.found(env[CONVERSATION].search_count([("name", "ilike", SECRET)])),
    "name_search": lambda t, env: env[CONVERSATION].name_search(SECRET),
    "groups": lambda t, env: env[CONVERSATION].read_group([], ["name"], ["name"]),
    "display name": lambda t, env: t.thread(env).display_name,
    "copy": lambda t, env: t.thread(env).copy().name,
    "composer": lambda t, env: t.compose(env, model=CONVERSATION, res_ids=f"[{t.talk.id}]"),
    "dialog": lambda t, env: (
        env["mail.catchall.attach"]
        .create({"conversation_id": t.talk.id, "document": f"res.partner,{t.document.id}"})
        .read(["conversation_id"])
    ),
    "attaching it": lambda t, env: t.attach(env),
    "chatter": lambda t, env: t.thread(env)._get_mail_thread_data(["followers", "attachments"]),
}

FILE_WAYS = {
    "read": lambda t, env: t.file(env).read(["name", "raw", "index_content"]),
    "search and read": lambda t, env: env["ir.attachment"].search_read(
        [("res_model", "=", CONVERSATION)], ["name"]
    ),
    "search by text": lambda t, env: t.found(
        env["ir.attachment"].search([("index_content", "ilike", SECRET)])
    ),
    "groups": lambda t, env: env["ir.attachment"].read_group(
        [("id", "=", t.attachment.id)], ["name"], ["name"]
    ),
    "copy": lambda t, env: t.file(env).copy({"res_model": False, "res_id": 0}).sudo().raw,
    "taking it": lambda t, env: t.found(t.file(env).write({"res_model": False, "res_id": 0})),
    "sending it": lambda t, env: t.found(
        t.document.with_env(env).message_post(body="x", attachment_ids=t.attachment.ids)
    ),
    "composer": lambda t, env: t.compose(
        env,
        model="res.partner",
        res_ids=f"[{t.document.id}]",
        attachment_ids=[(4, t.attachment.id)],
    ),
}


@tagged("post_install", "-at_install", "mail_catchall_gateway")
class TestSecurityConversation(CatchallCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.is_it = ("model", "=", CONVERSATION)
        everything = (
            "base.group_system,base.group_partner_manager,mail.group_mail_template_editor,"
            "mail_catchall_gateway.group_catchall_manager,base.group_user"
        )
        manager = "base.group_user,mail_catchall_gateway.group_catchall_manager"
        email = {"alias_name": False, "notification_type": "email"}
        cls.roles = {
            "member": cls.john,
            "other user": cls.jane,
            "gateway manager": cls._create_user("Max", "Moe", groups=manager),
            "administrator": cls._create_user("Ada", "Poe", groups=everything),
            "portal": cls._create_user("Pam", "Coe", groups="base.group_portal", **email),
            "public": cls.env.ref("base.public_user"),
        }
        cls.john.groups_id += cls.env.ref("base.group_partner_manager")
        cls.document = cls._create_document(email="someone@customer.example")

    def setUp(self):
        super().setUp()
        mail = self.make_mail(self.john.alias_email, subject=SECRET, text=f"The {SECRET}")
        mail.add_attachment(f"{SECRET} inside", filename=f"{SECRET}.txt")
        self.talk = self.receive(mail).conversation_id
        self.source = self.talk.message_ids
        self.attachment = self.source.attachment_ids
        # the gateway indexes no files; those that users upload are
        self.attachment.sudo().index_content = f"{SECRET} inside"
        self.sent = self.post(self.talk, self.john, f"A {SECRET}!")
        self.env["mail.mail"].sudo().create({"mail_message_id": self.sent.id, "body_html": SECRET})

    # ------------------------------------------------------------
    # WHAT IS AIMED AT
    # ------------------------------------------------------------

    def messages(self, env):
        return env["mail.message"]

    def message(self, env):
        return env["mail.message"].browse(self.source.id)

    def thread(self, env):
        return env[CONVERSATION].browse(self.talk.id)

    def file(self, env):
        return env["ir.attachment"].browse(self.attachment.id)

    def model_id(self, name):
        return self.env["ir.model"]._get_id(name)

    def found(self, result):
        """That something is found tells what it holds."""
        return SECRET if result else ""

    def fetch_thread(self, env):
        domain = [("model", "=", CONVERSATION), ("res_id", "=", self.talk.id)]
        return env["mail.message"]._message_fetch(domain)["messages"].message_format()

    def compose(self, env, **values):
        composer = env["mail.compose.message"].create({"composition_mode": "comment", **values})
        names = ["subject", "record_name", "parent_id", "partner_ids"]
        return [composer.read(names), composer.attachment_ids.mapped("name")]

    def answer_elsewhere(self, env):
        channel = env["discuss.channel"].channel_create("Mine", group_id=None)
        message = env["mail.message"].create(
            {
                "model": "discuss.channel",
                "res_id": channel["id"],
                "body": "x",
                "parent_id": self.source.id,
                "message_type": "comment",
            }
        )
        return message.message_format()

    def attach(self, env):
        document = f"res.partner,{self.document.id}"
        wizard = env["mail.catchall.attach"].create(
            {"conversation_id": self.talk.id, "document": document, "subscribe": True}
        )
        wizard.action_apply()
        return self.document.with_env(env).message_ids.mapped("body")

    # ------------------------------------------------------------
    # WHO SEES IT
    # ------------------------------------------------------------

    def take(self, way, user):
        """Return whether somebody gets to see a secret on his way; nothing of it lasts."""
        result = None
        refusals = (AccessError, UserError, ValidationError, ValueError)
        with self.env.cr.savepoint() as savepoint:
            self.env.invalidate_all()
            try:
                result = way(self, self.env(user=user.id, su=False, context={}))
                seen = SECRET in repr(result)
            except refusals:
                seen = False
            except Error as error:
                raise AssertionError(result) from error
            savepoint.rollback()
        self.env.invalidate_all()
        return seen

    def assertOnlyMembers(self, ways, never=()):
        with mute_logger(
            "odoo.addons.base.models.ir_rule",
            "odoo.addons.base.models.ir_model",
            "odoo.addons.mail.models.mail_render_mixin",
            "odoo.models",
        ):
            for name, way in ways.items():
                for role, user in self.roles.items():
                    with self.subTest(way=name, role=role):
                        expected = role == "member" and name not in never
                        self.assertEqual(self.take(way, user), expected)

    def test_messages(self):
        # for administrators, who do not see it; and what shows it to nobody
        never = {"export", "schedule", "outgoing mail", "outgoing mail by text"}
        self.assertOnlyMembers(MESSAGE_WAYS, never | {"onchange", "answer in a channel"})

    def test_conversations(self):
        self.assertOnlyMembers(THREAD_WAYS)

    def test_files(self):
        self.assertOnlyMembers(FILE_WAYS)
