from . import mail_catchall_alias_wizard
from . import mail_catchall_alias_wizard_line
from . import mail_catchall_attach
from . import mail_catchall_bounce
from . import mail_catchall_route
from . import mail_compose_message
from . import setup
