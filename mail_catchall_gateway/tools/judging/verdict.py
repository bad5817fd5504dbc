"""What the gateway decided for an inbound email."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Verdict:
    """A decision that ends the processing of an inbound email."""

    code: str  # why, one of the verdict codes of ``mail.catchall.inbound``
    action: str  # the state that the inbound email ends in
    reason: str = dataclasses.field(default="", compare=False)  # a sentence for the administrator
