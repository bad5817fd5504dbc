/** @odoo-module **/

import {registry} from "@web/core/registry";

/** A manager delivers a mail with a mistyped address to whom it is meant for. */
registry.category("web_tour.tours").add("catchall_review", {
  test: true,
  steps: () => [
    {
      content: "The bar says how many mails wait; open them",
      trigger: ".o_catchall_review_counter button:has(.badge:containsExact(1))",
    },
    {
      content: "They are grouped by why they wait",
      trigger: ".o_group_header:contains(Unknown Address)",
    },
    {
      content: "The list says who may be meant; open the mail",
      trigger: ".o_data_row:contains(john.doe@) td[name=name]:contains(Bicycles)",
    },
    {
      content: "Its text can be looked into",
      trigger: ".o_field_widget[name=preview]:contains(please)",
      extra_trigger: ".alert:contains(Did you mean):contains(john.doe@)",
      run() {},
    },
    {content: "Deliver it", trigger: "button[name=action_route]"},
    {
      content: "The suggestion is filled in",
      trigger: ".modal-footer button[name=action_apply]",
      extra_trigger: ".modal div[name=user_id] input:propValue(John Doe)",
    },
    {
      content: "It says what became of it",
      trigger: ".o_statusbar_status:has(.o_arrow_button_current:contains(Delivered))",
      extra_trigger: "body:not(:has(.modal))",
      run() {},
    },
    {
      content: "The text is no more to be seen",
      trigger: ".o_form_view:not(:has(.o_field_widget[name=preview]))",
      run() {},
    },
  ],
});
