// The page in a real browser. Everything is real: server, receiver, browser.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createServer } from "node:http";
import { after, before, describe, it } from "node:test";
import { api, browser, freePort, open, overflow, receiver, serve, standin, violations } from "./support.mjs";

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

/** Sets a mark and opens a dialog, without quotes. */
const RUN = "window.ran=1,alert(1)";

/** Payloads that run in one place or another if text is inserted as markup. */
const MARKUPS = [
  `<img src=x onerror=${RUN}><script>alert(2)</script>"'&{{x}}`,
  `<script>${RUN}</script>`,
  `</script><script>${RUN}</script>`,
  `"><script>${RUN}</script>`,
  `'><script>${RUN}</script>`,
  `<svg onload=${RUN}>`,
  `<svg/onload=${RUN}//`,
  `"><svg onload=${RUN}>`,
  `<body onload=${RUN}>`,
  `<iframe srcdoc="<script>parent.ran=1</script>"></iframe>`,
  `<iframe src=javascript:${RUN}></iframe>`,
  `<a href="javascript:${RUN}">link</a>`,
  `javascript:${RUN}`,
  `" onmouseover=${RUN} x="`,
  `' onfocus=${RUN} autofocus x='`,
  `<input onfocus=${RUN} autofocus>`,
  `<details open ontoggle=${RUN}>`,
  `<video><source onerror=${RUN}></video>`,
  `<audio src onerror=${RUN}>`,
  `<object data=javascript:${RUN}></object>`,
  `<embed src=javascript:${RUN}>`,
  `<form><button formaction=javascript:${RUN}>x</button></form>`,
  `<math><mtext><img src onerror=${RUN}></mtext></math>`,
  `<style>@import 'http://127.0.0.1:9/x';</style>`,
  `<link rel=stylesheet href=http://127.0.0.1:9/x>`,
  `<meta http-equiv=refresh content="0;url=javascript:${RUN}">`,
  `<base href=http://127.0.0.1:9/>`,
  `<template><script>${RUN}</script></template>`,
  `<noscript><p title="</noscript><img src onerror=${RUN}>">`,
  `<textarea></textarea><img src onerror=${RUN}>`,
  `</textarea><img src onerror=${RUN}>`,
  `</title><img src onerror=${RUN}>`,
  `-->`.concat(`<img src onerror=${RUN}>`),
  `<!--><img src onerror=${RUN}>-->`,
  `<![CDATA[><img src onerror=${RUN}>]]>`,
  `<x onclick=${RUN} tabindex=0>`,
  `<img src=x:x onerror\u000b=${RUN}>`,
  `<ſcript>${RUN}</ſcript>`,
  `${"${"}constructor.constructor('${RUN}')()}`,
  `{{constructor.constructor('${RUN}')()}}`,
  "jaVasCript:/*-/*`/*\\`/*'/*\"/**/(/* */oNcliCk=alert() )//</stYle/</titLe/</teXtarEa/</scRipt/--!>\\x3csVg/<sVg/oNloAd=alert()//>",
];

