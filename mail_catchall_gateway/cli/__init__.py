from . import catchall_listen
