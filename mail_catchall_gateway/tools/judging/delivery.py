"""What is known about an inbound email before core is called, and what core did with it."""

import dataclasses

from ..addresses.addresses import normalize_address
from ..addresses.signed_address import SignedAddress, looks_signed
from ..message.repair import Repaired
from .automatic import REPLIED, AutomaticMail
from .verdict import Verdict

#: Key of the context in which a :class:`Delivery` travels while core processes a mail.
CONTEXT_KEY = "catchall_delivery"
#: Key of the context in which :class:`AddressedUsers` travel while core posts on a document.
USERS_KEY = "catchall_addressed"


@dataclasses.dataclass(frozen=True)
class Recipient:
    """One address that a mail is for, and what it stands for.

    Arguments:
        address (str): as the mail names it, normalized
        kind (str): ``alias``; ``service`` for a catchall, bounce or default-from address;
            ``unknown`` where an address of ours is nobody's; ``foreign`` where it is not ours
        target (str): the address that core knows it by; empty where nobody has it
        detail (str): what follows the separator of a subaddress (RFC 5233)
        alias_ids (tuple): ids of the aliases
        signed (SignedAddress): what an address that was made for one mail stands for, else None
    """

    address: str
    kind: str
    target: str = ""
    detail: str = ""
    alias_ids: tuple = ()
    signed: SignedAddress | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class InboundMail:
    """What is known about a mail. Made once, before core is called, and never changed.

    Arguments:
        fields (list): (name, value) pairs of the header, from the top
        malformed (str): why these are not all of them, in a sentence
        sender (str): normalized address in From
        automatic (AutomaticMail): whether a machine wrote it
        resolved (dict): :class:`Recipient` by address
        recipients (tuple): envelope recipients, as core knows them
        header_recipients (tuple): recipients that the header names, as core knows them; an
            envelope recipient who is none of them got a blind copy
        only (tuple): the recipients to serve, if not all; else None
        is_copy (bool): another copy of the mail was delivered to other recipients, or what the
            mail answers does not count for another reason
        has_used_id (bool): other mails have the same Message-Id
        duplicate_of (int): id of the inbound email that it is a mere duplicate of, else 0
        is_accepted (bool): a manager looked at it, and wants it delivered
        source (bytes): the mail as it came
        repaired (Repaired): the mail, ready for core; None before it is to be delivered
        note (str): what the gateway has to say about the mail, shown above its text
    """

    fields: list = dataclasses.field(default_factory=list)
    malformed: str = ""
    sender: str = ""
    automatic: AutomaticMail = AutomaticMail()
    resolved: dict = dataclasses.field(default_factory=dict)
    recipients: tuple = ()
    header_recipients: tuple = ()
    only: tuple | None = None
    is_copy: bool = False
    has_used_id: bool = False
    duplicate_of: int = 0
    is_accepted: bool = False
    source: bytes = dataclasses.field(default=b"", repr=False)
    repaired: Repaired | None = None
    note: str = ""

    @property
    def is_machine_answer(self):
        """Whether a machine answered (RFC 3834): it opens nothing, and is told to no outsider."""
        return self.automatic.kind == REPLIED

    def replace(self, **values):
        """Return the same mail with some of what is known about it changed."""
        return dataclasses.replace(self, **values)

    def redirected(self, alias=None, note=""):
        """Return the same mail for one alias, whatever it answers.

        :param Recipient alias: as whose it is delivered; None for nobody's
        """
        resolved = {alias.address: alias} if alias else {}
        return self.replace(
            resolved={**self.resolved, **resolved},
            only=(alias.target,) if alias else (),
            is_copy=True,
            note=note,
        )

    def is_blind(self, alias_id):
        """Tell whether no recipient in the header is this alias."""
        named = set(self.header_recipients)
        return not any(
            alias_id in recipient.alias_ids and recipient.target in named
            for recipient in self.resolved.values()
        )

    def get_target(self, address):
        """Return the address that core knows a recipient by.

        :param str address: in any form; what nobody has stays as it is
        """
        recipient = self.resolved.get(normalize_address(address))
        return recipient.target if recipient and recipient.target else address

    def is_alias(self, address):
        """Tell whether a recipient is the address of an alias, as core knows it.

        :param str address: in any form
        """
        address = normalize_address(address)
        recipient = self.resolved.get(address)
        return bool(recipient) and (recipient.kind, recipient.target) == ("alias", address)

    def get_alias_ids(self, addresses=None):
        """Return the ids of the aliases that the mail is for.

        :param addresses: only those of these addresses, as core knows them
        """
        return {
            alias_id
            for recipient in self.resolved.values()
            for alias_id in recipient.alias_ids
            if addresses is None or recipient.target in addresses
        }

    def is_ours(self, address):
        """Tell whether a normalized address is one that core finds something for."""
        recipient = self.resolved.get(address)
        return recipient is not None and bool(recipient.target)

    def get_all(self, *kinds):
        """Return the recipients of these kinds, see :class:`Recipient`."""
        return [recipient for recipient in self.resolved.values() if recipient.kind in kinds]

    def get_unknown(self):
        """Return the addresses of ours that it names and that do not exist, as a set."""
        return {recipient.address for recipient in self.get_all("unknown")}

    def get_signed(self, kind=None):
        """Return what the first signed address that the mail was sent to stands for, or None.

        :param str kind: ``reply`` or ``bounce``, if only one of them will do
        """
        found = (recipient.signed for recipient in self.resolved.values() if recipient.signed)
        return next((signed for signed in found if kind in (None, signed.kind)), None)

    def is_tampered(self):
        """Tell whether it was sent to a signed address that is not ours, and to nobody else."""
        unknown = self.get_all("unknown") if not self.get_all("alias", "service") else ()
        return any(looks_signed(recipient.address) for recipient in unknown)

    def get_targets(self, alias_ids):
        """Return the addresses, as core knows them, of the recipients who are these aliases."""
        wanted = set(alias_ids)
        return {r.target for r in self.resolved.values() if not wanted.isdisjoint(r.alias_ids)}


