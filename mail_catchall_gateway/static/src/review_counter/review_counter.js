/** @odoo-module **/

import {Component, reactive, useState} from "@odoo/owl";
import {_t} from "@web/core/l10n/translation";
import {registry} from "@web/core/registry";
import {sprintf} from "@web/core/utils/strings";
import {useService} from "@web/core/utils/hooks";

const ADDON = "mail_catchall_gateway";
const DOMAIN = [["state", "in", ["review", "failed"]]];

/** Counts the mails that wait for review, for those who may see them. */
export const reviewCounterService = {
  dependencies: ["bus_service", "orm", "user"],
  start(env, {bus_service, orm, user}) {
    const counter = reactive({count: 0});
    async function update() {
      counter.count = await orm.silent.searchCount("mail.catchall.inbound", DOMAIN);
    }
    async function startCounting() {
      if (await user.hasGroup(`${ADDON}.group_catchall_manager`)) {
        bus_service.subscribe("mail.catchall.inbound/review", update);
        // What was said while the connection was lost is not said again
        bus_service.addEventListener("reconnect", update);
        bus_service.start();
        await update();
      }
    }
    startCounting();
    return counter;
  },
};
registry.category("services").add("catchall_review_counter", reviewCounterService);

/** How many mails wait for review, beside the activities; nothing where none does. */
export class ReviewCounter extends Component {
  static template = `${ADDON}.ReviewCounter`;
  static props = {};

  setup() {
    this.action = useService("action");
    this.counter = useState(useService("catchall_review_counter"));
  }

  get text() {
    return sprintf(_t("%s mails to review"), this.counter.count);
  }

  open() {
    this.action.doAction(`${ADDON}.mail_catchall_inbound_action_review`, {
      clearBreadcrumbs: true,
    });
  }
}
registry
  .category("systray")
  .add(`${ADDON}.review`, {Component: ReviewCounter}, {sequence: 15});
