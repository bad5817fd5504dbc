from . import fetchmail_server
from . import mail_catchall_listener
