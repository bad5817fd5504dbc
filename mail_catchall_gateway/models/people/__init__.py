from . import res_partner
from . import res_users
from . import res_users_digest
from . import res_users_identity
