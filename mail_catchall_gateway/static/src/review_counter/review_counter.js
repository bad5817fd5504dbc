/** @odoo-module **/

import {Component, reactive, useState} from "@odoo/owl";
import {BurgerMenu} from "@web/webclient/burger_menu/burger_menu";
import {NavBar} from "@web/webclient/navbar/navbar";
import {_t} from "@web/core/l10n/translation";
import {patch} from "@web/core/utils/patch";
import {registry} from "@web/core/registry";
import {session} from "@web/session";
import {sprintf} from "@web/core/utils/strings";

const MENU = "mail_catchall_gateway.mail_catchall_inbound_menu_review";
const DOMAIN = [["state", "in", ["review", "failed"]]];

const counter = reactive({count: 0});

/** Counts the mails that wait for review, for those who may see them. */
export const reviewCounterService = {
  dependencies: ["bus_service", "orm"],
  start(env, {bus_service, orm}) {
    if (!session.catchall_counts_reviews) {
      return;
    }
    async function update() {
      counter.count = await orm.silent.searchCount("mail.catchall.inbound", DOMAIN);
    }
    bus_service.subscribe("mail.catchall.inbound/review", update);
    // What was said while the connection was lost is not said again
    bus_service.addEventListener("reconnect", update);
    bus_service.start();
    update();
  },
};
registry.category("services").add("catchall_review_counter", reviewCounterService);

/** The number beside the menu To Review; nothing beside the others. */
export class ReviewBadge extends Component {
  static template = "mail_catchall_gateway.ReviewBadge";
  static props = {section: Object};

  setup() {
    this.counter = useState(counter);
  }

  get count() {
    return this.props.section.xmlid === MENU ? this.counter.count : 0;
  }

  get text() {
    return sprintf(_t("%s mails to review"), this.count);
  }
}

patch(NavBar, {components: {...NavBar.components, ReviewBadge}});
patch(BurgerMenu, {components: {...BurgerMenu.components, ReviewBadge}});
