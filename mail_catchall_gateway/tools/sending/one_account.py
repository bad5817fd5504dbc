"""Mail servers of providers that let an account send only as its own addresses."""

#: Host name, or what it ends with; FACTS: the providers' own pages, and reports of refusals.
_HOSTS = (
    "smtp.gmail.com",  # other addresses are replaced without a word
    "smtp.office365.com",  # needs the right "Send As" for each of them
    "smtp-mail.outlook.com",
    "mail.privateemail.com",  # Namecheap: not even an alias
    "smtp.zoho.com",
    "smtp.zoho.eu",
    "smtppro.zoho.com",
    "smtppro.zoho.eu",
    "smtp.yandex.com",
    "smtp.yandex.ru",
    "smtp.protonmail.ch",  # the address of the token
)


def sends_as_one_account(host):
    """Tell whether a mail server is known to accept only the addresses of the account.

    :param str host: its name; may be empty
    """
    return (host or "").strip().rstrip(".").lower() in _HOSTS
