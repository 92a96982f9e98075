// The sentence of whatever carries `data-hint`, beside it while it is pointed at or focused. One bubble for the page.
const bubble = document.createElement("div");
bubble.id = "hint-bubble";
bubble.setAttribute("aria-hidden", "true"); // whoever listens is told by the mark itself
bubble.hidden = true;

let shownFor = null;

const place = (target) => {
  const box = target.getBoundingClientRect();
  const margin = 8;
  const room = document.documentElement.clientWidth - 2 * margin;
  bubble.style.maxWidth = `${Math.min(320, room)}px`;
  const left = Math.max(margin, Math.min(box.left + box.width / 2 - bubble.offsetWidth / 2, margin + room - bubble.offsetWidth));
  const above = box.top - bubble.offsetHeight - margin;
  bubble.style.left = `${left}px`;
  bubble.style.top = `${above >= margin ? above : box.bottom + margin}px`;
};
const show = (target) => {
  shownFor = target;
  if (!bubble.isConnected) document.body.append(bubble);
  bubble.textContent = target.dataset.hint;
  bubble.hidden = false;
  place(target);
};
const hide = () => {
  shownFor = null;
  bubble.hidden = true;
};
const hinted = (event) => event.target.closest && event.target.closest("[data-hint]");

document.addEventListener("pointerover", (event) => {
  const target = hinted(event);
  if (target && target !== shownFor) show(target);
  else if (!target && shownFor && shownFor !== document.activeElement) hide();
});
document.addEventListener("focusin", (event) => (hinted(event) ? show(hinted(event)) : hide()));
document.addEventListener("focusout", hide);
document.addEventListener("click", (event) => hinted(event) && show(hinted(event))); // a finger does not hover
document.addEventListener("keydown", (event) => event.key === "Escape" && hide());
document.addEventListener("scroll", () => shownFor && (shownFor.isConnected ? place(shownFor) : hide()), true);
