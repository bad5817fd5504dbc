/** @odoo-module **/

import {registry} from "@web/core/registry";
import {stepUtils} from "@web_tour/tour_service/tour_utils";

/** An administrator sets up how a user gets his mail. */
registry.category("web_tour.tours").add("catchall_user_form", {
  test: true,
  steps: () => [
    {
      content: "Open the user from the list, that shows his address",
      trigger: ".o_data_row:contains(john.doe@) td[name=name]:contains(John Doe)",
    },
    {content: "His preferences", trigger: ".nav-link:contains(Preferences)"},
    {
      content: "Rename his alias",
      trigger: "div[name=alias_name] input",
      run: "text johnny.doe",
    },
    {content: "No copy", trigger: "div[name=alias_copy_to_mailbox] input"},
    {
      content: "Who gets his mail when he is archived",
      trigger: "div[name=alias_delegate_id] input",
      run: "text Jane",
    },
    {content: "Jane", trigger: ".o-autocomplete--dropdown-item:contains(Jane Roe)"},
    {
      content: "A further address",
      trigger: "div[name=further_alias_ids] .o_field_x2many_list_row_add a",
    },
    {
      content: "Name it",
      trigger: "div[name=further_alias_ids] .o_selected_row div[name=alias_name] input",
      run: "text jd",
    },
    ...stepUtils.saveForm(),
    {
      content: "Saved; the former name is received as well",
      trigger:
        "div[name=further_alias_ids]:has(td:containsExact(jd)):has(td:containsExact(john.doe))",
      extra_trigger: "div[name=alias_name] input:propValue(johnny.doe)",
      run() {},
    },
  ],
});

/** An employee finds his address where he looks for it. */
registry.category("web_tour.tours").add("catchall_profile", {
  test: true,
  steps: () => [
    {content: "Open the user menu", trigger: ".o_user_menu button"},
    {content: "Open the profile", trigger: "[data-menu=settings]"},
    {
      content: "His address is there",
      trigger: "div[name=alias_email]:contains(john.doe@)",
      run() {},
    },
    {
      content: "He wants no copies",
      trigger: "div[name=alias_copy_to_mailbox] input",
    },
    {content: "Save", trigger: "button[name=preference_save]"},
    {content: "Done", trigger: "body:not(:has(.modal))", run() {}},
  ],
});
