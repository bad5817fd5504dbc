from . import conversation
from . import inbound
from . import mailbox
from . import people
from . import routing
from . import sending
from . import settings
