// Takes a picture of every screen of a running demo (setup/run.sh), as wide as a desktop and as a
// phone, for people to look at and for the app page.
//   node setup/screenshots.mjs http://localhost:8069 FOLDER [NAME | NAME_phone ...]
// Needs playwright-core from npm and Debian's Chromium; setup/screenshots.sh brings both.

import {PHONE_SUFFIX, SCREENS} from "./screens.mjs";
import {join, resolve} from "node:path";
import {createRequire} from "node:module";
import {mkdirSync} from "node:fs";

const require = createRequire(resolve(process.env.NODE_MODULES || ".", "package.json"));
const {chromium} = require("playwright-core");

const [url, folder, ...wanted] = process.argv.slice(2);
const DESKTOP = {width: 1280, height: 800};
const PHONE = {width: 390, height: 844};

async function login(page, name) {
  await page.goto("/web/login");
  await page.fill("#login", name);
  await page.fill("#password", name);
  await page.click(".oe_login_buttons button[type=submit]");
  await page.waitForSelector(".o_web_client");
}

/** Take one picture; return whether the screen could be reached. */
async function take(browser, name, [user, prepare], isPhone) {
  const context = await browser.newContext({
    baseURL: url,
    viewport: isPhone ? PHONE : DESKTOP,
    hasTouch: isPhone,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(15000);
  try {
    await login(page, user);
    await prepare(page, isPhone);
    await page.waitForTimeout(800);
    console.log(name);
    return true;
  } catch (error) {
    console.error(`${name}: ${error.message}`);
    return false;
  } finally {
    // What could not be reached is looked at too
    await page.screenshot({path: join(folder, `${name}.png`)});
    await context.close();
  }
}

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
for (const [screen, steps] of Object.entries(SCREENS)) {
  for (const [name, isPhone] of [
    [screen, false],
    [screen + PHONE_SUFFIX, true],
  ]) {
    if (!wanted.length || wanted.includes(name)) {
      if (!(await take(browser, name, steps, isPhone))) {
        process.exitCode = 1;
      }
    }
  }
}
await browser.close();
