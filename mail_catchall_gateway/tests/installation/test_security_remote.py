"""What somebody can do by a remote call who knows names of methods and numbers of records.

``mapped``, ``filtered`` and ``onchange`` are open to everybody who can log in. They compute fields
that are not stored without a look at rights, and ``onchange`` with the values that it is given.
"""

import inspect

from odoo.exceptions import AccessError
from odoo.models import BaseModel
from odoo.tests import tagged
from odoo.tools import mute_logger

from ..common import ReviewCommon

ADDON = "mail_catchall_gateway"
CONVERSATION = "mail.catchall.conversation"
SECRET = "zebra"
#: Computed fields that tell nothing: what they are for everybody.
HARMLESS = {
    # in general terms to who may not read the record
    "display_name",
    # whether a user manages the gateway; who does is in his groups
    "is_catchall_manager",
    # that there are messages, whatever they are
    "has_message",
    # the domain, which every mail shows, and what the DNS should say of it
    *("alias_domain_id", "domain_state", "domain_text", "dns_records"),
    # passwords, which are never shown, and how long the test may take
    *("mailbox_password", "smtp_password", "test_limit", "test_elapsed"),
}
#: Methods that do nothing but open a window, in which the rights of what it shows count.
OPEN_WINDOWS = {
    *("action_attach", "action_headers", "action_view_inbound"),
    "action_open_catchall_description",
    "action_check_domain",
}


