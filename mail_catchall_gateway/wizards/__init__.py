from . import mail_catchall_alias_wizard
from . import mail_catchall_attach
