// The page in a real browser. Everything is real: server, receiver, browser.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, describe, it } from "node:test";
import { api, browser, open, overflow, receiver, serve, violations } from "./support.mjs";

const SLOW = `
name = "slow"
[cast.ada]
role = "visitor"
name = "Ada Test"
[cast.grace]
role = "agent"
name = "Grace Test"
[[step]]
open = { by = "ada" }
[[step]]
say = { by = "ada", text = "first" }
[[step]]
after = "10m"
assign = { to = "grace" }
[[step]]
after = "10m"
say = { by = "grace", text = "second" }
`;

const MARKUP = "<img src=x onerror=alert(1)><script>alert(2)</script>\"'&{{x}}";

let chrome;
before(async () => { chrome = await browser(); });
after(() => chrome.close());

/** Runs a test with a server that sends to a receiver, and checks the console at its end. */
async function withPage(work, { respond, vendor = "liveperson", size, refused = 0 } = {}) {
  const target = await receiver(respond);
  const server = await serve("--to", `${vendor}=${target.url}`);
  const opened = await open(chrome, server.page, size);
  try {
    await opened.page.locator("#connection.ok").waitFor();
    await work({ ...opened, server, target });
    // Browsers report each request that the server refuses.
    const isRefusal = (problem) => problem.includes("status of 422");
    assert.equal(opened.problems.filter(isRefusal).length, refused);
    assert.deepEqual(opened.problems.filter((problem) => !isRefusal(problem)), []);
  } finally {
    await opened.close();
    server.stop();
    target.close();
  }
}

