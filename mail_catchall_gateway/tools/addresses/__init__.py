from . import addresses
from . import alias_names
from . import organizational_domain
from . import recipients
from . import reply_to
from . import signed_address
from . import similar_addresses
