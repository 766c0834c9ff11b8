"""Django settings. Everything that differs between installations comes from the environment or XUEKA_HOME."""

import json
import os
from pathlib import Path

from xueka.config import logs
from xueka.platform.database import address, home

SOURCE = Path(__file__).resolve().parents[1]
XUEKA_HOME = home.home()

DEBUG = False
SECRET_KEY = home.secret("django")
ALLOWED_HOSTS = os.environ.get("XUEKA_HOSTS", "localhost,127.0.0.1,[::1]").split(",")
ROOT_URLCONF = "xueka.config.urls"
WSGI_APPLICATION = "xueka.config.wsgi.application"

PORTALS = sorted(found.parent.name for found in SOURCE.glob("entrypoints/portals/*/apps.py"))
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "axes",
    "procrastinate.contrib.django",
    *(
        f"xueka.platform.{name}"
        for name in (
            "database",
            "identity",
            "audit",
            "history",
            "jobs",
            "files",
            "backup",
            "messages",
            "mail",
            "exchange",
        )
    ),
    *(
        f"xueka.contexts.{name}"
        for name in (
            "registry",
            "numbers",
            "cards",
            "keys",
            "printing",
            "personalization",
            "production",
            "logistics",
            "families",
            "ledger",
            "payments",
            "receipts",
            "replacements",
            "couriers",
            "schoolyear",
            "takeover",
            "repairs",
            "reporting",
            "officers",
            "multiapp",
            "treasury",
            "closing",
            "interop",
            "transit",
            "welfare",
            "coordination",
            "operations",
        )
    ),
    "xueka.entrypoints.design",
    *(f"xueka.entrypoints.portals.{name}" for name in PORTALS),
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "xueka.config.security.ContentSecurityPolicyMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "xueka.platform.identity.middleware.StaffSessionMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "xueka.entrypoints.design.middleware.MannerMiddleware",
    "axes.middleware.AxesMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

DATABASES = {"default": address.django_settings()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "database_cache",
        # The default of 300 would throw out who is at which card while many addresses are counted.
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    }
}

LANGUAGE_CODE = "zh-hans"
USE_I18N = True
TIME_ZONE = "Asia/Shanghai"
USE_TZ = True

AUTH_USER_MODEL = "identity.User"
AUTHENTICATION_BACKENDS = [
    "xueka.platform.identity.backends.LockOut",
    "xueka.platform.identity.backends.Password",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "xueka.platform.identity.passwords.LongEnough"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
    {"NAME": "xueka.platform.identity.passwords.NotTheOldPassword"},
]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.ScryptPasswordHasher"]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "/"

# Lock-out: five failures within 15 minutes lock user and address for 15.
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = 0.25  # hours
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_RESET_ON_SUCCESS = True
AXES_USERNAME_CALLABLE = "xueka.platform.identity.lockouts.stand_in"
AXES_CLIENT_IP_CALLABLE = "xueka.platform.identity.addresses.client_address"
AXES_LOCKOUT_TEMPLATE = "common/locked.html"
AXES_DISABLE_ACCESS_LOG = True  # the audit log has them
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False
AXES_SENSITIVE_PARAMETERS = ["username", "code", "again", "new", "old", "next"]  # never kept as typed

# Before these acts a person shows again that it is she, unless she did so within PROVED_AGE seconds.
PROVED_AGE = 15 * 60
PROVED_FOR = frozenset(
    filter(
        None,
        os.environ.get(
            "XUEKA_PROVED_FOR",
            "admin:grant_ask,admin:new_user,admin:request_act,admin:reset_password,admin:reset_factor,admin:revoke,"
            "custodian:ask,custodian:change_act,city:bureau_confirm,city:audit_export,city:credential_make,city:credential_rotate,objects:export_act,objects:export_take,"
            "finance:close_act",
        ).split(","),
    )
)
ACTIVATION_DAYS = int(os.environ.get("XUEKA_ACTIVATION_DAYS", "30"))  # how long a printed code holds

LIST_EXPORT_ROWS = int(os.environ.get("XUEKA_LIST_EXPORT_ROWS", "5000"))  # of a list taken as it is shown

# Staff: idle 30 minutes, absolute 12 hours, both held by StaffSessionMiddleware.
SESSION_IDLE_AGE = 30 * 60
SESSION_ABSOLUTE_AGE = 12 * 60 * 60
SESSION_COOKIE_AGE = SESSION_ABSOLUTE_AGE
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"