describe("the page", () => {
  it("starts, pauses and steps a run, and lets people speak in it", () => withPage(async ({ page, server, target }) => {
    assert.equal(new URL(page.url()).hash, "", "the token is not in the address");
    await page.locator("#vendor").selectOption("liveperson");
    await page.locator("#scenario").selectOption("handover");
    await page.locator("#speed").selectOption("1");
    await page.locator("#play").click();
    await page.locator("#pause", { hasText: "Pause" }).click();
    await page.locator("#pause", { hasText: "Resume" }).waitFor();
    const said = async () => page.locator("#log .msg .bub").allTextContents();
    const before = (await said()).length;
    for (let step = 0; step < 20 && (await said()).length < before + 2; step += 1) {
      await page.locator("#step").click();
      await page.waitForTimeout(50);
    }
    assert.ok((await said()).length >= before + 1, "stepping plays the next messages");
    assert.deepEqual(await violations(page), []);

    await page.keyboard.press("m");
    await page.locator("#as").selectOption("visitor");
    await page.locator("#text").fill("I type this myself, for $5 ${cast.visitor.name}");
    await page.keyboard.press("Enter");
    await page.locator("#log .bub", { hasText: "I type this myself, for $5 ${cast.visitor.name}" }).waitFor();
    await page.locator("#speak-kind button[value=note]").click();
    await page.locator("#as").selectOption({ index: 2 });
    await page.locator("#text").fill("a note");
    await page.locator("#send").click();
    await page.locator("#log .note", { hasText: "a note" }).waitFor();
    await page.waitForFunction(() => document.querySelectorAll("#wire tr").length > 2);
    assert.ok(target.requests.some(({ body }) => body.includes("I type this myself")));

    await page.locator("#pause").click();
    await page.locator("#cancel").click();
    await page.locator("#verdict", { hasText: "Cancelled" }).waitFor();
    const { items } = await api(server, "GET", "/runs");
    assert.equal(items[0].phase, "cancelled");
  }));

  it("shows each request in full, explains its signature and sends it again", () => withPage(async ({ page, target }) => {
    await page.locator("#speed").selectOption("0");
    await page.locator("#play").click();
    await page.locator("#verdict .ok", { hasText: "passed" }).waitFor();
    await page.locator("#wire tr", { hasText: "ContentEvent" }).first().click();
    await page.locator("#detail .code").first().waitFor();
    await page.locator("#detail button", { hasText: "Bytes" }).click();
    const shown = await page.locator("#detail .code.bytes").textContent();
    assert.ok(target.requests.some(({ body }) => body === shown), "the shown bytes are those that were sent");
    await page.keyboard.press("v");
    await page.locator("#detail .bann.ok", { hasText: "The signature is valid" }).waitFor();
    const header = await page.locator("#detail .steps li.ok .val").textContent();
    const sent = target.requests.find(({ body }) => body === shown).headers["x-liveperson-signature"];
    assert.equal(header, `x-liveperson-signature: ${sent}`);
    assert.deepEqual(await violations(page), []);
    await page.keyboard.press("c");
    await page.locator("#toast", { hasText: "Copied" }).waitFor();
    const command = await page.evaluate(() => navigator.clipboard.readText());
    assert.ok(command.startsWith("curl -X POST 'http://127.0.0.1:") && command.includes(shown.replaceAll("'", "'\\''")), command);
    const count = target.requests.length;
    await page.locator("#redeliver").click();
    await page.locator("#wire tr", { hasText: "sent again" }).waitFor();
    assert.equal(target.requests.length, count + 1);
    assert.equal(target.requests.at(-1).body, shown);
  }));

  it("shows why a delivery failed, and its attempts", () => withPage(async ({ page }) => {
    await page.locator("#speed").selectOption("0");
    await page.locator("#play").click();
    await page.locator("#verdict .bad", { hasText: "Failed" }).waitFor();
    await page.keyboard.press("n");
    await page.locator("#t-why").click();
    assert.match(await page.locator("#detail .why").textContent(), /418/);
    await page.locator("#t-response").click();
    assert.match(await page.locator("#detail .panel").textContent(), /teapot/);
    assert.deepEqual(await violations(page), []);
  }, { respond: ({ number }, response) => { response.writeHead(number === 3 ? 418 : 200).end(number === 3 ? '{"error":"teapot"}' : "{}"); } }));

  it("adds and removes receivers, and starts a conversation without a script", () => withPage(async ({ page }) => {
    const other = await receiver();
    await page.locator("#endpoints summary").click();
    await page.locator("#endpoint-vendor").selectOption("ebbot");
    await page.locator("#endpoint-url").fill("not a URL");
    await page.locator("#endpoint-form button").click();
    await page.locator("#endpoint-error").waitFor();
    await page.locator("#endpoint-url").fill(other.url);
    await page.locator("#endpoint-form button").click();
    await page.locator("#endpoint-list", { hasText: other.url }).waitFor();
    assert.deepEqual(await violations(page), []);
    await page.keyboard.press("Escape");
    await page.locator("#vendor").selectOption("ebbot");
    await page.locator("#free").click();
    await page.locator("#speak").waitFor();
    await page.locator("#text").fill("hello");
    await page.locator("#send").click();
    await page.locator("#log .bub", { hasText: "hello" }).waitFor();
    await page.waitForFunction(() => document.querySelectorAll("#wire .st.ok").length > 0);
    assert.ok(other.requests.some(({ body }) => body.includes("hello")));
    other.close();
  }, { refused: 1 }));

  for (const size of [{ width: 1440, colorScheme: "dark" }, { width: 1024 }, { width: 390, height: 844 }, { width: 320, height: 700, colorScheme: "dark" }]) {
    it(`is accessible at ${size.width} pixels, ${size.colorScheme ?? "light"}`, () => withPage(async ({ page, server }) => {
      await api(server, "POST", "/runs", { vendor: "liveperson", scenario: "handover", clock: "virtual" });
      await page.waitForFunction(() => document.querySelectorAll("#log .msg").length > 3);
      assert.deepEqual(await violations(page), []);
      assert.ok(await overflow(page) <= 0);
      if (size.width <= 760) await page.locator(".views button[value=wirev]").click();
      await page.locator("#wire tr").nth(2).click();
      await page.locator("#t-proof").click();
      await page.locator("#detail .steps").waitFor();
      assert.deepEqual(await violations(page), []);
      assert.ok(await overflow(page) <= 0);
    }, { size }));
  }

  it("asks for the token and does nothing without it", async () => {
    const server = await serve("--vendor", "ebbot");
    const { page, close } = await open(chrome, server.origin);
    await page.locator("#login[open]").waitFor();
    assert.deepEqual(await violations(page), []);
    await page.locator("#login-token").fill("wrong");
    await page.locator("#login-form button").click();
    await page.locator("#login-error").waitFor();
    await page.locator("#login-token").fill(server.token);
    await page.locator("#login-form button").click();
    await page.locator("#connection.ok").waitFor();
    await close();
    server.stop();
  });
});

