// Takes the pictures of the README and the app page from a running demo (setup/run.sh).
//   node setup/screenshots.mjs http://localhost:8069 FOLDER [NAME ...]
// Needs playwright-core from npm and Debian's Chromium; setup/screenshots.sh brings both.

import {createRequire} from "node:module";
import {join, resolve} from "node:path";
import {mkdirSync} from "node:fs";

const require = createRequire(resolve(process.env.NODE_MODULES || ".", "package.json"));
const {chromium} = require("playwright-core");

const [url, folder, ...wanted] = process.argv.slice(2);
const DESKTOP = {width: 1280, height: 800};
const PHONE = {width: 390, height: 844};

async function action(page, xmlid, view = "list") {
  await page.goto(`${url}/web#action=${xmlid}&view_type=${view}`);
  await page.waitForSelector(`.o_${view}_view`);
}

async function openFirst(page) {
  await page
    .locator(".o_list_view .o_data_row")
    .first()
    .locator("td.o_data_cell")
    .nth(1)
    .click();
  await page.waitForSelector(".o_form_view");
  await page.waitForTimeout(1500);
}

// name: [login, viewport, what to do before the picture is taken]
const SCREENS = {
  inbox: [
    "john",
    DESKTOP,
    async (page) => {
      await page.goto(`${url}/web#action=mail.action_discuss`);
      await page.waitForSelector(".o-mail-Message");
    },
  ],
  inbox_phone: [
    "john",
    PHONE,
    async (page) => {
      await page.goto(`${url}/web#action=mail.action_discuss`);
      await page.waitForTimeout(3000);
    },
  ],
  conversations: [
    "john",
    DESKTOP,
    async (page) => {
      await action(page, "mail_catchall_gateway.mail_catchall_conversation_action");
    },
  ],
  conversation: [
    "john",
    DESKTOP,
    async (page) => {
      await action(page, "mail_catchall_gateway.mail_catchall_conversation_action");
      await openFirst(page);
    },
  ],
  conversation_phone: [
    "john",
    PHONE,
    async (page) => {
      await page.goto(
        `${url}/web#action=mail_catchall_gateway.mail_catchall_conversation_action`
      );
      await page.waitForSelector(".o_list_view .o_data_row");
      await openFirst(page);
    },
  ],
  inbound: [
    "admin",
    DESKTOP,
    async (page) => {
      await action(page, "mail_catchall_gateway.mail_catchall_inbound_action");
    },
  ],
  inbound_form: [
    "admin",
    DESKTOP,
    async (page) => {
      await action(page, "mail_catchall_gateway.mail_catchall_inbound_action");
      await openFirst(page);
    },
  ],
  review: [
    "admin",
    DESKTOP,
    async (page) => {
      await action(page, "mail_catchall_gateway.mail_catchall_inbound_action_review");
      const groups = page.locator(".o_group_header");
      for (let index = 0; index < (await groups.count()); index++) {
        await groups.nth(index).click();
        await page.waitForTimeout(500);
      }
    },
  ],
  review_form: [
    "admin",
    DESKTOP,
    async (page) => {
      await action(page, "mail_catchall_gateway.mail_catchall_inbound_action_review");
      await page.locator(".o_group_header").first().click();
      await openFirst(page);
    },
  ],
  review_deliver: [
    "admin",
    DESKTOP,
    async (page) => {
      await action(page, "mail_catchall_gateway.mail_catchall_inbound_action_review");
      await page.locator(".o_group_header").first().click();
      await page
        .locator(".o_data_row", {hasText: "Order"})
        .first()
        .locator("td.o_data_cell")
        .nth(1)
        .click();
      await page.getByRole("button", {name: "Deliver To..."}).click();
      await page.waitForSelector(".modal .o_form_view");
    },
  ],
  review_back: [
    "admin",
    DESKTOP,
    async (page) => {
      await action(page, "mail_catchall_gateway.mail_catchall_inbound_action_review");
      await page.locator(".o_group_header").first().click();
      await openFirst(page);
      await page.getByRole("button", {name: "Send Back..."}).click();
      await page.waitForSelector(".modal .o_form_view");
    },
  ],
  header: [
    "admin",
    DESKTOP,
    async (page) => {
      await action(page, "mail_catchall_gateway.mail_catchall_inbound_action");
      await openFirst(page);
      await page.getByRole("tab", {name: "Source"}).click();
      await page.getByRole("button", {name: "Show Header"}).click();
      await page.waitForSelector(".modal .o_form_view");
    },
  ],
  domain: [
    "admin",
    DESKTOP,
    async (page) => {
      await action(page, "mail.mail_alias_domain_action");
      await openFirst(page);
    },
  ],
  settings: [
    "admin",
    DESKTOP,
    async (page) => {
      await page.goto(`${url}/web#action=base_setup.action_general_configuration`);
      await page.waitForSelector("#catchall_gateway_setting");
      await page.locator("#catchall_gateway_setting").scrollIntoViewIfNeeded();
    },
  ],
  guide: [
    "admin",
    DESKTOP,
    async (page) => {
      await page.goto(
        `${url}/web#action=mail_catchall_gateway.mail_catchall_setup_action_open`
      );
      await page.waitForSelector(".o_catchall_steps");
    },
  ],
  guide_phone: [
    "admin",
    PHONE,
    async (page) => {
      await page.goto(
        `${url}/web#action=mail_catchall_gateway.mail_catchall_setup_action_open`
      );
      await page.waitForSelector(".o_catchall_steps");
    },
  ],
  mailbox: [
    "admin",
    DESKTOP,
    async (page) => {
      await action(page, "mail.action_email_server_tree");
      await openFirst(page);
      await page.getByRole("tab", {name: "Catch-all"}).click();
    },
  ],
  user: [
    "admin",
    DESKTOP,
    async (page) => {
      await action(page, "base.action_res_users");
      await page
        .locator(".o_data_row", {hasText: "John Doe"})
        .locator("td.o_data_cell")
        .first()
        .click();
      await page.waitForSelector(".o_form_view");
      await page.getByRole("tab", {name: "Preferences"}).click();
    },
  ],
  profile: [
    "john",
    DESKTOP,
    async (page) => {
      await page.goto(`${url}/web`);
      await page.locator(".o_user_menu button").click();
      await page
        .getByRole("menuitem", {name: "My Profile"})
        .or(page.getByText("Preferences"))
        .first()
        .click();
      await page.waitForSelector(".o_form_view");
    },
  ],
  apps: [
    "admin",
    DESKTOP,
    async (page) => {
      await page.goto(`${url}/web#action=base.open_module_tree`);
      await page.waitForSelector(".o_kanban_view");
      await page.locator(".o_searchview_input").fill("Catch-all");
      await page.keyboard.press("Enter");
      await page.waitForTimeout(1500);
    },
  ],
};

mkdirSync(folder, {recursive: true});
const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: [
    "--no-sandbox",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-sync",
  ],
});
for (const [name, [login, viewport, prepare]] of Object.entries(SCREENS)) {
  if (wanted.length && !wanted.includes(name)) {
    continue;
  }
  const context = await browser.newContext({viewport, deviceScaleFactor: 1});
  const page = await context.newPage();
  await page.goto(`${url}/web/login`);
  await page.fill("#login", login);
  await page.fill("#password", login);
  await page.click(".oe_login_buttons button[type=submit]");
  await page.waitForSelector(".o_web_client");
  await prepare(page);
  await page.waitForTimeout(800);
  await page.screenshot({path: join(folder, `${name}.png`)});
  console.log(name);
  await context.close();
}
await browser.close();
