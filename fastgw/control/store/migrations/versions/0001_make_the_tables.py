"""make the tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table("account_days",
    sa.Column("machine", sa.Text(), nullable=False),
    sa.Column("account", sa.Text(), nullable=False),
    sa.Column("day", sa.Integer(), autoincrement=False, nullable=False),
    sa.Column("amount", sa.BigInteger(), nullable=False),
    sa.Column("tokens", sa.BigInteger(), nullable=False),
    sa.Column("requests", sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint("machine", "account", "day", name=op.f("pk_account_days"))
    )
    with op.batch_alter_table("account_days", schema=None) as batch_op:
        batch_op.create_index("ix_account_days_day_account", ["day", "account"], unique=False)

    op.create_table("accounts",
    sa.Column("machine", sa.Text(), nullable=False),
    sa.Column("account", sa.Text(), nullable=False),
    sa.Column("unit", sa.Text(), nullable=False),
    sa.Column("window", sa.Text(), nullable=False),
    sa.Column("window_start_ns", sa.BigInteger(), nullable=True),
    sa.Column("spent", sa.BigInteger(), nullable=False),
    sa.Column("lifetime", sa.BigInteger(), nullable=False),
    sa.Column("lifetime_tokens", sa.BigInteger(), nullable=False),
    sa.Column("lifetime_requests", sa.BigInteger(), nullable=False),
    sa.Column("updated_ns", sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint("machine", "account", name=op.f("pk_accounts"))
    )
    op.create_table("organisations",
    sa.Column("id", sa.Text(), nullable=False),
    sa.Column("slug", sa.Text(), nullable=False),
    sa.Column("spec", sa.Text(), nullable=False),
    sa.Column("version", sa.Integer(), nullable=False),
    sa.Column("revision", sa.BigInteger(), nullable=False),
    sa.Column("created_ns", sa.BigInteger(), nullable=False),
    sa.Column("updated_ns", sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint("id", name=op.f("pk_organisations")),
    sa.UniqueConstraint("slug", name=op.f("uq_organisations_slug"))
    )
    with op.batch_alter_table("organisations", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_organisations_revision"), ["revision"], unique=False)

    op.create_table("replays",
    sa.Column("principal", sa.Text(), nullable=False),
    sa.Column("name", sa.Text(), nullable=False),
    sa.Column("request_digest", sa.LargeBinary(), nullable=False),
    sa.Column("status", sa.Integer(), nullable=False),
    sa.Column("fields", sa.Text(), nullable=False),
    sa.Column("reply", sa.Text(), nullable=False),
    sa.Column("expires_ns", sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint("principal", "name", name=op.f("pk_replays"))
    )
    with op.batch_alter_table("replays", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_replays_expires_ns"), ["expires_ns"], unique=False)

    op.create_table("revocations",
    sa.Column("digest", sa.LargeBinary(), nullable=False),
    sa.Column("revision", sa.BigInteger(), nullable=False),
    sa.Column("at_ns", sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint("digest", name=op.f("pk_revocations"))
    )
    with op.batch_alter_table("revocations", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_revocations_revision"), ["revision"], unique=False)

    op.create_table("state",
    sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
    sa.Column("identity", sa.Text(), nullable=False),
    sa.Column("revision", sa.BigInteger(), nullable=False),
    sa.Column("config_revision", sa.BigInteger(), nullable=False),
    sa.Column("keys_revision", sa.BigInteger(), nullable=False),
    sa.Column("forgotten_revision", sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint("id", name=op.f("pk_state"))
    )
    op.create_table("audit",
    sa.Column("id", sa.Text(), nullable=False),
    sa.Column("organisation_id", sa.Text(), nullable=True),
    sa.Column("workspace_id", sa.Text(), nullable=True),
    sa.Column("at_ns", sa.BigInteger(), nullable=False),
    sa.Column("actor_kind", sa.Text(), nullable=False),
    sa.Column("actor_id", sa.Text(), nullable=False),
    sa.Column("actor_name", sa.Text(), nullable=False),
    sa.Column("action", sa.Text(), nullable=False),
    sa.Column("resource_type", sa.Text(), nullable=False),
    sa.Column("resource_id", sa.Text(), nullable=False),
    sa.Column("resource_name", sa.Text(), nullable=False),
    sa.Column("changes", sa.Text(), nullable=False),
    sa.Column("address", sa.Text(), nullable=False),
    sa.Column("request_id", sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(["organisation_id"], ["organisations.id"], name=op.f("fk_audit_organisation_id"), ondelete="CASCADE"),
    sa.PrimaryKeyConstraint("id", name=op.f("pk_audit"))
    )
    with op.batch_alter_table("audit", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_audit_at_ns"), ["at_ns"], unique=False)
        batch_op.create_index(batch_op.f("ix_audit_organisation_id"), ["organisation_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_audit_workspace_id"), ["workspace_id"], unique=False)

    op.create_table("budgets",
    sa.Column("id", sa.Text(), nullable=False),
    sa.Column("organisation_id", sa.Text(), nullable=False),
    sa.Column("name", sa.Text(), nullable=False),
    sa.Column("spec", sa.Text(), nullable=False),
    sa.Column("version", sa.Integer(), nullable=False),
    sa.Column("revision", sa.BigInteger(), nullable=False),
    sa.Column("created_ns", sa.BigInteger(), nullable=False),
    sa.Column("updated_ns", sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(["organisation_id"], ["organisations.id"], name=op.f("fk_budgets_organisation_id"), ondelete="CASCADE"),
    sa.PrimaryKeyConstraint("id", name=op.f("pk_budgets")),
    sa.UniqueConstraint("organisation_id", "name", name=op.f("uq_budgets_organisation_id_name"))
    )
    with op.batch_alter_table("budgets", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_budgets_organisation_id"), ["organisation_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_budgets_revision"), ["revision"], unique=False)

    op.create_table("models",
    sa.Column("id", sa.Text(), nullable=False),
    sa.Column("organisation_id", sa.Text(), nullable=False),
    sa.Column("name", sa.Text(), nullable=False),
    sa.Column("spec", sa.Text(), nullable=False),
    sa.Column("version", sa.Integer(), nullable=False),
    sa.Column("revision", sa.BigInteger(), nullable=False),
    sa.Column("created_ns", sa.BigInteger(), nullable=False),
    sa.Column("updated_ns", sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(["organisation_id"], ["organisations.id"], name=op.f("fk_models_organisation_id"), ondelete="CASCADE"),
    sa.PrimaryKeyConstraint("id", name=op.f("pk_models")),
    sa.UniqueConstraint("name", name=op.f("uq_models_name"))
    )
    with op.batch_alter_table("models", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_models_organisation_id"), ["organisation_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_models_revision"), ["revision"], unique=False)

    op.create_table("prices",
    sa.Column("id", sa.Text(), nullable=False),
    sa.Column("organisation_id", sa.Text(), nullable=False),
    sa.Column("name", sa.Text(), nullable=False),
    sa.Column("spec", sa.Text(), nullable=False),
    sa.Column("version", sa.Integer(), nullable=False),
    sa.Column("revision", sa.BigInteger(), nullable=False),
    sa.Column("created_ns", sa.BigInteger(), nullable=False),
    sa.Column("updated_ns", sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(["organisation_id"], ["organisations.id"], name=op.f("fk_prices_organisation_id"), ondelete="CASCADE"),
    sa.PrimaryKeyConstraint("id", name=op.f("pk_prices")),
    sa.UniqueConstraint("name", name=op.f("uq_prices_name"))
    )
    with op.batch_alter_table("prices", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_prices_organisation_id"), ["organisation_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_prices_revision"), ["revision"], unique=False)

    op.create_table("users",
    sa.Column("id", sa.Text(), nullable=False),
    sa.Column("organisation_id", sa.Text(), nullable=False),
    sa.Column("email", sa.Text(), nullable=False),
    sa.Column("role", sa.Text(), nullable=False),
    sa.Column("password_hash", sa.Text(), nullable=True),
    sa.Column("oidc_subject", sa.Text(), nullable=True),
    sa.Column("last_login_ns", sa.BigInteger(), nullable=True),
    sa.Column("spec", sa.Text(), nullable=False),
    sa.Column("version", sa.Integer(), nullable=False),
    sa.Column("revision", sa.BigInteger(), nullable=False),
    sa.Column("created_ns", sa.BigInteger(), nullable=False),
    sa.Column("updated_ns", sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(["organisation_id"], ["organisations.id"], name=op.f("fk_users_organisation_id"), ondelete="CASCADE"),
    sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
    sa.UniqueConstraint("email", name=op.f("uq_users_email")),
    sa.UniqueConstraint("oidc_subject", name=op.f("uq_users_oidc_subject"))
    )
    with op.batch_alter_table("users", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_users_organisation_id"), ["organisation_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_users_revision"), ["revision"], unique=False)

    op.create_table("workspaces",
    sa.Column("id", sa.Text(), nullable=False),
    sa.Column("organisation_id", sa.Text(), nullable=False),
    sa.Column("slug", sa.Text(), nullable=False),
    sa.Column("spec", sa.Text(), nullable=False),
    sa.Column("version", sa.Integer(), nullable=False),
    sa.Column("revision", sa.BigInteger(), nullable=False),
    sa.Column("created_ns", sa.BigInteger(), nullable=False),
    sa.Column("updated_ns", sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(["organisation_id"], ["organisations.id"], name=op.f("fk_workspaces_organisation_id"), ondelete="CASCADE"),
    sa.PrimaryKeyConstraint("id", name=op.f("pk_workspaces")),
    sa.UniqueConstraint("slug", name=op.f("uq_workspaces_slug"))
    )
    with op.batch_alter_table("workspaces", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_workspaces_organisation_id"), ["organisation_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_workspaces_revision"), ["revision"], unique=False)

    op.create_table("alert_rules",
    sa.Column("account", sa.Text(), nullable=False),
    sa.Column("owner", sa.Text(), nullable=False),
    sa.Column("subject", sa.Text(), nullable=False),
    sa.Column("organisation_id", sa.Text(), nullable=False),
    sa.Column("workspace_id", sa.Text(), nullable=True),
    sa.Column("window", sa.Text(), nullable=False),
    sa.Column("thresholds", sa.Text(), nullable=False),
    sa.Column("emails", sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(["organisation_id"], ["organisations.id"], name=op.f("fk_alert_rules_organisation_id"), ondelete="CASCADE"),
    sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name=op.f("fk_alert_rules_workspace_id"), ondelete="CASCADE"),
    sa.PrimaryKeyConstraint("account", name=op.f("pk_alert_rules"))
    )
    with op.batch_alter_table("alert_rules", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_alert_rules_organisation_id"), ["organisation_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_alert_rules_owner"), ["owner"], unique=False)
        batch_op.create_index(batch_op.f("ix_alert_rules_workspace_id"), ["workspace_id"], unique=False)

    op.create_table("alerts",
    sa.Column("id", sa.Text(), nullable=False),
    sa.Column("organisation_id", sa.Text(), nullable=False),
    sa.Column("workspace_id", sa.Text(), nullable=True),
    sa.Column("account", sa.Text(), nullable=False),
    sa.Column("subject", sa.Text(), nullable=False),
    sa.Column("kind", sa.Text(), nullable=False),
    sa.Column("threshold_ppm", sa.Integer(), nullable=False),
    sa.Column("window", sa.Text(), nullable=False),
    sa.Column("window_start_ns", sa.BigInteger(), nullable=False),
    sa.Column("unit", sa.Text(), nullable=False),
    sa.Column("spent", sa.BigInteger(), nullable=False),
    sa.Column("budget", sa.BigInteger(), nullable=False),
    sa.Column("at_ns", sa.BigInteger(), nullable=False),
    sa.Column("emails", sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(["organisation_id"], ["organisations.id"], name=op.f("fk_alerts_organisation_id"), ondelete="CASCADE"),
    sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name=op.f("fk_alerts_workspace_id"), ondelete="CASCADE"),
    sa.PrimaryKeyConstraint("id", name=op.f("pk_alerts")),
    sa.UniqueConstraint("account", "threshold_ppm", "window_start_ns", "budget", name=op.f("uq_alerts_account_threshold_ppm_window_start_ns_budget"))
    )
    with op.batch_alter_table("alerts", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_alerts_at_ns"), ["at_ns"], unique=False)
        batch_op.create_index(batch_op.f("ix_alerts_organisation_id"), ["organisation_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_alerts_workspace_id"), ["workspace_id"], unique=False)

    op.create_table("channels",
    sa.Column("id", sa.Text(), nullable=False),
    sa.Column("organisation_id", sa.Text(), nullable=False),
    sa.Column("workspace_id", sa.Text(), nullable=True),
    sa.Column("name", sa.Text(), nullable=False),
    sa.Column("last_error", sa.Text(), nullable=True),
    sa.Column("spec", sa.Text(), nullable=False),
    sa.Column("version", sa.Integer(), nullable=False),
    sa.Column("revision", sa.BigInteger(), nullable=False),
    sa.Column("created_ns", sa.BigInteger(), nullable=False),
    sa.Column("updated_ns", sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(["organisation_id"], ["organisations.id"], name=op.f("fk_channels_organisation_id"), ondelete="CASCADE"),
    sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name=op.f("fk_channels_workspace_id"), ondelete="CASCADE"),
    sa.PrimaryKeyConstraint("id", name=op.f("pk_channels")),
    sa.UniqueConstraint("organisation_id", "name", name=op.f("uq_channels_organisation_id_name"))
    )
    with op.batch_alter_table("channels", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_channels_organisation_id"), ["organisation_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_channels_revision"), ["revision"], unique=False)
        batch_op.create_index(batch_op.f("ix_channels_workspace_id"), ["workspace_id"], unique=False)

    op.create_table("configs",
    sa.Column("id", sa.Text(), nullable=False),
    sa.Column("organisation_id", sa.Text(), nullable=False),
    sa.Column("workspace_id", sa.Text(), nullable=True),
    sa.Column("slug", sa.Text(), nullable=False),
    sa.Column("spec", sa.Text(), nullable=False),
    sa.Column("version", sa.Integer(), nullable=False),
    sa.Column("revision", sa.BigInteger(), nullable=False),
    sa.Column("created_ns", sa.BigInteger(), nullable=False),
    sa.Column("updated_ns", sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(["organisation_id"], ["organisations.id"], name=op.f("fk_configs_organisation_id"), ondelete="CASCADE"),
    sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name=op.f("fk_configs_workspace_id"), ondelete="CASCADE"),
    sa.PrimaryKeyConstraint("id", name=op.f("pk_configs")),
    sa.UniqueConstraint("slug", name=op.f("uq_configs_slug"))
    )
    with op.batch_alter_table("configs", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_configs_organisation_id"), ["organisation_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_configs_revision"), ["revision"], unique=False)
        batch_op.create_index(batch_op.f("ix_configs_workspace_id"), ["workspace_id"], unique=False)

    op.create_table("integrations",
    sa.Column("id", sa.Text(), nullable=False),
    sa.Column("organisation_id", sa.Text(), nullable=False),
    sa.Column("workspace_id", sa.Text(), nullable=True),
    sa.Column("slug", sa.Text(), nullable=False),
    sa.Column("masked", sa.Text(), nullable=False),
    sa.Column("spec", sa.Text(), nullable=False),
    sa.Column("version", sa.Integer(), nullable=False),
    sa.Column("revision", sa.BigInteger(), nullable=False),
    sa.Column("created_ns", sa.BigInteger(), nullable=False),
    sa.Column("updated_ns", sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(["organisation_id"], ["organisations.id"], name=op.f("fk_integrations_organisation_id"), ondelete="CASCADE"),
    sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name=op.f("fk_integrations_workspace_id"), ondelete="CASCADE"),
    sa.PrimaryKeyConstraint("id", name=op.f("pk_integrations")),
    sa.UniqueConstraint("slug", name=op.f("uq_integrations_slug"))
    )
    with op.batch_alter_table("integrations", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_integrations_organisation_id"), ["organisation_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_integrations_revision"), ["revision"], unique=False)
        batch_op.create_index(batch_op.f("ix_integrations_workspace_id"), ["workspace_id"], unique=False)

    op.create_table("keys",
    sa.Column("id", sa.Text(), nullable=False),
    sa.Column("organisation_id", sa.Text(), nullable=False),
    sa.Column("workspace_id", sa.Text(), nullable=False),
    sa.Column("user_id", sa.Text(), nullable=True),
    sa.Column("name", sa.Text(), nullable=False),
    sa.Column("digest", sa.LargeBinary(), nullable=True),
    sa.Column("previous_digest", sa.LargeBinary(), nullable=True),
    sa.Column("previous_until_ns", sa.BigInteger(), nullable=True),
    sa.Column("rotate_at_ns", sa.BigInteger(), nullable=True),
    sa.Column("masked", sa.Text(), nullable=False),
    sa.Column("removed", sa.Boolean(), nullable=False),
    sa.Column("spec", sa.Text(), nullable=False),
    sa.Column("version", sa.Integer(), nullable=False),
    sa.Column("revision", sa.BigInteger(), nullable=False),
    sa.Column("created_ns", sa.BigInteger(), nullable=False),
    sa.Column("updated_ns", sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(["organisation_id"], ["organisations.id"], name=op.f("fk_keys_organisation_id"), ondelete="CASCADE"),
    sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_keys_user_id"), ondelete="CASCADE"),
    sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name=op.f("fk_keys_workspace_id"), ondelete="CASCADE"),
    sa.PrimaryKeyConstraint("id", name=op.f("pk_keys")),
    sa.UniqueConstraint("digest", name=op.f("uq_keys_digest")),
    sa.UniqueConstraint("previous_digest", name=op.f("uq_keys_previous_digest"))
    )
    with op.batch_alter_table("keys", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_keys_name_organisation_id_removed_workspace_id"), ["name", "organisation_id", "removed", "workspace_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_keys_organisation_id_removed_id"), ["organisation_id", "removed", "id"], unique=False)
        batch_op.create_index(batch_op.f("ix_keys_previous_until_ns"), ["previous_until_ns"], unique=False)
        batch_op.create_index(batch_op.f("ix_keys_revision"), ["revision"], unique=False)
        batch_op.create_index(batch_op.f("ix_keys_rotate_at_ns"), ["rotate_at_ns"], unique=False)
        batch_op.create_index(batch_op.f("ix_keys_user_id"), ["user_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_keys_workspace_id_removed_id"), ["workspace_id", "removed", "id"], unique=False)

    op.create_table("members",
    sa.Column("id", sa.Text(), nullable=False),
    sa.Column("workspace_id", sa.Text(), nullable=False),
    sa.Column("user_id", sa.Text(), nullable=False),
    sa.Column("role", sa.Text(), nullable=False),
    sa.Column("spec", sa.Text(), nullable=False),
    sa.Column("version", sa.Integer(), nullable=False),
    sa.Column("revision", sa.BigInteger(), nullable=False),
    sa.Column("created_ns", sa.BigInteger(), nullable=False),
    sa.Column("updated_ns", sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_members_user_id"), ondelete="CASCADE"),
    sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name=op.f("fk_members_workspace_id"), ondelete="CASCADE"),
    sa.PrimaryKeyConstraint("id", name=op.f("pk_members")),
    sa.UniqueConstraint("workspace_id", "user_id", name=op.f("uq_members_workspace_id_user_id"))
    )
    with op.batch_alter_table("members", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_members_revision"), ["revision"], unique=False)
        batch_op.create_index(batch_op.f("ix_members_user_id"), ["user_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_members_workspace_id"), ["workspace_id"], unique=False)

    op.create_table("sessions",
    sa.Column("digest", sa.LargeBinary(), nullable=False),
    sa.Column("user_id", sa.Text(), nullable=False),
    sa.Column("csrf", sa.Text(), nullable=False),
    sa.Column("expires_ns", sa.BigInteger(), nullable=False),
    sa.Column("address", sa.Text(), nullable=False),
    sa.Column("created_ns", sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_sessions_user_id"), ondelete="CASCADE"),
    sa.PrimaryKeyConstraint("digest", name=op.f("pk_sessions"))
    )
    with op.batch_alter_table("sessions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sessions_expires_ns"), ["expires_ns"], unique=False)
        batch_op.create_index(batch_op.f("ix_sessions_user_id"), ["user_id"], unique=False)

    op.create_table("tokens",
    sa.Column("id", sa.Text(), nullable=False),
    sa.Column("organisation_id", sa.Text(), nullable=False),
    sa.Column("workspace_id", sa.Text(), nullable=True),
    sa.Column("name", sa.Text(), nullable=False),
    sa.Column("digest", sa.LargeBinary(), nullable=False),
    sa.Column("masked", sa.Text(), nullable=False),
    sa.Column("expires_ns", sa.BigInteger(), nullable=True),
    sa.Column("last_used_ns", sa.BigInteger(), nullable=True),
    sa.Column("spec", sa.Text(), nullable=False),
    sa.Column("version", sa.Integer(), nullable=False),
    sa.Column("revision", sa.BigInteger(), nullable=False),
    sa.Column("created_ns", sa.BigInteger(), nullable=False),
    sa.Column("updated_ns", sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(["organisation_id"], ["organisations.id"], name=op.f("fk_tokens_organisation_id"), ondelete="CASCADE"),
    sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name=op.f("fk_tokens_workspace_id"), ondelete="CASCADE"),
    sa.PrimaryKeyConstraint("id", name=op.f("pk_tokens")),
    sa.UniqueConstraint("digest", name=op.f("uq_tokens_digest"))
    )
    with op.batch_alter_table("tokens", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_tokens_organisation_id"), ["organisation_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_tokens_revision"), ["revision"], unique=False)
        batch_op.create_index(batch_op.f("ix_tokens_workspace_id"), ["workspace_id"], unique=False)

    op.create_table("config_versions",
    sa.Column("config_id", sa.Text(), nullable=False),
    sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
    sa.Column("spec", sa.Text(), nullable=False),
    sa.Column("created_by", sa.Text(), nullable=False),
    sa.Column("created_ns", sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(["config_id"], ["configs.id"], name=op.f("fk_config_versions_config_id"), ondelete="CASCADE"),
    sa.PrimaryKeyConstraint("config_id", "number", name=op.f("pk_config_versions"))
    )
    op.create_table("deliveries",
    sa.Column("alert_id", sa.Text(), nullable=False),
    sa.Column("channel_id", sa.Text(), nullable=False),
    sa.Column("state", sa.Text(), nullable=False),
    sa.Column("attempts", sa.Integer(), nullable=False),
    sa.Column("due_ns", sa.BigInteger(), nullable=False),
    sa.Column("error", sa.Text(), nullable=True),
    sa.ForeignKeyConstraint(["alert_id"], ["alerts.id"], name=op.f("fk_deliveries_alert_id"), ondelete="CASCADE"),
    sa.PrimaryKeyConstraint("alert_id", "channel_id", name=op.f("pk_deliveries"))
    )
    with op.batch_alter_table("deliveries", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_deliveries_state"), ["state"], unique=False)

    op.create_table("shares",
    sa.Column("id", sa.Text(), nullable=False),
    sa.Column("integration_id", sa.Text(), nullable=False),
    sa.Column("workspace_id", sa.Text(), nullable=False),
    sa.Column("spec", sa.Text(), nullable=False),
    sa.Column("version", sa.Integer(), nullable=False),
    sa.Column("revision", sa.BigInteger(), nullable=False),
    sa.Column("created_ns", sa.BigInteger(), nullable=False),
    sa.Column("updated_ns", sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(["integration_id"], ["integrations.id"], name=op.f("fk_shares_integration_id"), ondelete="CASCADE"),
    sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name=op.f("fk_shares_workspace_id"), ondelete="CASCADE"),
    sa.PrimaryKeyConstraint("id", name=op.f("pk_shares")),
    sa.UniqueConstraint("integration_id", "workspace_id", name=op.f("uq_shares_integration_id_workspace_id"))
    )
    with op.batch_alter_table("shares", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_shares_integration_id"), ["integration_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_shares_revision"), ["revision"], unique=False)
        batch_op.create_index(batch_op.f("ix_shares_workspace_id"), ["workspace_id"], unique=False)