HTTPS = os.environ.get("XUEKA_HTTPS", "") == "1"  # behind a proxy that ends TLS and sets X-Forwarded-Proto
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
CSRF_TRUSTED_ORIGINS = [f"https://{host}" for host in ALLOWED_HOSTS] if HTTPS else []
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

STATIC_URL = "/static/"
STATIC_ROOT = Path(os.environ.get("XUEKA_STATIC", SOURCE.parents[1] / "static"))
NODE_MODULES = Path(os.environ.get("XUEKA_NODE_MODULES", SOURCE.parents[1] / "node_modules"))
STATICFILES_FINDERS = [
    "django.contrib.staticfiles.finders.AppDirectoriesFinder",
    "xueka.entrypoints.design.finders.VendorFinder",
]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "xueka.entrypoints.design.storage.NamedByContent"},
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 20 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 10_000

PROCRASTINATE_AUTODISCOVER_MODULE_NAME = "jobs"
MESSAGE_GATEWAY = "xueka.platform.messages.http_gateway.configured"
# What the gateway for short messages gave us: address, our id, secret (docs/interfaces/messages.md §1).
MESSAGE_PARTNER = Path(os.environ.get("XUEKA_MESSAGE_PARTNER", XUEKA_HOME / "messages" / "partner.json"))
# The numbers under which the gateway registered our texts: {"SIGN_IN_CODE": "…"}.
MESSAGE_APPROVALS = Path(
    os.environ.get("XUEKA_MESSAGE_APPROVALS", XUEKA_HOME / "messages" / "approvals.json")
)
# Beijing time in which nothing but codes is sent; empty: none. Most messages beside codes to one phone a day;
# most of the city in a minute; of the city in a day, beside codes and of codes (0: no limit).
MESSAGE_QUIET = os.environ.get("XUEKA_MESSAGE_QUIET", "21:00-08:00")
MESSAGE_PHONE_DAY = int(os.environ.get("XUEKA_MESSAGE_PHONE_DAY", "20"))
MESSAGE_CITY_MINUTE = int(os.environ.get("XUEKA_MESSAGE_CITY_MINUTE", "600"))
MESSAGE_CITY_DAY = int(os.environ.get("XUEKA_MESSAGE_CITY_DAY", "0"))
MESSAGE_CODES_DAY = int(os.environ.get("XUEKA_MESSAGE_CODES_DAY", "0"))
MESSAGE_SITE = os.environ.get("XUEKA_MESSAGE_SITE", "")  # ours, for its reports; empty: where we listen
# The mail server that sends for us, and where mail for us arrives (docs/interfaces/messages.md §10).
MAIL_PARTNER = Path(os.environ.get("XUEKA_MAIL_PARTNER", XUEKA_HOME / "mail" / "partner.json"))
MAIL_TRANSPORT = "xueka.platform.mail.smtp.configured"
MAIL_LISTEN = os.environ.get("XUEKA_MAIL_LISTEN", "127.0.0.1:0")
MAIL_LARGEST = int(os.environ.get("XUEKA_MAIL_LARGEST", str(10 * 1024 * 1024)))  # bytes of a mail, either way
MAIL_KEPT_DAYS = int(os.environ.get("XUEKA_MAIL_KEPT_DAYS", "180"))  # contents of mails
# What the counterparts handed over: a folder each with partner.json (docs/interfaces/exchange.md §2).
EXCHANGE_PARTNERS = Path(os.environ.get("XUEKA_EXCHANGE_PARTNERS", XUEKA_HOME / "exchange"))
EXCHANGE_KEPT_DAYS = int(os.environ.get("XUEKA_EXCHANGE_KEPT_DAYS", "90"))  # contents of what has arrived
# Who applies what comes: "counterpart/kind" or "*/kind" → function (platform/exchange/applying.py).
EXCHANGE_HANDLERS: dict[str, str] = {
    "transit/validity.changed": "xueka.contexts.transit.api.hear_validity",
    "beijing-tong/numbers.granted": "xueka.contexts.interop.api.numbers_granted",
    "beijing-tong/numbers.declined": "xueka.contexts.interop.api.numbers_declined",
    "beijing-tong/citizen.corrected": "xueka.contexts.interop.api.citizen_corrected",
    "beijing-tong/application.blocked": "xueka.contexts.interop.api.application_blocked",
    "beijing-tong/application.unblocked": "xueka.contexts.interop.api.application_unblocked",
    "beijing-tong/number.withdrawn": "xueka.contexts.interop.api.number_withdrawn",
    "transit/binding.answered": "xueka.contexts.transit.api.hear_answer",
    "transit/binding.released": "xueka.contexts.transit.api.hear_released",
    "transit/hotlist.confirmed": "xueka.contexts.transit.api.hear_confirmed",
    "transit/card.blocked": "xueka.contexts.transit.api.hear_block",
    "transit/extension.answered": "xueka.contexts.transit.api.hear_extended",
    "transit/script.announced": "xueka.contexts.transit.api.hear_script",
    "transit/range.granted": "xueka.contexts.transit.api.hear_paper",
    "transit/schedule.answered": "xueka.contexts.transit.api.hear_paper",
    "transit/handover.answered": "xueka.contexts.transit.api.hear_paper",
    "transit/hotlist.received": "xueka.contexts.transit.api.hear_whole",
    "welfare/entitlement.changed": "xueka.contexts.welfare.api.hear_entitlement",
    "welfare/kind.named": "xueka.contexts.welfare.api.hear_kind",
}
# Transit company: seconds that a look-up waits, hours after which an answer counts as old, days before an end
# from when it is said to come soon.
TRANSIT_DEADLINE = float(os.environ.get("XUEKA_TRANSIT_DEADLINE", "3"))
TRANSIT_FRESH_HOURS = int(os.environ.get("XUEKA_TRANSIT_FRESH_HOURS", "24"))
TRANSIT_YEAR_ENDS = os.environ.get("XUEKA_TRANSIT_YEAR_ENDS", "08-31")  # until when an extension is asked for
TRANSIT_SOON_DAYS = int(os.environ.get("XUEKA_TRANSIT_SOON_DAYS", "60"))
# Names of kinds of entitlement that the welfare-card platform has not named: code=name;code=name.
WELFARE_KINDS = os.environ.get("XUEKA_WELFARE_KINDS", "")
# What Jingtong handed over for the citizens' sign-on (docs/interfaces/jingtong.md §1).
JINGTONG_PARTNER = Path(os.environ.get("XUEKA_JINGTONG_PARTNER", XUEKA_HOME / "jingtong" / "partner.json"))
# Who tells how an interface stands (platform/exchange/standing.py).
INTERFACES = (
    "xueka.contexts.interop.services.sampling.counterparts_standing",
    "xueka.contexts.registry.standing.standings",
    "xueka.contexts.production.standing.standings",
    "xueka.contexts.couriers.standing.standings",
    "xueka.platform.messages.standing.standings",
    "xueka.platform.mail.standing.standings",
    "xueka.contexts.families.standing.standings",
    "xueka.contexts.treasury.standing.standings",
    "xueka.contexts.receipts.standing.standings",
    "xueka.contexts.multiapp.standing.standings",
)
COORDINATION_PARCELS = "xueka.contexts.couriers.api.shipment"  # finds one by its number
# Who brings our record of a dataset to what the counterpart has (contexts/interop): dataset → function.
INTEROP_TAKERS: dict[str, str] = {
    "transit-bindings": "xueka.contexts.transit.api.take_binding",
    "transit-validity": "xueka.contexts.transit.api.take_validity",
    "entitlements": "xueka.contexts.welfare.api.take_entitlement",
    "students": "xueka.contexts.registry.api.take_theirs",
}
INTEROP_HOUR = int(os.environ.get("XUEKA_INTEROP_HOUR", "3"))  # from when the two sides are compared each day
# Differences that the daily comparison tells the counterpart anew by itself, if there are no more; 0: none.
INTEROP_TELL_AGAIN = int(os.environ.get("XUEKA_INTEROP_TELL_AGAIN", "200"))
BUREAU_GATEWAY = "xueka.contexts.production.adapters.sftp.connect"
# Adapters of the payment channels (contexts/payments/ports.py).
PAYMENT_CHANNELS = {
    name: f"xueka.contexts.payments.adapters.{name}.connect"
    for name in ("wechat", "alipay", "unionpay", "nontax")
}
# What the channels handed over: addresses, our numbers there, keys (docs/interfaces/channels.md §1).
CHANNEL_PARTNER = Path(os.environ.get("XUEKA_CHANNEL_PARTNER", XUEKA_HOME / "channels" / "partner.json"))
FINANCE_PARTNER = Path(os.environ.get("XUEKA_FINANCE_PARTNER", XUEKA_HOME / "finance" / "partner.json"))
# Adapters of the couriers (contexts/couriers/ports.py); what they handed over (interfaces/couriers.md §1).
COURIERS = {name: f"xueka.contexts.couriers.adapters.{name}.connect" for name in ("sf", "kuaidi100")}
COURIER_PARTNER = Path(os.environ.get("XUEKA_COURIER_PARTNER", XUEKA_HOME / "couriers" / "partner.json"))
# Who sends, as waybills and labels say: name;phone;address.
COURIER_SENDER = os.environ.get(
    "XUEKA_COURIER_SENDER", "北京市学生卡服务中心;01000000000;北京市西城区（寄件地址待填写）"
).split(";")
# Days that a courier is given where nobody says otherwise; hours of silence after which a parcel is stuck.
COURIER_DAYS = int(os.environ.get("XUEKA_COURIER_DAYS", "3"))
COURIER_SILENCE = int(os.environ.get("XUEKA_COURIER_SILENCE", "48"))
# Hours that a courier may leave our questions without an answer until the parcel waits for a person.
COURIER_UNANSWERED = int(os.environ.get("XUEKA_COURIER_UNANSWERED", "6"))
# Our address as couriers see it; without it, where we listen.
COURIER_SITE = os.environ.get("XUEKA_COURIER_SITE", "")
RECEIPT_OFFICE = "xueka.contexts.receipts.adapters.finance.connect"
# Receipt numbers in stock: fewer than LOW are said to run out, and DRAW of them are drawn (0: by hand only).
RECEIPTS_STOCK_LOW = int(os.environ.get("XUEKA_RECEIPTS_LOW", "100"))
RECEIPTS_STOCK_DRAW = int(os.environ.get("XUEKA_RECEIPTS_DRAW", "500"))
# Where the finance office reaches us with its confirmations; port 0: any free one, told in city/nontax.json.
NONTAX_LISTEN = os.environ.get("XUEKA_NONTAX_LISTEN", "127.0.0.1:0")
# How the treasury is asked to pay back (contexts/closing/calling.py).
BACK_PAYMENTS = "xueka.contexts.closing.adapters.finance_office.pay_back"
PAYMENTS_ORDER_MINUTES = int(os.environ.get("XUEKA_ORDER_MINUTES", "30"))  # a family has to pay an order
PAYMENTS_ASK_AFTER = int(os.environ.get("XUEKA_PAYMENT_ASK_AFTER", "30"))  # seconds without a notice
PAYMENTS_NONTAX_REGION = os.environ.get("XUEKA_NONTAX_REGION", "110100")  # the first digits of a payment code
WEB_WORKERS = int(os.environ.get("XUEKA_WEB_WORKERS", "2"))
WORKER_CONCURRENCY = int(os.environ.get("XUEKA_WORKER_CONCURRENCY", "1"))

