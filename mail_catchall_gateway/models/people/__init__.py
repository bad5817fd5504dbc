from . import mail_catchall_digest
from . import res_company
from . import res_partner
from . import res_users
