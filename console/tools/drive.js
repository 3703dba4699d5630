// Drives a browser for the tests in tests/control: lines of JSON in, each answered by one.
//   {"open": {...context}}                    opens a page in a profile of its own, answers its number
//   {"page": 1, "steps": [[method, ...], …]}  calls one method after another, each on what the one before gave, answers what the last gave
//   {"page": 1, "faults": true}               what went wrong on the page since it was asked last
// {"regex": "…"} stands for a regular expression. Ends with its input.

import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const WAIT_MS = 5000;
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ["--no-sandbox", "--disable-gpu"] });
const pages = [];

const revived = (value) => (Array.isArray(value) ? value.map(revived)
  : value === null || typeof value !== "object" ? value
  : typeof value.regex === "string" ? new RegExp(value.regex)
  : Object.fromEntries(Object.entries(value).map(([name, one]) => [name, revived(one)])));

async function open(options) {
  const context = await browser.newContext({ reducedMotion: "reduce", timezoneId: "UTC", locale: "en-GB", ...options });
  context.setDefaultTimeout(WAIT_MS);
  const page = await context.newPage();
  const one = { page, faults: [] };
  page.on("pageerror", (error) => one.faults.push(String(error.stack)));
  page.on("console", (message) => {
    // what the server refuses is told by its answer, below, and what breaks the policy comes along here
    if (["error", "warning"].includes(message.type()) && !message.text().startsWith("Failed to load resource")) one.faults.push(message.text());
  });
  page.on("response", (response) => {
    if (response.status() >= 400) one.faults.push(`${response.status()} ${response.request().method()} ${new URL(response.url()).pathname}`);
  });
  return pages.push(one);
}

async function answer({ open: options, page: number, steps, faults }) {
  if (options) return open(options);
  const one = pages[number - 1];
  if (faults) return one.faults.splice(0);
  let at = one.page;
  for (const [method, ...given] of revived(steps)) at = method in at && typeof at[method] !== "function" ? at[method] : await at[method](...given);
  return at === undefined || at === null || ["string", "number", "boolean"].includes(typeof at) || Array.isArray(at) ? (at ?? null) : null;
}

for await (const line of createInterface({ input: process.stdin })) {
  let said;
  try {
    said = { value: await answer(JSON.parse(line)) };
  } catch (error) {
    said = { error: String(error.message ?? error) };
  }
  process.stdout.write(`${JSON.stringify(said)}\n`);
}
await browser.close();