/** Elements and attributes that the page itself never has. It runs in the page. */
function foreign() {
  const found = [...document.body.querySelectorAll("img, script, iframe, object, embed, video, audio, style, base, meta, math, body body")].map((node) => node.outerHTML);
  for (const node of document.body.querySelectorAll("*")) {
    for (const { name, value } of node.attributes) {
      if (name.startsWith("on") || name === "srcdoc" || name === "formaction" || (name === "href" && !/^(#|https?:|docs$)/.test(value))) found.push(`${node.tagName} ${name}=${value}`);
    }
  }
  return found;
}

let chrome;
before(async () => { chrome = await browser(); });
after(() => chrome.close());

/** Runs a test with a server that sends to a receiver, and checks the console at its end. */
async function withPage(work, { respond, vendor = "liveperson", size, refused = 0, args = [] } = {}) {
  const target = await receiver(respond);
  const server = await serve("--to", `${vendor}=${target.url}`, ...args);
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
    await page.locator("#take-over", { hasText: "Take over" }).click();
    await page.locator("#take-over", { hasText: "Give back" }).waitFor();
    await page.locator("#pause", { hasText: "Resume" }).waitFor();
    assert.equal(await page.evaluate(() => document.activeElement.id), "text");
    await page.locator("#log-scroll").click();
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
    assert.notEqual(await page.locator("#as").inputValue(), "visitor", "only staff writes notes");
    await page.locator("#text").fill("a note");
    await page.locator("#send").click();
    await page.locator("#log .note", { hasText: "a note" }).waitFor();
    await page.waitForFunction(() => document.querySelectorAll("#wire tr").length > 2);
    assert.ok(target.requests.some(({ body }) => body.includes("I type this myself")));

    await page.locator("#log .opt", { hasText: "A person, please" }).click();
    await page.locator("#log .opt.done", { hasText: "A person, please" }).waitFor();
    await page.locator("#log .msg:not(.out) .bub", { hasText: "A person, please" }).first().waitFor();

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
    assert.ok(shown.startsWith((await page.locator("#detail .steps .val").first().textContent()).replace(/…$/, "")), "step 1 shows the signed body");
    await page.keyboard.press("b");
    await page.locator("#detail .code:not(.bytes)").waitFor();
    const sent = target.requests.find(({ body }) => body === shown).headers["x-liveperson-signature"];
    assert.equal(header, `x-liveperson-signature: ${sent}`);
    await page.keyboard.press("v");
    await page.locator("#detail .steps").waitFor();
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

  it("compares bodies, and sends one again edited and with a fault", () => withPage(async ({ page, target, server }) => {
    await page.locator("#speed").selectOption("0");
    await page.locator("#play").click();
    await page.locator("#verdict .ok", { hasText: "passed" }).waitFor();
    await page.locator("#wire tr", { hasText: "ContentEvent" }).last().click();
    await page.keyboard.press("d");
    await page.locator("#detail .code .add").first().waitFor();
    assert.ok(await page.locator("#detail .code .del").count() > 0);
    assert.deepEqual(await violations(page), []);

    await page.keyboard.press("e");
    const text = page.locator("#detail textarea");
    await text.waitFor();
    const original = await text.inputValue();
    assert.ok(target.requests.some(({ body }) => body === original));
    await text.fill('{"edited": "ü"}');
    await page.locator("#resend").click();
    await page.locator("#wire tr.sel", { hasText: "sent again" }).waitFor();
    await page.locator("#detail .st.ok", { hasText: "Passed" }).waitFor();
    assert.equal(target.requests.at(-1).body, '{"edited": "ü"}');
    await page.keyboard.press("v");
    await page.locator("#detail .bann.ok").waitFor();

    await page.keyboard.press("e");
    await page.locator("#detail [data-group=token]").selectOption("wrong_token");
    assert.match(await page.locator("#fault-about").textContent(), /rejects it/);
    assert.deepEqual(await violations(page), []);
    await page.locator("#resend").click();
    await page.locator("#detail .st.bad", { hasText: "Failed" }).waitFor();
    await page.keyboard.press("v");
    await page.locator("#detail .bann.bad", { hasText: "The signature is not valid" }).waitFor();
    assert.deepEqual(await violations(page), []);
    const { items } = await api(server, "GET", "/deliveries?limit=1");
    assert.deepEqual(items[0].faults, ["wrong_token"]);
  }));

  it("shows what comes next, turns faults on and off, and restarts from a step", () => withPage(async ({ page, server, target }) => {
    const { run } = await api(server, "POST", "/runs", { vendor: "liveperson", source: SLOW });
    await page.locator("#log .bub", { hasText: "first" }).waitFor();
    await page.locator("#log .ghost", { hasText: "assign" }).waitFor();
    await page.keyboard.press("f");
    await page.locator("#fault-choices [data-group=token]").selectOption("no_token");
    await page.locator("#faults-label", { hasText: "no token" }).waitFor();
    assert.deepEqual(await violations(page), []);
    await page.keyboard.press("Escape");
    await page.locator("#log .bub", { hasText: "first" }).click();
    await page.locator("#text").fill("without a signature");
    await page.locator("#send").click();
    await page.locator("#wire tr", { hasText: "without a signature" }).locator(".tag", { hasText: "no_token" }).waitFor();
    const sent = target.requests.find(({ body }) => body.includes("without a signature"));
    assert.equal(sent.headers["x-liveperson-signature"], undefined);
    await page.locator("#faults summary").click();
    await page.locator("#faults-off").click();
    await page.locator("#faults-label", { hasText: "Faults" }).waitFor();
    await page.locator("#log .bub", { hasText: "first" }).click();

    await page.locator("#wire tr", { hasText: "first" }).first().click();
    await page.locator("#restart-here").click();
    await page.locator("#chat-id", { hasText: `#${run + 1}-1` }).waitFor();
    await page.locator("#pause", { hasText: "Resume" }).waitFor();
    await page.locator("#log .ghost", { hasText: "first" }).waitFor();
    assert.deepEqual(await violations(page), []);
    await page.locator("#step").click();
    await page.locator("#log .msg:not(.ghost) .bub", { hasText: "first" }).waitFor();
  }));

  it("sends buttons, files and every other type of message", async () => withPage(async ({ page, server, target }) => {
    await api(server, "POST", "/runs", { vendor: "ebbot", source: SLOW });
    await page.locator("#log .ghost .due", { hasText: "in 10 min" }).waitFor();
    await page.locator("#add-buttons").click();
    assert.equal(await page.locator("#as").inputValue(), "grace", "the staff offers buttons");
    await page.locator("#extra input").nth(0).fill("Cost $5 ${x}");
    await page.locator("#extra input").nth(1).fill("A person");
    await page.locator("#text").fill("What is it about?");
    assert.deepEqual(await violations(page), []);
    await page.locator("#send").click();
    await page.locator("#log .msg.agent .opt", { hasText: "Cost $5 ${x}" }).waitFor();
    assert.equal(await page.locator("#kind").inputValue(), "text", "the next message is a text again");

    await page.locator("#as").selectOption("ada");
    await page.locator("#file").setInputFiles({ name: "parcel $1.png", mimeType: "image/png", buffer: Buffer.from("a picture") });
    await page.locator("#extra b", { hasText: "parcel $1.png" }).waitFor();
    assert.equal(await page.locator("#kind").inputValue(), "image");
    assert.deepEqual(await violations(page), []);
    await page.locator("#send").click();
    await page.locator("#log .file", { hasText: "parcel $1.png" }).waitFor();
    await page.waitForFunction(() => document.querySelectorAll("#wire tr .ok").length >= 4);
    const sent = JSON.stringify(target.requests.map(({ body }) => JSON.parse(body)));
    const link = /http:[^"]+\/files\/[0-9a-f]{16}\.png/.exec(sent)[0];
    assert.equal(await (await fetch(link)).text(), "a picture");

    const kinds = await page.locator("#kind option").evaluateAll((all) => all.map(({ value }) => value));
    for (const kind of kinds.filter((name) => name !== "text")) {
      await page.locator("#kind").selectOption(kind);
      await page.locator("#text").fill(`this is ${kind}`);
      await page.locator("#send").click();
      await page.locator("#log .msg", { hasText: `this is ${kind}` }).first().waitFor();
    }
    await page.locator("#log .ghost").waitFor();
  }, { vendor: "ebbot", args: ["--files-port", String(await freePort())] }));

  it("shows lists, cards and forms, whose parts the visitor can choose", () => withPage(async ({ page, server }) => {
    const { run } = await api(server, "POST", "/runs", { vendor: "wotnot", source: SLOW, clock: "virtual" });
    await api(server, "GET", `/runs/${run}?wait=20`);
    const shop = [{ title: "Lamp", description: "Six hours", image: "https://shop.example.test/lamp.png", url: "https://shop.example.test/lamp" }, { title: "Bell", description: "", image: "", url: "" }];
    await api(server, "POST", `/conversations/${run}-1/actions`, [
      { say: { by: "grace", kind: "carousel", text: "New this week", items: shop } },
      { say: { by: "grace", kind: "list", text: "What is it about?", sections: [{ title: "Orders", items: [{ title: "Where is it?", description: "With its number" }, { title: "Send it back", description: "" }] }] } },
      { say: { by: "grace", kind: "form", text: "Who are you?" } },
      { say: { by: "ada", kind: "form_response" } },
      { say: { by: "grace", kind: "slider", text: "How many?" } },
    ]);
    const card = page.locator("#log .m-card", { hasText: "Lamp" });
    await card.locator(".m-picture", { hasText: "lamp.png" }).waitFor();
    await page.locator("#log .m-form dd", { hasText: "email" }).first().waitFor();
    await page.locator("#log .msg:not(.out) .m-form dd", { hasText: "Ada Test" }).waitFor();
    await page.locator("#log .m-form dt", { hasText: "max" }).waitFor();
    assert.deepEqual(await violations(page), []);
    await card.getByRole("button", { name: "Choose Lamp" }).click();
    await card.locator(".opt.done", { hasText: "Chosen" }).waitFor();
    const row = page.locator("#log .m-list .opt", { hasText: "With its number" });
    await row.focus();
    await page.keyboard.press("Enter");
    await page.locator("#log .m-list .opt.done", { hasText: "Where is it?" }).waitFor();
    const { messages } = await api(server, "GET", `/conversations/${run}-1`);
    assert.deepEqual(messages.slice(-2).map(({ kind, text }) => [kind, text]), [["button_response", "Lamp"], ["button_response", "Where is it?"]]);
    await page.setViewportSize({ width: 390, height: 844 });
    assert.equal(await overflow(page), 0);
    // The styles of messages apply to messages only.
    await page.locator("#endpoints summary").click();
    const shade = (selector) => page.locator(selector).evaluate((node) => getComputedStyle(node).backgroundColor);
    assert.equal(await shade("#endpoints > .pop"), "rgb(255, 255, 255)");
    await page.keyboard.press("Escape");
    await page.locator("#endpoints:not([open])").waitFor();
  }, { vendor: "wotnot" }));

  it("shows the calls of a client, and sends it what people write", () => withPage(async ({ page, server, target }) => {
    const [{ api: address }] = (await api(server, "GET", "/vendors")).items;
    const webhook = /webhook_id +(\S+)/.exec(execFileSync(standin, ["secrets", "ebbot"], { encoding: "utf8" }))[1];
    const call = await fetch(`${address}/api/webhooks/${webhook}`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ type: "text", sandbox: false, value: "Is my parcel lost?" }) });
    assert.equal(call.status, 200);
    await page.locator("#log .bub", { hasText: "Is my parcel lost?" }).waitFor();
    assert.ok(!(await page.locator("#wire").innerHTML()).includes("${call.secret}"));
    await page.locator("#wire tr.in", { hasText: "send_message" }).locator(".open").click();
    await page.locator("#detail dd", { hasText: "Is my parcel lost?" }).first().waitFor();
    await page.locator("#detail .hdrs dt", { hasText: "content-type" }).waitFor();
    await page.locator("#t-response").click();
    await page.locator("#detail pre", { hasText: "chatId" }).waitFor();
    assert.deepEqual(await violations(page), []);
    await page.locator("#as").selectOption("agent");
    await page.locator("#text").fill("It arrives today");
    await page.locator("#send").click();
    await page.locator("#wire tr", { hasText: "It arrives today" }).locator(".st.ok").first().waitFor();
    assert.ok(target.requests.some(({ body }) => body.includes("It arrives today")));
  }, { vendor: "ebbot", args: ["--vendor", "ebbot"] }));

  it("remembers the theme, and that single keys are off", () => withPage(async ({ page }) => {
    await page.locator("#theme").click();
    await page.keyboard.press("?");
    await page.locator("#keys-on").uncheck();
    assert.deepEqual(await violations(page), []);
    await page.keyboard.press("Escape");
    await page.reload();
    await page.locator("#connection.ok").waitFor();
    assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "dark");
    await page.keyboard.press("?");
    await page.keyboard.press("g");
    await page.keyboard.press("r");
    assert.equal(await page.locator("#help").isVisible(), false);
    assert.equal(await page.locator("#runs").isVisible(), false);
    await page.locator("#help-open").click();
    await page.locator("#keys-on").check();
    await page.keyboard.press("Escape");
    await page.locator("h1").first().evaluate(() => document.activeElement.blur());
    await page.keyboard.press("?");
    await page.locator("#help[open]").waitFor();
  }));

  it("finds an old run, hands it over and opens it", () => withPage(async ({ page, server }) => {
    for (const seed of [41, 42]) {
      const { run } = await api(server, "POST", "/runs", { vendor: "liveperson", scenario: "handover", clock: "virtual", seed });
      await api(server, "GET", `/runs/${run}?wait=20`);
    }
    await page.keyboard.press("g");
    await page.keyboard.press("r");
    await page.locator("#runs-rows tr").nth(1).waitFor();
    await page.locator("#runs-find").fill("41");
    await page.waitForFunction(() => document.querySelectorAll("#runs-rows tr").length === 1);
    await page.locator("#run-card h2", { hasText: "Run 1" }).waitFor();
    assert.deepEqual(await violations(page), []);
    const [file] = await Promise.all([page.waitForEvent("download"), page.locator("[data-report=html]").click()]);
    assert.equal(file.suggestedFilename(), "run-1.html");
    await page.locator("#runs-verdict").selectOption("failed");
    await page.locator("#runs-empty").waitFor();
    await page.locator("#runs-verdict").selectOption("passed");
    await page.locator("#run-open").click();
    await page.locator("#chat-id", { hasText: "#1-1" }).waitFor();
    assert.equal(await page.locator("#nav [aria-current]").textContent(), "Live");
  }));

  it("shows what a vendor sends, how certain that is, and its receivers", () => withPage(async ({ page, server }) => {
    const { run } = await api(server, "POST", "/runs", { vendor: "wotnot", scenario: "handover", clock: "virtual" });
    await api(server, "GET", `/runs/${run}?wait=20`);
    await page.locator("#log .unsent", { hasText: "because the handshake failed" }).first().waitFor();
    assert.equal(await page.locator("#verdict").textContent(), "Failed");
    await page.locator("#strip-text code", { hasText: "token" }).first().waitFor();
    await page.locator("#nav a", { hasText: "Vendors" }).click();
    await page.locator("#vendor-choice").selectOption("wotnot");
    await page.locator("#vendor-body .st.bad", { hasText: "token" }).waitFor();
    await page.locator("#vendor-body .tag", { hasText: "documented" }).first().waitFor();
    await page.locator("#vendor-body .link").first().click();
    await page.locator("#v-sample .code").waitFor();
    assert.deepEqual(await violations(page), []);
    assert.ok(await overflow(page) <= 0);
    await page.reload();
    await page.locator("#vendor-body h2").first().waitFor();
  }, { vendor: "wotnot" }));

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

  it("explains a rejected signature, and leads to each failure", () => withPage(async ({ page, server }) => {
    const { run } = await api(server, "POST", "/runs", { vendor: "liveperson", scenario: "handover", clock: "virtual" });
    await api(server, "GET", `/runs/${run}?wait=20`);
    await page.locator("#strip", { hasText: `Run ${run}` }).waitFor();
    await page.locator("#strip-next").click();
    await page.locator("#detail .why", { hasText: "The receiver rejected a valid request" }).waitFor();
    await page.locator("#detail .why .st.ok", { hasText: "correct" }).waitFor();
    const mistakes = page.locator("#detail .cause dt");
    await mistakes.first().waitFor();
    assert.ok((await mistakes.allTextContents()).every((text) => text.startsWith("computed ")));
    assert.deepEqual(await violations(page), []);
    const [file] = await Promise.all([page.waitForEvent("download"), page.locator("#strip-export").click()]);
    assert.equal(file.suggestedFilename(), `run-${run}.html`);
    await page.locator("#lanes-plot .f-bad").click();
    await page.locator("#lanes-plot .f-bad.at").waitFor();
    await page.locator("#show-wire [value=failed]", { hasText: "1" }).click();
    await page.waitForFunction(() => document.querySelectorAll("#wire tr").length === 1);
  }, { respond: ({ number }, response) => response.writeHead(number === 3 ? 401 : 200).end("{}") }));

  it("shows what a script waited for, and the call that was most similar", () => withPage(async ({ page, server }) => {
    const source = `${SLOW.split("[[step]]").slice(0, 3).join("[[step]]")}
[[step]]
close = { by = "system" }
[[step]]
expect = { call = "send_message", within = "300ms" }
`;
    const { run } = await api(server, "POST", "/runs", { vendor: "wotnot", source });
    await api(server, "GET", `/runs/${run}?wait=20`);
    await page.locator("#log .ev", { hasText: "Expectation not met: call send_message" }).locator(".mark").click();
    await page.locator("#detail .why", { hasText: "The expectation was not met" }).waitFor();
    assert.equal(await page.locator("#lanes-plot .wait-bad").count(), 1);
    // Although the expectation comes after the end of the conversation.
    await page.locator("#log .closed button", { hasText: "Transcript" }).waitFor();
    assert.deepEqual(await violations(page), []);
  }, { vendor: "wotnot" }));

  it("shows reads, files, skipped steps and the end of a conversation", () => withPage(async ({ page, server }) => {
    const { run } = await api(server, "POST", "/runs", { vendor: "ebbot", scenario: "attachments", clock: "virtual" });
    await api(server, "GET", `/runs/${run}?wait=20`);
    await page.locator("#log .file", { hasText: "return-label.pdf" }).waitFor();
    await page.locator("#log .ev", { hasText: "skipped" }).first().waitFor();
    // A skipped step is not a message.
    assert.ok((await page.locator("#log .bub").allTextContents()).every((text) => text.trim() !== ""));
    await page.locator("#log .closed dd", { hasText: "messages" }).waitFor();
    await page.locator("#log .closed button", { hasText: "Transcript" }).click();
    await page.locator("#toast", { hasText: "Copied" }).waitFor();
    assert.match(await page.evaluate(() => navigator.clipboard.readText()), /s {2}.+: /);
    await page.locator("#log .closed button", { hasText: "Play again" }).click();
    await page.locator("#chat-id", { hasText: `#${run + 1}-1` }).waitFor();
  }, { vendor: "ebbot" }));

  it("offers no reopening while a survey is open", () => withPage(async ({ page, server }) => {
    const source = SLOW.replaceAll("10m", "1s") + `
[[step]]
close = { by = "assignee", survey = true }
[[step]]
after = "10h"
close = { by = "system" }
`;
    const { run } = await api(server, "POST", "/runs", { vendor: "liveperson", source, speed: 1000 });
    await page.locator("#speak-hint", { hasText: "The survey is open" }).waitFor();
    assert.equal(await page.locator("#close").textContent(), "Close");
    assert.deepEqual(await violations(page), []);
    await page.locator("#as").selectOption("ada");
    await page.locator("#text").fill("five stars");
    await page.locator("#send").click();
    await page.locator("#log .bub", { hasText: "five stars" }).waitFor();
    const { survey } = await api(server, "GET", `/conversations/${run}-1`);
    assert.equal(survey, true);
  }));

  it("keeps only the visible rows of a long list in the document", () => withPage(async ({ page, server }) => {
    const source = SLOW.replace('text = "first" }', 'text = "message ${round}." }\nrepeat = { times = 400 }');
    const { run } = await api(server, "POST", "/runs", { vendor: "ebbot", source, speed: 1000 });
    const last = page.locator("#wire tr", { hasText: "message 400." });
    await last.waitFor();
    await page.waitForFunction(() => Number(document.querySelector("#wire-table").getAttribute("aria-rowcount")) > 400);
    assert.ok(await page.locator("#wire tr").count() < 100);
    const height = await page.evaluate(() => document.querySelector("#wire-scroll").scrollHeight);
    assert.ok(height > 400 * 20, "the rows that are not in the document take their place");
    await page.evaluate(() => { document.querySelector("#wire-scroll").scrollTop = 0; });
    await page.locator("#wire tr", { hasText: "message 1." }).waitFor();
    assert.equal(await page.locator("#follow").isChecked(), false);
    await api(server, "POST", `/conversations/${run}-1/actions`, { say: { by: "ada", text: "live" } });
    await page.locator("#follow-new", { hasText: "1 new" }).waitFor();
    await page.locator("#follow").check();
    await page.locator("#wire tr", { hasText: "live" }).waitFor();
    await page.keyboard.press("k");
    assert.ok(await page.locator("#wire tr.sel").count() <= 1);
  }, { vendor: "ebbot" }));

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
      for (const name of ["#t-compare", "#t-edit"]) {
        await page.locator(name).click();
        await page.locator("#detail .code").waitFor();
        assert.deepEqual(await violations(page), []);
        assert.ok(await overflow(page) <= 0);
      }
      for (const name of ["Runs", "Vendors"]) {
        await page.locator("#nav a", { hasText: name }).click();
        await page.locator(".page:not([hidden]) td").first().waitFor();
        assert.deepEqual(await violations(page), []);
        assert.ok(await overflow(page) <= 0, name);
      }
    }, { size }));
  }

  it("describes its API, and tries it", () => withPage(async ({ page }) => {
    await page.locator("#nav a", { hasText: "API" }).click();
    await page.locator(".op", { hasText: "/api/v1/runs/{run}/restart" }).waitFor();
    await page.locator("#docs-find").fill("/api/v1/vendors");
    await page.locator(".op:not([hidden])", { hasText: "Lists the emulated vendors" }).locator("summary").click();
    await page.locator("[data-try='/api/v1/vendors']").click();
    await page.locator(".op .st.ok", { hasText: "200" }).waitFor();
    await page.locator("#docs-find").fill("redeliver");
    await page.locator(".op:not([hidden]) summary").click();
    await page.locator(".op:not([hidden]) td", { hasText: "faults" }).first().waitFor();
    assert.deepEqual(await violations(page), []);
    await page.setViewportSize({ width: 320, height: 700 });
    assert.ok(await overflow(page) <= 0);
  }));

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
  it("runs none of forty payloads with markup, whatever field they are in", () => withPage(async ({ page, server, target }) => {
    const marked = MARKUPS.map((payload, index) => `${payload} m${index}.`);
    // As names of people and of a scenario, as texts of messages and notes, and as the reason of a closing.
    const name = JSON.stringify(marked[0]);
    const source = SLOW.replace('"slow"', name).replace('"Ada Test"', name).replace('"first"', name).replaceAll("10m", "1s");
    const { run } = await api(server, "POST", "/runs", { vendor: "ebbot", source, clock: "virtual" });
    await api(server, "GET", `/runs/${run}?wait=10`);
    const escaped = (text) => text.replaceAll("$", "$$$$");
    for (const text of marked) {
      await api(server, "POST", `/conversations/${run}-1/actions`, [
        { say: { by: "ada", text: escaped(text) } },
        { note: { by: "grace", text: escaped(text) } },
        { say: { by: "grace", kind: "buttons", text: escaped(text), options: [escaped(text).slice(0, 60)] } },
        { say: { by: "grace", kind: "list", text: escaped(text), sections: [{ title: escaped(text), items: [{ title: escaped(text), description: escaped(text) }] }] } },
        { say: { by: "grace", kind: "carousel", items: [{ image: escaped(text), title: escaped(text), description: escaped(text), url: escaped(text) }] } },
        { say: { by: "ada", kind: "file", text: "", link: `https://example.test/${encodeURIComponent(text)}`, file_name: `${escaped(text).replaceAll("/", "-").slice(0, 60)}.pdf` } },
      ]);
    }
    await page.waitForFunction((last) => document.querySelector("#log").textContent.includes(last), marked.at(-1));
    const rows = await page.locator("#wire-table").getAttribute("aria-rowcount");
    assert.ok(Number(rows) > MARKUPS.length, rows);
    // Every tab of some requests: with the body, with the response, and what is edited and compared.
    for (const index of [1, 5, 9, 13]) {
      await page.locator("#wire tr:not(.space) .open").nth(index).click();
      for (const tab of await page.locator("#detail [role=tab]").all()) {
        await tab.click();
        await page.waitForTimeout(30);
      }
    }
    for (const view of ["runs", "vendors", ""]) {
      await page.evaluate((hash) => { location.hash = `#/${hash}`; }, view);
      await page.waitForTimeout(200);
      assert.deepEqual(await page.evaluate(foreign), [], view);
    }
    // What somebody types, and a receiver whose URL has markup.
    await page.locator("#text").fill(marked[1]);
    await page.locator("#send").click();
    await page.locator("#log .bub", { hasText: marked[1] }).last().waitFor();
    await api(server, "POST", "/endpoints", { vendor: "ebbot", url: `http://127.0.0.1:9/${encodeURIComponent(marked[2])}?${encodeURIComponent(marked[3])}` });
    await page.locator("#endpoints summary").click();
    await page.locator("#endpoint-list", { hasText: "127.0.0.1:9" }).waitFor();
    assert.deepEqual(await page.evaluate(foreign), []);
    assert.equal(await page.evaluate(() => window.ran), undefined, "nothing has run");
    // The report is a file that people open.
    const report = await (await fetch(`${server.origin}/api/v1/runs/${run}/report?format=html`, { headers: { Authorization: `Bearer ${server.token}` } })).text();
    const other = await page.context().newPage();
    await other.setContent(report.replace(/<meta http-equiv="Content-Security-Policy"[^>]*>/i, ""));
    assert.equal(await other.evaluate(() => window.ran), undefined, "nothing has run in the report");
    assert.ok(target.requests.length > MARKUPS.length);
  }, {
    vendor: "ebbot",
    respond: ({ number }, response) => {
      const payload = MARKUPS[number % MARKUPS.length];
      response.setHeader("x-markup", encodeURI(payload).replaceAll("%20", " ").replaceAll("%3C", "<").replaceAll("%3E", ">").replaceAll("%22", '"'));
      response.writeHead(400, { "content-type": "text/html" }).end(payload);
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
