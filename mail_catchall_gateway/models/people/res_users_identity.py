import functools

from odoo import api, models, tools


@functools.lru_cache(maxsize=4096)
def _split(emails):
    """Return the mailboxes of a list: (name, normalized address, formatted).

    A queue of mails asks for the same few addresses again and again.
    """
    return tuple(
        (name, tools.email_normalize(address), tools.formataddr((name, address)))
        for name, address in tools.mail.email_split_tuples(emails)
    )


class ResUsers(models.Model):
    """As whom users write: as their messaging aliases, and never as their own addresses."""

    _inherit = "res.users"

    @api.model
    @tools.ormcache("with_archived")
    def _get_identities(self, with_archived=False):
        """Return who writes as a messaging alias.

        :param bool with_archived: also who left; whoever has his address now comes first
        :return dict: by normalized own address, of which a user may have several, and where users
            share one by (address, name) too: (user id, '"Name" <alias@domain>')
        """
        users = self.sudo().with_context(active_test=not with_archived)
        main, identities = {}, {}
        for user in users.search([("alias_email", "!=", False)], order="active, id desc"):
            if not user.email_normalized or not user.alias_email:
                continue
            identity = (user.id, tools.formataddr((user.name, user.alias_email)))
            main[user.email_normalized] = identity
            for address in tools.email_normalize_all(user.email):
                identities[address] = identities[address, user.name] = identity
        return {**identities, **main}

    @api.model
    def _replace_own_address(self, emails, with_archived=False):
        """Return messaging aliases instead of users' own addresses.

        :param str emails: addresses, with or without names
        :param bool with_archived: also of users who left
        :return str: formatted addresses, or ``emails`` where none is anybody's own address
        """
        identities = self._get_identities(with_archived)
        mailboxes = _split(emails) if identities and emails else ()
        if not any(address in identities for _name, address, _email in mailboxes):
            return emails
        replaced = []
        for name, address, email in mailboxes:
            found = identities.get((address, name)) or identities.get(address)
            replaced.append(found[1] if found else email)
        return ", ".join(dict.fromkeys(replaced))

    @api.model
    def _find_by_alias(self, address):
        """Return the active user whose messaging alias an address is.

        :param str address: normalized address
        """
        candidates = self.env["mail.alias.domain"]._get_candidates(address) if address else []
        names = [name for name, _detail in candidates]
        if not names:
            return self.browse()
        aliases = self.env["mail.alias"].sudo().search([("alias_full_name", "in", names)])
        alias = min(aliases, key=lambda a: names.index(a.alias_full_name), default=aliases)
        return alias.alias_user_id.filtered("active")
