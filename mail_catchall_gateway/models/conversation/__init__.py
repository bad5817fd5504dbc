from . import mail_catchall_conversation
from . import mail_followers
from . import mail_message
