// What the server says about a vendor. It does not change while the page is open.

import { get } from "./client.js";

/** Facts by vendor; `null` while they are requested. */
const known = new Map();

/** The facts about a vendor; `undefined` until they are there, when `then` is called. */
export function factsOf(vendor, then) {
  if (!vendor) return undefined;
  if (!known.has(vendor)) {
    known.set(vendor, null);
    // After a failure, the next call asks again.
    get(`/vendors/${vendor}`).then((facts) => { known.set(vendor, facts); then(); }, () => known.delete(vendor));
  }
  return known.get(vendor) ?? undefined;
}
