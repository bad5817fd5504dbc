"""What is known of mail providers: how they are reached, and what they want in the DNS.

Sources of hosts and ports: chatmail/provider-db, docs.ovh.com, infomaniak.com, ionos.com. Of MX
and SPF: support.google.com/a/answer/140034, docs.ovh.com (SPF), infomaniak.com FAQ 2199, zones of
customers of IONOS, OVH and Microsoft 365.
"""

import collections
import dataclasses

#: A record of a zone, for ``mx``, ``spf``, ``dkim`` or ``dmarc``; without the value that only the
#: provider knows.
DnsRecord = collections.namedtuple("DnsRecord", "purpose name type value", defaults=[""])


@dataclasses.dataclass(frozen=True)
class Provider:
    """One mail provider. IMAP is at port 993, by SSL, with all of them."""

    code: str
    name: str  # a proper name, so not translated
    imap_host: str = ""
    smtp_host: str = ""
    smtp_port: int = 465
    smtp_encryption: str = "ssl"
    #: (preference, host); ``{dashed}`` is the domain with dashes in the place of its dots
    mx: tuple = ()
    #: what the record (RFC 7208) has between version and ``all``
    spf: str = "mx"
    #: where the key (RFC 6376) stands below ``_domainkey``, if it is the same for all customers
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


def get_provider(code):
    """Return the :class:`Provider` of a code; one that nothing is known of for any other."""
    return _BY_CODE.get(code, OTHER)


def find_provider(host):
    """Return the :class:`Provider` that has a host for IMAP or SMTP, or the unknown one."""
    host = (host or "").strip().lower()
    return next((p for p in PROVIDERS if host and host in (p.imap_host, p.smtp_host)), OTHER)


def dns_records(domain, receiving, sending):
    """Return the records that a domain needs for mail to arrive, and not to be taken for spam.

    :param str domain: its name
    :param Provider receiving, sending: who has the catch-all mailbox, and the SMTP account
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
