/** @odoo-module **/

import {Thread} from "@mail/core/common/thread_model";
import {ThreadService} from "@mail/core/common/thread_service";
import {patch} from "@web/core/utils/patch";

patch(Thread.prototype, {
  /** As whom the user writes here; empty without a messaging alias. */
  catchallSender: "",
});

patch(ThreadService.prototype, {
  async fetchData(thread, ...args) {
    const result = await super.fetchData(thread, ...args);
    if ("catchallSender" in result) {
      thread.catchallSender = result.catchallSender;
    }
    return result;
  },
});
