import contextlib
import smtplib
import types

from odoo import _, api, fields, models, tools
from odoo.exceptions import UserError
from odoo.tools import consteq

from odoo.addons.base.models.ir_mail_server import (
    MailDeliveryException,
    extract_rfc2822_addresses,
)

from ...tools.message.header_text import plain_line, safe_value
from ...tools.sending.from_policy import (
    POLICIES,
    FromPolicy,
    apply_policy,
    choose_envelope,
    choose_policy,
)
from ...tools.sending.inline_images import embed_images, find_image_links
from ...tools.sending.refusal import explain
from ...tools.sending.sendable import addresses_in_names, as_plain, make_sendable
from ...tools.sending.smtp_failure import MaybeSent, sending_of, session_of, take_over, watch
from .refusal_advice import ADVICE
from .sender_preview import SenderPreview


class IrMailServer(models.Model):
    """As whom and in which shape mail leaves, and what a mail server says to it.

    Core builds a mail, opens a session, and puts From and envelope sender into their final shape
    in ``_prepare_email_message``, for all who send: there the policies of
    ``tools/sending/from_policy.py`` act. ``mail.mail`` decides when a mail is tried again.
    """

    _inherit = "ir.mail_server"

    from_policy = fields.Selection(
        POLICIES,
        "Sender Address",
        help="What becomes of the address in From of the mail that leaves through this server. "
        "Empty is what the alias domain of the mail says.",
    )
    from_address = fields.Char(
        "Send As",
        help="The one address as which mail leaves where From is replaced, such as "
        "outgoing@acme.com. Empty is that of the alias domain of the mail.",
    )
    # compute_sudo: the preview reads users and domains that its reader may not read
    from_preview = fields.Html(
        "Mail That Leaves", compute="_compute_from_preview", sanitize=False, compute_sudo=True
    )
    from_warning = fields.Text(compute="_compute_from_preview", compute_sudo=True)

    @api.depends("from_policy", "from_address", "from_filter", "smtp_host", "smtp_user", "active")
    @api.depends_context("company", "lang")
    def _compute_from_preview(self):
        # with_user: the superuser computes for all, remote calls too
        self.with_user(self.env.uid).check_access_rights("read")
        for server in self:
            preview = SenderPreview(server, self.env.company.alias_domain_id)
            server.from_preview = preview.describe()
            server.from_warning = "\n".join(preview.get_warnings()) or False

    @api.constrains("from_address")
    def _check_from_address(self):
        for server in self:
            self.env["mail.alias.domain"]._check_sender_address(server.from_address)

    def test_smtp_connection(self):
        """Say what to change after a mail server refused the test."""
        try:
            return super().test_smtp_connection()
        except UserError as error:
            advice = self[:1]._get_advice(error)
            if not advice:
                raise
            raise UserError(_("%(error)s\n\n%(advice)s", error=error, advice=advice)) from error

    # ------------------------------------------------------------
    # POLICY
    # ------------------------------------------------------------

    def _get_from_policy(self):
        """Return the policy for mail that leaves through this server, or one unknown yet."""
        forced, dynamic, policies = self._get_from_settings()
        bounce_address = self.env.context.get("domain_bounce_address")
        domain = self.env["mail.alias.domain"]._find_from_policy(policies, bounce_address)
        # sudo: users who send may not read mail servers; the mail shows the address anyway
        server = self.sudo()
        own = server.from_policy and FromPolicy(
            server.from_policy, server.from_address or domain.address
        )
        return choose_policy(own, forced=forced, dynamic=dynamic, domain=domain)

    @api.model
    @tools.ormcache()
    def _get_from_settings(self):
        """Return what is the same for all mails, in one look-up.

        :return tuple: values of the two system parameters of Odoo up to 14, forced and dynamic;
            policies of the alias domains
        """
        # sudo: users who send may not read system parameters; as in _get_from_policy
        get_param = self.env["ir.config_parameter"].sudo().get_param
        policies = self.env["mail.alias.domain"]._get_from_policies()
        return get_param("mail.force.smtp.from"), get_param("mail.dynamic.smtp.from"), policies

    @api.model
    def _apply_from_policy(self, policy, header_from, from_filters):
        """Return the :class:`Sender` of a mail under a policy that is not native.

        :param from_filters: those of the servers that it may leave through
        """
        own_domains = self.env["mail.alias.domain"]._get_domain_map()

        def is_permitted(address):
            return any(self._match_from_filter(address, value) for value in from_filters)

        return apply_policy(policy, header_from, own_domains, is_permitted)

    def _find_mail_server(self, email_from, mail_servers=None):
        """Look for the server of the address as which the mail will leave."""
        policy = self.browse()._get_from_policy()
        if policy.is_native:
            return super()._find_mail_server(email_from, mail_servers)
        if mail_servers is None:
            # sudo: core reads them as superuser too; pylint: disable-next=no-search-all
            mail_servers = self.sudo().search([], order="sequence")
        from_filters = mail_servers.filtered("active").mapped("from_filter")
        from_filters = from_filters or [self._get_default_from_filter()]
        sender = self._apply_from_policy(policy, email_from, from_filters)
        server, smtp_from = super()._find_mail_server(sender.address, mail_servers)
        # sudo: as above
        if server and server.sudo().from_policy == "native":
            return super()._find_mail_server(email_from, server)
        return server, smtp_from

    def _get_test_email_from(self):
        """Test the connection with an address that mail will leave as."""
        self.ensure_one()
        address = super()._get_test_email_from()
        policy = self._get_from_policy()
        if policy.is_native:
            return address
        return self._apply_from_policy(policy, address, [self.from_filter]).address

    # ------------------------------------------------------------
    # BUILDING
    # ------------------------------------------------------------

    def build_email(
        self,
        email_from,
        email_to,
        subject,
        body,
        email_cc=None,
        email_bcc=None,
        reply_to=False,
        attachments=None,
        message_id=None,
        references=None,
        object_id=False,
        subtype="plain",
        headers=None,
        body_alternative=None,
        subtype_alternative="plain",
    ):
        """Let no name begin another header field, and embed the images of a conversation.

        Core puts the names of contacts and the Message-Ids of other people's mail into the header
        as they are, and fails at the names of files. The recipients of a conversation may not
        reach this Odoo, and so its images. What mail servers would refuse is repaired.
        """
        headers = {name: safe_value(value) for name, value in (headers or {}).items()}
        if "Return-Path" in headers:
            headers["Return-Path"] = as_plain("Return-Path", headers["Return-Path"])
        message = super().build_email(
            as_plain("From", safe_value(email_from)),
            safe_value(email_to),
            safe_value(subject),
            body,
            email_cc=safe_value(email_cc),
            email_bcc=safe_value(email_bcc),
            reply_to=as_plain("Reply-To", safe_value(reply_to)),
            attachments=[(safe_value(name), *rest) for name, *rest in attachments or []],
            message_id=plain_line(message_id),
            references=plain_line(references),
            object_id=object_id,
            subtype=subtype,
            headers=headers,
            body_alternative=body_alternative,
            subtype_alternative=subtype_alternative,
        )
        make_sendable(message)
        if object_id and object_id.endswith("-mail.catchall.conversation"):
            part = message.get_body(("html",))
            images = self._read_images(part.get_content()) if part else {}
            if images:
                embed_images(part, images)
        return message

    @api.model
    def _read_images(self, html):
        """Return the images that a body links to: (name, mimetype, content) by URL."""
        images = {}
        for url, (attachment_id, token) in find_image_links(html).items():
            # sudo: as /web/image does, the token stands for the right to read
            image = self.env["ir.attachment"].sudo().browse(attachment_id).exists()
            is_image = (image.mimetype or "").startswith("image/") and image.raw
            if is_image and consteq(image.access_token or "", token):
                images[url] = (image.name, image.mimetype, image.raw)
        return images

    # ------------------------------------------------------------
    # SENDING
    # ------------------------------------------------------------

    def connect(
        self,
        host=None,
        port=None,
        user=None,
        password=None,
        encryption=None,
        smtp_from=None,
        ssl_certificate=None,
        ssl_private_key=None,
        smtp_debug=False,
        mail_server_id=None,
        allow_archived=False,
    ):
        """Remember in the session which server it is of, and which servers cannot be reached.

        Each sender has a session of its own: a server that is away is tried once for all of them.
        """
        sending, key = sending_of(self.env), mail_server_id or False
        if sending and key in sending.unreachable:
            raise sending.unreachable[key]
        # sudo: as core does; only the number of the server is kept
        servers = self.sudo()
        try:
            server = servers.browse(mail_server_id)
            if not mail_server_id and not host and not self._is_test_mode():
                # core looks for it as well, and does not tell
                server, smtp_from = servers._find_mail_server(smtp_from)
            server_id = server.id if server else False
            connection = super().connect(
                host,
                port,
                user,
                password,
                encryption,
                smtp_from=smtp_from,
                ssl_certificate=ssl_certificate,
                ssl_private_key=ssl_private_key,
                smtp_debug=smtp_debug,
                mail_server_id=server_id,
                allow_archived=allow_archived,
            )
        except Exception as error:
            if sending and sending.note(error):
                sending.unreachable[key] = error
            raise
        if connection:
            connection.catchall_server_id = server_id
        smtp = session_of(connection)
        if smtp:
            watch(smtp)
        return connection

    def _prepare_email_message(self, message, smtp_session):
        """Put the sender of the policy into a mail, and into its envelope."""
        server = self.browse(getattr(smtp_session, "catchall_server_id", False) or [])
        policy = server._get_from_policy()
        if policy.is_native:
            envelope_from, *rest = super()._prepare_email_message(message, smtp_session)
            return envelope_from, self._leave_out_named(*rest), message
        from_filter = getattr(smtp_session, "from_filter", False)
        header_from = str(message["From"] or "")
        sender = self._apply_from_policy(policy, header_from, [from_filter])
        if header_from and "Reply-To" not in message:
            # answers still go where they went
            message["Reply-To"] = header_from
        if sender.is_replaced:
            del message["From"]
            message.set_raw("From", as_plain("From", sender.header))
        # core would put its own idea of the sender in place, which is in the session
        session = types.SimpleNamespace(from_filter=from_filter, smtp_from=message["From"])
        proposed, recipients, message = super()._prepare_email_message(message, session)
        own_domains = self.env["mail.alias.domain"]._get_domain_map()
        envelope_from = choose_envelope(sender, proposed, own_domains)
        if message["Return-Path"] and str(message["Return-Path"]) != envelope_from:
            # Amazon SES checks it
            message.replace_header("Return-Path", as_plain("Return-Path", envelope_from))
        return envelope_from, self._leave_out_named(recipients, message), message

    @api.model
    def _leave_out_named(self, recipients, message):
        """Send nothing to the addresses in names of recipients, as builds until 2024 do.

        Core itself leaves them out where it knows to whom a ``mail.mail`` is written.
        """
        if self.env.context.get("send_validated_to") == ():
            named = addresses_in_names(message, extract_rfc2822_addresses)
            recipients = [recipient for recipient in recipients if recipient not in named]
        return recipients

    @api.model
    def send_email(self, message, mail_server_id=None, *args, **kwargs):
        """Put messaging aliases in place, note what was accepted, and explain what was not."""
        session = kwargs.get("smtp_session")
        with self._note_outcome(message, session):
            self._replace_own_addresses(message)
            try:
                return super().send_email(message, mail_server_id, *args, **kwargs)
            except MailDeliveryException as error:
                server_id = mail_server_id or getattr(session, "catchall_server_id", False)
                # sudo: users who send may not read mail servers; the advice shows the name only
                advice = self.sudo().browse(server_id or [])._get_advice(error.args[-1])
                if not advice:
                    raise
                text = f"{error.args[-1]}\n{advice}"
                raise MailDeliveryException(*error.args[:-1], text) from error

    @api.model
    def _replace_own_addresses(self, message):
        """Put messaging aliases in place, where the mail was built by no ``mail.mail``."""
        if "send_validated_to" in self.env.context:
            return
        for name in ("From", "Reply-To"):
            value = message[name] and str(message[name])
            replaced = value and self.env["res.users"]._replace_own_address(value)
            if replaced != value:
                message.replace_header(name, replaced)

    @contextlib.contextmanager
    def _note_outcome(self, message, session):
        """Note what the server takes, and let a session that broke fail only its own mail.

        Core ends all sending then, and rolls back that mails were sent which the server took.
        """
        sending = sending_of(self.env)
        if not sending or not session_of(session):
            yield
            return
        message_id = str(message["Message-Id"])
        part = sending.take(message_id)
        try:
            self._renew_session(session)
            yield
        except smtplib.SMTPServerDisconnected as error:
            sending.note(error)
            text = _("The connection to the mail server broke: %s", error)
            if isinstance(error, MaybeSent):
                text = _(
                    "The connection broke when the mail server had the whole mail, before it said "
                    "whether it accepts it. It may have been sent, so that Odoo does not send it "
                    "again by itself."
                )
            raise MailDeliveryException(_("Mail Delivery Failed"), text) from error
        except MailDeliveryException as error:
            sending.note(unwrap(error))
            raise
        sending.accepted[message_id].append(part)

    @api.model
    def _renew_session(self, session):
        """Connect again where the server closed the session after some mails."""
        if session_of(session).sock is None:
            server_id = getattr(session, "catchall_server_id", None)
            take_over(session, self.connect(mail_server_id=server_id, smtp_from=session.smtp_from))

    def _get_advice(self, error):
        """Return what to change after the answer of a mail server, or an empty text."""
        name = self.name or _("Odoo's configuration file")
        return str(ADVICE.get(explain(error), "")).replace("%s", name)


def unwrap(error):
    """Return what is behind the exceptions in which Odoo wraps those of ``smtplib``."""
    while isinstance(error, MailDeliveryException):
        error = error.__cause__ or error.__context__
    return error
