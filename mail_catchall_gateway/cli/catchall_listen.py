from odoo.cli import Command


class CatchallListen(Command):
    """Take mail in as soon as it is there, by IMAP IDLE and LMTP"""

    name = "catchall-listen"

    def run(self, args):
        # not at the top: every command of odoo-bin, and every worker, imports this file
        from .listener import main

        main(args)
