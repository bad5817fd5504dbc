from . import mail_catchall_setup
from . import mail_catchall_setup_probe
from . import mail_catchall_setup_servers
