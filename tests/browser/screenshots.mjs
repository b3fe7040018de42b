// Writes the screenshots of the documentation: `STANDIN=target/release/standin node screenshots.mjs`.

import { api, browser, open, receiver, serve } from "./support.mjs";

const folder = new URL("../../docs/", import.meta.url).pathname;
const chrome = await browser();
const target = await receiver(({ number }, response) => { response.writeHead(number === 7 ? 503 : 200).end(number === 7 ? '{"error":"starting"}' : '{"ok":true}'); });
const server = await serve("--to", `liveperson=${target.url}`);
const run = await api(server, "POST", "/runs", { vendor: "liveperson", scenario: "handover", clock: "virtual", seed: 1 });
await api(server, "GET", `/runs/${run.run}?wait=20`);
for (const colorScheme of ["light", "dark"]) {
  const { page, close } = await open(chrome, server.page, { width: 1440, height: 960, colorScheme });
  await page.locator("#wire tr", { hasText: "Hi, this is Grace" }).first().click();
  await page.locator("#t-proof").click();
  await page.locator("#detail .steps").waitFor();
  await page.locator("#log .bub", { hasText: "Hi, this is Grace" }).scrollIntoViewIfNeeded();
  await page.screenshot({ path: `${folder}page-${colorScheme}.png` });
  await close();
}
await chrome.close();
server.stop();
target.close();