# Where fonts for card faces are looked for, in this order (contexts/printing/data/fonts.toml names them).
CARD_FONT_FOLDERS = [
    *filter(None, os.environ.get("XUEKA_CARD_FONTS", "").split(os.pathsep)),
    "/usr/share/fonts",
    "/usr/local/share/fonts",
    str(NODE_MODULES / "@expo-google-fonts" / "noto-sans-sc"),
]

PRINT_SILENCE = int(os.environ.get("XUEKA_PRINT_SILENCE", "300"))  # seconds until a print job is asked after
CARD_HOTLINE = os.environ.get(
    "XUEKA_HOTLINE", ""
)  # printed on the card where the template has a place for it

# Seconds that a second import waits for the first, before it is told who is importing.
REGISTRY_IMPORT_WAIT = int(os.environ.get("XUEKA_IMPORT_WAIT", "10"))
# docs/interfaces/roster.md: the form of an education ID; "1" waives the districts' consent to transfers.
REGISTRY_EDUCATION_ID_PATTERN = os.environ.get("XUEKA_EDUCATION_ID_PATTERN", r"\d{8}")
REGISTRY_TRANSFER_WAIVED = os.environ.get("XUEKA_TRANSFER_WAIVED", "") == "1"
# A transfer asked for by a person: working days for either side's answer; what to do about a time of the year
# in which transfers are not made ("warn", "refuse" or "off"); "1" lets schools of one district do without.
REGISTRY_TRANSFER_DAYS = int(os.environ.get("XUEKA_TRANSFER_DAYS", "10"))
REGISTRY_TRANSFER_TIMING = os.environ.get("XUEKA_TRANSFER_TIMING", "warn")
REGISTRY_TRANSFER_INSIDE_WAIVED = os.environ.get("XUEKA_TRANSFER_INSIDE_WAIVED", "") == "1"

