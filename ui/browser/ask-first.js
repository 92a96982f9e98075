// A question in the page before something is done that cannot be undone; no dialog of the browser.
import { make } from "./elements.js";

// Asks in `place`, which is hidden otherwise. `act` does it and gives back what went wrong, or "".
export const askFirst = (place, asker, { text, more, yes, act }) => {
  const question = make("p", {}, text);
  const details = make("p", { class: "faint", role: "status" });
  const fault = make("p", { class: "fault", role: "alert", hidden: "" });
  const confirm = make("button", { type: "button", class: "button", "data-yes": "" }, yes);
  const keep = make("button", { type: "button", class: "button", "data-no": "" }, "Keep it");
  const buttons = make("div", { class: "actions" });
  buttons.append(keep, confirm); // who only presses Enter keeps it; Tab leads on
  place.replaceChildren(question, details, fault, buttons);
  place.setAttribute("role", "group");
  place.setAttribute("aria-label", text);
  place.hidden = false;
  const close = () => {
    place.hidden = true;
    place.replaceChildren();
    if (asker.isConnected) asker.focus();
  };
  keep.addEventListener("click", close);
  place.onkeydown = (event) => {
    if (event.key === "Escape") close(); // and gives back nothing, which would stop every other key
  };
  confirm.addEventListener("click", async () => {
    confirm.disabled = true;
    const wrong = await act();
    confirm.disabled = false;
    fault.textContent = wrong;
    fault.hidden = !wrong;
  });
  keep.focus();
  if (more) more().then((said) => { details.textContent = said; });
};
