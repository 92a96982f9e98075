// What is wrong with a form whose fields are `[data-field]` with a `.fault` in each, and a `.general` one for the rest.
const inputsOf = (field) => field.querySelectorAll("input:not([type=range]), select, textarea");

const put = (place, messages) => {
  place.textContent = messages.join("; ");
  place.hidden = messages.length === 0;
};

export const clearFaults = (form, name) => {
  for (const field of form.querySelectorAll("[data-field]")) {
    if (name !== undefined && field.dataset.field !== name) continue;
    put(field.querySelector(".fault"), []);
    for (const input of inputsOf(field)) input.removeAttribute("aria-invalid");
  }
  if (name === undefined) put(form.querySelector(".fault.general"), []);
};

// What is wrong with one field; the others stay as they are.
export const markField = (form, name, message) => {
  const field = form.querySelector(`[data-field="${name}"]`);
  put(field.querySelector(".fault"), message ? [message] : []);
  for (const input of inputsOf(field)) {
    if (message) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
  }
};

// `faults`: sentences by field, as `requests.js` gives them. With `go`, on to the first field that is wrong.
export const showFaults = (form, faults, go = true) => {
  clearFaults(form);
  const rest = { ...faults };
  let first = null;
  for (const field of form.querySelectorAll("[data-field]")) {
    const messages = faults[field.dataset.field];
    if (!messages) continue;
    delete rest[field.dataset.field];
    put(field.querySelector(".fault"), messages);
    const folded = field.closest("details");
    if (folded) folded.open = true;
    for (const input of inputsOf(field)) {
      input.setAttribute("aria-invalid", "true");
      first = first || input;
    }
  }
  put(form.querySelector(".fault.general"), Object.values(rest).flat());
  if (go && first) first.focus();
};
