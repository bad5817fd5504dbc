from odoo import _, api, fields, models
from odoo.exceptions import UserError

#: Domains of providers whose customers are anybody: the largest ones, for the case that no contact
#: has an address there yet.
PUBLIC_DOMAINS = frozenset(
    "gmail.com googlemail.com outlook.com hotmail.com live.com msn.com yahoo.com icloud.com me.com"
    " aol.com gmx.net gmx.de gmx.com web.de t-online.de freenet.de orange.fr wanadoo.fr free.fr"
    " laposte.net sfr.fr libero.it proton.me protonmail.com mail.ru yandex.ru qq.com 163.com"
    " telenet.be skynet.be ziggo.nl kpnmail.nl hotmail.fr yahoo.fr terra.es".split()
)


class MailCatchallRoute(models.TransientModel):
    """Asks the manager which user, team or document gets mail that was not delivered."""

    _name = "mail.catchall.route"
    _description = "Deliver Inbound Emails"

    inbound_ids = fields.Many2many("mail.catchall.inbound", string="Emails", required=True)
    target = fields.Selection(
        [("user", "A user"), ("alias", "A team's alias"), ("document", "A document")],
        "Deliver To",
        default="user",
        required=True,
    )
    user_id = fields.Many2one(
        "res.users",
        compute="_compute_suggestion",
        compute_sudo=False,
        store=True,
        readonly=False,
        domain="[('share', '=', False), ('alias_id', '!=', False)]",
    )
    alias_id = fields.Many2one(
        "mail.alias",
        compute="_compute_suggestion",
        compute_sudo=False,
        store=True,
        readonly=False,
        domain="[('is_user_alias', '=', False), ('alias_name', '!=', False), "
        "('alias_domain_id', '!=', False)]",
    )
    document = fields.Reference(selection="_selection_document")
    is_always = fields.Boolean("Always")
    always_help = fields.Char(compute="_compute_always_help")

    @api.model
    def _selection_document(self):
        return self.env["mail.catchall.attach"]._selection_document()

    @api.depends("inbound_ids")
    def _compute_suggestion(self):
        for wizard in self:
            inbounds = wizard.inbound_ids._origin
            inbounds._check_readable()
            # sudo: the suggested alias of mail that the manager may read
            alias = inbounds.sudo().suggested_alias_id[:1]
            wizard.user_id = alias.alias_user_id
            wizard.alias_id = alias if not alias.is_user_alias else False

    @api.depends("inbound_ids", "target", "user_id", "alias_id")
    def _compute_always_help(self):
        for wizard in self:
            changes = wizard._get_changes() if wizard._get_alias() else []
            wizard.always_help = " ".join(text for text, _model, _values in changes)

    def _get_alias(self):
        self.ensure_one()
        # sudo: a manager delivers to every user and alias, also to those they may not read
        if self.target == "user":
            return self.user_id.sudo().alias_id
        # sudo: as above
        return self.alias_id.sudo() if self.target == "alias" else self.env["mail.alias"]

    def _get_changes(self):
        """Return what has to change so that such mail arrives by itself.

        An unknown address of ours becomes a further one of the user or the team. Where the mail is
        for none of our addresses, its domain may count as ours.

        :return list: (sentence, record to write to or model to create in, values)
        """
        alias, changes = self._get_alias(), []
        companies = alias.alias_domain_id.company_ids
        if companies and not companies & self.env.user.company_ids:
            return changes  # its own managers decide about its addresses
        recipients = self.env["mail.catchall.recipients"]._resolve_recipients(self._get_addresses())
        domain = alias.alias_domain_id
        # sudo: managers give further addresses, in domains of their own companies only
        aliases = self.env["mail.alias"].sudo()
        for recipient in recipients.values():
            local_part = recipient.address.rpartition("@")[0]
            own = self.env["mail.alias.domain"]._find_by_address(recipient.address)
            if recipient.kind == "unknown" and own == domain:
                text = _(
                    "%(address)s becomes a further address of %(alias)s.",
                    address="@".join((local_part, domain.name)),
                    alias=alias.display_name,
                )
                changes.append((text, aliases, alias._prepare_further_values(local_part)))
        if name := self._find_foreign_domain(recipients.values()):
            accepted = ", ".join([*domain._split_accepted(), name])
            text = _("%(names)s counts as %(domain)s.", names=name, domain=domain.name)
            changes.append((text, domain, {"accepted_domain_names": accepted}))
        return changes

    def _find_foreign_domain(self, recipients):
        """Return the one domain that may become ours, because all recipients are in it.

        Only an administrator decides that: in a domain that counts as ours, john.doe is John. So it
        must not be one that a contact, or the customers of a provider, write from.
        """
        names = {recipient.address.rpartition("@")[2] for recipient in recipients}
        is_foreign = all(recipient.kind == "foreign" for recipient in recipients)
        if len(names) != 1 or not is_foreign or not self.env.user.has_group("base.group_system"):
            return ""
        (name,) = names
        # sudo: whether a contact has an address in the domain, yes or no
        contacts = self.env["res.partner"].sudo().with_context(active_test=False)
        known = contacts.search_count([("email_normalized", "=like", f"%@{name}")], limit=1)
        return "" if known or name in PUBLIC_DOMAINS else name

    def _get_addresses(self):
        """Return the addresses the mails were delivered for, else those they are written to."""
        inbounds = self.inbound_ids._origin
        inbounds._check_readable()
        # sudo: the recipients in the header, of mail that the manager may read
        review = self.env["mail.catchall.review"].sudo()
        return [
            address for inbound in inbounds.sudo() for address in review._get_written_to(inbound)
        ]

    def action_apply(self):
        """Deliver the mails.

        :raise UserError: if it is not said where, or one of them was delivered meanwhile
        """
        self.ensure_one()
        close = {"type": "ir.actions.act_window_close"}
        if self.target == "document":
            self._post_on_document()
            return close
        alias = self._get_alias()
        if not alias:
            raise UserError(_("First choose who gets the mail."))
        self.inbound_ids._check_reviewable()
        if self.is_always:
            self._apply_changes()
        self.inbound_ids._review(
            _("Delivered"), lambda review, mail: review._route_to(mail, alias), alias.display_name
        )
        return close

    def _post_on_document(self):
        document = self.document
        if not document:
            raise UserError(_("Choose a document first."))
        document.check_access_rights("write")
        document.check_access_rule("write")
        # sudo: OdooBot posts there; the manager's own access to it was asked
        document_sudo = document.sudo()
        self.inbound_ids._review(
            _("Posted on a Document"),
            lambda review, mail: review._attach_to(mail, document_sudo),
            document.display_name,
        )

    def _apply_changes(self):
        for _text, records, values in self._get_changes():
            if records:
                # sudo: managers decide about domains of their own companies (_get_changes)
                records.sudo().write(values)
            else:
                records.create(values)