# OneRoster packages (docs/interfaces/oneroster.md): where the columns stand and what grade codes mean (JSON);
# days until the missing may be treated as gone; so many at once, or of a hundred, wait for a person.
ONEROSTER_COLUMNS = json.loads(os.environ.get("XUEKA_ONEROSTER_COLUMNS") or "{}")
ONEROSTER_GRADES = json.loads(os.environ.get("XUEKA_ONEROSTER_GRADES") or "{}")
ONEROSTER_LEAVER_DAYS = int(os.environ.get("XUEKA_ONEROSTER_LEAVER_DAYS", "14"))
ONEROSTER_LEAVERS = int(os.environ.get("XUEKA_ONEROSTER_LEAVERS", "100"))
ONEROSTER_LEAVERS_PERCENT = float(os.environ.get("XUEKA_ONEROSTER_LEAVERS_PERCENT", "1"))
ONEROSTER_BACK_DAYS = int(os.environ.get("XUEKA_ONEROSTER_BACK_DAYS", "30"))
# By REST (§8): what the registry handed over; from which hour each night ("off": by hand only); days between
# full walks; hours that a delta reaches back; who applies ("person", or "auto" where nothing is doubtful).
ONEROSTER_PARTNER = Path(os.environ.get("XUEKA_ONEROSTER_PARTNER", XUEKA_HOME / "registry" / "partner.json"))
ONEROSTER_HOUR = os.environ.get("XUEKA_ONEROSTER_HOUR", "4")
ONEROSTER_FULL_DAYS = int(os.environ.get("XUEKA_ONEROSTER_FULL_DAYS", "7"))
ONEROSTER_OVERLAP_HOURS = int(os.environ.get("XUEKA_ONEROSTER_OVERLAP_HOURS", "24"))
ONEROSTER_LIMIT = int(os.environ.get("XUEKA_ONEROSTER_LIMIT", "1000"))
ONEROSTER_CALLS_PER_SECOND = float(os.environ.get("XUEKA_ONEROSTER_CALLS_PER_SECOND", "20"))
ONEROSTER_MOST = int(os.environ.get("XUEKA_ONEROSTER_MOST", "10000000"))
ONEROSTER_APPLY = os.environ.get("XUEKA_ONEROSTER_APPLY", "auto")
ONEROSTER_CHANGES_PERCENT = float(os.environ.get("XUEKA_ONEROSTER_CHANGES_PERCENT", "10"))
ONEROSTER_PAGES_DAYS = int(os.environ.get("XUEKA_ONEROSTER_PAGES_DAYS", "7"))

