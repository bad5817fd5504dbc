from . import ir_mail_server
from . import mail_mail
from . import mail_notification
from . import mail_thread
