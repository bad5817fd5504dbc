"""The setup guide in Chromium, from an empty database to the first mail for an employee."""

import json
import logging

import pytest
import requests
from odoo_process import Odoo
from send import send
from server import free_port, wait_for
from stack import MAIL_PASSWORD

from odoo.modules import module
from odoo.tests.common import HOST, ChromeBrowser

DATABASE = "e2e_guide_in_browser"
MAILBOX = "catchall@acme.test"


class Window:
    """What ``ChromeBrowser`` asks of the test that it belongs to."""

    _logger = logging.getLogger(__name__)
    browser_size = "1366x768"
    touch_enabled = False
    allow_end_on_form = True  # the guide is a form, and stays open

    @staticmethod
    def fetch_proxy(_url):
        """Answer what the browser asks of other hosts, on builds that ask the test for it."""
        return {"body": "", "responseCode": 404, "responseHeaders": []}


@pytest.fixture
def empty(stack, template):
    """Odoo as it is after the addon was installed from the Apps menu: nothing is set up."""
    odoo = Odoo(stack, DATABASE, free_port())
    odoo.install("mail_catchall_gateway")
    odoo.start()
    yield odoo
    odoo.stop()
    odoo.drop()


def log_in(odoo, browser):
    """Give the browser a session of the administrator."""
    params = {"db": DATABASE, "login": "admin", "password": "admin"}
    answer = requests.post(
        f"{odoo.url}/web/session/authenticate", json={"params": params}, timeout=60
    )
    browser.set_cookie("session_id", answer.cookies["session_id"], "/", HOST)


def run_tour(odoo, name, servers, seconds=180):
    """Run a tour in Chromium; raise ChromeBrowserException if a step of it fails."""
    module.current_test = Window
    browser = ChromeBrowser(Window)
    try:
        log_in(odoo, browser)
        path = "/web?debug=tests#action=base_setup.action_general_configuration"
        browser.navigate_to(odoo.url.replace("localhost", HOST) + path, wait_stop=True)
        assert browser._wait_ready(f"odoo.isTourReady('{name}')", 180)
        stored = json.dumps(json.dumps(servers))
        browser._wait_code_ok(
            f"sessionStorage.setItem('catchall_servers', {stored}); odoo.startTour('{name}')",
            seconds,
        )
    finally:
        browser.stop()


def test_the_guide_leads_from_nothing_to_the_first_mail(stack, empty):
    servers = {
        "imap": stack.ports["imap"],
        "smtp": stack.ports["smtp"],
        "user": MAILBOX,
        "password": MAIL_PASSWORD,
    }
    run_tour(empty, "catchall_round_trip", servers)
    call = empty.login()
    (mailbox,) = call("fetchmail.server", "search_read", [("is_catchall", "=", True)])
    assert mailbox["user"] == MAILBOX
    assert mailbox["trusted_hops"] > 0, "Take Over set nothing"

    (admin,) = call("res.users", "search_read", [("login", "=", "admin")], ["alias_email"])
    assert admin["alias_email"].endswith("@acme.test")
    address = admin["alias_email"]
    message_id = send(
        servers["smtp"], "Mary <mary@customer.test>", address, "Bicycles", "Two, please.", [address]
    )

    def is_there():
        call("fetchmail.server", "action_fetch_now", [mailbox["id"]])
        found = [("message_id", "=", message_id), ("state", "=", "delivered")]
        return call("mail.catchall.inbound", "search_count", found)

    wait_for(is_there, "the first mail", 60)
    conversations = call("mail.catchall.conversation", "search_read", [], ["name"])
    assert [conversation["name"] for conversation in conversations] == ["Bicycles"]
