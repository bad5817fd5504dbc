"""What the gateway tells core about an inbound email, and what core did with it."""

import dataclasses


@dataclasses.dataclass
class Delivery:
    """Travels in the context key ``catchall_delivery`` while core processes one inbound email.

    The overrides of ``mail.thread`` read the first part and fill in the second.

    Arguments:
        recipients (tuple): normalized envelope recipients
        header_recipients (tuple): normalized recipients that the header names; an envelope
            recipient who is none of them got a blind copy
        only (tuple): the recipients to serve, if not all; else None
        is_copy (bool): another copy of the mail was delivered to other recipients

        message_id (str): Message-Id under which the mail is posted
        author_user_id (int): the user who wrote it in his own mailbox, else 0
        routes (list): what ``message_route`` returned; None if core never asked for routes
        is_bounce (bool): core took it for a bounce report
        is_reply (bool): it answers a message that Odoo knows
        is_loop (bool): its header says that it answers one of our own rejections
        is_rejected (bool): core sent a rejection to its sender
        rejected_by (str): address of the alias that its sender may not write to
        unrouted (str): why there is no route
    """

    recipients: tuple = ()
    header_recipients: tuple = ()
    only: tuple | None = None
    is_copy: bool = False

    message_id: str = ""
    author_user_id: int = 0
    routes: list | None = None
    is_bounce: bool = False
    is_reply: bool = False
    is_loop: bool = False
    is_rejected: bool = False
    rejected_by: str = ""
    unrouted: str = ""

    def is_blind(self, matches):
        """Tell whether no recipient in the header passes ``matches``, a predicate of addresses."""
        return not any(matches(address) for address in self.header_recipients)
