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

/** Rows above and below the visible ones, so that a short scroll shows no gap. */
const MARGIN = 12;

/** Shorter lists are in the document as a whole. */
const MAX_WHOLE = 60;

/**
 * A table whose rows have one height: only those that can be seen are in the document. Empty rows take
 * the place of the others.
 */
export class RowWindow {
  #scroller;
  #height = 0;
  #top = 0;
  #visible = 0;

  /** `again` renders the table. */
  constructor(scroller, again) {
    this.#scroller = scroller;
    scroller.addEventListener("scroll", () => {
      if (Math.abs(scroller.scrollTop - this.#top) >= this.#height * MARGIN / 2) again();
    }, { passive: true });
  }

  /** Reads heights. Call it before the document is changed: later, the browser would have to lay it out first. */
  measure() {
    const measured = this.#scroller.querySelector("tbody tr:not(.space)")?.offsetHeight;
    // Before there is a row, the height that the style sheet gives to rows.
    if (measured) this.#height = measured;
    else if (this.#height === 0) this.#height = 1.75 * parseFloat(getComputedStyle(document.documentElement).fontSize);
    this.#top = this.#scroller.scrollTop;
    this.#visible = this.#scroller.clientHeight;
  }

  /** The indices of the rows that are in the document. */
  #range(length, followsEnd) {
    if (length <= MAX_WHOLE) return [0, length];
    const visible = Math.ceil(this.#visible / this.#height);
    const first = followsEnd ? length - visible : Math.min(Math.floor(this.#top / this.#height), length - visible);
    return [Math.max(0, first - MARGIN), Math.min(length, first + visible + MARGIN)];
  }

  /** The shown entries, with empty ones for the rows before and behind them. */
  entries(all, make, followsEnd) {
    const [first, last] = this.#range(all.length, followsEnd);
    const gap = (rows, place) => ({ version: `${place} ${rows}`, make: () => space(rows * this.#height) });
    const before = first > 0 ? [gap(first, "before")] : [];
    const behind = last < all.length ? [gap(all.length - last, "behind")] : [];
    return [...before, ...all.slice(first, last).map((one, index) => make(one, first + index)), ...behind];
  }

  /** Scrolls to a row that cannot be seen. */
  reveal(index) {
    const top = index * this.#height;
    // The heading covers one row.
    if (index < 0 || (top >= this.#top && top + 2 * this.#height <= this.#top + this.#visible)) return;
    this.#top = Math.max(0, top - this.#visible / 2);
    this.#scroller.scrollTop = this.#top;
  }
}

function space(height) {
  const row = el("tr", { class: "space", "aria-hidden": "true" }, el("td", { colspan: "5" }));
  row.firstChild.style.height = `${height}px`;
  return row;
}
