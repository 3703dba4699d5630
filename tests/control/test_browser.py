"""The console in a real browser, against a real gateway: what people do there, and what they see of it."""

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import openai
import pytest

from fastgw.control.bootstrap import OWNER_EMAIL
from fastgw.mock import MockOptions
from tests.control.browser import PHONE, WIDE, Browser, On, why_absent
from tests.fakes.mock import running_mock
from tests.gateway.running import RunningGateway
from tests.patience import SLOW_DAY_S

pytestmark = pytest.mark.skipif(bool(why_absent()), reason=why_absent() or "it is there")

MODEL = "gpt-4.1-mini"
WITHIN_MS = 2000 + round(SLOW_DAY_S * 1000)     # two seconds are promised


class Site:
    """A gateway with its control plane, a mock provider, and a browser."""

    def __init__(self, gateway: RunningGateway, browser: Browser, mock_url: str) -> None:
        self.gateway = gateway
        self.browser = browser
        self.mock_url = mock_url
        self.password = password_of(gateway)

    def __repr__(self) -> str:
        return f"<Site {self.gateway.url}>"

    def open(self, path: str = "", **options: object) -> On:
        page = self.browser.open(**options)  # type: ignore[arg-type]  # as it has them
        page.go(f"{self.gateway.url}/console/{path}")
        return page

    def signed_in(self, path: str = "", email: str = OWNER_EMAIL, password: str = "", **options: object) -> On:
        page = self.open(path, **options)
        sign_in(page, email, password or self.password)
        page.css(".shell").wait()
        page.faults()  # that nobody was signed in was an answer of 401
        return page


def password_of(gateway: RunningGateway) -> str:
    """The first owner's, which is printed once."""
    assert gateway.process.stdout is not None
    for line in gateway.process.stdout:
        if found := re.search("with the password (\\S+)", line):
            return found[1]
    raise AssertionError(f"no password was printed; log: {gateway.log()}")


def sign_in(page: On, email: str, password: str) -> None:
    page.label("Email").fill(email)
    page.label("Password").fill(password)
    page.button("Sign in").click()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with ExitStack() as stack:
        mock = stack.enter_context(running_mock(MockOptions(tokens=1500)))
        config = '[gateway.record]\npayloads = "all"\n'
        gateway = stack.enter_context(RunningGateway(tmp_path_factory.mktemp("browser"), config, control=True))
        yield Site(gateway, stack.enter_context(Browser()), f"{mock.url}/v1")


def add_integration(page: On, site: Site, slug: str) -> None:
    """A provider that is the mock, of which no workspace has a share yet."""
    page.link("Integrations").click()
    page.css("a[data-create]").click()
    page.label("Search providers").fill("openai")
    page.css(".providers li button", "openai").first().click()
    page.label("Slug").fill(slug)
    page.label("API key").fill("sk-of-the-mock-0123456789")
    page.label("None yet").click()
    page.text("More: address").click()
    page.label("Base URL").fill(site.mock_url)
    page.css(".form-foot").button("Add integration").click()
    page.text("its provider accepts the credential").wait()


def create_key(page: On, name: str, usd: str) -> str:
    """A key of the default workspace with a budget; its secret, which is shown once."""
    page.link("Keys").click()
    page.css("a[data-create]").click()
    page.label("Name").fill(name)
    page.button("Add a budget").click()
    page.label("Budget 1: amount").fill(usd)
    page.button("Create key").click()
    dialog = page.role("dialog")
    secret = dialog.label("The secret", exact=True).words()
    dialog.button("Done").click()
    return secret


def ask_until_refused(client: openai.OpenAI, most: int = 50) -> int:
    """Requests that were served until one was not."""
    for served in range(most):
        try:
            client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "Tell me everything"}])
        except openai.APIStatusError as error:
            assert error.status_code == 412, error
            return served
    raise AssertionError(f"expected a refusal, found {most} requests served")


def test_budget_is_used_up_and_raised(site: Site) -> None:
    """From an empty gateway to a key that answers 412, is seen exhausted at once, and serves again when its budget is raised."""
    page = site.signed_in()
    add_integration(page, site, "provider")
    page.css("main a[data-row]", "provider").click()
    page.role("tab", "Sharing").click()
    page.label("Share with default").click()
    page.css("[aria-label='Share with default']:checked").wait()
    secret = create_key(page, "spender", "0.01")
    assert secret.startswith("fgw-")
    with openai.OpenAI(base_url=f"{site.gateway.url}/v1", api_key=secret, max_retries=0) as client:
        assert ask_until_refused(client) > 0
        page.css("main tbody tr", "spender").text("exhausted").wait(timeout_ms=WITHIN_MS)
        page.css("main a[data-row]", "spender").click()
        page.role("complementary").text("used up").wait()
        page.label("Budget 1: amount").fill("5")
        page.button("Save changes").click()
        page.text("Saved the key").wait()
        client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "And now?"}])
        page.css("main tbody tr", "spender").text("active").wait(timeout_ms=WITHIN_MS)
    assert page.faults() == []


