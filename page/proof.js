// Explains why a request is authentic: what is signed, with which key, and what comes out.

import { el, icon, status } from "./dom.js";

export function proof(verification, vendor) {
  const { signatures, token_headers: tokens, checks, passed, instructions } = verification;
  const parts = [banner(verification)];
  for (const signature of signatures) parts.push(steps(signature, vendor));
  if (signatures.length === 0 && tokens.length > 0) {
    parts.push(el("p", {}, "The request contains a token that only the vendor and the receiver know, in ", names(tokens), "."));
  }
  if (signatures.length > 0) parts.push(languages(signatures[0]));
  parts.push(el("details", { open: signatures.length === 0 || !passed }, el("summary", {}, "What a receiver checks"),
    el("ul", { class: "checks" }, checks.map((check) => el("li", {}, check.error === null ? status("ok", "check", check.name) : status("bad", "x", `${check.name} ${check.error}`)))),
    el("p", { class: "sec pre" }, instructions)));
  return parts;
}

const names = (list) => list.map((name, index) => [index ? ", " : "", el("code", {}, name)]);

function banner({ signatures, token_headers: tokens, passed }) {
  const line = (kind, name, title, text) => el("div", { class: `bann ${kind}` }, icon(name, false), el("div", {}, el("b", {}, title), " ", el("span", { class: "sec" }, text)));
  if (signatures.length === 0 && tokens.length === 0) {
    return line("warn", "approx", "This vendor proves nothing.", "Nothing in the request shows that it comes from the vendor: any sender could produce it.");
  }
  const what = signatures.length > 0 ? "signature" : "token";
  return passed
    ? line("ok", "check", `The ${what} is valid.`, what === "signature" ? "The sender knows the secret, and the body was not modified." : "The sender knows the token.")
    : line("bad", "x", `The ${what} is not valid.`, "A receiver must reject the request with status 401.");
}

function steps(signature, vendor) {
  const value = (text) => el("div", { class: "val" }, text);
  const [family, hash] = signature.algorithm.split("-");
  const secrets = names(signature.secrets);
  const decoded = signature.key_encoding === "text" ? "The text of " : `The ${signature.key_encoding}-decoded `;
  const content = signature.content === null
    ? [el("h3", {}, "Take the raw request body"), el("span", { class: "sec" }, "Do not parse and serialize it again: one more space changes the signature.")]
    : [el("h3", {}, "Build the signed text"), value(signature.content.length > 400 ? `${signature.content.slice(0, 400)}…` : signature.content)];
  const prefix = signature.received?.split(signature.computed)[0] ?? "";
  return el("ol", { class: "steps" },
    el("li", {}, el("div", {}, content)),
    el("li", {}, el("div", {}, el("h3", {}, "Use the secret as the key"), el("span", { class: "sec" }, decoded, secrets, `. `, el("code", {}, `standin secrets ${vendor}`), " prints it."), value("••••••••••••••••"))),
    el("li", {}, el("div", {}, el("h3", {}, `Compute ${family.toUpperCase()}-${(hash ?? "").toUpperCase()}, and encode it as ${signature.encoding}`), value(signature.computed))),
    el("li", { class: signature.matches ? "ok" : "bad" }, el("div", {},
      el("h3", {}, "Compare with the header ", signature.matches ? status("ok", "check", "equal") : status("bad", "x", "different")),
      value(`${signature.header}: ${signature.received ?? "missing"}`),
      prefix && signature.matches ? el("span", { class: "sec" }, "The header begins with ", el("code", {}, prefix), ".") : null,
      el("span", { class: "sec" }, "Compare in constant time. Respond with 401 if it differs."))));
}

function languages(signature) {
  const hash = (signature.algorithm.split("-")[1] ?? "sha256").toLowerCase();
  const signed = signature.content === null ? "body" : "content";
  const prefix = signature.matches ? signature.received.split(signature.computed)[0] : "";
  const key = { text: "secret", base64: 'Buffer.from(secret, "base64")', hex: 'Buffer.from(secret, "hex")' }[signature.key_encoding];
  const pythonKey = { text: "secret.encode()", base64: "base64.b64decode(secret)", hex: "bytes.fromhex(secret)" }[signature.key_encoding];
  const digest = signature.encoding === "hex" ? "hmac.new(key, BODY, hashlib.HASH).hexdigest()" : "base64.b64encode(hmac.new(key, BODY, hashlib.HASH).digest()).decode()";
  const node = [
    'import { createHmac, timingSafeEqual } from "node:crypto";', "",
    `// ${signed}: the bytes as they came, before JSON.parse`,
    `export function isValid(${signed}, header, secret) {`,
    `  const mac = createHmac("${hash}", ${key}).update(${signed}).digest("${signature.encoding}");`,
    `  const [a, b] = [Buffer.from(${prefix ? `"${prefix}" + mac` : "mac"}), Buffer.from(header ?? "")];`,
    "  return a.length === b.length && timingSafeEqual(a, b);", "}",
  ];
  const python = [
    "import base64, hashlib, hmac", "",
    `def is_valid(${signed}: bytes, header: str, secret: str) -> bool:`,
    `    key = ${pythonKey}`,
    `    mac = ${digest.replace("BODY", signed).replace("HASH", hash)}`,
    `    return hmac.compare_digest(${prefix ? `"${prefix}" + mac` : "mac"}, header)`,
  ];
  const block = (title, lines) => el("details", {}, el("summary", {}, title), el("pre", { class: "code", tabindex: "0", "aria-label": title }, el("code", {}, lines.map((line) => el("span", { class: "l" }, line)))));
  return el("div", {}, block("Verify in Node.js", node), block("Verify in Python", python));
}
