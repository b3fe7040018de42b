// Starts standin, a receiver and Chromium for the tests of the page.

import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const axe = readFileSync(new URL("node_modules/axe-core/axe.min.js", import.meta.url), "utf8");

/** Starts a receiver. `respond` gets a request with its body, and the response. */
export async function receiver(respond = (request, response) => response.end("{}")) {
  const requests = [];
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk) => { body += chunk; });
    request.on("end", () => {
      requests.push({ url: request.url, headers: request.headers, body });
      respond({ url: request.url, body, number: requests.length }, response);
    });
  });
  await new Promise((resolve) => { server.listen(0, "127.0.0.1", resolve); });
  return { url: `http://127.0.0.1:${server.address().port}/`, requests, close: () => server.close() };
}

export const standin = process.env.STANDIN ?? "standin";

/** A port that is free. */
export async function freePort() {
  const server = createServer();
  await new Promise((resolve) => { server.listen(0, "127.0.0.1", resolve); });
  const { port } = server.address();
  await new Promise((resolve) => { server.close(resolve); });
  return port;
}

/** Starts `standin listen` on a free port. */
export async function listen(...args) {
  const child = spawn(standin, ["listen", "--port", "0", ...args], { stdio: ["ignore", "ignore", "pipe"] });
  for await (const line of createInterface(child.stderr)) {
    const url = /^page +(\S+)/.exec(line)?.[1];
    if (url) return { url, stop: () => child.kill("SIGKILL") };
  }
  throw new Error("the receiver did not start");
}

/** Starts `standin serve` on a free port. */
export async function serve(...args) {
  const child = spawn(standin, ["serve", "--port", "0", "--no-journal", ...args], { stdio: ["ignore", "pipe", "inherit"] });
  for await (const line of createInterface(child.stdout)) {
    const page = /^ {2}page +(\S+)/.exec(line)?.[1];
    if (page) {
      const [origin, token] = page.split("/#token=");
      return { page, origin, token, stop: () => child.kill("SIGKILL") };
    }
  }
  throw new Error("the server did not start");
}

/** Calls the control API. */
export async function api(server, method, path, body) {
  const headers = { Authorization: `Bearer ${server.token}`, "Content-Type": "application/json" };
  const response = await fetch(`${server.origin}/api/v1${path}`, { method, headers, body: body && JSON.stringify(body) });
  const text = await response.text();
  const json = text && JSON.parse(text);
  if (!response.ok) throw new Error(`${path}: ${JSON.stringify(json)}`);
  return json;
}

export const browser = () => chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });

/** Opens a page. `problems` collects messages of the console, errors and dialogs. */
export async function open(chrome, url, { width = 1440, height = 900, colorScheme = "light" } = {}) {
  const context = await chrome.newContext({ viewport: { width, height }, colorScheme, reducedMotion: "reduce", permissions: ["clipboard-read", "clipboard-write"] });
  const page = await context.newPage();
  // Requests may still be in flight at the end of a test.
  if (process.env.STANDIN_PAGE) await context.route(/\/[\w-]*(\.(js|css|svg|html))?$/, (route) => fromFolder(route).catch(() => {}));
  page.setDefaultTimeout(15_000);
  const problems = [];
  page.on("console", (message) => problems.push(`console: ${message.text()}`));
  page.on("pageerror", (error) => problems.push(`error: ${error.message}`));
  page.on("dialog", (dialog) => { problems.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
  await page.goto(url);
  return { page, problems, close: () => context.close() };
}

/** Serves the files of the page from the folder STANDIN_PAGE, so that an edit needs no build. */
async function fromFolder(route) {
  const name = new URL(route.request().url()).pathname.slice(1) || "index.html";
  const body = await readFile(`${process.env.STANDIN_PAGE}/${name}`).catch(() => null);
  if (body === null) return route.continue();
  // With the headers of the server: its policies apply.
  const response = await route.fetch({ url: new URL("/", route.request().url()).href });
  const type = { js: "text/javascript", css: "text/css", svg: "image/svg+xml" }[name.split(".").at(-1)] ?? "text/html";
  return route.fulfill({ status: 200, headers: { ...response.headers(), "content-type": type }, body });
}

/** The serious violations that axe finds on the page as it is now. */
export async function violations(page) {
  // Not with a script element, which the policy of the page forbids.
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"] }));
  return violations.filter(({ impact }) => ["serious", "critical"].includes(impact))
    .map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.target.join(" ")).join(", ")}`);
}

/** Pixels by which the page is wider than the window. */
export const overflow = (page) => page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
