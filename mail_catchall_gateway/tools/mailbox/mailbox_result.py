"""What became of fetching a mailbox."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class FetchResult:
    """How a fetch ended.

    Arguments:
        code (str): ``fetched``, ``busy`` (somebody else is at it) or ``error``
        count (int): mails stored, also before an error
        has_more (bool): whether it stopped for its time was over
        text (str): what went wrong, in words; of single mails where ``code`` is ``fetched``
    """

    code: str
    count: int = 0
    has_more: bool = False
    text: str = ""
