// What must be there before anything else of the page: how its parts tell each other something. Runs in the head;
// the modules of `main.js` run later, some even after the first components of Gradio are there.
window.choirmaster = {
  // Call `heard` with the data of every `tell` of this name, and with what was told before anybody listened.
  listen(name, heard) {
    document.addEventListener(`choirmaster:${name}`, (event) => heard(event.detail));
    const waiting = window.choirmaster.waiting[name];
    delete window.choirmaster.waiting[name];
    window.choirmaster.listened.add(name);
    if (waiting !== undefined) heard(waiting);
  },
  tell(name, data = {}) {
    if (!window.choirmaster.listened.has(name)) window.choirmaster.waiting[name] = data;
    document.dispatchEvent(new CustomEvent(`choirmaster:${name}`, { detail: data })); // elements listen by themselves
  },
  waiting: {},
  listened: new Set(),
  // Open a tab, and tell it something.
  go(tab, data) {
    const button = document.getElementById(`tab-${tab}-button`);
    if (button && button.getAttribute("aria-selected") !== "true") {
      button.click();
      button.focus({ preventScroll: true }); // what was pressed is out of sight now
    }
    if (data !== undefined) window.choirmaster.tell(tab, data);
  },
  // Put something into the address, so that a reload finds it again; an empty value takes it out.
  remember(values) {
    const address = new URL(window.location.href);
    for (const [name, value] of Object.entries(values)) {
      if (value) address.searchParams.set(name, value);
      else address.searchParams.delete(name);
    }
    window.history.replaceState(null, "", address);
  },
  // A seed for a form whose own is still empty. Proposed here, since the server's answer could come after somebody's typing.
  proposeSeed(seed) {
    return seed || String(crypto.getRandomValues(new Uint32Array(1))[0] >>> 1);
  },
  // Within a component of Gradio: a press on `<a data-song>` is a click of the component, and no new page.
  openLinks(element, trigger) {
    element.addEventListener("click", (event) => {
      const link = event.target.closest("a[data-song]");
      if (!link || link.dataset.go || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
      event.preventDefault();
      trigger("click", { song: link.dataset.song });
    });
  },
};
