"""What other apps send: mailings by a server of their own, digests, password resets.

Through real servers that take only our own addresses. In a database with those apps; that is why
it is here.
"""

import contextlib

OUT = "outgoing@acme.test"
READER = "reader@customer.test"
POLICIES = ("native", "dynamic", "forced")


@contextlib.contextmanager
def relay(env, server):
    """Run a relay that takes only addresses of ours, behind an outgoing server."""
    from odoo.addons.mail_catchall_gateway.tests import smtp_relay as relays

    strict = relays.Relay(r"[^@\s]+@acme\.test")
    with relays.running(env, strict) as port:
        server.write({"smtp_host": relays.HOST, "smtp_port": port})
        yield strict


def send_mailing(env, values):
    contact = env["mailing.contact"].create(
        {"name": "Reader", "email": READER, "list_ids": values["contact_list_ids"]}
    )
    mailing = env["mailing.mailing"].create(values)
    mailing.action_send_mail()
    env["mail.mail"].process_email_queue()
    contact.unlink()


def send_mailing_test(env, values):
    mailing = env["mailing.mailing"].create(values)
    wizard = env["mailing.mailing.test"].create({"mass_mailing_id": mailing.id, "email_to": READER})
    wizard.send_mail_test()


def send_digest(env, _values):
    reader = env["res.users"].search([("login", "=", "reader")])
    env["digest.digest"].search([], limit=1)._action_send_to_user(reader)
    env["mail.mail"].process_email_queue()


def send_password_reset(env, _values):
    env["res.users"].search([("login", "=", "reader")]).action_reset_password()
    env["mail.mail"].process_email_queue()


SENDERS = {
    "mailing": (send_mailing, "mailings"),
    "mailing test": (send_mailing_test, "mailings"),
    "digest": (send_digest, "others"),
    "password reset": (send_password_reset, "others"),
}


def test_other_apps_send_as_who_the_relay_accepts(world):
    world.cr.close()
    world.odoo.run("-i", "mass_mailing,digest,auth_signup", "--without-demo=all")
    world.open()
    env = world.env
    env["res.users"].with_context(no_reset_password=True).create(
        {"name": "Reader", "login": "reader", "email": READER, "notification_type": "email"}
    )
    john = world.user("john")
    domain = env["mail.alias.domain"].search([("name", "=", "acme.test")])
    others = env["ir.mail_server"].search([], limit=1)
    mailings = others.copy({"name": "Mailings", "sequence": 99})
    mailing_list = env["mailing.list"].create({"name": "All"})
    values = {
        "subject": "News",
        "body_html": "<p>Bicycles</p>",
        "mailing_model_id": env["ir.model"]._get_id("mailing.list"),
        "contact_list_ids": [(6, 0, mailing_list.ids)],
        "mail_server_id": mailings.id,
    }
    authors = {
        "a user": (john.email_formatted, "john.doe@acme.test"),
        "an agency": ('"Ann" <ann@agency.test>', "ann@agency.test"),
    }
    world.commit()
    with relay(env, others) as first, relay(env, mailings) as second:
        for policy in POLICIES:
            domain.write({"from_policy": policy, "from_address": OUT})
            for name, (send, through) in SENDERS.items():
                for author, (email_from, address) in authors.items():
                    if policy == "native" and author == "an agency" and through == "mailings":
                        continue  # core sends as the agency, which is what policies are for
                    first.left.clear()
                    second.left.clear()
                    send(env, {**values, "email_from": email_from})
                    world.commit()
                    case = f"{policy}, {name}, {author}"
                    right, wrong = (second, first) if through == "mailings" else (first, second)
                    assert not (first.refused or second.refused), case
                    assert not [left for left in wrong.left if READER in left.recipients], case
                    (left,) = [left for left in right.left if READER in left.recipients]
                    assert left.envelope_from.endswith("@acme.test"), case
                    assert "home.test" not in left.raw.decode(), case
                    (sender,) = left.mail["From"].addresses
                    if through == "others":
                        expected = OUT if policy == "forced" else sender.addr_spec
                    else:
                        keeps = author == "a user" and policy != "forced"
                        expected = address if keeps else OUT
                        assert keeps or f"({address})" in sender.display_name, case
                    assert sender.addr_spec == expected, case
                    assert sender.domain == "acme.test", case

        domain.write({"from_policy": "dynamic", "signed_reply_to": True})
        first.left.clear()
        second.left.clear()
        readers = [f"{number}@customer.test" for number in range(2)]
        partners = env["res.partner"].create([{"name": each, "email": each} for each in readers])
        values.update(
            mailing_model_id=env["ir.model"]._get_id("res.partner"),
            mailing_domain=repr([("id", "in", partners.ids)]),
            reply_to_mode="update",
            contact_list_ids=[],
        )
        env["mailing.mailing"].create(values).action_send_mail()
        env["mail.mail"].process_email_queue()
        world.commit()
        assert sorted(address for left in second.left for address in left.recipients) == readers
        for kind, addresses in (
            ("reply", {str(left.mail["Reply-To"]) for left in second.left}),
            ("bounce", {left.envelope_from for left in second.left}),
        ):
            assert len(addresses) == 2, "one for each recipient"
            assert all(f"{kind}." in address for address in addresses), addresses
        assert not (first.refused or second.refused)
