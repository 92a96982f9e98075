// Sections with `<details class="folds">` are open where there is room, and on a phone folded to their headings until
// somebody opens one. `data-first` is open everywhere.

const narrow = window.matchMedia("(max-width: 768px)");
const chosen = new Map(); // by the id of the heading, what somebody made of it

const nameOf = (details) => details.querySelector("summary [id]").id;
const settle = (details) => {
  const name = nameOf(details);
  const open = chosen.has(name) ? chosen.get(name) : !narrow.matches || "first" in details.dataset;
  if (details.open !== open) details.open = open;
};
const settleAll = () => document.querySelectorAll("details.folds").forEach(settle);

// Gradio patches what it shows in place, and opens what was folded with it.
new MutationObserver(settleAll).observe(document.documentElement, {
  childList: true, subtree: true, attributes: true, attributeFilter: ["open", "id"],
});
narrow.addEventListener("change", settleAll);

document.addEventListener("click", (event) => {
  const within = (selector) => event.target.closest && event.target.closest(selector);
  const summary = within("details.folds > summary");
  if (summary && within("[data-hint]")) event.preventDefault(); // a hint within a heading is read, and folds nothing
  else if (summary) chosen.set(nameOf(summary.parentElement), !summary.parentElement.open);
  const link = within("a[href^='#']");
  const target = link && document.getElementById(link.getAttribute("href").slice(1));
  const folded = target && target.closest("details.folds");
  if (!folded) return;
  chosen.set(nameOf(folded), true);
  settle(folded);
});
settleAll();
