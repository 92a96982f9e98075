// What stands in the text fields of the page, kept over the one reload that the end of a server causes: with no server
// there, nobody else hears of what is typed. Fields are known by their tab and label; of those that share both, none is.
import { session } from "./storage.js";

const KEPT = "choirmaster-typed";
const LONGEST = 20000;
const FIELDS = "textarea, input[type=text], input[type=number], input:not([type])";

const nameOf = (field) => {
  const tab = field.closest("[role=tabpanel]");
  const label = field.getAttribute("aria-label") || (field.labels && field.labels[0] && field.labels[0].innerText) || "";
  return tab && label.trim() ? `${tab.id} ${label.trim()}` : null;
};

const fieldsByName = () => {
  const found = new Map();
  for (const field of document.querySelectorAll(FIELDS)) {
    const name = field.hasAttribute("role") || field.readOnly ? null : nameOf(field); // a list to choose from is no text
    if (name !== null) found.set(name, found.has(name) ? null : field);
  }
  return found;
};

export const keepTyped = () => {
  const typed = [...fieldsByName()].filter(([, field]) => field && field.value.length <= LONGEST);
  session.set(KEPT, JSON.stringify(typed.map(([name, field]) => [name, field.value])));
};

export const forgetTyped = () => session.remove(KEPT);

export const bringBackTyped = () => {
  const fields = fieldsByName();
  for (const [name, value] of JSON.parse(session.get(KEPT) || "[]")) {
    const field = fields.get(name);
    if (!field || field.value === value) continue;
    // As if it were typed: the page hears of it in no other way.
    const kind = field instanceof HTMLTextAreaElement ? HTMLTextAreaElement : HTMLInputElement;
    Object.getOwnPropertyDescriptor(kind.prototype, "value").set.call(field, value);
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }
};
