from . import addresses
from . import judging
from . import mailbox
from . import message
from . import reports
from . import sending
from . import pauses
from . import time_limit
