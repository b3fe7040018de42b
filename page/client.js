// The control API. The page has no other access to the server.

let token = null;

/** Takes the token from the address, where browsers do not send it, and removes it there. */
export function readToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given) {
    sessionStorage.setItem("token", given);
    history.replaceState(null, "", location.pathname);
  }
  token = given ?? sessionStorage.getItem("token");
  return token;
}

export function setToken(value) {
  sessionStorage.setItem("token", value);
  token = value;
}

export class ApiError extends Error {
  constructor(status, error) {
    super(error?.message ?? `the server responded with status ${status}`);
    this.status = status;
    this.hint = error?.hint ?? null;
  }

  get text() {
    return this.hint ? `${this.message}: ${this.hint}` : this.message;
  }
}

const headers = () => ({ Authorization: `Bearer ${token}` });

/** A request to a path below `base`. */
export async function request(method, path, body, base = "/api/v1") {
  const init = { method, headers: headers() };
  if (body !== undefined) {
    init.headers["Content-Type"] = "application/json";
    init.body = JSON.stringify(body);
  }
  return checked(await fetch(`${base}${path}`, init));
}

/** The response, if it is a success. */
async function checked(response) {
  if (response.ok) return response;
  const error = await response.json().then((json) => json.error, () => null);
  throw new ApiError(response.status, error);
}

export const get = async (path) => (await request("GET", path)).json();
export const post = async (path, body) => (await request("POST", path, body)).json();
export const remove = (path) => request("DELETE", path);

/** Uploads a file. Returns the fields of a message that link to it. */
export async function upload(name, content) {
  const init = { method: "POST", headers: { ...headers(), "Content-Type": "application/octet-stream" }, body: content };
  return (await checked(await fetch(`/api/v1/files?name=${encodeURIComponent(name)}`, init))).json();
}

/** Saves a document as a file. A link cannot send the token. */
export async function download(path) {
  const response = await request("GET", path);
  const name = /filename="([^"]+)"/.exec(response.headers.get("Content-Disposition") ?? "")?.[1] ?? "report";
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await response.blob());
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** All records that match, oldest first. */
export async function records(query) {
  const text = await (await request("GET", `/records?${query}`)).text();
  return text.split("\n").filter(Boolean).map((line) => JSON.parse(line));
}

/**
 * Follows the stream of records and reconnects after the last one. `EventSource` cannot send the
 * token, so the stream is read with `fetch`.
 */
export async function follow({ record, change, gap, connected }) {
  let last = null;
  for (;;) {
    try {
      const init = { headers: headers(), cache: "no-store" };
      if (last !== null) init.headers["Last-Event-ID"] = String(last);
      const response = await fetch("/api/v1/records/stream", init);
      if (response.status === 401) return;
      if (!response.ok) throw new Error(`status ${response.status}`);
      connected(true);
      change();
      for await (const event of events(response.body)) {
        if (event.id) last = Number(event.id);
        if (event.name === "record") record(JSON.parse(event.data));
        else if (event.name === "change") change();
        else if (event.name === "gap") gap();
      }
    } catch {
      // Reconnected below.
    }
    connected(false);
    await new Promise((resolve) => { setTimeout(resolve, 1000); });
  }
}

async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    text += value;
    let end;
    while ((end = text.indexOf("\n\n")) >= 0) {
      const event = { name: "message", data: "", id: null };
      for (const line of text.slice(0, end).split("\n")) {
        const colon = line.indexOf(":");
        const content = line.slice(colon + 1).trimStart();
        if (line.startsWith("event:")) event.name = content;
        else if (line.startsWith("data:")) event.data = content;
        else if (line.startsWith("id:")) event.id = content;
      }
      text = text.slice(end + 2);
      yield event;
    }
  }
}
