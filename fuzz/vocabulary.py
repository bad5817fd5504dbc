"""What the grammar makes mails of: values that are sound, odd and hostile."""

#: What is ours in ``world.py``, and what nearly is.
OURS = (
    *("john.doe@acme.test", "jane.roe@acme.test", "John.Doe@ACME.test", "john.doe+x@acme.test"),
    *("team@acme.test", "closed@acme.test", "catchall@acme.test", "bounce@acme.test"),
    *("notifications@acme.test", "jon.doe@acme.test", "nobody@acme.test", "john.doe@acme.org"),
    *("nobody@bounce.test", "nobody@forward.test", "tem@typo.test", "team@typo.test"),
    *("john@home.test", "jane@home.test", "+@acme.test", "local@elsewhere.test"),
    *('"john.doe"@acme.test', "john.doe@acme.test.", "bounce+1-x-2@acme.test"),
)
THEIRS = (
    *("mary@customer.test", "Mary@Customer.TEST", "bob@customer.test", "mailer-daemon@mx.test"),
    *("postmaster@mx.test", "no-reply@shop.test", "owner-list@lists.test", "mary@xn--bcher-kva.de"),
    *("märy@bücher.test", "mary@[192.0.2.1]", '"m ary"@customer.test', "a@b", "@", "mary", ""),
    *("x" * 300 + "@customer.test", "mary@" + "x." * 120 + "test", "mary@customer..test"),
)
#: Encoded words that begin another header field once they are decoded, the last one decoded twice.
INJECTED = (
    "=?utf-8?q?=0D=0AX-Fuzz-Injected:_yes?=",
    "=?utf-8?b?DQpYLUZ1enotSW5qZWN0ZWQ6IHllcw==?=",
    "=?utf-8?b?PT91dGYtOD9xPz0wRD0wQVgtRnV6ei1JbmplY3RlZDpfeWVzPz0=?=",
)
#: Message-Ids that ``world.py`` knows, and others.
IDS = (
    *("<known-document@acme.test>", "<known-conversation@acme.test>", "<known-mail@customer.test>"),
    *("<unknown@customer.test>", "<>", "no brackets", "<a b@c>", "<" + "i" * 1200 + "@x>", "<ü@x>"),
    *("<5555-openerp-1-res.partner@acme.test>", "=?unknown-8bit?q?=FF?= <x@customer.test>"),
    *(f"<{word}@x>" for word in INJECTED),
    *(f"{word} <{'i' * 80}@x>" for word in INJECTED),
)
NAMES = (
    *("", "Mary Smith", '"Smith, Mary"', "=?utf-8?q?J=C3=BCrgen?=", "=?utf-8?b?SsO8cmdlbg==?="),
    *INJECTED,
    *("=?unknown-8bit?q?=FF?=", "=?utf-8?q?=?=", "=?utf-16?b?/w==?=", "(comment", '"open', "\\"),
    *(
        "john@home.test",
        "=?utf-8?q?john=40home.test?=",
        "Mary <x@y>",
        "a,b",
        "\u202eyraM",
        "\0",
        "\udc80",
    ),
    *("=?idna?q?a?=", "=?utf-7?q?+AAA-?=", "=?utf-8*en?q?a?=", "Ma:ry;", "M\tary", "x" * 2000),
)
SUBJECTS = (
    *("Bicycles", "Re: Bicycles", "", "=?utf-8?q?Fahrr=C3=A4der?=", "Undelivered Mail", "\0", "ü"),
    *("Automatic reply: Bicycles", *INJECTED, "x" * 3000),
    *(
        "=?utf-8?q?" + "=41" * 200 + "?=",
        "=?utf-8?b?w7?= =?utf-8?b?w7w=?=",
        "{{ object }}",
        "%s %(x)s",
    ),
    *("${object.name}", "<script>alert(1)</script>", "Delivery Status Notification (Failure)"),
)
DATES = (
    *("Fri, 20 Nov 2026 10:00:00 +0200", "", "yesterday", "Fri, 99 Nov 2026 10:00:00 +0000"),
    *("1 Jan 0001 00:00:00 +2359", "31 Dec 9999 23:59:59 -2359", "1 Jan 999999 1:1:1", "0", "a;b"),
    *("Fri, 20 Nov 2026 10:00:00 +999999999999999", "20 Nov 26", "1e9", "12/11/10", "10:70"),
)
CHARSETS = (
    *("utf-8", "iso-8859-1", "us-ascii", "windows-1252", "utf-16", "utf-16le", "utf-7", "gb2312"),
    *("shift_jis", "unknown-8bit", "x-mac", "idna", "rot13", "base64", "hex", "zip", "undefined"),
    *("", "utf8mb4", "ü", "cp65001", "a\0b", "unicode_escape", "punycode", "'utf-8'", "mbcs", "*"),
)
ENCODINGS = (
    "7bit",
    "8bit",
    "base64",
    "quoted-printable",
    "binary",
    "x-uuencode",
    "9bit",
    "BASE64 ;",
)
TEXTS = (
    *(
        "Two, please.\n",
        "",
        "\n",
        "> quoted\n>> deeper\n",
        "-- \nMary\n",
        "\0",
        "caf\udce9\n",
        "\udcff" * 9,
    ),
    *(
        "Größe 日本語 🚲\n",
        "a" * 5000,
        "From here\n",
        ".\n",
        "--b0\n",
        "begin 644 x\n#0V%T\n`\nend\n",
    ),
    *(
        "john@home.test\n",
        "On Friday John <john@home.test> wrote:\n> two?\n",
        "\r",
        "\u2028",
        "> " * 300,
    ),
)
HTMLS = (
    *("<p>Two, <b>please</b>.</p>", "", "<", "<p", "<!--", "<![CDATA[x]]>", "<?xml encoding='x'?>"),
    *(
        "<div class='gmail_quote'><blockquote>a</blockquote></div>",
        "<style>p{}</style><p style='x:y'>",
    ),
    *(
        "<div>" * 300,
        "<b>" * 300 + "x",
        "<table>" * 50 + "<td>",
        "<script>alert(1)</script>x",
        "&#0;&#xd800;",
    ),
    *(
        "<img src='cid:i@x'/><img src='data:image/png;base64,iVBOR'/>",
        "<a href='java\0script:x'>y</a>",
    ),
    *(
        "<p>\0</p>",
        "<html xmlns:o='urn'><o:p>x</o:p></html>",
        "<svg><math><p>x",
        "<hr id=stopSpelling><p>x",
    ),
    *(
        "<a" + " b='c'" * 300 + ">",
        "<" * 400,
        "<p title='" + "&" * 300 + "'>",
        "john@home.test &gt; x\n&gt; y",
    ),
)
TYPES = (
    *("text/plain", "text/html", "application/pdf", "image/png", "image/svg+xml", "text/calendar"),
    *("application/ms-tnef", "text/xml", "text/csv", "application/xhtml+xml", "font/woff", "text"),
    *("application/octet-stream", "TEXT/HTML", "x", "", "message/external-body", "message/partial"),
    *(
        "text/rfc822-headers",
        "message/rfc822",
        "message/delivery-status",
        "application/zip",
        "audio/x",
    ),
)
FILES = (
    *(
        "a.pdf",
        "../../etc/passwd",
        "a\0.txt",
        "=?utf-8?q?=C3=BC.txt?=",
        "x" * 400,
        "winmail.dat",
        "",
    ),
    *("a.html", "ü.txt", 'a".txt', "a;b.txt", "CON", "a\u202etxt.exe", "=?utf-8?b?AA==?="),
)
RESULTS = (
    "mx.acme.test; spf=pass smtp.mailfrom=mary@customer.test; dkim=fail header.d=x",
    *("mx.acme.test; dmarc=pass header.from=acme.test", "mx.acme.test; none", "=", "mx.acme.test"),
    *("mx.acme.test; " + "(" * 99, "mx.acme.test; x="),
    "mx.acme.test 1; dkim=pass (a \\) b) header.d=acme.test; " * 40,
)
#: Fields that servers and machines write; each a name and values to choose from.
FIELDS = (
    ("Auto-Submitted", ("auto-replied", "auto-generated", "no", "(x) auto-replied; y", "\udcff")),
    ("Precedence", ("bulk", "list", "auto_reply", "x")),
    ("List-Id", ("<list.example>", "")),
    ("X-Autoreply", ("yes", "no", "")),
    ("X-Spam-Flag", ("YES", "NO", "yes " * 900)),
    ("Return-Path", ("<>", "<mary@customer.test>", "<MAILER-DAEMON>", "x", "<<>>", '<"a b"@c>')),
    ("Delivered-To", ("catchall@acme.test", "john.doe@acme.test", "mailing list x@y", "")),
    ("X-Original-To", (*OURS[:6], "a@b, c@d", "<" * 50)),
    ("Received", ("from a by mx.acme.test for <team@acme.test>; x", "(" * 40, "for <@:a@b>", "")),
    ("Authentication-Results", RESULTS),
    ("Reply-To", ("bob@customer.test", "john.doe@acme.test", "x", "a: b, c@d;")),
    ("Sender", ("list@lists.test", "x")),
    ("Resent-From", ("bob@customer.test", "")),
    ("X-Failed-Recipients", ("mary@customer.test", "x", "a@b, c@d")),
    ("X-Odoo-Message-Id", IDS),
    ("X-Catchall-Loop", ("x", "")),
    ("Content-Language", ("en", "")),
    ("Mime-Version", ("1.0", "1.0 (x)", "x", "")),
    ("In-Reply-To", IDS),
    ("Thread-Topic", SUBJECTS),
    ("Content-Disposition", ("inline", "attachment; filename=x", "x; y=", "=?x?")),
    ("Disposition-Notification-To", ("mary@customer.test",)),
    ("Bcc", OURS[:5]),
    ("X" * 90, ("x",)),
    ("", ("x",)),
    ("X-Ü", ("ü",)),
)
