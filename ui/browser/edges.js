// Boxes that scroll sideways say so: `data-more` names the edges behind which there is more, and the style fades them.
// Of the tabs, the one that is open is brought into sight.

const SIDEWAYS = ".wide[role=region], .strips, #tabs [role=tablist]";
const SLACK = 2; // pixels: widths are rounded

const mark = (box) => {
  const left = box.scrollLeft > SLACK;
  const right = box.scrollLeft + box.clientWidth < box.scrollWidth - SLACK;
  const more = [left && "left", right && "right"].filter(Boolean).join(" ");
  if ((box.dataset.more || "") === more) return;
  if (more) box.dataset.more = more;
  else delete box.dataset.more;
};

const showOpenTab = () => {
  const tab = document.querySelector("#tabs [role=tab][aria-selected=true]");
  if (!tab) return;
  const list = tab.parentElement;
  const [box, room] = [tab.getBoundingClientRect(), list.getBoundingClientRect()];
  if (box.left < room.left) list.scrollLeft += box.left - room.left;
  else if (box.right > room.right) list.scrollLeft += box.right - room.right;
};

const sizes = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    const box = target.closest(SIDEWAYS);
    if (!box) continue;
    if (box.role === "tablist") showOpenTab();
    mark(box);
  }
});

// Gradio patches what it shows in place: whatever is new is looked at, and a mark that it took away is set again.
const seen = new WeakSet();
const look = () => {
  for (const box of document.querySelectorAll(SIDEWAYS)) {
    for (const part of [box, ...box.children]) {
      if (!seen.has(part)) sizes.observe(part);
      seen.add(part);
    }
    mark(box);
  }
};
let asked = false;
const askToLook = () => {
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => {
    asked = false;
    look();
  });
};

new MutationObserver((records) => {
  askToLook();
  if (records.some((one) => one.attributeName === "aria-selected")) showOpenTab();
}).observe(document.documentElement, {
  childList: true, subtree: true, attributes: true, attributeFilter: ["data-more", "aria-selected"],
});
document.addEventListener("scroll", (event) => {
  if (event.target.matches && event.target.matches(SIDEWAYS)) mark(event.target);
}, true);
askToLook();
