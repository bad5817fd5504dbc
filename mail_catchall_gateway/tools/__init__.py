from . import addresses
from . import alias_names
from . import delivery
from . import imap
from . import inline_images
from . import recipients
from . import source
from . import verdict