describe("safety", () => {
  it("shows markup in every field as text", () => withPage(async ({ page, server, target }) => {
    const text = JSON.stringify(MARKUP);
    const source = SLOW.replace('"slow"', text).replace('"Ada Test"', text).replace('"first"', text).replaceAll("10m", "1s");
    const run = await api(server, "POST", "/runs", { vendor: "ebbot", source, clock: "virtual" });
    const id = `${run.run}-1`;
    await api(server, "GET", `/runs/${run.run}?wait=10`);
    await api(server, "POST", `/conversations/${id}/actions`, { note: { by: "grace", text: MARKUP } });
    await page.locator("#log .bub", { hasText: MARKUP }).waitFor();
    await page.locator("#wire tr").nth(1).click();
    for (const tab of await page.locator("#detail [role=tab]").all()) {
      await tab.click();
      await page.waitForTimeout(100);
    }
    assert.ok((await page.locator("#h-chat").textContent()).includes(MARKUP));
    assert.equal(await page.locator("img, #log script, #detail script, #list script").count(), 0);
    assert.ok(target.requests.length > 0);
  }, {
    vendor: "ebbot",
    respond: (_, response) => {
      response.setHeader("x-markup", MARKUP);
      response.writeHead(400).end(MARKUP);
    },
  }));

  it("lets a page of another origin neither read nor act", async () => {
    const server = await serve("--vendor", "ebbot");
    const evil = createServer((_, response) => response.setHeader("content-type", "text/html").end("<title>evil</title>"));
    await new Promise((resolve) => { evil.listen(0, "127.0.0.1", resolve); });
    const { page, close } = await open(chrome, `http://127.0.0.1:${evil.address().port}/`);
    const results = await page.evaluate(async ({ origin, token }) => {
      const authorized = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" };
      const body = JSON.stringify({ vendor: "ebbot", scenario: "handover" });
      const tries = [
        () => fetch(`${origin}/api/v1/runs`, { headers: authorized }),
        () => fetch(`${origin}/api/v1/runs`, { method: "POST", headers: authorized, body }),
        () => fetch(`${origin}/healthz`),
        () => fetch(`${origin}/api/v1/runs`, { method: "POST", mode: "no-cors", body }),
      ];
      const read = [];
      for (const attempt of tries) {
        read.push(await attempt().then((response) => response.type === "opaque" ? "opaque" : "read", () => "blocked"));
      }
      const frame = document.createElement("iframe");
      frame.src = origin;
      document.body.append(frame);
      await new Promise((resolve) => { setTimeout(resolve, 500); });
      let framed = "blocked";
      try {
        framed = frame.contentDocument === null ? "blocked" : "read";
      } catch {
        // Another origin.
      }
      return { read, framed };
    }, { origin: server.origin, token: server.token });
    assert.deepEqual(results.read.slice(0, 3), ["blocked", "blocked", "blocked"]);
    assert.notEqual(results.read[3], "read");
    assert.equal(results.framed, "blocked");
    assert.deepEqual((await api(server, "GET", "/runs")).items, []);
    await close();
    evil.close();
    server.stop();
  });
});
