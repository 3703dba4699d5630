"""The tables of the store, the same in SQLite and PostgreSQL.

Whatever administrators write is kept as they wrote it, as JSON in `spec`; what is looked up or must be unique has a column
beside it. Times are nanoseconds since 1970. Changing a table here needs a migration; a test compares the two.
"""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, LargeBinary, MetaData, Table, Text, UniqueConstraint

METADATA = MetaData(naming_convention={
    "pk": "pk_%(table_name)s", "fk": "fk_%(table_name)s_%(column_0_name)s", "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
})


def identity() -> Column[str]:
    return Column("id", Text, primary_key=True)


def text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False)


def number(name: str, index: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=False, index=index or None)


def owner(nullable: bool = False, index: bool = True) -> Column[str]:
    return Column("organisation_id", ForeignKey("organisations.id", ondelete="CASCADE"), nullable=nullable, index=index or None)


def workspace(nullable: bool = True, index: bool = True) -> Column[str]:
    return Column("workspace_id", ForeignKey("workspaces.id", ondelete="CASCADE"), nullable=nullable, index=index or None)


def member(nullable: bool = True) -> Column[str]:
    return Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), nullable=nullable, index=True)


def moments() -> tuple[Column[int], Column[int]]:
    return number("created_ns"), number("updated_ns")


def written() -> tuple[Column[str], Column[int], Column[int]]:
    """spec: what was written; version: of the row, for If-Match; revision: of the store when it was last written."""
    return text("spec"), Column("version", Integer, nullable=False), number("revision", index=True)


