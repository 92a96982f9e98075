// What the Evidence tab does without the server: sorted tables, choices that keep the focus, songs sung again.
import "./runs.js";

const { choirmaster } = window;

// Sorting: up, down, and as it came. A head says how its column is sorted; rows are moved, not made.
const DIRECTIONS = { none: "ascending", ascending: "descending", descending: "none" };

const sortBy = (head) => {
  const table = head.closest("table");
  const body = table.tBodies[0];
  const place = [...head.parentNode.children].indexOf(head);
  const direction = DIRECTIONS[head.getAttribute("aria-sort") || "none"];
  for (const other of head.parentNode.children) other.removeAttribute("aria-sort");
  if (direction !== "none") head.setAttribute("aria-sort", direction);
  const rows = [...body.rows];
  rows.forEach((row, at) => { row.dataset.place ??= at; });
  const sign = direction === "descending" ? -1 : 1;
  const value = (row) => row.cells[place].dataset.value ?? row.cells[place].textContent;
  const compare = head.dataset.kind === "number"
    ? (one, other) => Number(value(one)) - Number(value(other))
    : (one, other) => value(one).localeCompare(value(other));
  const order = (one, other) => (direction === "none" ? 0 : sign * compare(one, other))
    || one.dataset.place - other.dataset.place;
  body.append(...rows.sort(order));
};

document.addEventListener("click", (event) => {
  const button = event.target.closest && event.target.closest("table.sortable th > button.sort");
  if (button) sortBy(button.parentNode);
});

// Maps of a measured song are fetched when somebody opens them.
document.addEventListener("toggle", (event) => {
  const details = event.target;
  if (!details.matches || !details.matches("details.maps[data-src]") || !details.open) return;
  if (details.querySelector("attention-map")) return;
  const map = document.createElement("attention-map");
  map.dataset.src = details.dataset.src;
  if (details.dataset.audio) map.dataset.audio = details.dataset.audio;
  details.append(map);
}, true);

// The cell whose songs are shown is marked, and its songs come into sight; closed, the focus is where it was.
let opened = null;
const marked = () => document.querySelector("#evidence-heat .cell[aria-expanded=true]");
const cellOf = (data) => [...document.querySelectorAll("#evidence-heat .cell")]
  .find((cell) => cell.dataset.genre === data.genre && cell.dataset.composition === data.composition);

document.addEventListener("click", (event) => {
  const within = (selector) => event.target.closest && event.target.closest(selector);
  const cell = within("#evidence-heat .cell");
  if (cell) opened = { ...cell.dataset };
  else if (within(".close-cell")) opened = { ...opened, closed: true };
});
choirmaster.listen("cell-shown", () => {
  if (marked()) marked().removeAttribute("aria-expanded");
  if (!opened) return;
  const cell = cellOf(opened);
  if (opened.closed) {
    opened = null;
    if (cell) cell.focus();
    return;
  }
  if (cell) cell.setAttribute("aria-expanded", "true");
  // Gradio puts the songs in after this.
  requestAnimationFrame(() => requestAnimationFrame(() => {
    const title = document.getElementById("cell-title");
    if (title) title.focus();
  }));
});
choirmaster.listen("source-shown", () => {
  const select = document.querySelector("#evidence-choice select");
  if (select) select.focus();
});