@tagged("post_install", "-at_install", "mail_catchall_gateway")
class TestSecurityRemote(ReviewCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        bare = {"alias_name": False, "notification_type": "email"}
        receiver = f"{ADDON}.group_catchall_receiver"
        cls.outsiders = {
            "receiver": cls._create_user("Rob", "Boe", groups=receiver, **bare),
            "portal": cls._create_user("Pam", "Coe", groups="base.group_portal", **bare),
            "public": cls.env.ref("base.public_user"),
        }
        cls.people = {"other user": cls.jane, **cls.outsiders}

    def setUp(self):
        super().setUp()
        self.waiting = self.receive_typo(subject=SECRET, text=f"The {SECRET}").sudo()
        self.inbound = self.receive(self.make_mail(self.john.alias_email, subject=SECRET))
        self.talk = self.inbound.conversation_id
        self.talk._attach_to(self._create_document(f"The {SECRET}"))
        self.guide = self.env["mail.catchall.setup"].create({"company_id": self.env.company.id})
        self.samples = [
            *(self.waiting, self.inbound, self.talk, self.guide, self.relay, self.john.alias_id),
            *(self.john, self._create_mailbox()),
        ]

    def as_user(self, records, user):
        """Return records as somebody sees them who asks for nothing else: nothing is cached."""
        self.env.flush_all()
        self.env.invalidate_all()
        return records.with_env(self.env(user=user.id, su=False, context={}))

    # ------------------------------------------------------------
    # FIELDS
    # ------------------------------------------------------------

    def get_computed(self, record):
        """Return the names of the fields of ours that are computed each time."""
        return [
            name
            for name, field in record._fields.items()
            if (field._module == ADDON or record._original_module == ADDON)
            and (field.compute and not field.store)
            and name not in HARMLESS
        ]

    def test_a_record_of_each_model_of_ours_with_such_fields_is_tried(self):
        models = {
            name
            for name, model in self.env.items()
            if model._original_module == ADDON
            and not (model._abstract or model._transient)
            and self.get_computed(model)
        }
        self.assertLessEqual(models, {record._name for record in self.samples})

    @mute_logger("odoo.addons.base.models.ir_model", "odoo.addons.base.models.ir_rule")
    def test_nobody_takes_a_computed_field_from_a_record_he_may_not_read(self):
        for record in self.samples:
            people = self.people if record._name != "mail.alias" else self.outsiders
            for name in self.get_computed(record):
                for role, user in people.items():
                    if record == self.john and role == "other user":
                        continue  # a colleague
                    with self.subTest(model=record._name, field=name, role=role):
                        try:
                            found = self.as_user(record, user).mapped(name)
                        except AccessError:
                            continue
                        self.assertFalse(any(found), found)

    def test_what_they_show_to_who_may_read_it(self):
        """Or the test above would be green for fields that are always empty."""
        manager, member = self.manager, self.john
        (preview,) = self.as_user(self.waiting, manager).mapped("preview")
        self.assertIn(SECRET, preview)
        (header,) = self.as_user(self.inbound, manager).mapped("header_text")
        self.assertIn(SECRET, header)
        self.assertEqual(self.as_user(self.talk, member).mapped("attached_name"), [f"The {SECRET}"])

    # ------------------------------------------------------------
    # FORMS
    # ------------------------------------------------------------

    def change(self, user, record, values, *names):
        """Return what a form shows of a record when somebody enters values."""
        spec = {name: {} for name in (*names, *values)}
        result = self.as_user(record, user).onchange(values, list(values), spec)
        return repr(result)

    def test_a_manager_reads_no_delivered_mail_by_saying_that_it_waits(self):
        mail = self.make_mail(self.john.alias_email, text=f"The {SECRET}")
        delivered = self.receive(mail)
        shown = self.change(self.manager, delivered, {"state": "review"}, "preview")
        self.assertNotIn(SECRET, shown)

    def test_a_form_names_no_record_that_the_user_cannot_read(self):
        document = self._create_document(f"A {SECRET}", email=f"{SECRET}@home.example")
        self._hide_document(document)
        empty = self.env[CONVERSATION]
        attached = {"attached_model": document._name, "attached_res_id": document.id}
        people = {"user": self.jane, **self.outsiders}
        for role, user in people.items():
            for values, name in (
                (attached, "attached_name"),
                ({"partner_id": document.id}, "email_from"),
            ):
                with self.subTest(role=role, field=name):
                    try:
                        shown = self.change(user, empty, values, name)
                    except AccessError:
                        continue
                    self.assertNotIn(SECRET, shown)

    def test_a_form_still_takes_the_address_of_a_contact(self):
        contact = self._create_document(email=f"{SECRET}@home.example")
        shown = self.change(
            self.jane, self.env[CONVERSATION], {"partner_id": contact.id}, "email_from"
        )
        self.assertIn(f"{SECRET}@home.example", shown)

    @mute_logger("odoo.addons.base.models.ir_model", "odoo.addons.base.models.ir_rule")
    def test_dialogs_tell_nothing_of_mail_of_other_companies(self):
        self.waiting.company_id = self.company_2
        people = {"manager of another company": self.manager, **self.people}
        values = {"inbound_ids": [(6, 0, self.waiting.ids)]}
        for role, user in people.items():
            for model, names in (
                ("mail.catchall.route", ("user_id", "alias_id", "always_help")),
                ("mail.catchall.bounce", ("body",)),
            ):
                for name in names:
                    with self.subTest(role=role, model=model, field=name):
                        dialog = self.env[model]
                        with self.assertRaises(AccessError):
                            self.as_user(dialog, user).new(values).mapped(name)

    # ------------------------------------------------------------
    # METHODS
    # ------------------------------------------------------------

    def get_public_methods(self, model):
        """Return the names of the methods of ours that a remote call reaches."""
        names = set()
        for cls in type(model).mro():
            if not cls.__module__.startswith(f"odoo.addons.{ADDON}."):
                continue
            names |= {name for name, value in vars(cls).items() if inspect.isfunction(value)}
        return sorted(
            name
            for name in names
            if not name.startswith("_") and not hasattr(BaseModel, name) and name != "receive"
        )

    def assertRefused(self, records, method):
        """Assert that who calls a method may not, or that it is for one record at least."""
        try:
            result = getattr(records, method)()
        except AccessError:
            return
        except ValueError as error:
            self.assertIn("singleton", str(error))
            self.assertFalse(records)
            return
        self.fail(f"{method} returned {result}")

    @mute_logger("odoo.addons.base.models.ir_model", "odoo.addons.base.models.ir_rule")
    def test_no_method_does_anything_for_outsiders(self):
        """With a record, and with none, of which nothing is read that would refuse."""
        found = set()
        models = [name for name, model in self.env.items() if model._original_module == ADDON]
        by_model = {record._name: record for record in self.samples}
        for name in [*models, "fetchmail.server"]:
            model = self.env[name]
            if model._abstract:
                continue
            for method in self.get_public_methods(model):
                if not method.startswith("action_") or method in OPEN_WINDOWS:
                    continue
                found.add(method)
                for role, user in self.outsiders.items():
                    for records in (model, by_model.get(name, model)):
                        with self.subTest(model=name, method=method, role=role, ids=records.ids):
                            self.assertRefused(self.as_user(records, user), method)
        self.assertIn("action_fetch_now", found)
        self.assertIn("action_discard", found)
