/** @odoo-module **/

import {registry} from "@web/core/registry";

const value = (name, text) => `div[name=${name}] input:propValue(${text})`;
const chosen = (name, text) =>
  `div[name=${name}] .o_radio_item:has(input:checked):contains(${text})`;
const input = (content, name, text) => ({
  content,
  trigger: `div[name=${name}] input`,
  run: `text ${text}`,
});
const choose = (content, name, text) => ({
  content,
  trigger: `div[name=${name}] .o_radio_item:contains(${text}) input`,
});
const check = (content, trigger) => ({content, trigger, run() {}});

/** An administrator finds the settings, changes them, and finds them changed. */
registry.category("web_tour.tours").add("catchall_settings", {
  test: true,
  steps: () => [
    {
      content: "Search for a setting",
      trigger: ".o_searchview_input",
      extra_trigger: "h2:contains(Catch-all Gateway)",
      run: "text Subaddresses",
    },
    check(
      "It is found, and the others are not shown",
      ".o_settings_container:has(.o_setting_box:contains(Subaddresses)):not(:has(.o_setting_box:contains(Mail Loops)))"
    ),
    {content: "Show all again", trigger: ".o_searchview_input", run: "remove_text"},
    check("The state is shown", ".o_catchall_report:contains(Last fetch)"),
    choose("Deliver unknown addresses", "catchall_unrouted_policy", "Deliver it"),
    input("To an alias", "catchall_unrouted_alias_id", "office"),
    {content: "Take it", trigger: ".o-autocomplete--dropdown-item:contains(office@)"},
    choose("Replace senders", "catchall_from_policy", "other people"),
    input("By an address", "catchall_from_address", "outgoing@settings.example"),
    input("Accept a domain", "catchall_accepted_domain_names", "other.example"),
    input("Use another separator", "catchall_subaddress_separator", "-"),
    choose("Ignore forgeries", "catchall_authentication_policy", "Ignore"),
    {content: "Sign addresses", trigger: "div[name=catchall_signed_reply_to] input"},
    input("Fetch more seldom", "catchall_fetch_interval", "7"),
    input("Count more", "catchall_loop_threshold", "33"),
    input("Keep longer", "catchall_delivered_days", "44"),
    {
      content: "Save, which loads the page again",
      trigger: ".o_form_button_save",
      run(actions) {
        document.body.classList.add("before_save");
        actions.click();
      },
    },
    check("It was loaded", "body:not(.before_save) .o_catchall_report"),
    check(
      "Read back after the page was loaded again: who gets mail to unknown addresses",
      value("catchall_unrouted_alias_id", "office@settings.example")
    ),
    check("its policy", chosen("catchall_unrouted_policy", "Deliver it")),
    check("that of senders", chosen("catchall_from_policy", "other people")),
    check("its address", value("catchall_from_address", "outgoing@settings.example")),
    check("domains", value("catchall_accepted_domain_names", "other.example")),
    check("separator", value("catchall_subaddress_separator", "-")),
    check("forgeries", chosen("catchall_authentication_policy", "Ignore")),
    check("signing", "div[name=catchall_signed_reply_to] input:checked"),
    check("interval", value("catchall_fetch_interval", "7")),
    check("loops", value("catchall_loop_threshold", "33")),
    check("retention", value("catchall_delivered_days", "44")),
  ],
});
