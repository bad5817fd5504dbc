"""Without the addon, the database is a stock Odoo that fetches, routes and sends."""

import pytest

ADDON = "mail_catchall_gateway"

#: Parameters of core's, which keep their values.
CORE_PARAMETERS = {
    "mail.gateway.loop.minutes": "60",
    "mail.gateway.loop.threshold": "15",
    "mail.catchall.domain.allowed": "acme.test,acme.example",
    "mail.force.smtp.from": "",
}

#: What nothing may be left of, and the question that finds it.
LEFTOVERS = {
    "tables": "SELECT tablename FROM pg_tables WHERE tablename LIKE '%catchall%'",
    "columns": "SELECT table_name, column_name FROM information_schema.columns"
    " WHERE table_schema = 'public' AND (column_name LIKE '%catchall%' AND table_name NOT IN"
    " ('mail_alias_domain', 'res_company') OR column_name IN ('alias_is_further',"
    " 'alias_expiration', 'alias_copy_to_mailbox', 'alias_delegate_id', 'accepted_domain_names',"
    " 'unrouted_policy', 'unrouted_alias_id', 'from_policy', 'from_address', 'signed_reply_to',"
    " 'authentication_policy', 'recipient_headers', 'trusted_authserv_id', 'next_fetch'))",
    "indexes": "SELECT indexname FROM pg_indexes"
    " WHERE indexname LIKE 'mail_catchall%' OR indexname IN ('mail_alias_domain_name_length',"
    " 'mail_alias__alias_parent_thread_id_index')",
    "external ids": f"SELECT name FROM ir_model_data WHERE module = '{ADDON}'",
    "models": "SELECT model FROM ir_model WHERE model LIKE 'mail.catchall%'",
    "fields": "SELECT model, name FROM ir_model_fields WHERE relation LIKE 'mail.catchall%'",
    "views": "SELECT name FROM ir_ui_view WHERE model LIKE 'mail.catchall%'"
    " OR arch_db::text LIKE '%mail_catchall_gateway%'",
    "actions": "SELECT id FROM ir_act_window WHERE res_model LIKE 'mail.catchall%'",
    "server actions": "SELECT id FROM ir_act_server WHERE code LIKE '%catchall%'"
    " OR model_name LIKE 'mail.catchall%'",
    "scheduled actions": "SELECT id FROM ir_cron WHERE cron_name ILIKE '%catch-all%'",
    "menus": "SELECT id FROM ir_ui_menu WHERE name::text LIKE '%Email Gateway%'",
    "rules": "SELECT name FROM ir_rule WHERE domain_force LIKE '%catchall%'",
    "parameters": f"SELECT key FROM ir_config_parameter WHERE key LIKE '{ADDON}%'",
    "attachments": "SELECT id FROM ir_attachment WHERE res_model LIKE 'mail.catchall%'",
    "messages": "SELECT id FROM mail_message WHERE model LIKE 'mail.catchall%'",
    "followers": "SELECT id FROM mail_followers WHERE res_model LIKE 'mail.catchall%'",
    "activities": "SELECT id FROM mail_activity WHERE res_model LIKE 'mail.catchall%'",
    "assets": f"SELECT id FROM ir_asset WHERE path LIKE '%{ADDON}%'",
    "aliases": "SELECT alias_name FROM mail_alias WHERE alias_name IN"
    " ('john.doe', 'jd', 'jane.roe')",
}


def fill(world):
    """Let everything be there that the addon knows."""
    env = world.env
    john, admin = world.user("john"), world.user("admin")
    john.further_alias_ids = [(0, 0, {"alias_name": "jd"})]
    domain = env["mail.alias.domain"].search([("name", "=", "acme.test")])
    domain.write(
        {
            "accepted_domain_names": "acme.example",
            "signed_reply_to": True,
            "from_policy": "dynamic",
            "from_address": "outgoing@acme.test",
        }
    )
    parameters = env["ir.config_parameter"]
    for key, value in {**CORE_PARAMETERS, f"{ADDON}.reply_days": "30"}.items():
        parameters.set_param(key, value)
    env["mail.catchall.blocked"].create({"email": "spam@shop.test"})
    domain.write({"unrouted_policy": "forward", "unrouted_alias_id": john.alias_id.id})
    domain.unrouted_policy = "review"
    ids = [
        world.send(to, subject=subject)
        for to, subject in [
            ("john.doe@acme.test", "For John"),
            ("jane.roe@acme.test", "For Jane"),
            ("jon.doe@acme.test", "For nobody"),
            ("sales@acme.test", "For the team"),
            ("jd@acme.test", "For JD"),
        ]
    ]
    world.send("sales@acme.test", "spam@shop.test", subject="Spam")
    world.cycle()
    talks = [world.inbound(each).conversation_id for each in ids]
    talks[0].with_user(john).message_post(
        body="An answer", message_type="comment", subtype_xmlid="mail.mt_comment"
    )
    lead = env["crm.lead"].create({"name": "Bicycles"})
    talks[1].with_user(admin).sudo()._attach_to(lead)
    states = {"failed": "processing", "pending": "pending", "discarded": "discarded"}
    inbounds = env["mail.catchall.inbound"]
    for state in states:
        raw = f"From: mary@customer.test\nTo: jd@acme.test\nSubject: {state}\n\nx".encode()
        inbound = inbounds._store([(raw, {"state": state})])
        inbound._schedule_for_managers("Look", "Look at this")
    env["mailing.mailing"].create(
        {
            "subject": "News",
            "body_html": "<p>News</p>",
            "mailing_model_id": env["ir.model"]._get_id("res.partner"),
            "mail_server_id": env["ir.mail_server"].search([], limit=1).id,
        }
    )
    world.cycle()
    return lead, {inbound.state for inbound in inbounds.search([])}


