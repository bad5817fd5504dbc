from odoo import _, api, fields, models, tools
from odoo.exceptions import ValidationError

from ...tools.addresses.addresses import normalize_address, normalize_domain
from ...tools.sending.from_policy import FromPolicy

POLICIES = [
    ("native", "As Odoo does"),
    ("dynamic", "Replace other people's addresses"),
    ("forced", "Replace every address"),
]


class MailAliasDomain(models.Model):
    """As whom mail of this domain leaves."""

    _inherit = "mail.alias.domain"

    from_policy = fields.Selection(
        POLICIES,
        "Sender Address",
        default="native",
        required=True,
        help="What becomes of the address in From, where a mail server accepts only your own.\n"
        "As Odoo does: by the FROM Filtering of the outgoing servers.\n"
        'Replace other people\'s addresses: "Mary (mary@customer.com)" <outgoing@acme.com>; '
        "addresses in your own domains stay.\n"
        "Replace every address: all mail leaves as the one address.",
    )
    from_address = fields.Char(
        "Send As",
        help="The one address as which mail leaves where From is replaced, such as "
        "outgoing@acme.com. Empty is the “Default From Alias”.",
    )
    signed_reply_to = fields.Boolean(
        "Signed Addresses",
        help="Answers and bounces come back to an address made for each mail, like "
        "reply.abcd…@acme.com. They find their place even where a mail server replaced all that "
        "Odoo knows a mail by. Needs a mailbox that receives the mail for all addresses of the "
        "domain.",
    )

    @api.constrains("from_address")
    def _check_from_address(self):
        for domain in self:
            domain._check_sender_address(domain.from_address)

    @api.model
    def _check_sender_address(self, address):
        """Raise if no mail can be sent as this.

        :raise ValidationError: that says what is expected
        """
        if not address:
            return
        plain = address.strip().lower()
        if tools.email_normalize(address) != plain or plain.startswith("@"):
            raise ValidationError(
                _("“%s” is not one plain address, like outgoing@acme.com.", address)
            )

    def write(self, vals):
        res = super().write(vals)
        cached = {"name", "bounce_alias", "default_from", "from_policy", "from_address"}
        if vals.keys() & (cached | {"sequence", "signed_reply_to"}):
            self.env.registry.clear_cache()
        return res

    def _get_from_address(self):
        """Return the bare address that replaces others, or an empty text."""
        self.ensure_one()
        address = self.from_address or self.default_from_email
        return tools.email_normalize(address) or ""

    @api.model
    def _get_from_policies(self):
        """Return the policies of all alias domains, by their name, bounce address and id.

        :return dict: empty where all leave it to Odoo
        """
        found = {}
        # pylint: disable-next=no-search-all
        for domain in self.sudo().search([]):
            policy = FromPolicy(domain.from_policy, domain._get_from_address())
            found.setdefault(normalize_domain(domain.name), policy)
            found[domain.bounce_email] = found[domain.id] = policy
        return {} if all(policy.is_native for policy in found.values()) else found

    @api.model
    def _find_from_policy(self, found, bounce_address):
        """Return the policy of the alias domain that a mail is sent for.

        :param dict found: see ``_get_from_policies``
        :param str bounce_address: all that core tells of the alias domain while it sends; without
            it, that of the company
        :return FromPolicy:
        """
        if not found:
            return FromPolicy()
        address = normalize_address(bounce_address or "")
        for key in (address, address.rpartition("@")[2]):
            if key in found:
                return found[key]
        return found.get(self.env.company.sudo().alias_domain_id.id, FromPolicy())
