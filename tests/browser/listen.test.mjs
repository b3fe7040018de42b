// The page of `standin listen` in a real browser.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { after, before, describe, it } from "node:test";
import { browser, listen, open, overflow, standin, violations } from "./support.mjs";

const MARKUP = "<img src=x onerror=alert(1)><script>alert(2)</script>\"'&\u202e";

let chrome;
before(async () => { chrome = await browser(); });
after(() => chrome.close());

describe("the page of listen", () => {
  for (const size of [{}, { colorScheme: "dark" }, { width: 390, height: 800 }]) {
    it(`shows what arrives, as text: ${JSON.stringify(size)}`, async () => {
      const receiver = await listen("ebbot", "--exit-after", "500");
      const { page, problems, close } = await open(chrome, receiver.url, size);
      try {
        await page.locator("#verdict", { hasText: "500 requests of 500 still to come" }).waitFor();
        const run = ["run", "handover", "--vendor", "ebbot", "--to", receiver.url, "--seed", "5", "--quiet"];
        assert.equal(spawnSync(standin, run).status, 0);
        const hello = page.locator("#rows tr", { hasText: "Hello! Where is my order" });
        await hello.waitFor();
        assert.ok((await hello.textContent()).includes("chat.user.message"));
        assert.equal(spawnSync(standin, run).status, 0);
        await page.locator(".tag", { hasText: "same body as no. 1" }).first().waitFor();

        const body = JSON.stringify({ topic: MARKUP, data: { value: MARKUP, chatId: MARKUP } });
        await fetch(`${receiver.url}${encodeURIComponent(MARKUP)}`, { method: "POST", body });
        await page.locator("#verdict.bad", { hasText: "Exit code so far: 1 (1 request failed verification" }).waitFor();
        await page.locator("tr.bad .open").click();
        await page.locator("pre", { hasText: "onerror" }).waitFor();
        assert.ok((await page.locator("pre").textContent()).includes("\\u{202e}"), "hidden characters are visible");
        assert.equal(await page.locator("img, main script").count(), 0);
        await page.locator("#problems").check();
        assert.equal(await page.locator("#rows tr.ok:visible", { hasNotText: "same body" }).count(), 0);
        await page.locator("#find").fill("no such text");
        await page.locator("#empty", { hasText: "No request matches." }).waitFor();
        await page.locator("#find").fill("");
        assert.deepEqual(await violations(page), []);
        assert.ok(await overflow(page) <= 0);
        assert.deepEqual(problems, []);
      } finally {
        await close();
        receiver.stop();
      }
    });
  }
});
