// Inputs are marked as wrong where a fault is told below them, so that whoever listens hears of it with the field.
const inputsOf = (slot) =>
  slot.dataset.for
    .split(" ")
    .map((id) => document.querySelector(`#${CSS.escape(id)} :is(input, textarea)`))
    .filter((input) => input !== null);

const mark = () => {
  for (const slot of document.querySelectorAll("[data-for]")) {
    const fault = slot.querySelector(".fault");
    for (const input of inputsOf(slot)) {
      const marked = input.getAttribute("aria-describedby");
      if (fault && marked !== fault.id) {
        input.setAttribute("aria-invalid", "true");
        input.setAttribute("aria-describedby", fault.id);
      } else if (!fault && marked && marked.endsWith("-fault") && !document.getElementById(marked)) {
        input.removeAttribute("aria-invalid");
        input.removeAttribute("aria-describedby");
      }
    }
  }
};

let due = false;
new MutationObserver(() => {
  if (due) return;
  due = true;
  requestAnimationFrame(() => {
    due = false;
    mark();
  });
}).observe(document.body, { childList: true, subtree: true });

// After somebody pressed Sing: to the first field that is wrong, if there is one.
window.choirmaster.toFault = () => {
  mark();
  const wrong = document.querySelector("#asking [aria-invalid=true]");
  if (wrong) wrong.focus();
};
