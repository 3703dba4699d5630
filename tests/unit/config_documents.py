"""Documents that the promises of the configuration are tested with."""

from fastgw.auth.keys import hash_of

ENVIRON = {"OPENAI_API_KEY": "sk-in-the-environment", "APP_1_KEY": "fgw-in-the-environment"}
HASH = hash_of("another")

ACCOUNT = """{
  "type": "authorized_user",
  "client_id": "c",
  "client_secret": "sk-in-an-account",
  "refresh_token": "r"
}
"""

# Every field of the configuration, each other than its default.
FULL = """
[gateway]
listen = "[::1]:0"
workers = 0
state = "/var/lib/fastgw"
secrets_key = "env:FASTGW_KEY"
max_connections = 5
max_body_bytes = 6
buffer_reply_bytes = 0
log_level = "debug"
[gateway.timeouts]
head_ms = 1
body_ms = 2
idle_ms = 3
write_ms = 4
shutdown_ms = 5
[gateway.tls]
cert = "@FILE@"
key = "@FILE@"
[gateway.cors]
origins = ["https://app.example", "http://localhost:3000"]
headers = ["x-own"]
max_age_s = 1
[gateway.inline_hosts]
enabled = false
allow = ["*.svc.cluster.local"]
public = false
[gateway.cache]
max_bytes = 1
max_entry_bytes = 2000
max_age_s = 3
wait_ms = 4
redis = "redis://127.0.0.1:6379"
prefix = "p"
timeouts = { connect_ms = 1, operation_ms = 2, rest_ms = 3 }
[gateway.record]
payloads = "errors"
max_payload_bytes = 1
retention_days = 1
retention_bytes = 1048576
ring_bytes = 65536
sqlite = false
[gateway.record.jsonl]
path = "records.jsonl"
rotate_bytes = 4096
keep = 0
[gateway.record.otlp]
endpoint = "https://collector.example:4318/otlp"
headers = { authorization = "Bearer sk-of-the-collector" }
resource = { "service.name" = "gateway" }
gzip = true
timeout_ms = 1

[control]
enabled = false
store = "sqlite:///store.db"
public_url = "https://gateway.example"
[control.oidc]
issuer = "https://id.example/realm"
client_id = "fastgw"
client_secret = "env:OPENAI_API_KEY"
name = "ACME"
allowed_domains = ["acme.example"]
auto_create = true
role_claim = "fastgw_role"
[control.smtp]
host = "mail.example"
port = 465
tls = "implicit"
username = "u"
password = "env:OPENAI_API_KEY"
sender = "gw@mail.example"
[integrations.openai-main]
provider = "openai"
base_url = "http://127.0.0.1:9001/v1"
api_key = "env:OPENAI_API_KEY"
models = ["gpt-4.1", "own"]
headers = { OpenAI-Organization = "org", x-secret = "env:OPENAI_API_KEY" }
stream_usage = false
guarded = true
max_connections = 2
ca_file = "@FILE@"
proxy = "http://user:password@proxy.example:3128"
[integrations.openai-main.timeouts]
connect_ms = 1
first_byte_ms = 2
idle_ms = 3
total_ms = 4

[integrations.azure]
provider = "azure-openai"
base_url = "https://x.openai.azure.com"
azure = { token = "file:@SECRET@" }
api_version = "2024-10-21"

[integrations.foundry]
provider = "azure-ai"
token_url = "https://login.example"
metadata_url = "http://127.0.0.1:1"
[integrations.foundry.azure]
resource = "x"
identity = "client_secret"
tenant_id = "t"
client_id = "c"
client_secret = "file:@SECRET@"
token_file = "@FILE@"
scope = "s"
[integrations.vertex]
provider = "vertex-ai"
[integrations.vertex.google]
project = "p"
region = "eu"
service_account = "file:@ACCOUNT@"
[integrations.bedrock]
provider = "bedrock"
[integrations.bedrock.aws]
region = "us-east-1"
access_key_id = "AKIDEXAMPLE"
secret_access_key = "file:@SECRET@"
session_token = "file:@SECRET@"
role_arn = "arn:aws:iam::1:role/r"
external_id = "e"
role_session = "s"
[integrations.oracle]
provider = "oci"
[integrations.oracle.oracle]
region = "us-chicago-1"
tenancy = "ocid1.tenancy.oc1..a"
user = "ocid1.user.oc1..a"
fingerprint = "20:3b:97"
private_key = "file:@FILE@"
passphrase = "file:@SECRET@"
compartment = "ocid1.compartment.oc1..a"
[integrations.workers]
provider = "workers-ai"
settings = { account_id = "a" }

[models.alias]
strategy = "weighted"
sticky = { fields = ["metadata.user", "key"], ttl_s = 60 }
on_status = [429, 503]
on_errors = ["timeout", "context_window"]
retry = { attempts = 3, on_status = [503], on_errors = ["busy"], base_ms = 10, max_ms = 20, honour_retry_after = false }
timeouts = { connect_ms = 1, first_byte_ms = 2, idle_ms = 3, total_ms = 4 }
default_params = { temperature = 0 }
override_params = { seed = 7 }
drop_params = ["logprobs", "messages[*].name"]
deadline_ms = 90000
cache = { mode = "exact", max_age_s = 60, scope = "key", namespace = "n", operations = ["chat"] }
context_tokens = 7
max_output_tokens = 8
[models.alias.breaker]
failures = 2
failure_percent = 20
minimum_requests = 4
window_s = 20
cooldown_ms = 1000
probes = 2
on_status = [503]
on_errors = ["server"]
max_ejected_percent = 50
[models.alias.price]
input = 2.50
output = 10
cache_read = 1.25
cache_write = 3.125
cache_write_1h = 5
audio_input = 40.0
audio_output = 80.0
request = 0.000000001

[models.by-tier]
strategy = "conditional"
targets = [{ integration = "openai-main", model = "gpt-4.1", name = "gold" }, { integration = "azure", model = "d", name = "rest" }]
conditions = [{ query = { "metadata.tier" = "gold" }, then = "gold" }]
default = "rest"

[[models.alias.targets]]
integration = "openai-main"
model = "gpt-4.1"
weight = 3
name = "main"
unsupported = "error"
[[models.alias.targets]]
name = "inner"
strategy = "conditional"
default = "b"
conditions = [{ query = { model = "alias" }, then = "b" }]
targets = [{ integration = "azure", model = "deployment", name = "b" }]
[[models.alias.targets]]
name = "outer"
strategy = "weighted"
targets = [{ integration = "azure", model = "deployment" }]
sticky = { fields = ["key"] }
on_status = [500]
on_errors = ["timeout"]
retry = { attempts = 2 }
breaker = { failures = 1 }
timeouts = { idle_ms = 5 }
default_params = { a = 1 }
override_params = { a = 2 }
drop_params = ["a"]

[prices."openai/own"]
input = 0.000000001
output = 1000000
cache_read = 1
cache_write = 2
cache_write_1h = 3
audio_input = 4
audio_output = 5
request = 6

[workspaces.team]
budget = [{ usd = 1000.5, window = "30d" }, { tokens = 1000000, window = "day" }, { requests = 500, window = "week" }]
rate = { requests_per_minute = 60, tokens_per_minute = 100000 }
max_parallel = 9
admission = "strict"
unknown_price = "allow"
integrations = ["openai-main", "azure"]
models = ["alias", "gpt-4.1"]
inline = "saved"
configs = ["pc-fall"]

[workspaces.team.limits.azure]
budget = { usd = 0.5 }
rate = { requests_per_minute = 7, tokens_per_minute = 9 }
max_parallel = 2
models = ["gpt-4.1"]

[workspaces.team.limits.openai-main]
budget = [{ tokens = 2000, window = "3d" }, { requests = 100, window = "day" }]

[configs.pc-fall]
strategy = { mode = "fallback" }
targets = [{ virtual_key = "openai-main" }, { virtual_key = "azure" }]

[[keys]]
name = "app-1"
key = "env:APP_1_KEY"
workspace = "team"
models = ["alias"]
integrations = ["openai-main"]
integration = "openai-main"
budget = [{ usd = 100, window = "month" }, { tokens = 1000000, window = "day" }, { requests = 500, window = "week" }]
rate = { requests_per_minute = 6, tokens_per_minute = 1 }
max_parallel = 1
expires_at = 2027-01-01T00:00:00+01:00
admission = "estimate"
enabled = false
metadata = { team = "blue" }
config = "pc-fall"
allow_config_override = false

[[keys]]
name = "app-2"
hash = "@HASH@"
"""

LEAST = """
[integrations.main]
provider = "openai"
[[keys]]
name = "app"
key = "fgw-literal-key"
"""
