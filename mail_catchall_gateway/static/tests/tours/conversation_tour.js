/** @odoo-module **/

import {registry} from "@web/core/registry";

/** Look into a mail, which the chatter shows in a shadow tree, apart from the page's styles. */
function read(text) {
  return {
    content: `Read the mail: ${text}`,
    trigger: ".o-mail-Message:contains(Mary Smith)",
    run() {
      const parts = [...this.$anchor[0].querySelectorAll("*")];
      const shown = parts.map((part) => part.shadowRoot?.textContent || "").join("");
      if (!shown.includes(text)) {
        throw new Error(`The mail shows “${shown}”`);
      }
    },
  };
}

/** An employee reads a mail, answers it, and attaches it to a document. */
registry.category("web_tour.tours").add("catchall_conversation", {
  test: true,
  steps: () => [
    {
      content: "Open the conversation",
      trigger: ".o_data_row td[name=name]:contains(Bicycles)",
    },
    read("Two, please."),
    {content: "Write an answer", trigger: ".o-mail-Chatter-sendMessage"},
    {
      content: "It leaves as the messaging alias, and goes to who wrote",
      trigger: ".o-mail-Composer-input",
      extra_trigger:
        ".o-mail-Chatter:has(.o_catchall_sender:contains(John Doe <john.doe@)):has(.o-mail-SuggestedRecipient:contains(Mary Smith))",
      run: "text They leave today.",
    },
    {content: "Send it", trigger: ".o-mail-Composer-send:enabled"},
    {
      content: "It is in the conversation",
      trigger: ".o-mail-Message:contains(They leave today.)",
      run() {},
    },
    {content: "Attach it", trigger: "button[name=action_attach]"},
    {
      content: "To a contact",
      trigger: "div[name=document] select",
      run: "text res.partner",
    },
    {
      content: "Look for it",
      trigger: "div[name=document] input",
      run: "text Customer file",
    },
    {
      content: "Choose it",
      trigger: ".o-autocomplete--dropdown-item:contains(Customer file)",
    },
    {content: "Do so", trigger: ".modal-footer button[name=action_apply]"},
    {
      content: "The messages are on the document",
      trigger: ".o-mail-Message:contains(They leave today.)",
      extra_trigger: ".o_form_view:contains(Customer file)",
      run() {},
    },
    read("Two, please."),
  ],
});
