from . import automatic
from . import delivery
from . import sender_authentication
from . import verdict