def ask(page: On, method: str, path: str, body: object = None) -> Any:
    """What the admin API answers to whoever has signed in on the page."""
    script = f"""(async () => {{
      const who = await (await fetch("/api/v1/me")).json();
      const asked = {{ method: {json.dumps(method)}, headers: {{ "x-csrf-token": who.csrf, "content-type": "application/json" }} }};
      const answer = await fetch("/api/v1{path}", {{ ...asked, body: {json.dumps(None if body is None else json.dumps(body))} }});
      return await answer.text();
    }})()"""
    return json.loads(page.run(script))


@pytest.fixture(scope="module")
def served(site: Site) -> str:
    """A key of a gateway through which a request has gone; the provider is shared with all workspaces."""
    page = site.signed_in("settings?tab=profile")
    ask(page, "POST", "/integrations", {"slug": "shared", "provider": "openai", "base_url": site.mock_url, "api_key": "sk-0123456789abcdef",
                                        "share_with": "all"})  # fmt: skip
    secret = str(ask(page, "POST", "/keys", {"name": "seen", "workspace": "default", "metadata": {"team": "lighthouse"}})["key"])
    with openai.OpenAI(base_url=f"{site.gateway.url}/v1", api_key=secret, max_retries=0) as client:
        client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "Where is the periwinkle?"}])
    return secret


def test_second_of_two_who_change_the_same_sees_both(site: Site) -> None:
    """Nothing is lost: what was saved meanwhile stands beside one's own, and either can be taken."""
    one, other = site.signed_in("workspaces"), site.signed_in("workspaces")
    for page, words in ((one, "what the first one writes"), (other, "what the second one writes")):
        page.css("main a[data-row]", "default").first().click()
        page.label("Description").fill(words)
    one.button("Save changes").click()
    one.text("Saved the workspace").wait()
    other.button("Save changes").click()
    dialog = other.role("dialog")
    seen = dialog.words()
    assert "changed by someone else" in seen and "what the first one writes" in seen and "what the second one writes" in seen
    dialog.button("Save mine on top").click()
    other.text("Saved the workspace").wait()
    assert ask(one, "GET", "/workspaces/default")["description"] == "what the second one writes"
    assert one.faults() == []
    assert [fault.partition(" /")[0] for fault in other.faults()] == ["409 PATCH"]


def test_sign_in_that_fails_says_why(site: Site) -> None:
    """A wrong pair, without a word of which of both it is; then that there were too many, and for how long."""
    page = site.open("keys")
    for _ in range(5):
        sign_in(page, "nobody@localhost", "not the password")
        page.text("The email and the password do not go together").wait()
        assert page.label("Email").value() == "nobody@localhost"
    page.button("Sign in").click()
    page.text({"regex": "^Too many attempts: try again in \\d+ s$"}).wait()
    assert page.role("button", "Sign in").do("isDisabled") is True


def test_member_sees_what_they_may(site: Site, served: str) -> None:
    """Pages and buttons fit the person's scopes, others' keys are names, and their requests are not shown."""
    owner = site.signed_in("settings?tab=profile")
    user = ask(owner, "POST", "/users", {"email": "member@localhost", "name": "Mia", "role": "member", "password": "correct horse battery"})
    ask(owner, "POST", "/workspaces/default/members", {"user_id": user["id"], "role": "member"})
    page = site.signed_in("keys", "member@localhost", "correct horse battery")
    places = page.role("navigation").words().split("\n")
    assert {"Overview", "Logs", "Playground", "Keys", "Settings"} <= set(places)
    assert not {"Users", "API tokens", "Alerts", "Audit"} & set(places)
    page.css("main a[data-row]", "seen").click()
    page.role("complementary").wait()
    page.role("complementary").text("someone else's key").wait()
    assert "Revoke" not in page.role("complementary").words()
    secret = create_key(page, "mine", "1")
    assert secret.startswith("fgw-")
    page.link("Logs").click()
    page.text("No requests in this time").wait()
    page.go(f"{site.gateway.url}/console/audit")
    page.text("This page is not yours to see").wait()
    assert page.faults() == []


