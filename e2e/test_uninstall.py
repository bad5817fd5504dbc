"""Without the addon, the database is a stock Odoo that fetches, routes and sends."""


def test_stock_odoo_goes_on_after_uninstalling(world):
    world.send("john.doe@acme.test")
    world.cycle()
    assert world.inbox("john")
    world.cr.close()
    world.odoo.script("uninstall.py")
    world.open()

    assert "mail.catchall.inbound" not in world.env
    assert "alias_id" not in world.env["res.users"]._fields
    assert not world.env["mail.alias"].search([("alias_name", "=", "john.doe")])
    assert not world.env["mail.message"].search([("model", "=like", "mail.catchall%")])
    assert not world.env["ir.cron"].search([("cron_name", "ilike", "catch-all")])
    assert not world.inbox("john")

    world.send("sales@acme.test", subject="Do you still read this?")
    world.env["fetchmail.server"]._fetch_mails()
    lead = world.env["crm.lead"].search([("name", "=", "Do you still read this?")])
    assert lead.email_from == '"Mary Smith" <mary@customer.test>'
    partner = world.env["res.partner"].create({"name": "Mary", "email": "mary@customer.test"})
    lead.with_user(world.user("admin")).message_post(
        body="We do",
        message_type="comment",
        subtype_xmlid="mail.mt_comment",
        partner_ids=partner.ids,
    )
    world.cr.commit()
    world.env["mail.mail"].process_email_queue()
    (received,) = world.mails("mary@customer.test", 1)
    assert "We do" in received.get_body(("plain",)).get_content()
