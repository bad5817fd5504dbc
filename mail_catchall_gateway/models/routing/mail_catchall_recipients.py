from odoo import api, models

from ...tools.addresses.similar_addresses import find_similar, length_range
from ...tools.judging.delivery import Recipient

#: Addresses of ours in one mail that are looked up, those that it was delivered for first.
MAX_RECIPIENTS = 5_000


class MailCatchallRecipients(models.AbstractModel):
    """Finds out what the addresses of a stored mail stand for, and what unknown ones meant.

    For mail that came by the gateway. As core sees addresses, in mail that did not,
    ``mail.alias._find_by_addresses`` tells.
    """

    _name = "mail.catchall.recipients"
    _description = "Recipients of an Inbound Email"

    @api.model
    def _resolve_recipients(self, addresses, envelope=()):
        """Find out what the addresses of a mail stand for.

        An address of ours stands for the alias that has it, in its alias domain where it is
        written with an accepted one, without the detail of a subaddress if no alias has it. The
        local part alone counts for aliases that allow that (``alias_incoming_local``): in our own
        domains and the allowed ones, and where none are named, as in core, in any other that the
        mail server delivered for. Other recipients of the sender do not concern us.

        :param addresses: normalized addresses of the envelope and the header
        :param envelope: those of them that the mail server delivered for
        :return dict: :class:`Recipient` by address, in the order of ``addresses``
        """
        domains, aliases = self.env["mail.alias.domain"], self.env["mail.alias"]
        addresses, envelope = list(dict.fromkeys(addresses)), set(envelope)
        ours = self._filter_ours(addresses, envelope)
        candidates = {address: domains._get_candidates(address) for address in ours}
        names = {name for found in candidates.values() for name, _detail in found}
        local_parts = self._get_local_detection(ours, envelope)
        found = aliases._search_addresses(names, set(local_parts.values()))
        by_name = found.filtered("alias_domain_id").grouped("alias_full_name")
        by_local_part = found.filtered("alias_incoming_local").grouped("alias_name")
        resolved = {}
        for address in ours:
            local_aliases = by_local_part.get(local_parts.get(address), aliases)
            resolved[address] = self._resolve(address, candidates[address], by_name, local_aliases)
        return {
            address: resolved.get(address, Recipient(address, "foreign")) for address in addresses
        }

    @api.model
    def _filter_ours(self, addresses, envelope):
        """Return the addresses that may stand for something here, as far as they are looked at.

        A mail may name a hundred thousand.
        """
        domains = self.env["mail.alias.domain"]
        own, service = domains._get_domain_map(), domains._get_service_addresses()
        known = own.keys() | self.env["mail.alias"]._get_allowed_domains()
        taken = service | envelope
        ours = [a for a in addresses if not own or a in taken or a.rpartition("@")[2] in known]
        return ours[:MAX_RECIPIENTS]

    @api.model
    def _get_local_detection(self, addresses, envelope):
        """Return the local part by address, where it alone may find an alias."""
        own = self.env["mail.alias.domain"]._get_domain_map()
        allowed = self.env["mail.alias"]._get_allowed_domains()
        local_parts = {}
        for address in addresses:
            local_part, _at, name = address.rpartition("@")
            is_told = address in envelope or not own
            if name in own or name in allowed or (not allowed and is_told):
                local_parts[address] = local_part
        return local_parts

    @api.model
    def _resolve(self, address, candidates, by_name, local_aliases):
        """Return what one address stands for.

        :param list candidates: see ``mail.alias.domain._get_candidates``
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
        found = local_aliases.filtered(lambda alias: self._is_open_to(alias, domain))
        if found:
            # core finds it again by its full name; one without a domain only by the local part
            name = found[0].alias_full_name if found[0].alias_domain_id else address
            return Recipient(address, "alias", name, "", tuple(found.ids))
        allowed = self.env["mail.alias"]._get_allowed_domains()
        is_ours = candidates or address.rpartition("@")[2] in allowed
        if is_ours or not domains._get_domain_map():  # without any domain, as in core
            return Recipient(address, "unknown")
        return Recipient(address, "foreign")

    @api.model
    def _is_open_to(self, alias, domain):
        """Tell whether an alias may receive mail for another domain: not for another company."""
        own, others = alias.alias_domain_id.company_ids, domain.company_ids
        return not own or not others or bool(own & others)

    @api.model
    def _find_domain(self, mail):
        """Return the alias domain that a mail was written to; None where no company uses it."""
        find = self.env["mail.alias.domain"]._find_by_address
        recipients = mail.get_all("service", "alias", "unknown")
        found = (find(recipient.address) for recipient in recipients)
        return next((domain for domain in found if domain.company_ids), None)

    @api.model
    def _find_company(self, mail):
        """Return the company that a mail is for: its managers may see that it came.

        That of the first user addressed, else that of the first address in one of our domains.
        """
        # sudo: the companies of the aliases, for all companies
        aliases = self.env["mail.alias"].sudo().browse(sorted(mail.get_alias_ids()))
        if company := aliases.alias_user_id.company_id[:1]:
            return company.with_env(self.env)
        return self._find_company_of(mail.resolved)

    @api.model
    def _find_company_of(self, addresses):
        """Return the company of the first normalized address in one of our domains, or none."""
        companies = self.env["mail.alias.domain"]._get_company_map()
        names = (address.rpartition("@")[2] for address in addresses)
        found = (companies[name] for name in names if name in companies)
        return self.env["res.company"].browse(next(found, None))

    @api.model
    def _find_similar(self, address):
        """Return the alias that an unknown address was meant for, as far as can be told.

        :return tuple: alias, or none; whether it is the only one that is one typing error away
        """
        # sudo: managers see it as a suggestion, and senders where the domain bounces
        aliases = self.env["mail.alias"].sudo()
        domain = self.env["mail.alias.domain"]._find_by_address(address)
        if not domain:
            return aliases, False
        written = self.env["mail.alias.domain"]._get_candidates(address)
        local_part = written[-1][0].rpartition("@")[0]  # without its detail
        found = find_similar(local_part, self._get_local_parts(domain, local_part))
        if not found:
            return aliases, False
        name, distance = found[0]
        is_typo = (
            distance == 1
            and (len(found) == 1 or found[1][1] > 1)
            # j.doe is one letter from k.doe, and means john.doe
            and name[0] == local_part[0]
            and all(len(part) > 1 for part in local_part.split("."))
        )
        values = [("alias_domain_id", "=", domain.id), ("alias_name", "=", name)]
        return aliases.search(values, limit=1), is_typo

    @api.model
    def _get_local_parts(self, domain, local_part):
        """Return the local parts of a domain that are long enough to be like this one."""
        self.env["mail.alias"].flush_model(["alias_name", "alias_domain_id"])
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
