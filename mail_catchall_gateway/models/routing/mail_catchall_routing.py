"""Who of the users gets a mail, and where. No model: it lives as long as a mail is routed."""

from odoo import _, tools
from odoo.fields import Command

CONVERSATION = "mail.catchall.conversation"


class Addressed:
    """The users whose messaging aliases are among the recipients of a mail.

    Core's route of a document wins: they are notified there. Else those whom everybody sees among
    the recipients share a conversation, in each company one; who got a blind copy has one of his
    own, so that nobody learns of it. A conversation goes on where the mail answers it, but opens
    to nobody who was not in it.

    Arguments:
        aliases: the messaging aliases, as superuser
        users: who gets the mail of those that the header names
        blind: who gets the mail of the others
        on_documents: those of ``users`` to notify on documents, after :meth:`route`
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

    def __bool__(self):
        return bool(self.aliases)

    def _is_blind(self, alias):
        return self.delivery is not None and self.delivery.mail.is_blind(alias.id)

    def without_users(self, value):
        """Return a list of addresses without those of the messaging aliases.

        :param str value: addresses separated by commas, as in a message_dict
        """
        kept = []
        for email in tools.email_split_and_format(value):
            address = tools.email_normalize(email)
            if not any(alias._matches(address) for alias in self.aliases):
                kept.append(email)
        return ",".join(kept)

    def route(self, message_dict, routes):
        """Return core's routes with those of messaging aliases replaced by ours.

        :param dict message_dict: the mail, see ``mail.thread.message_parse``; takes note of the
            users to notify on documents
        :param list routes: (model, thread_id, custom_values, uid, alias), see ``message_route``
        :raise ValueError: as core does, if nobody gets the mail
        """
        answered = [route for route in routes if route[0] == CONVERSATION and route[1]]
        is_to_all = not self or self._is_answer_to_all(message_dict)
        left = self._get_left(answered) if is_to_all else self.env[CONVERSATION]
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
            raise ValueError(
                _(
                    "Nobody gets the mail for %(addresses)s: the user is archived, and left it to "
                    "nobody.",
                    addresses=", ".join(self.aliases.mapped("display_name")),
                )
            )
        return found

    def _get_left(self, routes):
        """Return the conversations that nobody reads any more: all members left the company.

        Of what a machine answers, none: nobody has to read it.

        :param list routes: of conversations, see ``message_route``
        """
        if self.delivery is not None and self.delivery.mail.automatic.kind == "replied":
            return self.env[CONVERSATION]
        conversations = self.env[CONVERSATION].sudo().browse(route[1] for route in routes)
        return conversations.filtered(lambda c: not c.user_ids.filtered("active"))

    def _add_successors(self, conversations):
        """Add who gets the mail of those who left: an answer may name the gateway alone."""
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
        :return list: see ``message_route``
        """
        known = self._find_conversations(message_dict, users, blind)
        routes = [
            (CONVERSATION, conversation.id, {}, self.env.uid, self._get_alias(members))
            for conversation, members in known.items()
        ]
        new = users.browse().union(*known.values()) if known else users.browse()
        new = users - new
        author = self._get_author(message_dict)
        for company in new.company_id:
            members = new.filtered(lambda user, company=company: user.company_id == company)
            values = {
                "user_ids": [Command.set((members | author).ids)],
                "company_id": company.id,
            }
            routes.append((CONVERSATION, 0, values, self.env.uid, self._get_alias(members)))
        return routes

    def _find_conversations(self, message_dict, users, blind):
        """Return the users by the newest conversation of theirs that the mail answers."""
        references = self.env["mail.thread"]._get_references(message_dict)
        if not references or not users:
            return {}
        messages = self.env["mail.message"].sudo()
        messages = messages.search(
            [("message_id", "in", references), ("model", "=", CONVERSATION)], order="id desc"
        )
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
        """Return the user who wrote the mail: he takes part in what he begins."""
        thread = self.env["mail.thread"]
        author = self.env["res.partner"].browse(message_dict.get("author_id") or [])
        if not author:
            author = thread._mail_find_partner_from_emails([message_dict["email_from"]])[0]
        return author.user_ids.filtered(lambda user: user.active and not user.share)[:1]