# One row: what is counted up in every transaction that data planes have to hear of, which puts those in an order. Revocations up to the
# forgotten revision are kept no longer.
STATE = Table(
    "state", METADATA, Column("id", Integer, primary_key=True, autoincrement=False), text("identity"), number("revision"),
    number("config_revision"), number("keys_revision"), number("forgotten_revision"),
)
ORGANISATIONS = Table("organisations", METADATA, identity(), Column("slug", Text, nullable=False, unique=True), *written(), *moments())
WORKSPACES = Table(
    "workspaces", METADATA, identity(), owner(), Column("slug", Text, nullable=False, unique=True), *written(), *moments(),
)
USERS = Table(
    "users", METADATA, identity(), owner(), Column("email", Text, nullable=False, unique=True), text("role"),
    Column("password_hash", Text), Column("oidc_subject", Text, unique=True), Column("last_login_ns", BigInteger), *written(), *moments(),
)
MEMBERS = Table(
    "members", METADATA, identity(), workspace(nullable=False), member(nullable=False), text("role"), *written(),
    *moments(), UniqueConstraint("workspace_id", "user_id"),
)
INTEGRATIONS = Table(
    "integrations", METADATA, identity(), owner(), workspace(), Column("slug", Text, nullable=False, unique=True),
    text("masked"), *written(), *moments(),
)
SHARES = Table(
    "shares", METADATA, identity(),
    Column("integration_id", ForeignKey("integrations.id", ondelete="CASCADE"), nullable=False, index=True),
    workspace(nullable=False), *written(), *moments(), UniqueConstraint("integration_id", "workspace_id"),
)
# A key that is removed stays as a row without a digest, so that data planes that were away hear of it. Among a million keys lists are read
# in the order of an index and counted from it alone; a name leads to its key by as many columns as a database may be asked for beside it.
KEYS = Table(
    "keys", METADATA, identity(), owner(index=False), workspace(nullable=False, index=False), member(), text("name"),
    Column("digest", LargeBinary, unique=True), Column("previous_digest", LargeBinary, unique=True),
    Column("previous_until_ns", BigInteger, index=True), Column("rotate_at_ns", BigInteger, index=True), text("masked"),
    Column("removed", Boolean, nullable=False), *written(), *moments(), Index(None, "organisation_id", "removed", "id"),
    Index(None, "workspace_id", "removed", "id"), Index(None, "name", "organisation_id", "removed", "workspace_id"),
)
# Digests that data planes may still have, and must forget.
REVOCATIONS = Table(
    "revocations", METADATA, Column("digest", LargeBinary, primary_key=True), number("revision", index=True),
    number("at_ns"),
)
CONFIGS = Table(
    "configs", METADATA, identity(), owner(), workspace(), Column("slug", Text, nullable=False, unique=True), *written(), *moments(),
)
CONFIG_VERSIONS = Table(
    "config_versions", METADATA, Column("config_id", ForeignKey("configs.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False), text("spec"),
    text("created_by"), number("created_ns"),
)
MODELS = Table("models", METADATA, identity(), owner(), Column("name", Text, nullable=False, unique=True), *written(), *moments())
PRICES = Table("prices", METADATA, identity(), owner(), Column("name", Text, nullable=False, unique=True), *written(), *moments())
BUDGETS = Table("budgets", METADATA, identity(), owner(), text("name"), *written(), *moments(),
                UniqueConstraint("organisation_id", "name"))
TOKENS = Table(
    "tokens", METADATA, identity(), owner(), workspace(), text("name"),
    Column("digest", LargeBinary, nullable=False, unique=True), text("masked"), Column("expires_ns", BigInteger),
    Column("last_used_ns", BigInteger), *written(), *moments(),
)
SESSIONS = Table(
    "sessions", METADATA, Column("digest", LargeBinary, primary_key=True), member(nullable=False), text("csrf"),
    number("expires_ns", index=True), text("address"), number("created_ns"),
)
CHANNELS = Table(
    "channels", METADATA, identity(), owner(), workspace(), text("name"), Column("last_error", Text), *written(),
    *moments(), UniqueConstraint("organisation_id", "name"),
)
# Which budgets are watched, by the account in the ledger that counts them.
ALERT_RULES = Table(
    "alert_rules", METADATA, Column("account", Text, primary_key=True), Column("owner", Text, nullable=False, index=True), text("subject"),
    owner(), workspace(), text("window"), text("thresholds"), text("emails"),
)
# Unique, so that an alert goes out once however often it is found, and by however many machines; a budget that is raised is another one.
ALERTS = Table(
    "alerts", METADATA, identity(), owner(), workspace(), text("account"), text("subject"), text("kind"),
    Column("threshold_ppm", Integer, nullable=False), text("window"), number("window_start_ns"), text("unit"), number("spent"),
    number("budget"), number("at_ns", index=True), text("emails"),
    UniqueConstraint("account", "threshold_ppm", "window_start_ns", "budget"),
)
# To a channel, or to an address: "mailto:ADDRESS".
DELIVERIES = Table(
    "deliveries", METADATA, Column("alert_id", ForeignKey("alerts.id", ondelete="CASCADE"), primary_key=True),
    Column("channel_id", Text, primary_key=True), Column("state", Text, nullable=False, index=True),
    Column("attempts", Integer, nullable=False), number("due_ns"), Column("error", Text),
)
AUDIT = Table(
    "audit", METADATA, identity(), owner(nullable=True), Column("workspace_id", Text, index=True), number("at_ns", index=True),
    text("actor_kind"), text("actor_id"), text("actor_name"),
    text("action"), text("resource_type"), text("resource_id"),
    text("resource_name"), text("changes"), text("address"),
    text("request_id"),
)
REPLAYS = Table(
    "replays", METADATA, Column("principal", Text, primary_key=True), Column("name", Text, primary_key=True),
    Column("request_digest", LargeBinary, nullable=False), Column("status", Integer, nullable=False), text("fields"),
    text("reply"), number("expires_ns", index=True),
)
# What each machine's ledger has settled: absolute numbers, so that writing them twice changes nothing. An account is known by the
# first half of the SHA-256 of its name, in hexadecimal, as in the ledger; amounts are in the account's unit.
ACCOUNTS = Table(
    "accounts", METADATA, Column("machine", Text, primary_key=True), Column("account", Text, primary_key=True), text("unit"),
    text("window"), Column("window_start_ns", BigInteger), number("spent"), number("lifetime"), number("lifetime_tokens"),
    number("lifetime_requests"), number("updated_ns"),
)
ACCOUNT_DAYS = Table(
    "account_days", METADATA, Column("machine", Text, primary_key=True), Column("account", Text, primary_key=True),
    Column("day", Integer, primary_key=True, autoincrement=False), number("amount"), number("tokens"), number("requests"),
    Index("ix_account_days_day_account", "day", "account"),
)