# A take-over may be taken back for so many days after it was loaded (docs/interfaces/take-over.md).
TAKEOVER_BACK_DAYS = int(os.environ.get("XUEKA_TAKEOVER_BACK_DAYS", "30"))
# Writing cards at a counter: after so many failures in a row an agent stops; a card is begun again so many
# times; a card of unknown outcome that nobody puts back is void after so many hours.
PERSONALIZATION_STOP_AFTER = int(os.environ.get("XUEKA_STOP_AFTER", "3"))
PERSONALIZATION_REDO = int(os.environ.get("XUEKA_CARD_REDO", "2"))
PERSONALIZATION_UNKNOWN_HOURS = int(os.environ.get("XUEKA_CARD_UNKNOWN_HOURS", "24"))
# Issuing agents: how long a poll is held, what they wait between two, the oldest version that is served.
AGENT_POLL_HOLD = float(os.environ.get("XUEKA_AGENT_POLL_HOLD", "20"))
AGENT_POLL_SECONDS = int(os.environ.get("XUEKA_AGENT_POLL_SECONDS", "5"))
AGENT_MINIMUM = os.environ.get("XUEKA_AGENT_MINIMUM", "0.1")
# A mistaken report of loss, cancelling or hand-out may be put back within so many days.
REPAIR_CARD_DAYS = int(os.environ.get("XUEKA_REPAIR_CARD_DAYS", "90"))
# Days after which a detector speaks, where others are wanted than contexts/repairs has: made_not_packed=3
REPAIR_PATIENCE = {
    name: int(days)
    for name, _, days in (
        each.partition("=") for each in os.environ.get("XUEKA_REPAIR_PATIENCE", "").split(",") if each
    )
}

# Working days until a matter with a counterpart group is due, where others are wanted than
# contexts/coordination has: transit.ranges=15,courier.parcel=2
COORDINATION_DAYS = {
    name: int(days)
    for name, _, days in (
        each.partition("=") for each in os.environ.get("XUEKA_COORDINATION_DAYS", "").split(",") if each
    )
}

# Single calls of the partner interface are kept so many days; their daily sums stay in the audit log.
PARTNER_CALLS_DAYS = int(os.environ.get("XUEKA_PARTNER_CALLS_DAYS", "180"))

LOGGING_CONFIG = None
logs.configure()
