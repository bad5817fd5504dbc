/** @odoo-module **/

import {registry} from "@web/core/registry";

const PANEL = (step, state) => `div[name=step_${step}] [data-state=${state}]`;

function fill(step, name, text) {
  return {
    content: `${step}: ${name} is ${text}`,
    trigger: `div[name=step_${step}] div[name=${name}] input`,
    run: `text ${text}`,
  };
}

/**
 * An administrator sets the gateway up, from nothing to a test mail that comes back. For real mail
 * servers (e2e/test_guide_in_browser.py), which say where they are.
 */
registry.category("web_tour.tours").add("catchall_round_trip", {
  test: true,
  steps: () => {
    const {imap, smtp, user, password} = JSON.parse(
      sessionStorage.getItem("catchall_servers") || "{}"
    );
    const domain = (user || "").split("@")[1];
    return [
      {
        content: "Open the guide from the settings",
        trigger: "button:contains(Setup Guide)",
        extra_trigger: ".o_catchall_report",
      },
      fill("domain", "alias_domain_id", domain),
      {
        content: "Create the domain",
        trigger: ".o-autocomplete--dropdown-item:contains(Create)",
      },
      {content: "Check it", trigger: "button[name=action_check_domain]"},
      {
        content: "It is green; go on",
        trigger: "button[name=action_next]",
        extra_trigger: PANEL("domain", "ok"),
      },
      fill("mailbox", "mailbox_server", "127.0.0.1"),
      {
        content: "This server has no certificate",
        trigger: "div[name=step_mailbox] div[name=mailbox_ssl] input",
      },
      fill("mailbox", "mailbox_port", imap),
      fill("mailbox", "mailbox_user", user),
      fill("mailbox", "mailbox_password", password),
      {content: "Log in", trigger: "button[name=action_check_mailbox]:visible"},
      {
        content: "The mailbox is green; go on",
        trigger: "button[name=action_next]",
        extra_trigger: PANEL("mailbox", "ok"),
      },
      fill("smtp", "smtp_host", "127.0.0.1"),
      {
        content: "Nor has this one",
        trigger: "div[name=step_smtp] div[name=smtp_encryption] select",
        run: 'text "none"',
      },
      fill("smtp", "smtp_port", smtp),
      {content: "Log in", trigger: "button[name=action_check_smtp]:visible"},
      {
        content: "The account is green; go on",
        trigger: "button[name=action_next]",
        extra_trigger: PANEL("smtp", "ok"),
      },
      {content: "Give aliases", trigger: "div[name=step_aliases] button.btn-primary"},
      {content: "As proposed", trigger: ".modal-footer button[name=action_apply]"},
      {
        content: "Users have aliases; go on",
        trigger: "button[name=action_next]",
        extra_trigger: PANEL("aliases", "ok"),
      },
      {
        content: "Send the test mail",
        trigger: "button[name=action_test]:contains(Send Test Mail)",
      },
      {
        content: "It is back",
        trigger: "button[name=action_take_over]",
        extra_trigger: PANEL("test", "ok"),
        timeout: 60000,
      },
      {
        content: "The mailbox is set to what was found",
        trigger: "div[name=step_test]:contains(The mailbox is set to what was found)",
        run() {},
      },
    ];
  },
});
