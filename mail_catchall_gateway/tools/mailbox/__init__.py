# without lmtp_server: aiosmtpd is imported by the listener only
from . import imap
from . import imap_folders
from . import imap_idle
from . import imap_mailbox
from . import listener_options
from . import lmtp_reply
from . import mail_providers
from . import mailbox
from . import pop_mailbox
from . import round_trip
