"""The people outside that a conversation is held with. No model: it lives as long as one post."""

from odoo import tools
from odoo.fields import Command

from ...tools.addresses.recipients import address_fields
from ...tools.addresses.reply_to import reply_mailboxes
from ...tools.judging.delivery import delivery_of

#: A mail to more people than this is answered to its sender alone.
MAX_CC = 50


class Correspondents:
    """Decides where the answers of a conversation go, and which contacts get them, as its user."""

    def __init__(self, conversation):
        self.conversation = conversation
        self.env = conversation.env

    @property
    def emails(self):
        """The addresses that answers go to; a user may have named several."""
        value = self.conversation.email_reply_to or self.conversation.email_from
        emails = tools.email_split_and_format(value)
        return emails if len(emails) > 1 else [value]

    @property
    def cc(self):
        """The addresses that get a copy of answers."""
        conversation = self.conversation
        return tools.email_split_and_format(conversation.reply_to_all and conversation.email_cc)

    def match(self, partners):
        """Return the first of some contacts that has the address which answers go to."""
        conversation = self.conversation
        address = tools.email_normalize(conversation.email_reply_to or conversation.email_from)
        return partners.filtered(lambda p: address and p.email_normalized == address)[:1]

    def find_or_create(self):
        """Return the contacts to answer; correspondents become contacts with the first answer.

        Those whom a user's own mailbox wrote to directly have the answer already.
        """
        contact = self.conversation.partner_id
        wanted = self.emails
        if not any(wanted):
            return contact
        delivery = delivery_of(self.env)
        reached = delivery.mail.header_recipients if delivery else ()
        emails = [e for e in wanted + self.cc if tools.email_normalize(e) not in reached]
        known = self.match(contact.filtered("active"))
        others = [email for email in emails if not known or email != wanted[0]]
        found = self.env["mail.thread"]._mail_find_partner_from_emails(others, force_create=True)
        partners = self.env["res.partner"].concat(*found)
        return partners | known if wanted[0] in emails else partners

    def unite(self, recipients):
        """Give those outside one language: the correspondent's, or that of the first.

        Core makes a mail for each language: they would not see each other.
        """
        outside = [data for data in recipients if data["share"]]
        partners = self.env["res.partner"].browse(data["id"] for data in outside)
        langs = {data["id"]: data["lang"] for data in outside}
        lang = langs.get(self.match(partners).id)
        for data in outside:
            data["lang"] = lang or outside[0]["lang"]

    def prepare_shared_mail(self, partners):
        """Return the values of a mail to several people outside: one mail, with the others in Cc.

        Core makes a mail for each; they would not know of each other, or answer to all.
        """
        users = partners.with_context(active_test=False).user_ids
        first = self.match(partners) or partners[:1]
        if len(partners) < 2 or not all(users.mapped("share")) or not first.email_normalized:
            return {}
        others = (partners - first).filtered("email_normalized")
        return {
            "recipient_ids": [Command.clear()],
            "email_to": first.email_formatted,
            "email_cc": ", ".join(others.mapped("email_formatted")),
        }

    def are_passed_over(self):
        """Tell whether a user's own mail is to others, so that correspondents are not shown it."""
        delivery = delivery_of(self.env)
        if not delivery:
            return False
        written_to = set(address_fields(delivery.mail.fields, ("to",)))
        ours = {found.address for found in delivery.mail.get_all("alias", "service", "unknown")}
        conversation = self.conversation
        values = (conversation.email_from, conversation.email_reply_to, conversation.email_cc)
        known = tools.email_normalize_all(",".join(filter(None, values)))
        known.append(conversation.partner_id.email_normalized)
        return bool(written_to) and not written_to & {*ours, *known}


def is_colleague(partner):
    partner = partner.sudo()  # only a yes or no leaves
    return bool(partner.user_ids) and not partner.partner_share


def find_correspondents(env, message_dict):
    """Return the values of a conversation after a mail: none if a colleague wrote it.

    :param dict message_dict: see ``mail.thread.message_parse``
    """
    author = env["res.partner"].browse(message_dict.get("author_id") or [])
    if is_colleague(author):
        return {}
    sender, delivery = message_dict["email_from"], delivery_of(env)
    address = tools.email_normalize(sender)
    emails = tools.email_split_and_format(f"{message_dict['to']},{message_dict['cc']}")
    others = _get_outsiders(env, [(tools.email_normalize(email), email) for email in emails])
    others.pop(address, None)
    # never to ourselves: a user's answer would come back to them or to a colleague
    mailboxes = reply_mailboxes(delivery.mail.fields) if delivery else {}
    wanted = _get_outsiders(env, [(a, tools.formataddr((n, a))) for a, n in mailboxes.items()])
    if list(wanted) == [address]:
        wanted = {}
    return {
        "partner_id": author.id,
        "is_unanswered": True,
        "email_from": sender,
        "email_reply_to": 0 < len(wanted) <= MAX_CC and ", ".join(wanted.values()),
        "email_cc": len(others) <= MAX_CC and ", ".join(others.values()),
    }


def _get_outsiders(env, mailboxes):
    """Return those of (normalized, formatted) addresses that are neither ours nor a user's own."""
    is_ours = env["mail.alias.domain"]._is_gateway_address
    own_addresses = env["res.users"]._get_identities()
    found = {}
    for address, email in mailboxes:
        if address and not is_ours(address) and address not in own_addresses:
            found.setdefault(address, email)
    return found
