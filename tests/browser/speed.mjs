// Measures how fast the page shows records and filters them, with 100,000 records at the server and
// MESSAGES (1,000) requests in the conversation that is shown:
// `STANDIN=../../target/release/standin node speed.mjs`.

import { api, browser, open, receiver, serve } from "./support.mjs";

const MESSAGES = Number(process.env.MESSAGES ?? 1_000);
const RECORDS = 100_000;
const LIMIT = { record: 50, filter: 100 };

const source = `
name = "long"
[[step]]
open = { by = "visitor" }
[[step]]
say = { by = "visitor", text = "message \${round}." }
repeat = { times = ${MESSAGES} }
[[step]]
after = "10h"
say = { by = "visitor", text = "late" }
`;

const median = (times) => times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)];
const line = (name, times, limit) => console.log(`${name}: median ${median(times).toFixed(1)} ms, slowest ${Math.max(...times).toFixed(1)} ms (limit ${limit} ms)`);

const chrome = await browser();
const target = await receiver();
const server = await serve("--to", `ebbot=${target.url}`);
// Other conversations, so that the history is full and the list is long.
const newest = async () => (await api(server, "GET", "/deliveries?limit=1")).items[0]?.number ?? 0;
while (await newest() < RECORDS) {
  const { run: number } = await api(server, "POST", "/runs", { vendor: "ebbot", scenario: "handover", clock: "virtual", conversations: 500 });
  await api(server, "GET", `/runs/${number}?wait=60`);
}
const { run } = await api(server, "POST", "/runs", { vendor: "ebbot", source, speed: 1000 });
const conversation = `${run}-1`;
for (let found = 0; found < MESSAGES;) {
  await new Promise((resolve) => { setTimeout(resolve, 500); });
  const { items } = await api(server, "GET", `/conversations?run=${run}`);
  found = items[0]?.deliveries.passed ?? 0;
}
console.log(`${await newest()} records, ${MESSAGES} requests in the conversation`);

const { page, close } = await open(chrome, server.page);
// The newest conversation is shown first.
await page.locator(`[data-conversation="${conversation}"][aria-current]`).waitFor();
await page.locator("#log .bub", { hasText: `message ${MESSAGES}.` }).waitFor({ timeout: 60_000 });
await page.locator("#connection.ok").waitFor();
await page.waitForTimeout(1000);

/** The time until the document shows a text, as the page measures it. */
const shown = (selector, text) => page.evaluate(([selector, text]) => new Promise((resolve) => {
  const find = () => [...document.querySelectorAll(selector)].some((node) => node.textContent.includes(text));
  const observer = new MutationObserver(() => {
    if (!find()) return;
    observer.disconnect();
    resolve(performance.timeOrigin + performance.now());
  });
  observer.observe(document.body, { childList: true, subtree: true, characterData: true });
  if (find()) resolve(performance.timeOrigin + performance.now());
}), [selector, text]);

const records = [];
for (let index = 0; index < 20; index += 1) {
  const text = `live ${index}.`;
  const appears = shown("#wire .e", text);
  await page.waitForTimeout(100);
  const began = performance.timeOrigin + performance.now();
  await api(server, "POST", `/conversations/${conversation}/actions`, { say: { by: "visitor", text } });
  records.push(await appears - began);
}
line("a new record on the page", records, LIMIT.record);

/** The time until the page has rendered what an act changes: a text in a field, a click, a scroll position. */
const frame = (act) => page.evaluate(({ selector, text, top }) => new Promise((resolve) => {
  const node = document.querySelector(selector);
  const began = performance.now();
  if (text !== undefined) {
    node.value = text;
    node.dispatchEvent(new Event("input", { bubbles: true }));
  } else if (top !== undefined) node.scrollTop = top;
  else node.click();
  // The page renders in the next frame; the one after it begins when that is done.
  requestAnimationFrame(() => requestAnimationFrame(() => resolve(performance.now() - began)));
}), act);

const actions = {
  "filter the conversations": ["order", "no such", ""].map((text) => ({ selector: "#find", text })),
  "show failed requests only": ["failed", "all"].map((value) => ({ selector: `#show-wire [value=${value}]` })),
  "scroll the requests": [0, 1e6].map((top) => ({ selector: "#wire-scroll", top })),
};
for (const [name, acts] of Object.entries(actions)) {
  const times = [];
  for (let round = 0; round < 7; round += 1) for (const act of acts) times.push(await frame(act));
  line(name, times, LIMIT.filter);
}
await close();
await chrome.close();
server.stop();
target.close();
