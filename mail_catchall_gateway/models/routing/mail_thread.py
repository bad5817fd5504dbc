import logging

import psycopg2
from markupsafe import Markup

from odoo import _, api, models, tools

from ...tools.addresses.addresses import replace_address, replace_in_card
from ...tools.addresses.signed_address import TokenFilter
from ...tools.judging.automatic import AUTOMATIC_HEADERS
from ...tools.judging.delivery import USERS_KEY, AddressedUsers, delivery_of
from ...tools.judging.verdict import Verdict
from ...tools.message.repair import MalformedMail
from .addressed_users import Addressed, NoReceiver

_logger = logging.getLogger(__name__)

# core's gateway, and what is ours, log the recipients of each mail
for _name in (
    "mail.models.mail_thread",
    "mail_catchall_gateway.models.inbound.mail_catchall_inbound",
):
    logging.getLogger(f"odoo.addons.{_name}").addFilter(TokenFilter())


class MailThread(models.AbstractModel):
    """Core's gateway, told for whom a mail was delivered, and of messaging aliases.

    Only hooks of core, by its stages. What is known of a mail that ``mail.catchall.inbound`` hands
    over, and what core does with it, is in ``delivery_of(self.env)``; other mail has none. Beside
    it, ``mail.catchall.parent`` finds the message that a mail answers, ``mail.catchall.report``
    understands reports, and ``addressed_users.py`` decides which users get what.

    The other class of this model, in ``models/sending``, is about what users write.
    """

    _inherit = "mail.thread"

    # ------------------------------------------------------------
    # PARSING
    # ------------------------------------------------------------

    @api.model
    def message_parse(self, message, save_original=False):
        """Give core the repaired mail, and correct what it reads of it.

        :raise MalformedMail: for a mail that core cannot read, and never will
        """
        # a user's alias among the recipients must not make the user one who may read it all;
        # taken out afterwards, each alias among thousands of recipients would be looked up first
        self = self.with_context(catchall_skip_alias_partners=True)
        delivery = delivery_of(self.env)
        if delivery is None:
            return super().message_parse(message, save_original=save_original)
        self._put_in_repaired(delivery, message)
        try:
            msg_dict = super().message_parse(message)
        except psycopg2.Error:
            raise  # not the mail's fault
        except Exception as error:
            _logger.info("Mail could not be parsed", exc_info=True)
            raise MalformedMail(_("Odoo could not read it: %s", error)) from error
        self._clean_values(delivery, msg_dict)
        self._hide_own_mailbox(delivery, msg_dict)
        if save_original and not delivery.outcome.author_user_id:
            # as it came, which core would write anew; what users sent shows their own mailbox
            original = self._Attachment("original_email.eml", delivery.mail.source, {})
            msg_dict["attachments"] = [original, *msg_dict["attachments"]]
        delivery.outcome.message_id = msg_dict["message_id"]
        delivery.outcome.is_bounce = msg_dict["is_bounce"]
        self._apply_decisions(delivery, msg_dict)
        return msg_dict

    @api.model
    def _put_in_repaired(self, delivery, message):
        """Give core the mail, which was parsed and repaired once before core got an empty source.

        Core takes every Delivered-To for an envelope recipient. In a catch-all mailbox that is the
        mailbox itself, and core would bounce the mail as written to the catchall.
        """
        delivery.mail.repaired.copy_to(message)
        del message["Delivered-To"]
        for recipient in delivery.mail.recipients:
            message["Delivered-To"] = recipient

    @api.model
    def _clean_values(self, delivery, msg_dict):
        """Keep texts on one line, and name recipients as core finds their aliases."""
        for key in ("subject", "email_from", "from"):
            # an encoded word may hold a line break, which no mail with that subject could have
            msg_dict[key] = " ".join((msg_dict.get(key) or "").split())
        for key in ("to", "cc", "recipients"):
            emails = [
                tools.formataddr((name, delivery.mail.get_target(address)))
                for name, address in tools.mail.email_split_tuples(msg_dict[key] or "")
            ]
            msg_dict[key] = ",".join(emails) or msg_dict[key]

    @api.model
    def _apply_decisions(self, delivery, msg_dict):
        """Put into what core parsed what was decided about the mail before."""
        mail = delivery.mail
        if mail.is_machine_answer and not delivery.outcome.is_bounce:
            msg_dict["is_internal"] = True  # a note
        if mail.note:
            note = Markup("<p><i>%s</i></p>") % mail.note
            msg_dict["body"] = note + Markup(msg_dict["body"])
        if mail.only is not None:
            msg_dict["to"] = msg_dict["recipients"] = ",".join(mail.only)
        if mail.only is not None or mail.has_used_id:
            # core would ignore the mail, for the copy that it posted; see message_route
            msg_dict["message_id"] = tools.generate_tracking_message_id("copy")
            msg_dict.pop("x_odoo_message_id", None)  # not all builds have it

    @api.model
    def _hide_own_mailbox(self, delivery, msg_dict):
        """Let nothing of a user's own mailbox out with what they send from it.

        The Message-Id goes out again to who gets the message, and often names the provider, the
        machine or the address; quoted text may name the address that the copy was sent to, and a
        mail program writes it into what it attaches. Core knows what Odoo sent by its Message-Id.
        """
        if msg_dict["is_bounce"]:
            return
        Users = self.env["res.users"]
        address = tools.email_normalize(msg_dict["email_from"])
        user_id, _identity = Users._get_identities().get(address, (0, ""))
        if not user_id and self.env["mail.alias.domain"]._is_gateway_address(address):
            user_id = Users._find_by_alias(address).id
        if not user_id:
            return
        delivery.outcome.author_user_id = user_id
        # sudo: whether it is a message that Odoo sent and that came back, yes or no
        messages = self.env["mail.message"].sudo()
        if not messages.search_count([("message_id", "=", msg_dict["message_id"])], limit=1):
            msg_dict["message_id"] = tools.generate_tracking_message_id("mailbox")
        # sudo: the own addresses of the author, which are taken out
        user = Users.sudo().browse(user_id)
        for own_address in tools.email_normalize_all(user.email):
            self._replace_in_mail(msg_dict, own_address, user.alias_email or address)

    @api.model
    def _replace_in_mail(self, msg_dict, old, new):
        """Put one address in the place of another in what people see of a mail."""
        for key in ("subject", "body"):
            msg_dict[key] = replace_address(msg_dict[key], old, new)
        msg_dict["attachments"] = [
            attachment._replace(
                fname=replace_address(attachment.fname, old, new),
                content=replace_in_card(attachment.content, old, new),
            )
            for attachment in msg_dict["attachments"]
            # the signature of what leaves in another form; it names the address (RFC 8551)
            if attachment.fname.lower() != "smime.p7s"
        ]

    def _get_parent_message(self, msg_dict):
        parent = super()._get_parent_message(msg_dict)
        delivery, parents = delivery_of(self.env), self.env["mail.catchall.parent"]
        return parents._choose(delivery, msg_dict, parent) if delivery else parent

    # ------------------------------------------------------------
    # REPORTS
    # ------------------------------------------------------------

    @api.model
    def _detect_is_bounce(self, message, message_dict):
        """Tell a report about a mail that was sent from what only looks like one to core."""
        delivery = delivery_of(self.env)
        if delivery is None:
            return super()._detect_is_bounce(message, message_dict)
        delivery.outcome.report = self.env["mail.catchall.report"]._recognize(delivery, message)
        return delivery.outcome.report is not None

    @api.model
    def _message_parse_extract_bounce(self, email_message, message_dict):
        """Find the message by what the report tells, where core finds none."""
        values = super()._message_parse_extract_bounce(email_message, message_dict)
        delivery = delivery_of(self.env)
        if delivery and delivery.outcome.report:
            values.update(self.env["mail.catchall.report"]._identify(delivery, values))
        return values

    @api.model
    def _routing_handle_bounce(self, email_message, message_dict):
        """Mark all who were not reached: core does it for one, and takes a delay for a failure."""
        delivery = delivery_of(self.env)
        if not delivery or not delivery.outcome.report:
            return super()._routing_handle_bounce(email_message, message_dict)
        reports, message = self.env["mail.catchall.report"], message_dict["bounced_message"]
        for address, partner in reports._get_unreached(delivery, message).items():
            values = {**message_dict, "bounced_email": address, "bounced_partner": partner}
            super()._routing_handle_bounce(email_message, values)
            reports._note_reason(message, partner, delivery.outcome.report.reason)
        delivery.outcome.verdict = reports._get_verdict(delivery, message)
        return None

    # ------------------------------------------------------------
    # ROUTING
    # ------------------------------------------------------------

    @api.model
    def message_route(self, message, message_dict, model=None, thread_id=None, custom_values=None):
        """Let core find the documents, and Conversations the users that a mail is for."""
        delivery = delivery_of(self.env)
        if delivery and delivery.mail.is_tampered():
            delivery.outcome.routes = []
            delivery.outcome.unrouted = _("The address it was sent to is not one that Odoo made.")
            return []
        arguments = (message, message_dict, model, thread_id, custom_values)
        if message_dict.get("is_bounce"):
            routes = super().message_route(*arguments)
        else:
            addressed = Addressed.find(self.env, message_dict)
            hidden = addressed.hide_from_core(message_dict)
            gateway = self._with_rejecting_company(delivery, message_dict)
            try:
                routes = super(MailThread, gateway).message_route(*arguments)
                message_dict.update(hidden)
                routes = addressed.route(message_dict, routes)
            except ValueError as error:
                if delivery is None:
                    raise
                message_dict.update(hidden)
                if self._is_misconfigured(delivery, message_dict, error):
                    raise
                routes, has_left = [], addressed and isinstance(error, NoReceiver)
                reason = _("No alias has one of its recipients.")
                delivery.outcome.unrouted = str(error) if has_left else reason
        if delivery is not None:
            message_dict["message_id"] = delivery.outcome.message_id
            routes = self._keep_automatic_reply_on_thread(delivery, message_dict, routes)
            delivery.outcome.routes = routes
            # core forgets the parent where it opens a new thread
            is_reply = routes and message_dict.get("parent_id") and routes[0][1]
            delivery.outcome.is_reply = bool(is_reply)
        return routes

    @api.model
    def _is_misconfigured(self, delivery, message_dict, error):
        """Tell whether core failed at a document's alias, rather than finding none.

        It raises ValueError for both. The first is an error to be mended and tried again.
        """
        recipients = tools.email_normalize_all(message_dict["recipients"])
        alias_ids = delivery.mail.get_alias_ids(set(recipients))
        # sudo: the kind of the aliases
        aliases = self.env["mail.alias"].sudo().browse(alias_ids)
        return not isinstance(error, NoReceiver) and not all(aliases.mapped("is_user_alias"))

    @api.model
    def _keep_automatic_reply_on_thread(self, delivery, message_dict, routes):
        """Let the answer of a machine open nothing new: no document, no conversation."""
        mail = delivery.mail
        if not mail.is_machine_answer or delivery.outcome.is_bounce or mail.is_accepted:
            return routes
        threads = [route for route in routes if route[1] and message_dict.get("parent_id")]
        if not threads:
            mark = mail.automatic.mark
            reason = _("A machine's answer to nothing that is known here: %s.", mark)
            delivery.outcome.verdict = Verdict("auto_reply", "ignored", reason)
        message_dict.pop("catchall_addressed", None)
        return threads

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
    def _message_route_process(self, message, message_dict, routes):
        """Notify the users whom a mail for a document is also written to, on the document.

        Those who may not read it get a conversation of their own.
        """
        conversations = self.env["mail.catchall.conversation"]
        addressed = message_dict.pop("catchall_addressed", None)
        if not addressed:
            return super()._message_route_process(message, message_dict, routes)
        thread_id = False
        for route in routes:
            values = conversations._prepare_route_values(message_dict, route)
            is_document = route[0] != conversations._name
            users = AddressedUsers(addressed.on_documents.ids)
            thread = self.with_context(**{USERS_KEY: users}) if is_document else self
            found_id = super(MailThread, thread)._message_route_process(message, values, [route])
            thread_id = thread_id or found_id
            if is_document and found_id:
                document = self.env[route[0]].browse(found_id)
                addressed.on_documents -= document._filter_readers(addressed.on_documents)
        for route in addressed.open_conversations(message_dict, addressed.on_documents):
            values = conversations._prepare_route_values(message_dict, route)
            super()._message_route_process(message, values, [route])
        return thread_id

    def _filter_readers(self, users):
        """Return those of the users who may read this document."""
        self.ensure_one()

        def may_read(user):
            record = self.with_user(user)  # the rights of those whom a mail may be shown to
            may = record.check_access_rights("read", raise_exception=False)
            return may and bool(record._filter_access_rules("read"))

        return users.filtered(may_read)

    # ------------------------------------------------------------
    # LOOPS
    # ------------------------------------------------------------

    @api.model
    def _detect_loop_headers(self, msg_dict):
        is_loop = super()._detect_loop_headers(msg_dict)
        if is_loop and (delivery := delivery_of(self.env)):
            delivery.outcome.loop = "header"
        return is_loop

    @api.model
    def _detect_loop_sender(self, message, message_dict, routes):
        """Tell senders in their language that they wrote too much.

        Core detects a loop and tells of it in one go. It is asked once more where there is one, so
        that the language of each sender need not be looked up; what it tells the first time is
        kept back in ``_routing_create_bounce_email``.
        """
        delivery = delivery_of(self.env)
        if delivery is None:
            return super()._detect_loop_sender(message, message_dict, routes)
        if delivery.mail.is_accepted:
            return False
        code, delivery.outcome.rejection_code = delivery.outcome.rejection_code, "loop"
        if not super()._detect_loop_sender(message, message_dict, routes):
            delivery.outcome.rejection_code = code
            return False
        delivery.outcome.loop = "threshold"
        self = self._with_sender_lang(delivery)
        return super()._detect_loop_sender(message, message_dict, routes)

    # ------------------------------------------------------------
    # REJECTIONS
    # ------------------------------------------------------------

    @api.model
    def _routing_create_bounce_email(self, email_from, body_html, message, **mail_values):
        """Answer no machine, nobody twice a day, and only when the transaction is committed."""
        delivery = delivery_of(self.env)
        arguments = (email_from, body_html, message)
        if delivery is None:
            return super()._routing_create_bounce_email(*arguments, **mail_values)
        outcome, rejections = delivery.outcome, self.env["mail.catchall.rejection"]
        if outcome.rejection_code == "loop" and not outcome.loop:
            return None  # see _detect_loop_sender
        outcome.is_rejected = True
        # the topmost: two servers that both write one make core send to two recipients
        address = tools.email_normalize(str(message.get("Return-Path", "")) or email_from)
        outcome.silence = rejections._get_silence(delivery, address)
        if outcome.silence:
            _logger.info("%s is not told (%s)", email_from, outcome.silence)
            return None
        outcome.rejection = (address, outcome.rejection_code)
        headers = {**AUTOMATIC_HEADERS, "X-Catchall-Loop": rejections._get_loop_mark()}
        mail_values.update(email_to=address, headers=repr(headers))
        self = self.with_context(catchall_queue_mail=True)
        if domain := self.env["mail.catchall.recipients"]._find_domain(delivery.mail):
            # the rejection is the company's that was written to, not that of this process
            company = domain.company_ids[0]
            self = self.with_company(company)
            mail_values.update(record_alias_domain_id=domain.id, record_company_id=company.id)
            if "reply_to" in mail_values:
                mail_values["reply_to"] = company.email or domain.bounce_email
        return super()._routing_create_bounce_email(*arguments, **mail_values)

    @api.model
    def _with_rejecting_company(self, delivery, message_dict):
        """Return this model as the company that was written to, where the mail may be rejected.

        And in the sender's language if it is written to the catchall. Core writes the text of a
        rejection while it routes: as the company of this process, in its language.
        """
        if delivery is None or delivery.mail.get_all("alias"):
            return self
        domain = self.env["mail.catchall.recipients"]._find_domain(delivery.mail)
        gateway = self.with_company(domain.company_ids[0]) if domain else self
        if not message_dict.get("parent_id") and self._detect_write_to_catchall(message_dict):
            return gateway._with_sender_lang(delivery)
        return gateway

    @api.model
    def _with_sender_lang(self, delivery):
        """Return this model in the language in which the sender of a mail is told something."""
        domain = self.env["mail.catchall.recipients"]._find_domain(delivery.mail)
        company = domain.company_ids[0] if domain else self.env.company
        return self.with_context(
            lang=self.env["res.partner"]._find_lang(delivery.mail.sender, company)
        )