@pytest.fixture
def filled(world):
    """A database with CRM and mass mailing, in which everything of the addon was used."""
    world.cr.close()
    world.odoo.run("-i", "mass_mailing", "--without-demo=all")
    world.open()
    lead, states = fill(world)
    assert states >= {"delivered", "review", "ignored", "failed", "discarded"}
    lead_id = lead.id
    world.cr.close()
    return lead_id


def test_an_upgrade_changes_nothing(world, filled):
    world.open()
    names = [name for name in world.env if name.startswith("mail.catchall.")]
    names = [name for name in names if not world.env[name]._transient]
    names = [name for name in names if not world.env[name]._abstract]
    counts = {name: world.env[name].search_count([]) for name in names}
    assert counts["mail.catchall.inbound"] > 5
    world.cr.close()
    world.odoo.run("-u", ADDON)
    world.open()
    assert {name: world.env[name].search_count([]) for name in names} == counts
    assert world.inbox("john")
    world.send("john.doe@acme.test", subject="After the upgrade")
    world.cycle()
    assert "After the upgrade" in world.inbox("john").mapped("subject")


def test_stock_odoo_goes_on_after_uninstalling(world, filled):
    world.odoo.script("setup/uninstall.py")
    world.open()
    assert "mail.catchall.inbound" not in world.env
    assert "alias_id" not in world.env["res.users"]._fields
    for name, question in LEFTOVERS.items():
        world.cr.execute(question)
        assert not world.cr.fetchall(), name
    for key, value in CORE_PARAMETERS.items():
        assert (world.env["ir.config_parameter"].get_param(key) or "") == value
    assert "For John" not in world.inbox("john").mapped("subject")

    # what was delivered on documents, or moved there, stays readable with its files
    lead = world.env["crm.lead"].browse(filled).with_user(world.user("admin"))
    assert "For Jane" in lead.message_ids.mapped("subject")
    team = world.env["crm.lead"].search([("name", "=", "For the team")])
    assert team.message_ids.filtered("body")
    for view in ("res.users", "mail.alias.domain", "ir.mail_server", "fetchmail.server"):
        for kind in ("form", "tree"):
            world.env[view].get_view(view_type=kind)
    world.env["res.config.settings"].create({}).execute()

    world.send("sales@acme.test", subject="Do you still read this?")
    world.env["fetchmail.server"]._fetch_mails()
    lead = world.env["crm.lead"].search([("name", "=", "Do you still read this?")])
    assert lead.email_from == '"Mary Smith" <mary@customer.test>'
    raw = "From: Mary <mary@customer.test>\nTo: sales@acme.test\nSubject: By hand\n\nHello"
    thread_id = world.env["mail.thread"].message_process(False, raw)
    assert world.env["crm.lead"].browse(thread_id).name == "By hand"
    # who was answered in a conversation is still a contact
    partner = world.env["res.partner"].search([("email", "=", "mary@customer.test")], limit=1)
    assert partner
    lead.with_user(world.user("admin")).message_post(
        body="We do",
        message_type="comment",
        subtype_xmlid="mail.mt_comment",
        partner_ids=partner.ids,
    )
    world.cr.commit()
    world.env["mail.mail"].process_email_queue()
    (received,) = (
        mail
        for mail in world.all_mails("mary@customer.test")
        if "We do" in mail.get_body(("plain",)).get_content()
    )
    assert "reply." not in str(received["Reply-To"])


def test_it_can_be_installed_again(world, filled):
    world.odoo.script("setup/uninstall.py")
    world.odoo.run("-i", ADDON, "--without-demo=all")
    world.open()
    world.user("john").alias_name = "john.doe"
    world.env["fetchmail.server"].search([]).is_catchall = True
    world.send("john.doe@acme.test", subject="Back again")
    world.cycle()
    assert world.inbox("john").mapped("subject") == ["Back again"]
