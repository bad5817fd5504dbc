"""Which users get a mail, and where. No model: it lives as long as a mail is routed."""

from odoo import _, tools
from odoo.fields import Command

from ...tools.addresses.addresses import normalize_address
from ...tools.judging.delivery import delivery_of

CONVERSATION = "mail.catchall.conversation"
#: Stands for recipients who are none of ours where core must see that there are some.
NOBODY = "~nobody~@invalid"


class NoReceiver(ValueError):
    """A mail for users who left, and whose mail no colleague gets."""


class Addressed:
    """The users whose messaging aliases are among the recipients of a mail.

    Core's route of a document wins: they are notified there. Else those whom everybody sees among
    the recipients share a conversation, in each company one. Users who got a blind copy have one
    of their own, so that it stays blind. A conversation goes on where the mail answers it, but
    opens to no user who was not in it.

    Arguments:
        aliases: the messaging aliases, as superuser
        users: those who get the mail of the aliases that the header names
        blind: those who get the mail of the others
        on_documents: those of ``users`` to notify on documents, after :meth:`route`; less those
            who were notified on one
    """

    def __init__(self, env, aliases, delivery=None):
        self.env = env
        self.aliases = aliases
        self.delivery = delivery
        self.users = self.blind = self.on_documents = env["res.users"]
        for alias in aliases:
            user = alias._get_receiving_user()
            if self._is_blind(alias):
                self.blind |= user
            else:
                self.users |= user
        self.blind -= self.users

    @classmethod
    def find(cls, env, message_dict):
        """Return the users that a mail is for (see ``mail.thread.message_parse``)."""
        recipients = tools.email_normalize_all(message_dict["recipients"])
        delivery = delivery_of(env)
        if delivery is None:
            aliases = env["mail.alias"]._find_by_addresses(recipients)
        else:
            # sudo: the user of the mail may be anybody
            aliases = env["mail.alias"].sudo()
            aliases = aliases.browse(sorted(delivery.mail.get_alias_ids(set(recipients))))
        return cls(env, aliases.filtered("is_user_alias"), delivery)

    def __bool__(self):
        return bool(self.aliases)

    def _is_blind(self, alias):
        return self.delivery is not None and self.delivery.mail.is_blind(alias.id)

    def hide_from_core(self, message_dict):
        """Hide what would make core take a mail for something else, and return it.

        * Core compares local parts with whatever an outsider writes into To and Cc, and may find
          an alias of ours.
        * Core takes an answer that is also written to an alias of another model for a forward,
          and would open a new thread. A user who gets a copy is no reason for that.
        * A copy of a mail must not answer again what the first one answered.
        * Core bounces what is written to the catchall, and does not look who is in Cc.

        :return dict: what ``message_dict`` is to be updated with after core routed it
        """
        hidden, mail = {}, self.delivery and self.delivery.mail
        if mail is not None:
            for key in ("to", "recipients"):
                hidden[key] = message_dict[key]
                message_dict[key] = self._without_strangers(message_dict[key])
        if mail is not None and mail.is_copy:
            hidden.update({key: message_dict.get(key) for key in ("references", "in_reply_to")})
            message_dict.update(references="", in_reply_to="")
            message_dict.pop("parent_id", None)
        elif self and self._is_answer_to_document(message_dict):
            for key in ("to", "recipients"):
                hidden.setdefault(key, message_dict[key])
                message_dict[key] = self._without_users(message_dict[key])
        elif self:
            hidden.setdefault("to", message_dict["to"])
            names = self.aliases.mapped("alias_full_name")
            message_dict["to"] = ",".join([message_dict["to"], *names])
        return hidden

    def _without_strangers(self, value):
        """Return a list of recipients with those who are none of ours made unrecognizable."""
        ours = set()
        for recipient in self.delivery.mail.get_all("alias", "service"):
            ours |= {recipient.address, recipient.target}
        addresses = map(normalize_address, tools.email_split(value or ""))
        return ",".join(address if address in ours else NOBODY for address in addresses)

    def _without_users(self, value):
        """Return a list of addresses without those of the messaging aliases."""
        kept = []
        for email in tools.email_split_and_format(value):
            address = tools.email_normalize(email)
            if not any(alias._matches(address) for alias in self.aliases):
                kept.append(email)
        return ",".join(kept)

    def _is_answer_to_document(self, message_dict):
        # sudo: whether the answered message has a document, yes or no
        parent = self.env["mail.message"].sudo().browse(message_dict.get("parent_id") or [])
        has_document = self.env["mail.catchall.parent"]._has_document
        return parent.model != CONVERSATION and has_document(parent)

    def route(self, message_dict, routes):
        """Return core's routes with those of messaging aliases replaced by ours.

        :param dict message_dict: takes note of the users to notify on documents
        :param list routes: (model, thread_id, custom_values, uid, alias), see ``message_route``
        :raise NoReceiver: if no user gets the mail
        """
        answered = [route for route in routes if route[0] == CONVERSATION and route[1]]
        is_to_all = not self or self._is_answer_to_all(message_dict)
        left = self._find_abandoned(answered) if is_to_all else self.env[CONVERSATION]
        if not self and not left:
            return routes
        self._add_successors(left)
        documents = [route for route in routes if route[0] != CONVERSATION]
        if is_to_all:
            documents += [route for route in answered if route[1] not in left.ids]
        # a document that was made for a blind copy is shown to nobody
        shared = [route for route in documents if not (route[4] and self._is_blind(route[4]))]
        message_dict["catchall_addressed"] = self
        found = list(documents)
        if any(route[0] != CONVERSATION for route in shared):
            self.on_documents = self.users
        else:
            known = self.env[CONVERSATION].browse(route[1] for route in documents if route[1])
            found += self.open_conversations(message_dict, self.users - known.user_ids)
        for user in self.blind:
            found += self.open_conversations(message_dict, user, blind=True)
        if routes and not found:
            raise NoReceiver(
                _(
                    "Nobody gets the mail for %(addresses)s: the user is archived, and left it to "
                    "nobody.",
                    addresses=", ".join(self.aliases.mapped("display_name")),
                )
            )
        return found

    def _find_abandoned(self, routes):
        """Return the conversations whose members have all left; a machine's answer needs none."""
        if self.delivery is not None and self.delivery.mail.is_machine_answer:
            return self.env[CONVERSATION]
        # sudo: whether the members are still active
        conversations = self.env[CONVERSATION].sudo().browse(route[1] for route in routes)
        return conversations.filtered(lambda c: not c.user_ids.filtered("active"))

    def _add_successors(self, conversations):
        """Add the users who get the mail of those who left: no address may name them."""
        members = conversations.with_context(active_test=False).user_ids
        self.aliases |= members.alias_id
        for alias in members.alias_id:
            self.users |= alias._get_receiving_user()

    def _is_answer_to_all(self, message_dict):
        """Tell whether the mail is written to the gateway itself, which the Reply-To may name."""
        recipients = tools.email_normalize_all(message_dict["recipients"])
        return any(map(self.env["mail.alias.domain"]._is_service_address, recipients))

    def open_conversations(self, message_dict, users, blind=False):
        """Return the routes to conversations of these users: known ones, else new ones.

        :param bool blind: only conversations that the user is alone in
        """
        known = self._find_conversations(message_dict, users, blind)
        routes = [
            (CONVERSATION, conversation.id, {}, self.env.uid, self._get_alias(members))
            for conversation, members in known.items()
        ]
        new = users - users.browse().union(*known.values())
        author = self._get_author(message_dict)
        for company in new.company_id:
            members = new.filtered(lambda user, company=company: user.company_id == company)
            command = Command.set((members | author).ids)
            values = {"user_ids": [command], "company_id": company.id}
            routes.append((CONVERSATION, 0, values, self.env.uid, self._get_alias(members)))
        return routes

    def _find_conversations(self, message_dict, users, blind):
        """Return the users by the newest conversation of theirs that the mail answers."""
        references = self.env["mail.catchall.parent"]._get_references(message_dict)
        if not references or not users:
            return {}
        # sudo: the gateway looks for what a mail answers; it opens to no user who was not in it
        domain = [("message_id", "in", references), ("model", "=", CONVERSATION)]
        messages = self.env["mail.message"].sudo().search(domain, order="id desc")
        # sudo: as above
        conversations = self.env[CONVERSATION].sudo().browse(messages.mapped("res_id")).exists()
        known = {}
        for conversation in conversations:
            members = conversation.user_ids
            mine = users & members
            if mine and not (blind and members != mine):
                known[conversation] = mine
                users -= mine
        return known

    def _get_alias(self, users):
        """Return an alias of these users: core notes on it that it works."""
        found = self.aliases.filtered(lambda alias: alias._get_receiving_user() in users)
        return found[:1].with_env(self.env)

    def _get_author(self, message_dict):
        """Return the user who wrote the mail: they take part in what they begin."""
        author = self.env["res.partner"].browse(message_dict.get("author_id") or [])
        if not author:
            thread = self.env["mail.thread"]
            author = thread._mail_find_partner_from_emails([message_dict["email_from"]])[0]
        return author.user_ids.filtered(lambda user: user.active and not user.share)[:1]
