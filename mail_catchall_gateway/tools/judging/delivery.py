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
    """One address that a mail is for, and what it stands for."""

    address: str  # as the mail names it, normalized
    #: ``alias``; ``service`` for a catchall, bounce or default-from address; ``unknown`` where an
    #: address of ours is nobody's; ``foreign`` where it is not ours
    kind: str
    target: str = ""  # the address that core knows it by; empty where nobody has it
    detail: str = ""  # what follows the separator of a subaddress (RFC 5233)
    alias_ids: tuple = ()
    signed: SignedAddress | None = None  # of an address that was made for one mail


@dataclasses.dataclass(frozen=True, eq=False)
class InboundMail:
    """What is known about a mail. Made once, before core is called, and never changed."""

    fields: list = dataclasses.field(default_factory=list)  # (name, value) pairs, from the top
    malformed: str = ""  # why these are not all of them, in a sentence
    sender: str = ""  # normalized address in From
    automatic: AutomaticMail = AutomaticMail()
    resolved: dict = dataclasses.field(default_factory=dict)  # :class:`Recipient` by address
    recipients: tuple = ()  # envelope recipients, as core knows them
    #: those that the header names; an envelope recipient who is none of them got a blind copy
    header_recipients: tuple = ()
    only: tuple | None = None  # the recipients to serve, if not all
    #: another copy was delivered to other recipients, or what it answers does not count
    is_copy: bool = False
    has_used_id: bool = False  # other mails have the same Message-Id
    duplicate_of: int = 0  # id of the inbound email that it is a mere duplicate of
    is_accepted: bool = False  # a manager looked at it, and wants it delivered
    source: bytes = dataclasses.field(default=b"", repr=False)
    repaired: Repaired | None = None  # ready for core; None before it is to be delivered
    note: str = ""  # what the gateway has to say about the mail, shown above its text

    @property
    def is_machine_answer(self):
        """Whether a machine answered (RFC 3834): it opens nothing, and is told to no outsider."""
        return self.automatic.kind == REPLIED

    def replace(self, **values):
        """Return the same mail with some of what is known about it changed."""
        return dataclasses.replace(self, **values)

    def redirected(self, alias=None, note=""):
        """Return the same mail, whatever it answers, for one alias (a Recipient), or for none."""
        resolved = {**self.resolved, alias.address: alias} if alias else self.resolved
        only = (alias.target,) if alias else ()
        return self.replace(resolved=resolved, only=only, is_copy=True, note=note)

    def is_blind(self, alias_id):
        """Tell whether no recipient in the header is this alias."""
        return alias_id not in self.get_alias_ids(set(self.header_recipients))

    def get_target(self, address):
        """Return the address that core knows a recipient by; one that nobody has stays as it is."""
        recipient = self.resolved.get(normalize_address(address))
        return recipient.target if recipient and recipient.target else address

    def is_alias(self, address):
        """Tell whether a recipient is the address of an alias, as core knows it."""
        address = normalize_address(address)
        recipient = self.resolved.get(address)
        return bool(recipient) and (recipient.kind, recipient.target) == ("alias", address)

    def get_alias_ids(self, addresses=None):
        """Return the ids of the aliases that the mail is for, of these addresses or of all."""
        return {
            alias_id
            for recipient in self.resolved.values()
            for alias_id in recipient.alias_ids
            if addresses is None or recipient.target in addresses
        }

    def is_ours(self, address):
        """Tell whether a normalized address is one that core finds something for."""
        return address in self.resolved and bool(self.resolved[address].target)

    def get_all(self, *kinds):
        """Return the recipients of these kinds, see :class:`Recipient`."""
        return [recipient for recipient in self.resolved.values() if recipient.kind in kinds]

    def get_unknown(self):
        """Return the addresses of ours that it names and that do not exist, as a set."""
        return {recipient.address for recipient in self.get_all("unknown")}

    def get_signed(self, kind=None):
        """Return what the first signed address (of this kind) that it was sent to stands for."""
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
    """What core did with a mail. The overrides of core's hooks fill it in."""

    message_id: str = ""  # under which the mail is posted
    author_user_id: int = 0  # the user who wrote it in their own mailbox
    posted: list = dataclasses.field(default_factory=list)  # (message id, model, record id)
    routes: list | None = None  # of ``message_route``; None if core never asked for them
    is_bounce: bool = False  # core took it for a bounce report
    is_reply: bool = False  # it answers a message that Odoo knows
    loop: str = ""  # how a loop showed: ``header`` or ``threshold``
    is_rejected: bool = False  # core wanted to send a rejection to its sender
    rejection_code: str = "catchall"  # why it would be sent
    rejection: tuple = ()  # (address, code) of the rejection that was sent
    silence: str = ""  # why none was sent
    rejected_by: str = ""  # address of the alias that its sender may not write to
    report: object = None  # DeliveryReport about a mail that was sent
    bounced: tuple = ()  # addresses that it says were not reached
    unrouted: str = ""  # why there is no route
    verdict: Verdict | None = None  # what was decided after it was parsed


@dataclasses.dataclass(frozen=True, eq=False)
class Delivery:
    """One mail on its way through core: what is known about it, and what core did with it."""

    mail: InboundMail
    outcome: Outcome = dataclasses.field(default_factory=Outcome)


def delivery_of(env):
    """Return the :class:`Delivery` that core works on, None outside of the gateway."""
    # a remote call can put anything into the context, but no such object
    delivery = env.context.get(CONTEXT_KEY)
    return delivery if isinstance(delivery, Delivery) else None


class AddressedUsers(tuple):
    """Ids of the users whom the mail that core posts on a document is also written to."""


def addressed_user_ids(env):
    """Return the :class:`AddressedUsers`, none outside of the gateway."""
    user_ids = env.context.get(USERS_KEY)
    return user_ids if isinstance(user_ids, AddressedUsers) else ()
