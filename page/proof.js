// Explains why a request is authentic: what is signed, with which key, and what comes out.

import { el, icon, status } from "./dom.js";

/** A reference to a secret, which records have in its place. */
const SECRET = /\$\{secret\.([\w-]+)\}/g;
const MASK = "••••••••";

/** Explains the last request of a row. */
export function proof(verification, row) {
  const { signatures, checks, passed, instructions } = verification;
  const tokens = tokensOf(verification, row);
  const parts = [banner(verification, tokens)];
  for (const signature of signatures) parts.push(steps(signature, row));
  if (signatures.length === 0) for (const token of tokens) parts.push(tokenSteps(token, passed, row));
  if (signatures.length > 0) parts.push(languages(signatures[0]));
  else if (tokens.length > 0) parts.push(tokenLanguages(tokens[0]));
  const isProven = signatures.length > 0 || tokens.length > 0;
  parts.push(el("details", { open: !passed }, el("summary", {}, `All ${checks.length} checks of this request`),
    el("ul", { class: "checks" }, checks.map((check) => el("li", {}, check.error === null ? status("ok", "check", check.name) : status("bad", "x", `${check.name} ${check.error}`)))),
    signatures.length > 0 ? el("p", { class: "sec pre" }, instructions) : null));
  if (!isProven) parts.push(el("p", { class: "sec" }, "Keep the URL of the receiver secret, and read important data again with the vendor's API."));
  return parts;
}

const names = (list) => list.map((name, index) => [index ? ", " : "", el("code", {}, name)]);

/** Where the request has tokens, with what stands there, and the names of the secrets. */
function tokensOf({ token_headers: headers }, row) {
  const sent = row.attempts.at(-1)?.headers ?? [];
  const secretsIn = (text) => [...text.matchAll(SECRET)].map(([, name]) => name);
  const masked = (text) => text.replaceAll(SECRET, MASK);
  const tokens = headers.map((name) => {
    const value = sent.find(([own]) => own.toLowerCase() === name.toLowerCase())?.[1];
    return { header: name, shown: `${name}: ${value === undefined ? "missing" : masked(value)}`, prefix: value?.split("${secret.")[0] ?? "", secrets: secretsIn(value ?? "") };
  });
  if (tokens.length > 0 || !row.body) return tokens;
  const inBody = secretsIn(row.body);
  return inBody.length > 0 ? [{ header: null, shown: MASK, prefix: "", secrets: inBody }] : [];
}

function banner({ signatures, passed }, tokens) {
  const line = (kind, name, title, text) => el("div", { class: `bann ${kind}` }, icon(name, false), el("div", {}, el("b", {}, title), " ", el("span", { class: "sec" }, text)));
  if (signatures.length === 0 && tokens.length === 0) {
    return line("warn", "approx", "This vendor proves nothing.", "Nothing in the request shows that it comes from the vendor: any sender could produce it.");
  }
  const what = signatures.length > 0 ? "signature" : "token";
  return passed
    ? line("ok", "check", `The ${what} is valid.`, what === "signature" ? "The sender knows the secret, and the body was not modified." : "The sender knows the token. It does not show whether the body was modified.")
    : line("bad", "x", `The ${what} is not valid.`, "A receiver must reject the request with status 401.");
}

const value = (text) => el("div", { class: "val" }, text);
const prints = (vendor) => [el("code", {}, `standin secrets ${vendor}`), " prints it."];
const short = (text) => (text.length > 240 ? `${text.slice(0, 240)}…` : text);

/** How a receiver checks a token. */
function tokenSteps({ header, shown, secrets }, passed, { vendor }) {
  const where = header ? ["Read the header ", el("code", {}, header)] : "Read the token in the request body";
  return el("ol", { class: "steps" },
    el("li", {}, el("div", {}, el("h3", {}, where), value(shown))),
    el("li", {}, el("div", {}, el("h3", {}, "Take the token that you share with the vendor"), el("span", { class: "sec" }, "The text of ", secrets.length > 0 ? names([...new Set(secrets)]) : "the secret", ". ", prints(vendor)), value(MASK))),
    el("li", { class: passed ? "ok" : "bad" }, el("div", {},
      el("h3", {}, "Compare them ", passed ? status("ok", "check", "equal") : status("bad", "x", "different")),
      el("span", { class: "sec" }, "Compare in constant time. Respond with 401 if they differ."))));
}

/** The code for a token in a header. */
function tokenLanguages({ header, prefix }) {
  if (!header) return null;
  const expected = prefix ? `${JSON.stringify(prefix)} + token` : "token";
  const node = [
    'import { timingSafeEqual } from "node:crypto";', "",
    `// header: the value of ${header}`,
    "export function isValid(header, token) {",
    `  const [a, b] = [Buffer.from(${expected}), Buffer.from(header ?? "")];`,
    "  return a.length === b.length && timingSafeEqual(a, b);", "}",
  ];
  const python = [
    "import hmac", "",
    "def is_valid(header: str, token: str) -> bool:",
    `    return hmac.compare_digest((${expected}).encode(), header.encode())`,
  ];
  return el("div", {}, block("Verify in Node.js", node), block("Verify in Python", python));
}

function steps(signature, row) {
  const [family, hash] = signature.algorithm.split("-");
  const secrets = names(signature.secrets);
  const decoded = signature.key_encoding === "text" ? "The text of " : `The ${signature.key_encoding}-decoded `;
  const content = signature.content === null
    ? [el("h3", {}, "Take the raw request body"), el("span", { class: "sec" }, `${new TextEncoder().encode(row.body ?? "").length} bytes. Do not parse and serialize it again: one more space changes the signature.`), value(short(row.body ?? ""))]
    : [el("h3", {}, "Build the signed text"), value(short(signature.content))];
  const prefix = signature.received?.split(signature.computed)[0] ?? "";
  return el("ol", { class: "steps" },
    el("li", {}, el("div", {}, content)),
    el("li", {}, el("div", {}, el("h3", {}, "Use the secret as the key"), el("span", { class: "sec" }, decoded, secrets, ". ", prints(row.vendor)), value(MASK))),
    el("li", {}, el("div", {}, el("h3", {}, `Compute ${family.toUpperCase()}-${(hash ?? "").toUpperCase()}, and encode it as ${signature.encoding}`), value(signature.computed))),
    el("li", { class: signature.matches ? "ok" : "bad" }, el("div", {},
      el("h3", {}, "Compare with the header ", signature.matches ? status("ok", "check", "equal") : status("bad", "x", "different")),
      value(`${signature.header}: ${signature.received ?? "missing"}`),
      prefix && signature.matches ? el("span", { class: "sec" }, "The header begins with ", el("code", {}, prefix), ".") : null,
      el("span", { class: "sec" }, "Compare in constant time. Respond with 401 if it differs."))));
}

const block = (title, lines) => el("details", {}, el("summary", {}, title), el("pre", { class: "code", tabindex: "0", "aria-label": title }, el("code", {}, lines.map((line) => el("span", { class: "l" }, line)))));

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
  return el("div", {}, block("Verify in Node.js", node), block("Verify in Python", python));
}
