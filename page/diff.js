// Compares two bodies line by line.

import { parse } from "./code.js";

/** Lines of a body: formatted if it is JSON. */
export function linesOf(text) {
  const json = parse(text);
  return (json === undefined ? text ?? "" : JSON.stringify(json, null, 2)).split("\n");
}

/** Longer bodies are compared from both ends only: the table of the rest would be too large. */
const MAX_LINES = 2000;

/**
 * The lines of both texts in order, each with `same`, `del` (only in the first) or `add` (only in the
 * second).
 */
export function compare(first, second) {
  let start = 0;
  while (start < first.length && start < second.length && first[start] === second[start]) start += 1;
  let end = 0;
  while (end < first.length - start && end < second.length - start && first.at(-1 - end) === second.at(-1 - end)) end += 1;
  const one = first.slice(start, first.length - end);
  const two = second.slice(start, second.length - end);
  const same = (lines) => lines.map((text) => ({ kind: "same", text }));
  return [...same(first.slice(0, start)), ...middle(one, two), ...same(end ? first.slice(-end) : [])];
}

function middle(one, two) {
  const [del, add] = [one.map((text) => ({ kind: "del", text })), two.map((text) => ({ kind: "add", text }))];
  if (one.length === 0 || two.length === 0 || one.length > MAX_LINES || two.length > MAX_LINES) return [...del, ...add];
  // Lengths of the longest common subsequences of the ends.
  const width = two.length + 1;
  const table = new Uint16Array((one.length + 1) * width);
  for (let i = one.length - 1; i >= 0; i -= 1) {
    for (let j = two.length - 1; j >= 0; j -= 1) {
      table[i * width + j] = one[i] === two[j] ? table[(i + 1) * width + j + 1] + 1 : Math.max(table[(i + 1) * width + j], table[i * width + j + 1]);
    }
  }
  const lines = [];
  let [i, j] = [0, 0];
  while (i < one.length && j < two.length) {
    if (one[i] === two[j]) {
      lines.push({ kind: "same", text: one[i] });
      i += 1;
      j += 1;
    } else if (table[(i + 1) * width + j] >= table[i * width + j + 1]) lines.push(del[i++]);
    else lines.push(add[j++]);
  }
  return [...lines, ...del.slice(i), ...add.slice(j)];
}