@dataclasses.dataclass(eq=False)
class Outcome:
    """What core did with a mail. The overrides of core's hooks fill it in.

    Arguments:
        message_id (str): Message-Id under which the mail is posted
        author_user_id (int): the user who wrote it in their own mailbox, else 0
        posted (list): (message id, model, record id) of what it became
        routes (list): what ``message_route`` returned; None if core never asked for routes
        is_bounce (bool): core took it for a bounce report
        is_reply (bool): it answers a message that Odoo knows
        loop (str): how a loop showed: ``header`` or ``threshold``
        is_rejected (bool): core wanted to send a rejection to its sender
        rejection_code (str): why it would be sent
        rejection (tuple): (address, code) of the rejection that was sent
        silence (str): why it was not sent
        rejected_by (str): address of the alias that its sender may not write to
        report (DeliveryReport): what it reports about a mail that was sent, else None
        bounced (tuple): addresses that it says were not reached
        unrouted (str): why there is no route
        verdict (Verdict): what was decided after it was parsed
    """

    message_id: str = ""
    author_user_id: int = 0
    posted: list = dataclasses.field(default_factory=list)
    routes: list | None = None
    is_bounce: bool = False
    is_reply: bool = False
    loop: str = ""
    is_rejected: bool = False
    rejection_code: str = "catchall"
    rejection: tuple = ()
    silence: str = ""
    rejected_by: str = ""
    report: object = None
    bounced: tuple = ()
    unrouted: str = ""
    verdict: Verdict | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class Delivery:
    """One mail on its way through core: what is known about it, and what core did with it."""

    mail: InboundMail
    outcome: Outcome = dataclasses.field(default_factory=Outcome)


def delivery_of(env):
    """Return the :class:`Delivery` that core works on, None outside of the gateway.

    A remote call can put anything into the context, but no such object.
    """
    delivery = env.context.get(CONTEXT_KEY)
    return delivery if isinstance(delivery, Delivery) else None


class AddressedUsers(tuple):
    """Ids of the users whom the mail that core posts on a document is also written to."""


def addressed_user_ids(env):
    """Return the :class:`AddressedUsers`, none outside of the gateway.

    A remote call can put anything into the context, but no such object.
    """
    user_ids = env.context.get(USERS_KEY)
    return user_ids if isinstance(user_ids, AddressedUsers) else ()
