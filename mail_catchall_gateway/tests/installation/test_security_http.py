"""By URL to what is private: content of conversations, and sources of mail."""

import json

from odoo.http import Request
from odoo.tests import HttpCase, tagged
from odoo.tools import mute_logger

from ..common import ReviewCommon

CONVERSATION = "mail.catchall.conversation"
SECRET = "zebra"
LOGGERS = ("odoo.http", "odoo.addons.base.models.ir_rule", "odoo.addons.base.models.ir_model")


@tagged("post_install", "-at_install", "mail_catchall_gateway")
class TestSecurityHttp(ReviewCommon, HttpCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        create, bare = cls._create_user, {"alias_name": False, "notification_type": "email"}
        everything = (
            "base.group_user,base.group_system,mail_catchall_gateway.group_catchall_manager"
        )
        cls.people = {
            "member": cls.john,
            "other user": cls.jane,
            "gateway manager": cls.manager,
            "administrator": create("Ada", "Poe", groups=everything),
            "portal": create("Pam", "Coe", groups="base.group_portal", **bare),
            "public": None,
        }

    def setUp(self):
        super().setUp()
        mail = self.make_mail(self.john.alias_email, subject=SECRET, text=f"The {SECRET}")
        mail.add_attachment(f"{SECRET} inside", filename=f"{SECRET}.txt")
        self.talk = self.receive(mail).conversation_id
        self.file = self.talk.message_ids.attachment_ids
        self.answer = self.post(self.talk, self.john, f"My {SECRET}")

    def log_in(self, user):
        password = user and user.login + "x" * (8 - len(user.login))
        self.authenticate(user and user.login, password)

    def get(self, url, **data):
        if data:
            data["csrf_token"] = Request.csrf_token(self)
        response = self.url_open(url, data=data or None, allow_redirects=False)
        return response.status_code, response.content.decode(errors="replace")

    def call(self, route, **params):
        """Return what a JSON-RPC route answers, as text: errors too."""
        data = json.dumps({"jsonrpc": "2.0", "method": "call", "params": params})
        return self.url_open(route, data=data, headers={"Content-Type": "application/json"}).text

    def call_model(self, model, method, *args, **kwargs):
        return self.call(
            "/web/dataset/call_kw", model=model, method=method, args=args, kwargs=kwargs
        )

    def get_ways(self):
        """Return functions that return what a browser is told, by name."""
        talk, file, answer = self.talk.id, self.file.id, self.answer.id
        post = {"thread_model": CONVERSATION, "thread_id": talk}
        chatter = {"res_model": CONVERSATION, "res_id": talk}
        return {
            "file": lambda: self.get(f"/web/content/{file}"),
            "file of the model": lambda: self.get(f"/web/content/ir.attachment/{file}/raw"),
            "messages": lambda: self.call("/mail/thread/messages", **post),
            "data": lambda: self.call("/mail/thread/data", request_list=["attachments"], **post),
            "posting": lambda: self.call(
                "/mail/message/post", post_data={"body": SECRET, "attachment_ids": []}, **post
            ),
            "changing": lambda: self.call(
                "/mail/message/update_content", message_id=answer, body=None, attachment_ids=[]
            ),
            "history": lambda: self.call("/mail/history/messages"),
            "remote read": lambda: self.call_model("mail.message", "read", [answer], ["body"]),
            "remote copy": lambda: self.call_model("mail.message", "copy_data", [answer]),
            "remote field": lambda: self.call_model("mail.message", "mapped", [answer], "body"),
            "portal's chatter": lambda: self.call("/mail/chatter_fetch", **chatter),
            "portal's start": lambda: self.call("/mail/chatter_init", **chatter),
        }

    @mute_logger(*LOGGERS, "odoo.addons.http_routing.models.ir_http")
    def test_only_members_get_at_a_conversation(self):
        # of another module; what later builds of core do not let anybody call
        optional = {"portal's chatter", "portal's start", "remote field"}
        for role, user in self.people.items():
            self.log_in(user)
            for name, way in self.get_ways().items():
                with self.subTest(role=role, way=name):
                    seen = SECRET in str(way())
                    if role != "member":
                        self.assertFalse(seen)
                    elif name not in optional:
                        self.assertTrue(seen)
        self.assertIn(SECRET, self.answer.body)

    @mute_logger(*LOGGERS, "odoo.addons.http_routing.models.ir_http")
    def test_only_members_delete_a_file_of_a_conversation(self):
        """Core's route is for everybody, and tells nobody what it did."""
        note = self.talk.with_user(self.john).message_post(
            body="x", attachments=[("mine.txt", b"x")]
        )
        for file in (self.file, note.attachment_ids):
            for role, user in reversed(self.people.items()):
                for values in ({}, {"access_token": "x"}):
                    with self.subTest(role=role, file=file.id, **values):
                        self.log_in(user)
                        self.call("/mail/attachment/delete", attachment_id=file.id, **values)
                        self.env.invalidate_all()
                        self.assertEqual(bool(file.exists()), role != "member")
        self.assertEqual(self.talk.message_ids.attachment_ids, self.env["ir.attachment"])

    @mute_logger(*LOGGERS, "odoo.addons.http_routing.models.ir_http")
    def test_nobody_deletes_the_source_of_a_mail(self):
        inbounds = self.receive(self.make_mail(self.typo)) | self.receive(
            self.make_mail(self.john.alias_email)
        )
        for role, user in self.people.items():
            for source in inbounds._get_source_attachments():
                with self.subTest(role=role):
                    self.log_in(user)
                    self.call("/mail/attachment/delete", attachment_id=source.id)
                    self.call_model("ir.attachment", "unlink", source.ids)
                    self.env.invalidate_all()
                    self.assertTrue(source.exists())

    @mute_logger(*LOGGERS)
    def test_links_in_mails_lead_nobody_else_in(self):
        url = f"/mail/view?model={CONVERSATION}&res_id={self.talk.id}"
        for role, user in self.people.items():
            for link in (url, f"{url}&access_token=x", f"/mail/view?message_id={self.answer.id}"):
                with self.subTest(role=role, link=link):
                    self.log_in(user)
                    response = self.url_open(link, allow_redirects=False)
                    target = response.headers.get("Location", "")
                    self.assertNotIn(SECRET, response.text + target)
                    if role not in ("member", "public"):
                        self.assertNotIn(CONVERSATION, target)

    @mute_logger(*LOGGERS)
    def test_nobody_downloads_a_source(self):
        mail = self.make_mail(self.john.alias_email, text=f"A {SECRET}.")
        waiting = self.receive(self.make_mail(self.typo, text=f"A {SECRET}."))
        delivered = self.receive(mail)
        urls = [f"/mail_catchall_gateway/source/{delivered.id}"]
        for inbound in delivered | waiting:
            source = inbound._get_source_attachments()
            self.assertEqual(len(source), 1)
            urls += [
                f"/web/content/{inbound._name}/{inbound.id}/raw",
                f"/web/content/{source.id}",
                f"/web/content/{source.id}?access_token=x",
                f"/web/content/ir.attachment/{source.id}/datas",
                f"/web/image/{source.id}",
            ]
        for role, user in self.people.items():
            self.log_in(user)
            for url in urls:
                with self.subTest(role=role, url=url):
                    status, text = self.get(url)
                    self.assertNotIn(SECRET, text)
                    if "image" not in url:  # a picture of nothing
                        self.assertNotEqual(status, 200)

    @mute_logger(*LOGGERS)
    def test_links_in_mail_are_not_followed_by_the_server(self):
        """Neither when it arrives, nor when somebody else asks for a preview."""
        mail = self.make_mail(self.john.alias_email)
        mail.set_content("<a href='http://127.0.0.1:9/spy'>x</a>", subtype="html")
        message = self.receive(mail).mail_message_ids
        for user in (self.john, self.jane, None):
            self.log_in(user)
            self.call("/mail/link_preview", message_id=message.id)
        self.assertIn("127.0.0.1:9", message.body)
        self.assertFalse(self.env["mail.link.preview"].search([("message_id", "=", message.id)]))
