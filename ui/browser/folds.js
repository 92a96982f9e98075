// Sections with `<details class="folds">` are open where there is room, and on a phone folded to their headings until
// somebody, or the browser (which finds a word in them), opens one. `data-first` is open everywhere.

const narrow = window.matchMedia("(max-width: 768px)");
const chosen = new Map(); // by the id of the heading, what somebody made of it

const nameOf = (details) => details.querySelector("summary [id]").id;
const isWanted = (details) => {
  const name = nameOf(details);
  return chosen.has(name) ? chosen.get(name) : !narrow.matches || "first" in details.dataset;
};
const settle = (details) => {
  const open = isWanted(details);
  if (details.open !== open) details.open = open;
  details.dataset.settled = "";
};

// Gradio patches what it shows in place: it opens what was folded, and takes away the attributes that it does not know.
// So one without ours is new, or patched; any other is as somebody left it.
const settleNew = () => document.querySelectorAll("details.folds:not([data-settled])").forEach(settle);
new MutationObserver(settleNew).observe(document.documentElement, {
  childList: true, subtree: true, attributes: true, attributeFilter: ["data-settled"],
});
narrow.addEventListener("change", () => document.querySelectorAll("details.folds").forEach(settle));
document.addEventListener("toggle", ({ target }) => {
  if (!target.matches("details.folds[data-settled]")) return;
  if (target.open !== isWanted(target)) chosen.set(nameOf(target), target.open);
}, true);

// A hint within a heading is read, and folds nothing.
const isHint = (event) => Boolean(event.target.closest && event.target.closest("summary [data-hint]"));
for (const kind of ["keydown", "keyup"]) {
  document.addEventListener(kind, (event) => {
    if ((event.key === "Enter" || event.key === " ") && isHint(event)) event.preventDefault();
  }, true);
}

document.addEventListener("click", (event) => {
  const within = (selector) => event.target.closest && event.target.closest(selector);
  const summary = within("details.folds > summary");
  if (isHint(event)) event.preventDefault();
  else if (summary) chosen.set(nameOf(summary.parentElement), !summary.parentElement.open);
  const link = within("a[href^='#']");
  if (!link || event.defaultPrevented || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  const target = document.getElementById(link.getAttribute("href").slice(1));
  if (!target) return;
  const folded = target.closest("details.folds");
  if (folded) {
    chosen.set(nameOf(folded), true);
    settle(folded);
  }
  // Gradio's page has a <base>, from which such a link leads to the bare address: to a new page, with another tab.
  event.preventDefault();
  window.location.hash = target.id;
  target.scrollIntoView(); // where the address said so before
});
settleNew();
