// Long lists: a part of the entries is in the document, and buttons show the others.

import { el } from "./dom.js";

/** Entries in the document. */
const MAX_SHOWN = 200;

/** Entries by which a button moves on. */
const STEP = 100;

/** The part of a long list that is shown: its end follows the list until somebody looks back. */
export class ListWindow {
  /** Index behind the last shown entry; `null` follows the end of the list. */
  end = null;

  /** Shows the entry at an index, if it is not shown. */
  reveal(index, length) {
    const [first, last] = this.range(length);
    if (index >= 0 && (index < first || index >= last)) this.#moveTo(index + STEP, length);
  }

  range(length) {
    const last = Math.min(this.end ?? length, length);
    return [Math.max(0, last - MAX_SHOWN), last];
  }

  #moveTo(end, length) {
    this.end = end >= length ? null : Math.max(MAX_SHOWN, end);
  }

  /** The shown entries, with entries before and behind them that show others. `wrap` puts a button into a row. */
  entries(all, make, wrap, again) {
    const [first, last] = this.range(all.length);
    const button = (text, end) => ({
      version: text,
      make: () => wrap(el("button", { class: "btn quiet", type: "button", on: { click: () => { this.#moveTo(end, all.length); again(); } } }, text)),
    });
    const before = first > 0 ? [button(`Show earlier: ${first.toLocaleString("en")} more`, last - STEP)] : [];
    const behind = last < all.length ? [button(`Show later: ${(all.length - last).toLocaleString("en")} more`, last + STEP)] : [];
    return [...before, ...all.slice(first, last).map((one, index) => make(one, first + index)), ...behind];
  }
}
