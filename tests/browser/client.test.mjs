// A client program of a vendor at the running server: it calls the vendor's API as public client programs do, and
// people see and answer it on the page.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { api, browser, open, receiver, serve, standin, violations } from "./support.mjs";

const VENDOR = "liveperson@2022";

/** The credentials that a person copies into the settings of the program. */
function settings() {
  const lines = execFileSync(standin, ["secrets", VENDOR, "--env"], { encoding: "utf8" }).split("\n");
  return Object.fromEntries(lines.map((line) => /(LIVEPERSON_\w+)=(.*)/.exec(line)).filter(Boolean).map(([, name, value]) => [name.slice("LIVEPERSON_".length), value.replace(/^'|'$/g, "")]));
}

/** The program: it knows the address of the API, its credentials and the URL at which it gets webhooks. */
class Client {
  constructor(base, own, url) {
    Object.assign(this, { base, own, url, headers: {} });
  }

  async call(method, path, body, headers = this.headers) {
    const response = await fetch(`${this.base}${path.replace("{}", this.own.ACCOUNT_ID)}`, { method, headers: { "Content-Type": "application/json", ...headers }, body: body && JSON.stringify(body) });
    assert.ok(response.ok, `${path}: ${response.status} ${await response.clone().text()}`);
    return response.json();
  }

  /** Sets the URL of its webhooks, as the administrator of the account. */
  async subscribe() {
    const { ACCOUNT_USER_NAME: username, USER_PASSWORD: password, ACCOUNT_CLIENT_ID: id } = this.own;
    const { bearer } = await this.call("POST", "/api/account/{}/login?v=1.3", { username, password });
    const path = `/api/account/{}/configuration/app-install/installations/${id}?v=1.0`;
    const as = { Authorization: `Bearer ${bearer}` };
    const app = await this.call("GET", path, undefined, as);
    const types = ["ms.MessagingEventNotification.ContentEvent", "cqm.ExConversationChangeNotification"];
    const webhooks = Object.fromEntries(types.map((type) => [type, { endpoint: this.url }]));
    await this.call("PUT", path, { ...app, capabilities: { ...app.capabilities, webhooks } }, { ...as, "If-Match": "*" });
  }

  async logIn() {
    const { ACCOUNT_CLIENT_ID: id, CLIENT_SECRET: secret } = this.own;
    const token = await this.call("POST", `/sentinel/api/account/{}/app/token?v=1.0&grant_type=client_credentials&client_id=${id}&client_secret=${secret}`);
    this.headers = { Authorization: token.access_token };
    const consumer = await this.call("POST", "/api/account/{}/consumer?v=1.0", { ext_consumer_id: "visitor-7" });
    this.headers["X-LP-ON-BEHALF"] = consumer.token;
  }

  async openConversation() {
    const body = { ttrDefName: "NORMAL", channelType: "MESSAGING", brandId: this.own.ACCOUNT_ID };
    const responses = await this.call("POST", "/api/account/{}/messaging/consumer/conversation?v=3", [
      { kind: "req", id: "1,", type: "userprofile.SetUserProfile", body: { firstName: "Ada", lastName: "Client" } },
      { kind: "req", id: "2,", type: "cm.ConsumerRequestConversation", body },
    ]);
    this.conversation = responses[1].body.conversationId;
  }

  publish(event) {
    return this.call("POST", "/api/account/{}/messaging/consumer/conversation/send?v=3", { kind: "req", id: "3", type: "ms.PublishEvent", body: { dialogId: this.conversation, event } });
  }

  say(message) {
    return this.publish({ type: "ContentEvent", contentType: "text/plain", message });
  }

  close() {
    const field = { field: "ConversationStateField", conversationState: "CLOSE" };
    return this.call("POST", "/api/account/{}/messaging/consumer/conversation/send?v=3", { kind: "req", id: "4", type: "cm.UpdateConversationField", body: { conversationId: this.conversation, conversationField: [field] } });
  }
}

test("a client logs in, opens a conversation, and gets a reply that is typed on the page", async () => {
  const [target, server, chrome] = [await receiver(), await serve("--vendor", VENDOR), await browser()];
  const { page, problems } = await open(chrome, server.page);
  try {
    await page.locator("#connection.ok").waitFor();
    const [{ api: base }] = (await api(server, "GET", "/vendors")).items;
    const client = new Client(base, settings(), target.url);
    await client.subscribe();
    await client.logIn();
    await client.openConversation();
    await client.say("Hello from a client");
    await page.locator("#log .bub", { hasText: "Hello from a client" }).waitFor();
    await page.locator("#h-chat", { hasText: "Ada Client" }).waitFor();

    await page.locator("#as").selectOption("agent");
    await page.locator("#text").fill("A reply that is typed");
    await page.keyboard.press("Enter");
    const reply = () => target.requests.map(({ body }) => JSON.parse(body).body.changes[0]).find(({ event }) => event?.message === "A reply that is typed");
    for (let round = 0; round < 100 && !reply(); round += 1) await page.waitForTimeout(50);
    assert.equal(reply()?.conversationId, client.conversation);

    // What the client got for its call, next to the effect of the call, without its credentials.
    await page.locator("#wire tr.in", { hasText: "Hello from a client" }).locator(".open").click();
    await page.locator("#detail .hdrs dd", { hasText: "••••" }).first().waitFor();
    await page.locator("#t-response").click();
    await page.locator("#detail pre", { hasText: "sequence" }).waitFor();
    assert.ok(!(await page.content()).includes(client.headers.Authorization));
    // Calls that belong to no conversation appear at the time at which they came.
    const times = await page.locator("#wire .c-t").allTextContents();
    assert.deepEqual(times.map(Number), times.map(Number).toSorted((a, b) => a - b));

    // Nobody types in a conversation that is closed, and the verdict counts what came after its script.
    await client.publish({ type: "ChatStateEvent", chatState: "COMPOSING" });
    await page.locator("#log .typing").waitFor();
    await client.close();
    await page.locator("#log .closed").waitFor();
    assert.equal(await page.locator("#log .typing").count(), 0);
    const sent = (await api(server, "GET", "/deliveries")).items.length;
    await page.locator("#verdict", { hasText: `${sent} of ${sent} passed` }).waitFor();
    assert.deepEqual(await violations(page), []);
    assert.deepEqual(problems, []);
  } finally {
    await chrome.close();
    server.stop();
    target.close();
  }
});
