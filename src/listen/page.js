"use strict";
// Reads what arrived and shows it. Nothing that arrived becomes markup: every text is a text node.
(() => {
  const PAUSE = 500;
  const MAX_ROWS = 1000;
  const $ = (id) => document.getElementById(id);
  let last = 0;
  let since = null;

  function el(name, attributes, ...children) {
    const node = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    node.append(...children.filter((child) => child !== null));
    return node;
  }

  // Characters that are invisible, or that change the order of the others.
  const HIDDEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;
  const visible = (text) => text.replace(HIDDEN, (character) => `\\u{${character.charCodeAt(0).toString(16)}}`);

  const tag = (kind, text) => el("span", { class: `tag ${kind}` }, text);
  const time = (text) => new Date(text).toLocaleTimeString([], { hour12: false, hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3 });
  const plural = (number, word) => `${number} ${word}${number === 1 ? "" : "s"}`;

  function setText(node, text, kind) {
    node.className = kind;
    // A live region is read out whenever it changes.
    if (node.textContent !== text) node.textContent = text;
  }

  function showState(state) {
    const missing = state.exit_after === null ? 0 : Math.max(0, state.exit_after - state.requests);
    const reasons = [];
    if (state.failed > 0) reasons.push(`${plural(state.failed, "request")} failed verification`);
    if (missing > 0) reasons.push(`${plural(missing, "request")} of ${state.exit_after} still to come`);
    if (reasons.length === 0) reasons.push(state.requests === 0 ? "nothing arrived yet" : "every request passed verification");
    const isBad = state.failed > 0;
    const kind = isBad ? "bad" : missing > 0 || state.requests === 0 ? "" : "ok";
    setText($("verdict"), `${isBad ? "✗" : kind ? "✓" : "…"} Exit code so far: ${state.exit_code} (${reasons.join(", ")})`, `verdict ${kind}`);
    const counts = [
      ["Requests", state.requests, ""], ["Passed", state.passed, ""], ["Failed", state.failed, "bad"], ["Handshakes", state.handshakes, ""],
      ["Events stored", state.events, ""], ["Duplicates", state.duplicates, "warn"], ["Out of order", state.out_of_order, "warn"],
    ];
    $("counts").replaceChildren(...counts.map(([name, number, kind]) => el("div", { class: number > 0 ? kind : "" }, el("dt", {}, name), el("dd", {}, String(number)))));
    document.title = `${isBad ? "✗" : "✓"} ${plural(state.requests, "request")} · standin listen`;
  }

  function tags(request) {
    const found = [];
    if (request.handshake) found.push(tag("", "handshake"));
    if (request.duplicate_of !== null) found.push(tag("warn", `same body as no. ${request.duplicate_of}`));
    if (request.overtaken_by !== null) found.push(tag("warn", `older than no. ${request.overtaken_by}`));
    for (const fault of request.faults) found.push(tag("warn", `fault ${fault}`));
    return found;
  }

  function row(request) {
    const open = el("button", { class: "open", type: "button", "aria-expanded": "false", "aria-label": `Details of request ${request.number}` }, String(request.number));
    const said = request.text === null ? null : el("bdi", { class: "said" }, visible(request.text));
    const name = visible(request.event ?? "") || (request.handshake ? "handshake" : "unknown event");
    const marks = el("span", { class: "tags" }, ...tags(request));
    const result = el("span", { class: "result" }, `${request.passed ? "✓" : "✗"} ${request.verification}`);
    const node = el("tr", { class: request.passed ? "ok" : "bad" },
      el("td", {}, open, el("span", { class: "time" }, time(request.at))),
      el("td", {}, el("span", { class: "vendor" }, `${request.vendor} · `), el("span", { class: "event" }, name), " ", marks, said),
      el("td", {}, result), el("td", { class: "status" }, String(request.status)));
    node.dataset.text = [request.number, request.vendor, name, request.text, request.path, request.conversation].join(" ").toLowerCase();
    node.dataset.problem = String(!request.passed || request.duplicate_of !== null || request.overtaken_by !== null);
    open.addEventListener("click", () => toggle(node, open, request));
    return node;
  }

  async function toggle(node, open, request) {
    const isOpen = open.getAttribute("aria-expanded") === "true";
    open.setAttribute("aria-expanded", String(!isOpen));
    if (isOpen) {
      node.nextElementSibling?.remove();
      return;
    }
    const cell = el("td", { colspan: "4" });
    const detail = el("tr", { class: "detail" }, cell);
    node.after(detail);
    const facts = [["Request", `${request.method} ${request.path}`], ["Conversation", request.conversation], ["Size", `${request.bytes} bytes`], ["Arrived", request.at]];
    const entries = facts.filter(([, value]) => value !== null).flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, visible(value))]);
    cell.append(el("dl", {}, ...entries));
    if (request.errors.length > 0) cell.append(el("ul", { class: "reasons" }, ...request.errors.map((error) => el("li", {}, visible(error)))));
    const body = el("pre", { tabindex: "0", "aria-label": "Body" }, "…");
    cell.append(body);
    try {
      const response = await fetch(`/requests/${request.number}`, { cache: "no-store" });
      body.textContent = response.ok ? visible(pretty((await response.json()).body)) : "The body is no longer kept.";
    } catch {
      body.textContent = "The receiver has ended.";
    }
  }

  function pretty(text) {
    try {
      // Numbers that JavaScript would round stay as they were sent.
      return /\d{16}/.test(text) ? text : JSON.stringify(JSON.parse(text), null, 2);
    } catch {
      return text;
    }
  }

  function filter(node) {
    const text = $("find").value.trim().toLowerCase();
    const isShown = node.dataset.text.includes(text) && (!$("problems").checked || node.dataset.problem === "true");
    node.hidden = !isShown;
    if (node.nextElementSibling?.className === "detail") node.nextElementSibling.hidden = !isShown;
  }

  const filterAll = () => {
    for (const node of $("rows").children) if (node.className !== "detail") filter(node);
    showEmpty();
  };

  function showEmpty() {
    const isShown = [...$("rows").children].some((node) => !node.hidden);
    $("empty").hidden = isShown;
    $("empty").textContent = $("rows").children.length > 0 ? "No request matches." : "No webhook has arrived yet. GET and HEAD requests do not count.";
  }

  function add(requests) {
    for (const request of requests) {
      last = Math.max(last, request.number);
      const node = row(request);
      filter(node);
      $("rows").prepend(node);
    }
    while ($("rows").children.length > MAX_ROWS) $("rows").lastElementChild.remove();
    showEmpty();
  }

  async function poll() {
    const response = await fetch(`/requests?after=${last}`, { cache: "no-store" });
    if (!response.ok) throw new Error((await response.json()).error?.hint ?? `status ${response.status}`);
    const { state, requests } = await response.json();
    if (since !== null && since !== state.since) {
      // Another process listens now.
      $("rows").replaceChildren();
      [since, last] = [state.since, 0];
      await poll();
      return;
    }
    since = state.since;
    showState(state);
    if (requests.length > 0 || last === 0) add(requests);
  }

  async function run() {
    for (;;) {
      if (!document.hidden) {
        try {
          await poll();
          setText($("connection"), "Live", "tag ok");
        } catch {
          setText($("connection"), "Not running", "tag bad");
        }
      }
      await new Promise((resolve) => { setTimeout(resolve, PAUSE); });
    }
  }

  $("find").addEventListener("input", filterAll);
  $("problems").addEventListener("change", filterAll);
  run();
})();
