from . import addresses
from . import delivery
from . import imap
from . import recipients
from . import source
from . import verdict
