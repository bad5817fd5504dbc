import contextlib
import logging

import psycopg2
from markupsafe import Markup

from odoo import _, api, models, tools

from ...tools.addresses.addresses import normalize_address
from ...tools.judging.delivery import delivery_of
from ...tools.judging.verdict import Verdict
from ...tools.message.repair import MalformedMail

_logger = logging.getLogger(__name__)

#: Stands for recipients who are none of ours where core must see that there are some.
NOBODY = "~nobody~@invalid"


class MailThread(models.AbstractModel):
    """Core's gateway, told for whom a mail was delivered, and of messaging aliases.

    See ``tools/delivery.py`` for what passes through the context key ``catchall_delivery``. Who
    of the users gets what is decided in ``mail.catchall.conversation``.
    """

    _inherit = "mail.thread"

    # ------------------------------------------------------------
    # PARSING
    # ------------------------------------------------------------

    @api.model
    def message_parse(self, message, save_original=False):
        """Give core the envelope recipients in the field where it looks for them.

        Core takes every ``Delivered-To`` for an envelope recipient. In a catch-all mailbox that is
        the mailbox itself, and core would bounce the mail as written to the catchall.
        """
        # a user's alias among the recipients must not make the user one who may read it all
        self = self.with_context(catchall_skip_alias_partners=True)
        delivery = delivery_of(self.env)
        if delivery is None:
            return super().message_parse(message, save_original=save_original)
        # parsed and repaired once, before core was called with an empty source
        delivery.mail.repaired.copy_to(message)
        del message["Delivered-To"]
        for recipient in delivery.mail.recipients:
            message["Delivered-To"] = recipient
        with self._call_unreadable_malformed():
            msg_dict = super().message_parse(message)
        for key in ("subject", "email_from", "from"):
            # an encoded word may hold a line break, which no mail with that subject could have
            msg_dict[key] = " ".join((msg_dict.get(key) or "").split())
        for key in ("to", "cc", "recipients"):
            msg_dict[key] = self._name_as_core_knows(delivery, msg_dict[key])
        self._hide_own_mailbox(delivery, msg_dict)
        if save_original and not delivery.outcome.author_user_id:
            # as it came, which core would write anew; what a user sent shows his own mailbox
            original = self._Attachment("original_email.eml", delivery.mail.source, {})
            msg_dict["attachments"] = [original, *msg_dict["attachments"]]
        delivery.outcome.message_id = msg_dict["message_id"]
        delivery.outcome.is_bounce = msg_dict["is_bounce"]
        if delivery.mail.automatic.kind == "replied" and not delivery.outcome.is_bounce:
            msg_dict["is_internal"] = True  # a note
        if delivery.mail.note:
            note = Markup("<p><i>%s</i></p>") % delivery.mail.note
            msg_dict["body"] = note + Markup(msg_dict["body"])
        if delivery.mail.only is not None:
            msg_dict["to"] = msg_dict["recipients"] = ",".join(delivery.mail.only)
        if delivery.mail.only is not None or delivery.mail.has_used_id:
            # core would ignore the mail, for the copy that it posted; see message_route
            msg_dict["message_id"] = tools.generate_tracking_message_id("copy")
            msg_dict["x_odoo_message_id"] = ""
        return msg_dict

    @api.model
    @contextlib.contextmanager
    def _call_unreadable_malformed(self):
        """Tell a mail that core cannot read, and never will, from everything else that fails.

        :raise MalformedMail: in the place of what core raises
        """
        try:
            yield
        except psycopg2.Error:
            raise  # not the mail's fault
        except Exception as error:
            _logger.info("Mail could not be parsed", exc_info=True)
            raise MalformedMail(_("Odoo could not read it: %s", error)) from error

    @api.model
    def _name_as_core_knows(self, delivery, value):
        """Return a list of recipients with the addresses under which core finds their aliases."""
        emails = []
        for name, address in tools.mail.email_split_tuples(value or ""):
            emails.append(tools.formataddr((name, delivery.mail.get_target(address))))
        return ",".join(emails) or value

    def _get_parent_message(self, msg_dict):
        """Find the message that a user sent from his own mailbox under another Message-Id."""
        parent = super()._get_parent_message(msg_dict)
        if parent or not delivery_of(self.env):
            return parent
        references = self._get_references(msg_dict)
        parent = self.env["mail.catchall.inbound"]._find_messages(references)[:1]
        if parent:
            # message_route looks for the references once more
            msg_dict["references"] = f"{msg_dict.get('references') or ''} {parent.message_id}"
        return parent or None

    @api.model
    def _get_references(self, msg_dict):
        """Return the Message-Ids that a mail refers to (RFC 5322, 3.6.4)."""
        text = f"{msg_dict.get('references') or ''} {msg_dict.get('in_reply_to') or ''}"
        return [reference.strip() for reference in tools.unfold_references(text)]

    # ------------------------------------------------------------
    # ROUTING
    # ------------------------------------------------------------

    @api.model
    def message_route(self, message, message_dict, model=None, thread_id=None, custom_values=None):
        """Let core find the documents, and Conversations the users that a mail is for."""
        delivery = delivery_of(self.env)
        arguments = (message, message_dict, model, thread_id, custom_values)
        if message_dict.get("is_bounce"):
            routes = super().message_route(*arguments)
        else:
            addressed = self.env["mail.catchall.conversation"]._find_addressed(message_dict)
            hidden = self._hide_from_core(message_dict, addressed)
            try:
                routes = super().message_route(*arguments)
                message_dict.update(hidden)
                routes = addressed.route(message_dict, routes)
            except ValueError as error:
                if delivery is None:
                    raise
                message_dict.update(hidden)
                delivery.outcome.unrouted = str(error)
                if NOBODY in delivery.outcome.unrouted or not addressed:
                    delivery.outcome.unrouted = _("No alias has one of its recipients.")
                routes = []
        if delivery is not None:
            message_dict["message_id"] = delivery.outcome.message_id
            routes = self._keep_automatic_reply_on_thread(delivery, message_dict, routes)
            delivery.outcome.routes = routes
            # core forgets the parent where it opens a new thread
            delivery.outcome.is_reply = bool(
                routes and message_dict.get("parent_id") and routes[0][1]
            )
        return routes

    @api.model
    def _keep_automatic_reply_on_thread(self, delivery, message_dict, routes):
        """Let the answer of a machine open nothing new: no document, no conversation."""
        if (
            delivery.mail.automatic.kind != "replied"
            or delivery.outcome.is_bounce
            or delivery.mail.is_accepted
        ):
            return routes
        threads = [route for route in routes if route[1] and message_dict.get("parent_id")]
        if not threads:
            reason = _(
                "A machine's answer to nothing that is known here: %s.",
                delivery.mail.automatic.mark,
            )
            delivery.outcome.verdict = Verdict("auto_reply", "ignored", reason)
        message_dict.pop("catchall_addressed", None)
        return threads

    @api.model
    def _hide_from_core(self, message_dict, addressed):
        """Hide what would make core take a mail for something else, and return it.

        * Core compares local parts with whatever an outsider writes into To and Cc, and may find
          an alias of ours.
        * Core takes an answer that is also written to an alias of another model for a forward,
          and would open a new thread. A user who gets a copy is no reason for that.
        * A copy of a mail must not answer again what the first one answered.
        * Core bounces what is written to the catchall, and does not look who is in Cc.
        """
        delivery = delivery_of(self.env)
        hidden = {}
        if delivery is not None:
            hidden = {key: message_dict[key] for key in ("to", "recipients")}
            message_dict.update(self._without_strangers(delivery, hidden))
        if delivery is not None and delivery.mail.is_copy:
            hidden.update({key: message_dict.get(key) for key in ("references", "in_reply_to")})
            message_dict.update(references="", in_reply_to="")
            message_dict.pop("parent_id", None)
        elif addressed and self._is_answer_to_document(message_dict):
            for key in ("to", "recipients"):
                hidden.setdefault(key, message_dict[key])
                message_dict[key] = addressed.without_users(message_dict[key])
        elif addressed:
            hidden.setdefault("to", message_dict["to"])
            message_dict["to"] = ",".join(
                [message_dict["to"], *addressed.aliases.mapped("alias_full_name")]
            )
        return hidden

    @api.model
    def _without_strangers(self, delivery, values):
        """Return lists of recipients with those who are none of ours made unrecognizable."""
        ours = {recipient.target for recipient in delivery.mail.get_all("alias", "service")}
        ours.update(recipient.address for recipient in delivery.mail.get_all("alias", "service"))
        return {
            key: ",".join(
                address if address in ours else NOBODY
                for address in map(normalize_address, tools.email_split(value or ""))
            )
            for key, value in values.items()
        }

    @api.model
    def _routing_check_route(self, message, message_dict, route, raise_exception=True):
        """Follow no alias that the mail is not for: core takes those of other companies too."""
        delivery, alias = delivery_of(self.env), route[4]
        if delivery and alias and alias.id not in delivery.mail.get_alias_ids():
            if not route[1]:
                return ()
            route = (*route[:4], self.env["mail.alias"])  # an answer, whoever else gets it
        return super()._routing_check_route(
            message, message_dict, route, raise_exception=raise_exception
        )

    @api.model
    def _is_answer_to_document(self, message_dict):
        parent = self.env["mail.message"].sudo().browse(message_dict.get("parent_id") or [])
        if not parent.res_id or parent.model not in self.env:
            return False
        if parent.model == "mail.catchall.conversation":
            return False
        return bool(self.env[parent.model].sudo().browse(parent.res_id).exists())

    @api.model
    def _message_route_process(self, message, message_dict, routes):
        """Notify the users whom a mail for a document is also written to, on the document.

        Who may not read it gets a conversation of his own.
        """
        conversations = self.env["mail.catchall.conversation"]
        addressed = message_dict.pop("catchall_addressed", None)
        if not addressed:
            return super()._message_route_process(message, message_dict, routes)
        waiting, thread_id = addressed.on_documents, False
        for route in routes:
            values = conversations._prepare_route_values(message_dict, route)
            thread = self
            if route[0] != conversations._name:
                thread = self.with_context(catchall_addressed_user_ids=tuple(waiting.ids))
            found_id = super(MailThread, thread)._message_route_process(message, values, [route])
            thread_id = thread_id or found_id
            if route[0] != conversations._name and found_id:
                waiting -= self.env[route[0]].browse(found_id)._filter_readers(waiting)
        for route in addressed.open_conversations(message_dict, waiting):
            values = conversations._prepare_route_values(message_dict, route)
            super()._message_route_process(message, values, [route])
        return thread_id

    def _filter_readers(self, users):
        """Return those of the users who may read this document."""
        self.ensure_one()

        def may_read(user):
            record = self.with_user(user)
            may = record.check_access_rights("read", raise_exception=False)
            return may and bool(record._filter_access_rules("read"))

        return users.filtered(may_read)
