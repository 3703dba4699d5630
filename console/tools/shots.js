// Takes pictures of pages, against the mock: node tools/shots.js [folder] [name...]; needs `npx vite preview` to be running.
// With CONSOLE_ORIGIN and CONSOLE_PASSWORD (of owner@localhost) they are those of a gateway that runs, where it has what they are of.
// LOOK=light|dark|phone takes one look alone, WIDTH and HEIGHT change the size of the wide ones. For docs/console: WIDTH=1160 HEIGHT=740.

import { mkdirSync } from "node:fs";
import { chromium } from "playwright-core";

const [folder = "../build/shots", ...only] = process.argv.slice(2);
const ORIGIN = process.env.CONSOLE_ORIGIN ?? "http://127.0.0.1:5199";
const SIZES = { wide: { width: Number(process.env.WIDTH ?? 1440), height: Number(process.env.HEIGHT ?? 900) }, phone: { width: 375, height: 812 } };

const click = (name) => (page) => page.getByRole("button", { name }).first().click();
const openFirst = (page) => page.locator("main table a[data-row]").first().click();
const openNamed = (name) => (page) => page.locator("main tbody tr", { hasText: name }).locator("a[data-row]").first().click();
/** Name: path, what to do before the picture, the state that the mock is in. */
const PAGES = {
  "sign-in": ["/console/", null, "out"],
  overview: ["/console/"],
  "overview-empty": ["/console/", null, "empty"],
  logs: ["/console/logs"],
  log: ["/console/logs?model=gpt-4.1&outcome=served", openFirst],
  "logs-more": ["/console/logs?outcome=failed", click("More")],
  keys: ["/console/keys"],
  key: ["/console/keys", openNamed("support-bot-prod")],
  "key-create": ["/console/keys/create", async (page) => {
    await page.getByLabel("Name").fill("checkout");
    await page.getByRole("main").getByRole("complementary").getByLabel("Workspace").selectOption("growth");
    await click("Add a budget")(page);
  }],
  "key-made": ["/console/keys/create", async (page) => {
    await page.getByLabel("Name").fill(`checkout-${Date.now() % 100_000}`);
    await page.getByRole("main").getByRole("complementary").getByLabel("Workspace").selectOption("growth");
    await click("Create key")(page);
    await page.getByRole("dialog").waitFor();
  }],
  "key-wrong": ["/console/keys/create", click("Create key")],
  "keys-empty": ["/console/keys", null, "empty"],
  "keys-broken": ["/console/keys", null, "broken"],
  workspaces: ["/console/workspaces"],
  workspace: ["/console/workspaces", async (page) => {
    await openNamed("Support bot")(page);
    await page.getByRole("tab", { name: /Members/ }).click();
  }],
  "workspace-shares": ["/console/workspaces", async (page) => {
    await openNamed("Search")(page);
    await page.getByRole("tab", { name: "Integrations" }).click();
  }],
  integrations: ["/console/integrations"],
  integration: ["/console/integrations", async (page) => {
    await openNamed("azure-eu")(page);
    await click("Test the credential")(page);
    await page.locator(".test-answer.bad").waitFor();
  }],
  "integration-shares": ["/console/integrations", async (page) => {
    await openNamed("anthropic")(page);
    await page.getByRole("tab", { name: "Sharing" }).click();
  }],
  "integration-create": ["/console/integrations/create"],
  "integration-bedrock": ["/console/integrations/create", async (page) => {
    await page.getByLabel("Search providers").fill("bedrock");
    await page.locator(".providers li button").first().click();
    await page.getByText("Sign by the cloud").click();
  }],
  models: ["/console/models"],
  model: ["/console/models", openNamed("fast")],
  catalogue: ["/console/models?tab=catalogue", openFirst],
  prices: ["/console/models?tab=prices"],
  configs: ["/console/configs"],
  config: ["/console/configs", async (page) => {
    await openFirst(page);
    const editor = page.getByRole("textbox", { name: "Config" });
    await editor.fill((await editor.inputValue()).replace('"fallback"', '"failover"').replace("@azure-eu", "@azure-us"));
    await page.locator(".problems").waitFor();
  }],
  versions: ["/console/configs", async (page) => {
    await openFirst(page);
    await page.getByRole("tab", { name: "Versions" }).click();
    await page.getByRole("button", { name: /Version 2/ }).click();
  }],
  users: ["/console/users"],
  user: ["/console/users", openFirst],
  tokens: ["/console/tokens"],
  "token-create": ["/console/tokens/create"],
  alerts: ["/console/alerts"],
  channel: ["/console/alerts", openNamed("pager")],
  "alerts-sent": ["/console/alerts?tab=sent"],
  audit: ["/console/audit", openNamed("")],
  settings: ["/console/settings"],
  organisation: ["/console/settings?tab=organisation"],
  profile: ["/console/settings?tab=profile"],
  playground: ["/console/playground", async (page) => {
    await click("Take a key")(page);
    await page.getByLabel("Message").fill("Which of our plans includes single sign-on, and what does it cost for 40 people?");
    await page.waitForTimeout(400);
    await click("Send")(page);
    await page.locator("article").getByRole("link", { name: "log", exact: true }).waitFor();
    await page.waitForTimeout(900);
  }],
  palette: ["/console/keys", (page) => page.keyboard.press("Control+k")],
  confirm: ["/console/keys", async (page) => {
    await openNamed("support-bot-prod")(page);
    await click("Revoke")(page);
  }],
  member: ["/console/keys", null, "member"],
  "nowhere": ["/console/nothing-here"],
};
const LOOKS = { light: ["wide", "light"], dark: ["wide", "dark"], phone: ["phone", "light"] };

mkdirSync(folder, { recursive: true });
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--force-color-profile=srgb"] });
let storageState;
if (process.env.CONSOLE_PASSWORD) {
  const page = await browser.newPage();
  await page.goto(`${ORIGIN}/console/settings?tab=profile`);
  await page.getByLabel("Email").fill("owner@localhost");
  await page.getByLabel("Password").fill(process.env.CONSOLE_PASSWORD);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.locator(".shell").waitFor();
  storageState = await page.context().storageState();
}
const wanted = (name) => only.length === 0 || only.some((one) => name === one || (one.endsWith("*") && name.startsWith(one.slice(0, -1))));
for (const [look, [size, colorScheme]] of Object.entries(LOOKS)) {
  if (process.env.LOOK && process.env.LOOK !== look) continue;
  for (const [name, [path, act, mock]] of Object.entries(PAGES)) {
    if (!wanted(name)) continue;
    const context = await browser.newContext({ viewport: SIZES[size], colorScheme, reducedMotion: "reduce", timezoneId: "UTC", storageState: mock === "out" ? undefined : storageState });
    context.setDefaultTimeout(5000);
    if (mock) await context.addCookies([{ name: "mock", value: mock, url: ORIGIN }]);
    const page = await context.newPage();
    page.on("pageerror", (error) => console.error(`${name} ${look}: ${error.stack}`));
    page.on("console", (message) => message.type() === "error" && !/Failed to load resource/.test(message.text()) && console.error(`${name} ${look}: ${message.text()}`));
    await page.goto(ORIGIN + path, { waitUntil: "networkidle" });
    try {
      await act?.(page);
    } catch (error) {
      console.error(`${name} ${look}: ${error.message.split("\n")[0]}`);
    }
    await page.waitForTimeout(350);
    const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    if (over > 0) console.error(`${name} ${look}: ${over} px wider than the screen`);
    await page.screenshot({ path: `${folder}/${name}-${look}.png` });
    await context.close();
  }
}
await browser.close();
