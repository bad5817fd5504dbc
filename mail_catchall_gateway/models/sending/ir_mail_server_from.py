import types

from odoo import api, fields, models, tools

from ...tools.sending.from_policy import FromPolicy, apply_policy, choose_envelope, choose_policy
from ...tools.sending.sendable import as_plain
from ..routing.mail_alias_domain import POLICIES


class IrMailServer(models.Model):
    """As whom mail leaves; decided in ``tools/from_policy.py``.

    Core builds a mail, opens a session, and puts From and envelope sender into their final shape
    in ``_prepare_email_message``, whoever sends and by which way. So that is where policies act.
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

    @api.constrains("from_address")
    def _check_from_address(self):
        for server in self:
            self.env["mail.alias.domain"]._check_sender_address(server.from_address)

    # ------------------------------------------------------------
    # POLICY
    # ------------------------------------------------------------

    def _get_from_policy(self):
        """Return the policy for mail that leaves through this server, or through one unknown yet.

        :return FromPolicy:
        """
        forced, dynamic, policies = self._get_from_settings()
        bounce_address = self.env.context.get("domain_bounce_address")
        domain = self.env["mail.alias.domain"]._find_from_policy(policies, bounce_address)
        server = self.sudo()
        own = server.from_policy and FromPolicy(
            server.from_policy, server.from_address or domain.address
        )
        return choose_policy(own, forced=forced, dynamic=dynamic, domain=domain)

    @api.model
    @tools.ormcache()
    def _get_from_settings(self):
        """Return what is read for each mail, and the same for all: in one look-up.

        :return tuple: values of the two system parameters of Odoo up to 14, forced and dynamic;
            policies of the alias domains
        """
        get_param = self.env["ir.config_parameter"].sudo().get_param
        policies = self.env["mail.alias.domain"]._get_from_policies()
        return get_param("mail.force.smtp.from"), get_param("mail.dynamic.smtp.from"), policies

    @api.model
    def _apply_from_policy(self, policy, header_from, from_filters, own_domains=None):
        """Return the :class:`Sender` of a mail under a policy that is not native.

        :param from_filters: those of the servers that it may leave through
        :param own_domains: names of our domains, if the caller knows them
        """
        if own_domains is None:
            own_domains = self.env["mail.alias.domain"]._get_domain_map()

        def is_permitted(address):
            return any(self._match_from_filter(address, value) for value in from_filters)

        return apply_policy(policy, header_from, own_domains, is_permitted)

    # ------------------------------------------------------------
    # SENDING
    # ------------------------------------------------------------

    def _find_mail_server(self, email_from, mail_servers=None):
        """Look for the server of the address as which the mail will leave."""
        policy = self.browse()._get_from_policy()
        if policy.is_native:
            return super()._find_mail_server(email_from, mail_servers)
        if mail_servers is None:
            # pylint: disable-next=no-search-all
            mail_servers = self.sudo().search([], order="sequence")
        from_filters = mail_servers.filtered("active").mapped("from_filter")
        from_filters = from_filters or [self._get_default_from_filter()]
        sender = self._apply_from_policy(policy, email_from, from_filters)
        server, smtp_from = super()._find_mail_server(sender.address, mail_servers)
        if server and server.sudo().from_policy == "native":
            return super()._find_mail_server(email_from, server)
        return server, smtp_from

    def connect(self, *args, mail_server_id=None, smtp_from=None, **kwargs):
        """Remember in the session which server it is of."""
        server = self.sudo().browse(mail_server_id)
        has_host = (args and args[0]) or kwargs.get("host")
        if not mail_server_id and not has_host and not self._is_test_mode():
            # as core does it, where nobody learns of it
            server, smtp_from = self.sudo()._find_mail_server(smtp_from)
            server = server or self.browse()
        connection = super().connect(*args, mail_server_id=server.id, smtp_from=smtp_from, **kwargs)
        if connection:
            connection.catchall_server_id = server.id
        return connection

    @api.model
    def send_email(self, message, *args, **kwargs):
        """Put messaging aliases in place, also in what was built by no ``mail.mail``."""
        users = self.env["res.users"]
        is_direct = "send_validated_to" not in self.env.context
        for name in ("From", "Reply-To") if is_direct else ():
            value = message[name] and str(message[name])
            replaced = value and users._replace_own_address(value)
            if replaced != value:
                message.replace_header(name, replaced)
        return super().send_email(message, *args, **kwargs)

    def _prepare_email_message(self, message, smtp_session):
        server = self.browse(getattr(smtp_session, "catchall_server_id", False) or [])
        policy = server._get_from_policy()
        if policy.is_native:
            return super()._prepare_email_message(message, smtp_session)
        from_filter = getattr(smtp_session, "from_filter", False)
        own_domains = self.env["mail.alias.domain"]._get_domain_map()
        sender = self._set_sender(message, policy, from_filter, own_domains)
        # core would put its own idea of the sender in place, which is in the session
        session = types.SimpleNamespace(from_filter=from_filter, smtp_from=message["From"])
        proposed, recipients, message = super()._prepare_email_message(message, session)
        envelope_from = choose_envelope(sender, proposed, own_domains)
        if message["Return-Path"] and str(message["Return-Path"]) != envelope_from:
            # Amazon SES checks it
            message.replace_header("Return-Path", as_plain("Return-Path", envelope_from))
        return envelope_from, recipients, message

    @api.model
    def _set_sender(self, message, policy, from_filter, own_domains):
        """Put the From of a policy into a mail; answers still go to who was there.

        :return Sender:
        """
        header_from = str(message["From"] or "")
        sender = self._apply_from_policy(policy, header_from, [from_filter], own_domains)
        if header_from and "Reply-To" not in message:
            message["Reply-To"] = header_from
        if sender.is_replaced:
            del message["From"]
            message.set_raw("From", as_plain("From", sender.header))
        return sender

    def _get_test_email_from(self):
        """Test the connection with an address that mail will leave as."""
        self.ensure_one()
        address = super()._get_test_email_from()
        policy = self._get_from_policy()
        if policy.is_native:
            return address
        return self._apply_from_policy(policy, address, [self.from_filter]).address
