// The screens that setup/screenshots.mjs takes pictures of: how to get to each.
// name: [login, what to do before the picture is taken]

const ADDON = "mail_catchall_gateway";
export const PHONE_SUFFIX = "_phone";

/** Return what opens an action with a list; on a phone that is a kanban. */
function open(xmlid) {
  return async (page, isPhone) => {
    const view = isPhone ? "kanban" : "list";
    const name = xmlid.includes(".") ? xmlid : `${ADDON}.${xmlid}`;
    await page.goto(`/web#action=${name}&view_type=${view}`);
    await page.waitForSelector(".o_list_view, .o_kanban_view");
  };
}

async function openFirst(page) {
  await page
    .locator(
      ".o_data_row td.o_data_cell:not(.o_handle_cell), .o_kanban_record:not(.o_kanban_ghost)"
    )
    .first()
    .click();
  await page.waitForSelector(".o_form_view");
  await page.waitForTimeout(1500);
}

/** Return what opens the inbound emails, and then presses the button of another view. */
const inboundAs = (name) => async (page, isPhone) => {
  await open("mail_catchall_inbound_action")(page, isPhone);
  if (isPhone) {
    await page.locator(".o_cp_switch_buttons .dropdown-toggle").click();
    await page.locator(".dropdown-item", {hasText: name}).click();
  } else {
    await page.locator(`.o_switch_view.o_${name.toLowerCase()}`).click();
  }
  await page.waitForSelector(`.o_${name.toLowerCase()}_view`);
};

const first = (xmlid) => async (page, isPhone) => {
  await open(xmlid)(page, isPhone);
  await openFirst(page);
};

const press = (page, name) =>
  page.getByRole("button", {name, exact: true}).first().click();
const tab = (page, name) => page.getByRole("tab", {name}).click();

/** Open the groups of the list that waits for review. */
async function review(page, isPhone) {
  await open("mail_catchall_inbound_action_review")(page, isPhone);
  const groups = page.locator(".o_group_header");
  for (let index = 0; index < (await groups.count()); index++) {
    await groups.nth(index).click();
    await page.waitForTimeout(500);
  }
}

async function reviewFirst(page, isPhone) {
  await review(page, isPhone);
  await openFirst(page);
}

/** Press a button of the form, that opens a dialog; on a phone it is in a menu. */
async function dialog(page, button) {
  const menu = page.locator(".o_statusbar_buttons .dropdown-toggle");
  if (await menu.isVisible()) {
    await menu.click();
  }
  await press(page, button);
  await page.waitForSelector(".modal .o_form_view");
}

/** Return what scrolls the settings to a box, by words of its title. */
const settings = (title) => async (page) => {
  await page.goto("/web#action=base_setup.action_general_configuration");
  await page.locator("h2", {hasText: "Catch-all Gateway"}).waitFor();
  const box = page.locator("h2, .o_setting_box", {hasText: title}).last();
  await box.evaluate((element) => element.scrollIntoView());
};

async function user(page, isPhone) {
  await open("base.action_res_users")(page, isPhone);
  await page.getByText("John Doe").first().click();
  await page.waitForSelector(".o_form_view");
  await tab(page, "Preferences");
}

async function profile(page, isPhone) {
  await open("mail_catchall_conversation_action")(page, isPhone);
  if (isPhone) {
    await page.locator(".o_mobile_menu_toggle").click();
    await page.waitForTimeout(1000); // it slides in
    await page.locator(".o_burger_menu_topbar small").click();
  } else {
    await page.locator(".o_user_menu button").click();
  }
  await page.getByText("Preferences").or(page.getByText("My Profile")).first().click();
  await page.waitForSelector(".o_form_view");
}

async function write(page, isPhone) {
  await first("mail_catchall_conversation_action")(page, isPhone);
  await page.locator(".o-mail-Chatter-sendMessage").click();
  await page.waitForSelector(".o-mail-Composer-input");
  await page.locator(".o_catchall_sender").scrollIntoViewIfNeeded();
}

export const SCREENS = {
  inbox: [
    "john",
    async (page) => {
      await page.goto("/web#action=mail.action_discuss");
      await page.waitForSelector(".o-mail-Discuss");
      await page.waitForTimeout(2000);
    },
  ],
  conversations: ["john", open("mail_catchall_conversation_action")],
  conversation: ["john", first("mail_catchall_conversation_action")],
  write: ["john", write],
  review: ["admin", review],
  review_form: ["admin", reviewFirst],
  review_deliver: [
    "admin",
    async (page, isPhone) => {
      await reviewFirst(page, isPhone);
      await dialog(page, "Deliver To...");
    },
  ],
  review_back: [
    "admin",
    async (page, isPhone) => {
      await reviewFirst(page, isPhone);
      await dialog(page, "Send Back...");
    },
  ],
  inbound: ["admin", open("mail_catchall_inbound_action")],
  inbound_form: ["admin", first("mail_catchall_inbound_action")],
  inbound_pivot: ["admin", inboundAs("Pivot")],
  inbound_graph: ["admin", inboundAs("Graph")],
  header: [
    "admin",
    async (page, isPhone) => {
      await first("mail_catchall_inbound_action")(page, isPhone);
      await tab(page, "Source");
      await dialog(page, "Show Header");
    },
  ],
  mailboxes: ["admin", open("fetchmail_server_action_catchall")],
  mailbox: [
    "admin",
    async (page, isPhone) => {
      await first("fetchmail_server_action_catchall")(page, isPhone);
      await tab(page, "Catch-all");
    },
  ],
  aliases: ["admin", open("mail_alias_action_catchall")],
  alias: ["admin", first("mail_alias_action_catchall")],
  menu: [
    "admin",
    async (page, isPhone) => {
      await open("mail_catchall_inbound_action")(page, isPhone);
      await page.waitForTimeout(1500); // what loads late closes the menu again
      await page
        .locator(isPhone ? ".o_mobile_menu_toggle" : "[data-section]")
        .last()
        .click();
      await page.waitForTimeout(1000);
    },
  ],
  domain: ["admin", first("mail.mail_alias_domain_action")],
  blocked: ["admin", open("mail_catchall_blocked_action")],
  sending: ["admin", first("base.action_ir_mail_server_list")],
  settings: ["admin", settings("Catch-all Gateway")],
  settings_policies: ["admin", settings("Accepted Domains")],
  settings_fetching: ["admin", settings("Fetching")],
  guide: [
    "admin",
    async (page) => {
      await page.goto(`/web#action=${ADDON}.mail_catchall_setup_action_open`);
      await page.waitForSelector(".o_catchall_steps");
    },
  ],
  user: ["admin", user],
  profile: ["john", profile],
  apps: [
    "admin",
    async (page) => {
      await page.goto("/web#action=base.open_module_tree");
      await page.waitForSelector(".o_kanban_view");
      const search = page.locator(".o_searchview_input");
      if (await search.isVisible()) {
        await search.fill("Catch-all");
        await page.keyboard.press("Enter");
        await page.waitForTimeout(1500);
      }
    },
  ],
};
