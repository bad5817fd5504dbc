from . import fetchmail_server
from . import fetchmail_server_actions
from . import fetchmail_server_fetch
from . import fetchmail_server_status
from . import fetchmail_server_store
from . import fetchmail_server_listen
from . import mail_catchall_listener
