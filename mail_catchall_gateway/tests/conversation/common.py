"""Shared by the tests of conversations: beginning one, and answering from the own mailbox."""

from ..common import CatchallCommon


class ConversationCommon(CatchallCommon):
    def converse(self, **headers):
        """Return a conversation that a customer started with John."""
        inbound = self.receive(self.make_mail(self.john.alias_email, **headers))
        return inbound.conversation_id

    def answer_from_mailbox(
        self, conversation, text="On their way", to=None, server=None, **headers
    ):
        """Answer the copy of the last message as John's mail program does."""
        question = conversation.message_ids[0]
        headers = {
            "sender": "John <john@home.example>",
            "subject": "Re: Bicycles",
            "message_id": "<1.john@home.example>",
            "in_reply_to": question.message_id,
            "references": question.message_id,
            **headers,
        }
        mail = self.make_mail(to or question.reply_to, text=text, **headers)
        return self.receive(mail, [self.john.alias_email], server)
