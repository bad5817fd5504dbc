from ..common import CatchallCommon, patch


class QueueCommon(CatchallCommon):
    """Mail for John that waits in the queue, with real commits and rollbacks, of savepoints."""

    def setUp(self):
        super().setUp()
        self.committing_env = self.enter_committing()
        self.model = self.committing_env["mail.catchall.inbound"]
        self.queue = self.committing_env["mail.catchall.queue"]

    def store(self, count=1):
        mails = [self.make_mail(self.john.alias_email, subject=f"Mail {n}") for n in range(count)]
        inbounds = self.model._store([(mail.as_bytes(), {}) for mail in mails])
        self.committing_env.cr.commit()
        return inbounds


def patch_processing(env, process):
    """Patch the processing of inbound emails.

    :param process: function of the row and of what processes it else, which takes nothing
    """
    gateway = type(env["mail.catchall.gateway"])
    original = gateway._process
    return patch.object(
        gateway,
        "_process",
        lambda self, inbound: process(inbound, lambda: original(self, inbound)),
    )