def test_request_is_found_and_opened(site: Site, served: str) -> None:
    """By a word of its body; its steps are a waterfall, and what it cost, its metadata and its bodies stand below."""
    page = site.signed_in("logs")
    page.css("main input[type=search]").fill("periwinkle")
    page.text("1 request", exact=True).wait()
    page.css("main a[data-row]").first().click()
    panel = page.role("complementary")
    panel.css(".waterfall li").first().wait()
    words = panel.words()
    assert panel.css(".waterfall li").count() >= 4
    assert all(word in words for word in ("Admit", "Wait", "seen", "openai", "lighthouse", "periwinkle", "$0.00"))
    page.css("main input[type=search]").fill("nothing has this word")
    page.text("Nothing fits these filters").wait()
    assert page.faults() == []


def test_what_was_never_said_to_be_off_is_on(site: Site, served: str) -> None:
    """The API answers what was written: a share and a key of which nothing else was said are on."""
    page = site.signed_in("integrations")
    page.css("main a[data-row]", "shared").click()
    page.role("tab", "Sharing").click()
    page.css("[aria-label='Share with default']:checked").wait()
    page.link("Keys").click()
    page.css("main a[data-row]", "seen").click()
    page.role("complementary").role("button", "Disable").wait()
    assert page.faults() == []


def test_playground_streams_and_tells_the_cost(site: Site, served: str) -> None:
    """With a key that is lent: words arrive one after another, then tokens, times and the cost, with a way to the log."""
    page = site.signed_in("playground")
    page.button("Take a key").click()
    page.text("A key to try with").wait()
    page.css("input[list=callable]").fill(MODEL)
    page.label("Message").fill("Say something")
    page.button("Send").click()
    answer = page.css("article.turn.assistant")
    answer.link("log").wait()
    answer.text({"regex": "^cost \\$0\\.\\d+$"}).wait()
    assert "1.50k out" in answer.words()
    answer.link("log").click()
    page.role("complementary").css(".waterfall li").first().wait()
    assert page.faults() == []


def test_console_is_used_by_keyboard(site: Site, served: str) -> None:
    """Fields follow one another as they are read, Escape closes what is open, / searches, and rows are gone through."""
    page = site.signed_in("keys")
    page.css("main a[data-row]").first().wait()
    page.press("/")
    assert page.focused() == "Search keys"
    page.press("Escape")
    page.press("c")
    page.label("Belongs to").wait()
    page.label("Name").do("focus")
    order = []
    for _ in range(5):
        order.append(page.focused())
        page.press("Tab")
    assert order == ["Name", "Workspace", "Belongs to", "Description", "Add a budget"]
    page.press("Escape")
    page.role("complementary").wait("hidden")
    page.press("j")
    page.press("Enter")
    page.role("complementary").button("Rotate").click()
    page.role("dialog").wait()
    page.press("Escape")
    page.role("dialog").wait("hidden")
    page.role("complementary").wait()
    page.press("Escape")
    page.role("complementary").wait("hidden")
    page.press("g")
    page.press("w")
    page.role("heading", "Workspaces").wait()
    assert page.faults() == []


PAGES = (
    "", "logs", "playground", "keys", "keys/create", "workspaces", "workspaces/create", "integrations", "integrations/create", "models",
    "models/create", "models?tab=catalogue", "models?tab=prices", "configs", "configs/create", "users", "users/create", "tokens",
    "tokens/create", "alerts", "alerts/create", "alerts?tab=sent", "audit", "settings", "settings?tab=organisation", "settings?tab=profile",
)  # fmt: skip


@pytest.mark.parametrize(("size", "scheme"), [(PHONE, "dark"), (WIDE, "light")], ids=["phone", "wide"])
def test_no_page_complains_or_is_wider_than_the_screen(site: Site, served: str, size: dict[str, int], scheme: str) -> None:
    """On no page an error, a warning, a request that fails, or something that the policy forbids; nothing scrolls sideways."""
    page = site.signed_in(size=size, scheme=scheme)
    page.run("document.body.setAttribute('style', 'color: red')")
    assert "Content Security Policy" in str(page.faults()), "what the policy forbids is not seen"
    for path in PAGES:
        page.go(f"{site.gateway.url}/console/{path}")
        page.role("heading").first().wait()
        page.css(".skeleton").first().wait("hidden")
        assert page.faults() == [], path
        assert page.run("document.documentElement.scrollWidth - innerWidth") <= 0, path
        assert page.css(".failure").count() == 0, path
