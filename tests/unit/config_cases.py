"""What can be wrong with a configuration, one row a kind: the document, and what must be said of it.

This is one table, and so it is long.
"""

from typing import NamedTuple

from fastgw.auth.keys import hash_of
from tests.unit.config_documents import HASH


class Case(NamedTuple):
    name: str
    text: str
    place: str
    expected: str
    nearest: str = ""


def key(text: str, integrations: str = "") -> str:
    """A document with one key and these further fields."""
    return f'[integrations.main]\nprovider = "openai"\n{integrations}\n[[keys]]\nname = "app"\nkey = "fgw-k"\n{text}'


def integration(text: str) -> str:
    return f"[integrations.main]\n{text}"


MODEL = '[integrations.main]\nprovider = "openai"\nmodels = ["gpt-4.1"]\n[models.fast]\n'
TARGET = '{ integration = "main", model = "gpt-4.1" }'
CASES = [
    Case("unknown section", "[gatway]", "gatway", "a known name", "gateway"),
    Case("unknown field", "[gateway]\nlisen = 1", "gateway.lisen", "a known name", "listen"),
    Case("unknown inner section", "[gateway.tmeouts]", "gateway.tmeouts", "a known name", "timeouts"),
    Case("unknown field of a key", key("modls = []"), "keys[0].modls", "a known name", "models"),
    Case("integer below", "[gateway]\nworkers = -1", "gateway.workers", "an integer from 0 to 64"),
    Case("integer above", "[gateway]\nworkers = 65", "gateway.workers", "an integer from 0 to 64"),
    Case("integer beyond 64 bits", f"[gateway]\nworkers = {10**30}", "gateway.workers", "an integer from 0 to 64"),
    Case("fraction for an integer", "[gateway]\nworkers = 1.5", "gateway.workers", "an integer"),
    Case("boolean for an integer", "[gateway]\nworkers = true", "gateway.workers", "an integer"),
    Case("listen without a port", '[gateway]\nlisten = "127.0.0.1"', "gateway.listen", '"HOST:PORT"'),
    Case("listen at a port too high", '[gateway]\nlisten = "127.0.0.1:65536"', "gateway.listen", '"HOST:PORT"'),
    Case(
        "listen with more than an address", '[gateway]\nlisten = "http://127.0.0.1:1"', "gateway.listen", '"HOST:PORT"'
    ),
    Case("certificate that is not there", '[gateway.tls]\ncert = "/none"\nkey = "/none"', "gateway.tls.cert", "a file"),
    Case("certificate without a key", '[gateway.tls]\ncert = "/none"', "gateway.tls.key", "a path"),
    Case(
        "origin with a path", '[gateway.cors]\norigins = ["*", "https://x/y"]', "gateway.cors.origins[1]", "an origin"
    ),
    Case("name with a space", '[models."a b"]\ntargets = []', 'models."a b"', "a name of 1 to 64"),
    Case("name too long", f"[workspaces.{'a' * 65}]", "workspaces.", "a name of 1 to 64"),
    Case("empty name of a key", '[[keys]]\nname = ""\nkey = "k"', "keys[0].name", "1 to 64"),
    Case(
        "unknown provider",
        integration('provider = "opnai"'),
        "integrations.main.provider",
        "a known provider",
        "openai",
    ),
    Case("no provider", integration(""), "integrations.main.provider", "a string"),
    Case("no address", integration('provider = "azure-openai"'), "integrations.main.base_url", "an address, as azure"),
    Case("bad address", integration('provider = "openai"\nbase_url = "host"'), "integrations.main.base_url", "http://"),
    Case(
        "password in the address",
        integration('provider = "openai"\nbase_url = "http://u:hush@h"'),
        "integrations.main.base_url",
        "an address without user and password",
    ),
    Case(
        "version of a provider without",
        integration('provider = "openai"\napi_version = "1"'),
        "integrations.main.api_version",
        "nothing, as openai has no versions",
    ),
    Case(
        "own field",
        integration('provider = "openai"\nheaders = { Host = "x" }'),
        "integrations.main.headers.Host",
        "a field that the gateway does not write",
    ),
    Case(
        "field name with a space",
        integration('provider = "openai"\nheaders = { "a b" = "x" }'),
        'integrations.main.headers."a b"',
        "a name of the name of a header field",
    ),
    Case(
        "line end in a field",
        integration('provider = "openai"\nheaders = { x = "a\\r\\nb: c" }'),
        "integrations.main.headers.x",
        "visible ASCII",
    ),
    Case(
        "proxy of another kind",
        integration('provider = "openai"\nproxy = "socks5://h:1"'),
        "integrations.main.proxy",
        "http://[USER:PASSWORD@]HOST:PORT",
    ),
    Case(
        "authorities that are not there",
        integration('provider = "openai"\nca_file = "/none"'),
        "integrations.main.ca_file",
        "a file that can be read",
    ),
    Case(
        "variable that is not set",
        integration('provider = "openai"\napi_key = "env:OPENAI_API_KYE"'),
        "integrations.main.api_key",
        "environment variable OPENAI_API_KYE",
        "OPENAI_API_KEY",
    ),
    Case(
        "secret file that is not there",
        integration('provider = "openai"\napi_key = "file:/none"'),
        "integrations.main.api_key",
        "a file that can be read",
    ),
    Case(
        "secret file that is a directory",
        integration('provider = "openai"\napi_key = "file:/"'),
        "integrations.main.api_key",
        "a file that can be read",
    ),
    Case(
        "secret path with a zero byte",
        integration('provider = "openai"\napi_key = "file:a\\u0000b"'),
        "integrations.main.api_key",
        "a file",
    ),
    Case(
        "empty secret", integration('provider = "openai"\napi_key = ""'), "integrations.main.api_key", "visible ASCII"
    ),
    Case(
        "strategy of nobody",
        MODEL + f'strategy = "random"\ntargets = [{TARGET}]',
        "models.fast.strategy",
        'one of "single", "fallback", "weighted"',
    ),
    Case(
        "strategy misspelt",
        MODEL + f'strategy = "wieghted"\ntargets = [{TARGET}]',
        "models.fast.strategy",
        "one of",
        "weighted",
    ),
    Case("no target", MODEL + "targets = []", "models.fast.targets", "at least one target"),
    Case("targets left out", MODEL, "models.fast.targets", "a list of"),
    Case(
        "two for single",
        MODEL + f'strategy = "single"\ntargets = [{TARGET}, {TARGET}]',
        "models.fast.targets",
        "exactly one target",
    ),
    Case(
        "no weight at all",
        MODEL + f'strategy = "weighted"\ntargets = [{TARGET[:-1]}, weight = 0}}]',
        "models.fast.targets",
        "a weight above 0",
    ),
    Case(
        "target of an unknown integration",
        MODEL + 'targets = [{ integration = "mian", model = "gpt-4.1" }]',
        "models.fast.targets[0].integration",
        "a known integration",
        "main",
    ),
    Case(
        "target of a model not served",
        MODEL + 'targets = [{ integration = "main", model = "gpt-4.2" }]',
        "models.fast.targets[0].model",
        "a model of the integration",
        "gpt-4.1",
    ),
    Case("price without output", '[prices."openai/x"]\ninput = 1', 'prices."openai/x".output', "dollars per million"),
    Case(
        "price below zero",
        '[prices."openai/x"]\ninput = -1\noutput = 1',
        'prices."openai/x".input',
        "dollars per million",
    ),
    Case(
        "price of no number", '[prices."openai/x"]\ninput = nan\noutput = 1', 'prices."openai/x".input', "dollars per"
    ),
    Case(
        "infinite price",
        '[prices."openai/x"]\ninput = inf\noutput = 1',
        'prices."openai/x".input',
        "dollars per million",
    ),
    Case(
        "price too fine",
        '[prices."openai/x"]\ninput = 0.0000000001\noutput = 1',
        'prices."openai/x".input',
        "dollars per",
    ),
    Case(
        "price too small for any", '[prices."openai/x"]\ninput = 1e-99999999\noutput = 1', 'prices."openai/x".input', ""
    ),
    Case(
        "price of an unknown provider",
        '[prices."opnai/x"]\ninput = 1\noutput = 1',
        'prices."opnai/x"',
        "a known provider before",
        "openai",
    ),
    Case("price of no model", "[prices.openai]\ninput = 1\noutput = 1", "prices.openai", '"PROVIDER/MODEL"'),
    Case("unknown window", key('budget = { usd = 1, window = "year" }'), "keys[0].budget.window", '"total", "day"'),
    Case("window of no days", key('budget = { usd = 1, window = "0d" }'), "keys[0].budget.window", '"total", "day"'),
    Case("window too long", key('budget = { usd = 1, window = "367d" }'), "keys[0].budget.window", '"total", "day"'),
    Case("budget without a sum", key('budget = { window = "day" }'), "keys[0].budget", "one of usd, tokens and requests"),
    Case("budget of two units", key("budget = { usd = 1, tokens = 2 }"), "keys[0].budget", "one of usd, tokens and requests"),
    Case("budget of half a token", key("budget = { tokens = 0.5 }"), "keys[0].budget.tokens", "an integer from 0"),
    Case("budget that is no table", key("budget = 5"), "keys[0].budget", "a table, or a list of tables"),
    Case(
        "two budgets of one kind",
        key('budget = [{ usd = 1, window = "day" }, { requests = 1 }, { usd = 2, window = "day" }]'),
        "keys[0].budget[2]",
        "another unit or window",
    ),
    Case(
        "more accounts than a chain has",
        key("budget = [" + ", ".join(f'{{ requests = 9, window = "{days}d" }}' for days in range(1, 16)) + "]"),
        "keys[0].budget",
        "at most 16 accounts",
    ),
    Case(
        "more budgets of an integration than a chain has",
        '[integrations.main]\nprovider = "openai"\n[workspaces.team.limits.main]\nbudget = ['
        + ", ".join(f'{{ tokens = 9, window = "{days}d" }}' for days in range(1, 17)) + "]",
        "workspaces.team.limits.main.budget",
        "at most 16 accounts",
    ),
    Case(
        "limits of an unknown integration",
        '[integrations.main]\nprovider = "openai"\n[workspaces.team.limits.mian]',
        "workspaces.team.limits.mian",
        "an integration of the workspace",
        "main",
    ),
    Case(
        "limits of another's integration",
        '[integrations.main]\nprovider = "openai"\n[integrations.other]\nprovider = "openai"\n'
        '[workspaces.team]\nintegrations = ["other"]\n[workspaces.team.limits.main]',
        "workspaces.team.limits.main",
        "an integration of the workspace",
    ),
    Case(
        "limits with a model that is not served",
        '[integrations.main]\nprovider = "openai"\nmodels = ["gpt-4.1"]\n[workspaces.team.limits.main]\nmodels = ["gpt-4.2"]',
        "workspaces.team.limits.main.models[0]",
        "a model that is served",
        "gpt-4.1",
    ),
    Case("budget beyond the range", key("budget = { usd = 9000000001 }"), "keys[0].budget.usd", "dollars from 0"),
    Case(
        "rate of nothing",
        key("rate = { requests_per_minute = 0 }"),
        "keys[0].rate.requests_per_minute",
        "an integer from 1",
    ),
    Case(
        "workspace of an unknown integration",
        '[workspaces.w]\nintegrations = ["x"]',
        "workspaces.w.integrations[0]",
        "a known integration",
    ),
    Case(
        "workspace of an unknown model",
        '[workspaces.w]\nmodels = ["gpt-x"]',
        "workspaces.w.models[0]",
        "a model that is",
    ),
    Case("unknown workspace", key('workspace = "defalt"'), "keys[0].workspace", "a known workspace", "default"),
    Case(
        "unknown integration of a key",
        key('integrations = ["mian"]'),
        "keys[0].integrations[0]",
        "an integration of",
        "main",
    ),
    Case(
        "integration outside the workspace",
        '[workspaces.w]\nintegrations = ["b"]\n[integrations.b]\nprovider = "openai"\n'
        + key('workspace = "w"\nintegrations = ["main"]'),
        "keys[0].integrations[0]",
        "an integration of the workspace",
    ),
    Case(
        "unknown way for other paths", key('integration = "mian"'), "keys[0].integration", "an integration that", "main"
    ),
    Case(
        "way outside the key's own",
        key('integrations = ["b"]\nintegration = "main"', '[integrations.b]\nprovider = "openai"'),
        "keys[0].integration",
        "an integration that the key may use",
    ),
    Case(
        "unknown model of a key",
        key('models = ["gpt-4.1", "gpt-4.l-none"]'),
        "keys[0].models[1]",
        "a model that is served",
    ),
    Case("neither key nor hash", '[[keys]]\nname = "a"', "keys[0]", "either key or hash"),
    Case("key and hash", key(f'hash = "{HASH}"'), "keys[0]", "either key or hash"),
    Case("hash of another form", '[[keys]]\nname = "a"\nhash = "abc"', "keys[0].hash", '"sha256:"'),
    Case("two of one name", key('[[keys]]\nname = "app"\nkey = "b"'), "keys[1].name", "another name for each key"),
    Case("two of one secret", key('[[keys]]\nname = "b"\nkey = "fgw-k"'), "keys[1]", "another secret for each key"),
    Case(
        "key and its own hash", key(f'[[keys]]\nname = "b"\nhash = "{hash_of("fgw-k")}"'), "keys[1]", "another secret"
    ),
    Case(
        "time without an offset", key("expires_at = 2027-01-01T00:00:00"), "keys[0].expires_at", "a date and time with"
    ),
    Case("day without a time", key("expires_at = 2027-01-01"), "keys[0].expires_at", "a date and time with"),
    Case("time beyond the range", key("expires_at = 2262-01-01T00:00:00Z"), "keys[0].expires_at", "a time from 1970"),
    Case("metadata of numbers", key("metadata = { a = 1 }"), "keys[0].metadata.a", "a string"),
    Case("one key as a table", '[keys]\nname = "a"', "keys", "a list of"),
    Case("list for a section", "gateway = []", "gateway", "a table"),
]
