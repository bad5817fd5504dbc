from odoo import api, models
from odoo.osv import expression

from ...tools.addresses.similar_addresses import find_similar, length_range
from ...tools.judging.delivery import Recipient, delivery_of

#: Addresses of ours in one mail that are looked up, those that it was delivered for first.
MAX_RECIPIENTS = 5_000


class MailAlias(models.Model):
    """Which aliases a mail is for."""

    _inherit = "mail.alias"

    def init(self):
        # names of about the same length, for who is meant by an unknown address
        self.env.cr.execute(
            """
            CREATE INDEX IF NOT EXISTS mail_alias_domain_name_length
                ON mail_alias (alias_domain_id, length(alias_name)) INCLUDE (alias_name)
             WHERE alias_name IS NOT NULL
            """
        )

    # ------------------------------------------------------------
    # RECIPIENTS OF A STORED MAIL
    # ------------------------------------------------------------

    @api.model
    def _resolve_recipients(self, addresses, envelope=()):
        """Find out what the addresses of a mail stand for.

        An address of ours stands for the alias that has it, in its alias domain where it is
        written with an accepted one, without the detail of a subaddress if no alias has it. The
        local part alone counts for aliases that allow that (``alias_incoming_local``): in our own
        domains and the allowed ones, and where none are named, as in core, in any other that the
        mail server delivered for. What the sender writes to elsewhere is none of our business.

        :param addresses: normalized addresses of the envelope and the header
        :param envelope: those of them that the mail server delivered for
        :return dict: :class:`Recipient` by address, in the order of ``addresses``
        """
        domains = self.env["mail.alias.domain"]
        addresses, envelope = list(dict.fromkeys(addresses)), set(envelope)
        ours = self._filter_ours(addresses, envelope)
        candidates = {address: domains._get_candidates(address) for address in ours}
        names = {name for found in candidates.values() for name, _detail in found}
        local_parts = self._get_local_detection(ours, envelope)
        aliases = self._search_addresses(names, set(local_parts.values()))
        by_name = aliases.filtered("alias_domain_id").grouped("alias_full_name")
        by_local_part = aliases.filtered("alias_incoming_local").grouped("alias_name")
        found = {
            address: self._resolve(
                address,
                candidates[address],
                by_name,
                by_local_part.get(local_parts.get(address), self.browse()),
            )
            for address in ours
        }
        return {address: found.get(address, Recipient(address, "foreign")) for address in addresses}

    @api.model
    def _filter_ours(self, addresses, envelope):
        """Return the addresses that may stand for something here, as far as they are looked at.

        A mail may name a hundred thousand.
        """
        domains = self.env["mail.alias.domain"]
        own, service = domains._get_domain_map(), domains._get_service_addresses()
        known = own.keys() | self._get_allowed_domains()
        ours = [
            address
            for address in addresses
            if not own
            or address.rpartition("@")[2] in known
            or address in service
            or address in envelope
        ]
        return ours[:MAX_RECIPIENTS]

    @api.model
    def _get_local_detection(self, addresses, envelope):
        """Return the local part by address, where it alone may find an alias."""
        own, allowed = self.env["mail.alias.domain"]._get_domain_map(), self._get_allowed_domains()
        local_parts = {}
        for address in addresses:
            local_part, _at, name = address.rpartition("@")
            is_told = address in envelope or not own
            if name in own or name in allowed or (not allowed and is_told):
                local_parts[address] = local_part
        return local_parts

    @api.model
    def _get_allowed_domains(self):
        """Return the domains of the system parameter ``mail.catchall.domain.allowed``."""
        parameters = self.env["ir.config_parameter"].sudo()
        allowed = parameters.get_param("mail.catchall.domain.allowed") or ""
        return set(filter(None, allowed.split(",")))

    @api.model
    def _search_addresses(self, full_names, local_parts):
        domain = expression.OR(
            [
                [("alias_full_name", "in", list(full_names))],
                [("alias_incoming_local", "=", True), ("alias_name", "in", list(local_parts))],
            ]
        )
        return self.sudo().search(domain) if full_names or local_parts else self.browse()

    @api.model
    def _resolve(self, address, candidates, by_name, local_aliases):
        """Return what one address stands for.

        :param list candidates: see ``mail.alias.domain._get_candidates``
        :param dict by_name: aliases by full address
        :param local_aliases: aliases that its local part alone may find
        """
        domains = self.env["mail.alias.domain"]
        if signed := domains._parse_signed(address):
            return Recipient(address, "service", address, signed=signed)
        service = domains._get_service_addresses()
        for name, detail in [(address, ""), *candidates]:
            if name in service:
                return Recipient(address, "service", name, detail)
        for name, detail in candidates:
            if found := by_name.get(name):
                return Recipient(address, "alias", name, detail, tuple(found.ids))
        domain = domains._find_by_address(address) if local_aliases else domains
        found = local_aliases.filtered(lambda a: a._is_open_to(domain))
        if found:
            # core finds it again by its full name; one without a domain only by the local part
            name = found[0].alias_full_name if found[0].alias_domain_id else address
            return Recipient(address, "alias", name, "", tuple(found.ids))
        is_ours = candidates or address.rpartition("@")[2] in self._get_allowed_domains()
        if is_ours or not domains._get_domain_map():  # without any domain, as in core
            return Recipient(address, "unknown")
        return Recipient(address, "foreign")

    def _is_open_to(self, domain):
        """Tell whether this alias may receive mail for another domain: not for another company."""
        self.ensure_one()
        own, others = self.alias_domain_id.company_ids, domain.company_ids
        return not own or not others or bool(own & others)

    # ------------------------------------------------------------
    # UNKNOWN ADDRESSES
    # ------------------------------------------------------------

    @api.model
    def _find_similar(self, address):
        """Return the alias that an address which nobody has was meant for, as far as can be told.

        :param str address: normalized address in one of our domains
        :return tuple: alias, or none; whether it is the only one that is one typing error away
        """
        domain = self.env["mail.alias.domain"]._find_by_address(address)
        written = self.env["mail.alias.domain"]._get_candidates(address)
        if not domain:
            return self.browse(), False
        local_part = written[-1][0].rpartition("@")[0]  # without its detail
        found = find_similar(local_part, self._get_local_parts(domain, local_part))
        if not found:
            return self.browse(), False
        name, distance = found[0]
        is_typo = (
            distance == 1
            and (len(found) == 1 or found[1][1] > 1)
            # j.doe is one letter from k.doe, and means john.doe
            and name[0] == local_part[0]
            and all(len(part) > 1 for part in local_part.split("."))
        )
        aliases = self.sudo().search(
            [("alias_domain_id", "=", domain.id), ("alias_name", "=", name)], limit=1
        )
        return aliases, is_typo

    @api.model
    def _get_local_parts(self, domain, local_part):
        """Return the local parts of a domain that are long enough to be like this one."""
        self.flush_model(["alias_name", "alias_domain_id"])
        shortest, longest = length_range(local_part)
        # one string of all: as rows, or by the ORM, they take ten times as long to read
        self.env.cr.execute(
            """
            SELECT string_agg(alias_name, E'\n')
              FROM mail_alias
             WHERE alias_domain_id = %s AND alias_name IS NOT NULL
               AND length(alias_name) BETWEEN %s AND %s
            """,
            [domain.id, shortest, longest],
        )
        return (self.env.cr.fetchone()[0] or "").split()

    # ------------------------------------------------------------
    # RECIPIENTS AS CORE SEES THEM
    # ------------------------------------------------------------

    @api.model
    def _find_by_addresses(self, addresses):
        """Return the aliases that core would route mail for these addresses to.

        Follows ``message_route``: by the whole address, or by the local part where the alias
        allows that and the domain is one of ours or allowed.

        :param addresses: normalized addresses
        """
        allowed = self._get_allowed_domains()
        if allowed:
            allowed.update(domain for domain, _sep in self._get_own_domains())
        pairs = (address.rpartition("@") for address in addresses)
        local_parts = {local for local, _at, domain in pairs if not allowed or domain in allowed}
        return self._search_addresses(set(addresses), local_parts)

    @api.model
    def _get_own_domains(self):
        return set(self.env["mail.alias.domain"]._get_domain_map().values())

    def _matches(self, address):
        """Tell whether this alias receives mail for an address; see ``_find_by_addresses``."""
        self.ensure_one()
        if address == self.alias_full_name:
            return True
        return self.alias_incoming_local and address.rpartition("@")[0] == self.alias_name

    def _get_receiving_user(self):
        """Return who gets the mail of a messaging alias: its user, or whom he left it to.

        :return: active user, or none where nobody was named
        """
        self.ensure_one()
        user, seen = self.sudo().alias_user_id, set()
        while user and not user.active and user not in seen:
            seen.add(user)
            user = user.alias_delegate_id
        return user.filtered("active")

    # ------------------------------------------------------------
    # REJECTIONS
    # ------------------------------------------------------------

    def _alias_bounce_incoming_email(self, message, message_dict, set_invalid=True):
        """Tell the sender of a stored mail that he is rejected, but not that we have a bug.

        The alias is marked; the mail is tried again, and after that it is the managers' affair.
        """
        delivery = delivery_of(self.env)
        if delivery is not None and set_invalid:
            self.alias_status = "invalid"
            return None
        if delivery is not None:
            delivery.outcome.rejected_by = self.display_name
            delivery.outcome.rejection_code = f"alias-{self.id}"
            # core's text is in that of the sender's contact, if it knows one
            self = self.with_context(
                lang=self.env["mail.thread"]._with_sender_lang(delivery).env.lang
            )
        return super()._alias_bounce_incoming_email(message, message_dict, set_invalid=set_invalid)
