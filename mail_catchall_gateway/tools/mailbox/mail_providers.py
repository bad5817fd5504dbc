"""What is known of mail providers: how they are reached, and what they want in the DNS.

Sources of hosts and ports: chatmail/provider-db, docs.ovh.com, infomaniak.com, ionos.com. Of MX
and SPF: support.google.com/a/answer/140034, docs.ovh.com (SPF), infomaniak.com FAQ 2199, zones of
customers of IONOS, OVH and Microsoft 365.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Provider:
    """One mail provider. IMAP is at port 993, by SSL, with all of them.

    Arguments:
        code (str): by which it is stored
        name (str): as its customers know it; a proper name, so not translated
        imap_host, smtp_host (str): host names
        smtp_port (int), smtp_encryption (str): as ``ir.mail_server`` takes them
        mx (tuple): (preference, host) of its MX records (RFC 5321, 5.1); ``{dashed}`` in a host
            stands for the domain with dashes in the place of its dots
        spf (str): what its SPF record (RFC 7208) has between version and ``all``
        dkim (str): where its DKIM key (RFC 6376) stands, below ``_domainkey``; empty where each
            customer has a name of his own
    """

    code: str
    name: str
    imap_host: str = ""
    smtp_host: str = ""
    smtp_port: int = 465
    smtp_encryption: str = "ssl"
    mx: tuple = ()
    spf: str = "mx"
    dkim: str = ""


PROVIDERS = (
    Provider(
        "gmail",
        "Gmail, Google Workspace",
        "imap.gmail.com",
        "smtp.gmail.com",
        mx=((1, "smtp.google.com"),),
        spf="include:_spf.google.com",
        dkim="google",
    ),
    Provider(
        "microsoft",
        "Outlook, Microsoft 365",
        "outlook.office365.com",
        "smtp.office365.com",
        587,
        "starttls",
        mx=((0, "{dashed}.mail.protection.outlook.com"),),
        spf="include:spf.protection.outlook.com",
        dkim="selector1",
    ),
    Provider(
        "ovh",
        "OVHcloud",
        "ssl0.ovh.net",
        "ssl0.ovh.net",
        mx=((1, "mx1.mail.ovh.net"), (5, "mx2.mail.ovh.net"), (100, "mx3.mail.ovh.net")),
        spf="include:mx.ovh.com",
    ),
    Provider(
        "ionos",
        "IONOS",
        "imap.ionos.com",
        "smtp.ionos.com",
        587,
        "starttls",
        mx=((10, "mx00.ionos.com"), (10, "mx01.ionos.com")),
        spf="include:_spf-eu.ionos.com",
        dkim="s1-ionos",
    ),
    Provider(
        "infomaniak",
        "Infomaniak",
        "mail.infomaniak.com",
        "mail.infomaniak.com",
        mx=((5, "mta-gw.infomaniak.ch"),),
        spf="include:spf.infomaniak.ch",
    ),
)
_BY_CODE = {provider.code: provider for provider in PROVIDERS}
OTHER = Provider("other", "")


@dataclasses.dataclass(frozen=True)
class DnsRecord:
    """One record of a domain's zone.

    Arguments:
        purpose (str): ``mx``, ``spf``, ``dkim`` or ``dmarc``
        name (str): what it stands at, in full
        type (str): MX or TXT
        value (str): as it is entered; empty where only the provider knows it
    """

    purpose: str
    name: str
    type: str
    value: str = ""


def get_provider(code):
    """Return the :class:`Provider` of a code; one that nothing is known of for any other."""
    return _BY_CODE.get(code, OTHER)


def find_provider(host):
    """Return the :class:`Provider` that has a host for IMAP or SMTP, or the unknown one."""
    host = (host or "").strip().lower()
    return next((p for p in PROVIDERS if host and host in (p.imap_host, p.smtp_host)), OTHER)


def dns_records(domain, receiving, sending):
    """Return what a domain's zone needs for mail to arrive, and not to be taken for spam.

    :param str domain: name of the domain
    :param Provider receiving: who has the catch-all mailbox
    :param Provider sending: who has the SMTP account
    :return list: of :class:`DnsRecord`
    """
    dashed = domain.replace(".", "-")
    mx = [f"{number} {host.format(dashed=dashed)}" for number, host in receiving.mx]
    selector = f"{sending.dkim}._domainkey.{domain}" if sending.dkim else f"_domainkey.{domain}"
    includes = " ".join(dict.fromkeys((receiving.spf, sending.spf)))
    return [
        *(DnsRecord("mx", domain, "MX", value) for value in mx or [""]),
        DnsRecord("spf", domain, "TXT", f"v=spf1 {includes} ~all"),
        DnsRecord("dkim", selector, "TXT"),
        # only asks for nothing yet: a stricter policy is for when SPF and DKIM are seen to pass
        DnsRecord("dmarc", f"_dmarc.{domain}", "TXT", "v=DMARC1; p=none"),
    ]
