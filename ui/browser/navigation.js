// Tabs in the address, and links from one tab to another: `<a href="/?tab=compare" data-go="compare" data-...>`.

// A tab of the address is opened once its button is there; Gradio makes it some moments after this runs.
const wanted = new URL(window.location.href).searchParams.get("tab");
if (wanted && /^[a-z]+$/.test(wanted)) {
  const open = () => {
    const button = document.getElementById(`tab-${wanted}-button`);
    if (button) button.click();
    return button !== null;
  };
  const watch = new MutationObserver(() => open() && watch.disconnect());
  if (!open()) watch.observe(document.documentElement, { childList: true, subtree: true });
}

document.addEventListener("click", (event) => {
  const within = (selector) => event.target.closest && event.target.closest(selector);
  const tab = within("[role=tab][id^='tab-']");
  if (tab) {
    const name = tab.id.slice("tab-".length, -"-button".length);
    window.choirmaster.remember({ tab: name === "sing" ? "" : name });
  }
  const link = within("[data-go]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  window.choirmaster.go(link.dataset.go, { ...link.dataset });
});
