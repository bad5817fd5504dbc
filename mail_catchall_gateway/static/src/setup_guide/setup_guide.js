/** @odoo-module **/

import {Component, onMounted, onWillUnmount} from "@odoo/owl";
import {CopyButton} from "@web/views/fields/copy_clipboard/copy_button";
import {_t} from "@web/core/l10n/translation";
import {registry} from "@web/core/registry";
import {standardFieldProps} from "@web/views/fields/standard_field_props";
import {useService} from "@web/core/utils/hooks";

// A state is told by a word and a symbol; colour only repeats it.
const STATES = {
  todo: {label: _t("To do"), icon: "fa-circle-o", color: "secondary"},
  waiting: {label: _t("On its way"), icon: "fa-clock-o", color: "info"},
  info: {label: _t("Note"), icon: "fa-info-circle", color: "info"},
  warning: {
    label: _t("Attention"),
    icon: "fa-exclamation-triangle",
    color: "warning",
  },
  ok: {label: _t("Done"), icon: "fa-check-circle", color: "success"},
  error: {label: _t("Problem"), icon: "fa-exclamation-circle", color: "danger"},
};

/** The steps of the guide, each with its state; a click goes there. */
export class SetupSteps extends Component {
  static template = "mail_catchall_gateway.SetupSteps";
  static props = {...standardFieldProps};

  get steps() {
    const {record, name} = this.props;
    return record.fields[name].selection.map(([code, label], index) => ({
      code,
      label,
      number: index + 1,
      isCurrent: record.data[name] === code,
      state: STATES[record.data[`${code}_state`] || "todo"],
    }));
  }

  go(code) {
    this.props.record.update({[this.props.name]: code});
  }
}

/** The outcome of a check: state and what to do. */
export class SetupCheck extends Component {
  static template = "mail_catchall_gateway.SetupCheck";
  static props = {...standardFieldProps, textField: String};

  get state() {
    return STATES[this.props.record.data[this.props.name] || "todo"];
  }

  get text() {
    return this.props.record.data[this.props.textField];
  }
}

/** DNS records, each with a button that copies its value. */
export class SetupDns extends Component {
  static template = "mail_catchall_gateway.SetupDns";
  static components = {CopyButton};
  static props = {...standardFieldProps};

  get records() {
    return this.props.record.data[this.props.name] || [];
  }

  get texts() {
    return {copy: _t("Copy"), copied: _t("Copied")};
  }
}

/** Rows of label, state, value and text; rows with an action lead there. */
export class SetupReport extends Component {
  static template = "mail_catchall_gateway.SetupReport";
  static props = {...standardFieldProps};

  setup() {
    this.action = useService("action");
  }

  get rows() {
    const rows = this.props.record.data[this.props.name] || [];
    return rows.map((row) => ({...row, state: STATES[row.state]}));
  }

  open(row) {
    this.action.doAction(row.action);
  }
}

/** Asks for the test mail, while the page is open. */
export class SetupProbe extends Component {
  static template = "mail_catchall_gateway.SetupProbe";
  static props = {...standardFieldProps};

  setup() {
    this.orm = useService("orm");
    onMounted(() => this.wait(1500));
    onWillUnmount(() => {
      this.isGone = true;
      clearTimeout(this.timer);
    });
  }

  wait(pause) {
    this.timer = setTimeout(() => this.ask(), pause);
  }

  async ask() {
    const {model, resId} = this.props.record;
    // An error is shown by the dialog, once: "Check Now" asks again
    await this.orm.silent.call("mail.catchall.setup", "action_check_now", [[resId]]);
    if (!this.isGone) {
      this.wait(5000);
      await model.root.load();
    }
  }
}

const fields = registry.category("fields");
fields.add("catchall_setup_steps", {component: SetupSteps});
fields.add("catchall_setup_check", {
  component: SetupCheck,
  extractProps: ({options}) => ({textField: options.text}),
});
fields.add("catchall_setup_dns", {component: SetupDns});
fields.add("catchall_setup_report", {component: SetupReport});
fields.add("catchall_setup_probe", {component: SetupProbe});
