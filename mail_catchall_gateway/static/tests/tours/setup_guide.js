/** @odoo-module **/

import {registry} from "@web/core/registry";

const PANEL = (step, state) => `div[name=step_${step}] [data-state=${state}]`;

/** An administrator sets the gateway up, as far as no real mail server is needed. */
registry.category("web_tour.tours").add("catchall_setup_guide", {
  test: true,
  steps: () => [
    {
      content: "Open the guide from the settings",
      trigger: "button:contains(Setup Guide)",
      extra_trigger: ".o_catchall_report",
    },
    {
      content: "Nothing is set up",
      trigger: PANEL("domain", "todo"),
      run() {},
    },
    {
      content: "Name the domain",
      trigger: "div[name=alias_domain_id] input",
      run: "text tour.example",
    },
    {
      content: "Create it",
      trigger: ".o-autocomplete--dropdown-item:contains(Create)",
    },
    {content: "Check it", trigger: "button[name=action_check_domain]"},
    {
      content: "The domain is green, and its DNS is shown",
      trigger: "code:contains(_dmarc.tour.example)",
      extra_trigger: PANEL("domain", "ok"),
      run() {},
    },
    {content: "Go on", trigger: "button[name=action_next]"},
    {
      content: "Choose a provider",
      trigger: "div[name=step_mailbox] div[name=mailbox_provider] select",
      run: 'text "infomaniak"',
    },
    {
      content: "Its server is filled in",
      trigger: "div[name=mailbox_user] input",
      extra_trigger: "div[name=mailbox_server] input:propValue(mail.infomaniak.com)",
      run: "text catchall@tour.example",
    },
    {
      content: "Enter a wrong password",
      trigger: "div[name=mailbox_password] input",
      run: "text wrong",
    },
    {content: "Log in", trigger: "button[name=action_check_mailbox]:visible"},
    {
      content: "It says what to do",
      trigger: `${PANEL("mailbox", "error")}:contains(Check user and password)`,
      run() {},
    },
    {
      content: "Enter the right one",
      trigger: "div[name=mailbox_password] input",
      run: "text right",
    },
    {content: "Log in", trigger: "button[name=action_check_mailbox]:visible"},
    {
      content: "The mailbox is green, with its folders",
      trigger: "div[name=mailbox_folders]:contains(INBOX)",
      extra_trigger: PANEL("mailbox", "ok"),
      run() {},
    },
    {content: "Go to the account", trigger: "[data-step=smtp]"},
    {
      content: "The same provider is chosen",
      trigger: "div[name=smtp_user] input",
      extra_trigger: "div[name=smtp_host] input:propValue(mail.infomaniak.com)",
      run: "text catchall@tour.example",
    },
    {content: "Log in", trigger: "button[name=action_check_smtp]:visible"},
    {
      content: "The account is green, and says as whom mail leaves",
      trigger: `${PANEL("smtp", "ok")}:contains(@tour.example)`,
      run() {},
    },
    {content: "Go on", trigger: "button[name=action_next]"},
    {content: "Give aliases", trigger: "div[name=step_aliases] button.btn-primary"},
    {content: "As proposed", trigger: ".modal-footer button[name=action_apply]"},
    {
      content: "Users have aliases",
      trigger: PANEL("aliases", "ok"),
      run() {},
    },
    {content: "Go on", trigger: "button[name=action_next]"},
    {
      content: "The test can be sent",
      trigger: "button[name=action_test]:contains(Send Test Mail)",
      run() {},
    },
  ],
});
