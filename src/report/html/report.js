"use strict";
addEventListener("DOMContentLoaded", () => {
  const failedOnly = document.getElementById("failed-only");
  const search = document.getElementById("search");
  const expand = document.getElementById("expand");
  const entries = [...document.querySelectorAll(".entry")];
  const runs = [...document.querySelectorAll(".run")];
  const all = [...document.querySelectorAll("details:not(.raw)")];

  const filter = () => {
    const text = search.value.trim().toLowerCase();
    const matches = (node) => !text || node.textContent.toLowerCase().includes(text);
    for (const entry of entries) {
      entry.hidden = (failedOnly.checked && !entry.classList.contains("failed")) || !matches(entry);
    }
    for (const run of runs) {
      run.hidden = (failedOnly.checked && run.classList.contains("ok")) || !matches(run);
    }
  };
  failedOnly.addEventListener("change", filter);
  search.addEventListener("input", filter);

  expand.addEventListener("click", () => {
    const open = expand.textContent === "Expand all";
    for (const details of all) details.open = open;
    expand.textContent = open ? "Collapse all" : "Expand all";
  });

  // A link to a delivery opens what contains it.
  const show = () => {
    let node = document.getElementById(location.hash.slice(1));
    for (; node; node = node.parentElement) if (node.tagName === "DETAILS") node.open = true;
    document.getElementById(location.hash.slice(1))?.scrollIntoView();
  };
  addEventListener("hashchange", show);
  if (location.hash) show();

  // Closed details are not printed. What passed would fill dozens of pages: who wants it expands all.
  addEventListener("beforeprint", () => {
    for (const details of document.querySelectorAll(".delivery.bad")) details.open = true;
  });
});
