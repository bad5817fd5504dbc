from odoo import api, models, tools
from odoo.fields import Command

from ..tools.addresses import replace_address


class MailThread(models.AbstractModel):
    """Core's gateway, told by the inbound email who a mail was delivered for.

    See ``tools/delivery.py`` for what passes through the context key ``catchall_delivery``.
    """

    _inherit = "mail.thread"

    # ------------------------------------------------------------
    # PARSING
    # ------------------------------------------------------------

    @api.model
    def message_parse(self, message, save_original=False):
        """Give core the envelope recipients in the field where it looks for them.

        Core takes every ``Delivered-To`` for an envelope recipient. In a catch-all mailbox that is
        the mailbox itself, and core would bounce the mail as written to the catchall.
        """
        delivery = self.env.context.get("catchall_delivery")
        if delivery is None:
            return super().message_parse(message, save_original=save_original)
        del message["Delivered-To"]
        for recipient in delivery.recipients:
            message["Delivered-To"] = recipient
        msg_dict = super().message_parse(message, save_original=save_original)
        self._hide_own_mailbox(delivery, msg_dict)
        delivery.message_id = msg_dict["message_id"]
        delivery.is_bounce = msg_dict["is_bounce"]
        return msg_dict

    @api.model
    def _hide_own_mailbox(self, delivery, msg_dict):
        """Let nothing of a user's own mailbox out with what he sends from it.

        The Message-Id goes out again to who gets the message, and often names his provider, his
        machine or his address; quoted text may name the address that his copy was sent to.
        """
        own_address = tools.email_normalize(msg_dict["email_from"])
        user_id, identity = self.env["res.users"]._get_identities().get(own_address, (0, ""))
        if not user_id or msg_dict["is_bounce"]:
            return
        delivery.author_user_id = user_id
        msg_dict["message_id"] = tools.generate_tracking_message_id("mailbox")
        alias = tools.email_normalize(identity)
        msg_dict["body"] = replace_address(msg_dict["body"], own_address, alias)

    # ------------------------------------------------------------
    # ROUTING
    # ------------------------------------------------------------

    @api.model
    def message_route(self, message, message_dict, model=None, thread_id=None, custom_values=None):
        """Make one conversation of all messaging aliases, and note what core decided."""
        delivery = self.env.context.get("catchall_delivery")
        try:
            routes = super().message_route(message, message_dict, model, thread_id, custom_values)
        except ValueError as error:
            if delivery is None:
                raise
            delivery.unrouted = str(error)
            routes = []
        routes = self._merge_user_routes(routes)
        if delivery is not None:
            delivery.routes = routes
            # core forgets the parent where it opens a new thread
            delivery.is_reply = bool(routes and message_dict.get("parent_id") and routes[0][1])
        return routes

    @api.model
    def _merge_user_routes(self, routes):
        """Return the routes with a single one for all messaging aliases that open a thread.

        :param list routes: (model, thread_id, custom_values, uid, alias), see ``message_route``
        """
        to_users = [
            route for route in routes if not route[1] and route[4] and route[4].is_user_alias
        ]
        if not to_users:
            return routes
        aliases = self.env["mail.alias"].sudo().union(*(route[4].sudo() for route in to_users))
        users = aliases.alias_user_id
        model, thread_id, custom_values, uid, alias = to_users[0]
        custom_values = {
            **custom_values,
            "user_ids": [Command.set(users.ids)],
            "company_id": users[:1].company_id.id,
        }
        merged = (model, thread_id, custom_values, uid, alias)
        return [route for route in routes if route not in to_users] + [merged]

    @api.model
    def _detect_loop_headers(self, msg_dict):
        is_loop = super()._detect_loop_headers(msg_dict)
        if is_loop and (delivery := self.env.context.get("catchall_delivery")):
            delivery.is_loop = True
        return is_loop

    @api.model
    def _routing_create_bounce_email(self, email_from, body_html, message, **mail_values):
        if delivery := self.env.context.get("catchall_delivery"):
            delivery.is_rejected = True
        return super()._routing_create_bounce_email(email_from, body_html, message, **mail_values)

    # ------------------------------------------------------------
    # IDENTITY
    # ------------------------------------------------------------

    def _message_compute_author(self, author_id=None, email_from=None, raise_on_email=True):
        author_id, email_from = super()._message_compute_author(
            author_id, email_from, raise_on_email
        )
        if email_from:
            email_from = self.env["res.users"]._replace_own_address(email_from)
        return author_id, email_from
