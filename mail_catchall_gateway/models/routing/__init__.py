from . import base
from . import mail_alias
from . import mail_alias_domain
from . import mail_catchall_parent
from . import mail_catchall_recipients
from . import mail_catchall_report
from . import mail_thread
