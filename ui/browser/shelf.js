// The cards of the Adapters tab: filtered, found from elsewhere, removed. The cards themselves are made by the server.
import "./import.js";
import "./export.js";
import { askFirst } from "./ask-first.js";
import { make } from "./elements.js";
import { ask } from "./requests.js";

// From how many cards on a search helps.
const MANY = 7;
// Frames in which a card that was just asked for may still be on its way.
const PATIENCE = 120;

let query = ""; // cards may be made anew while somebody searches

// Which of the router's compositions need an adapter, as a sentence; nothing where there is no router to ask.
const routerUse = async (name) => {
  const health = await ask("GET", "/healthz");
  if (!health.ok || !health.data.router || health.data.router.state !== "ready") return "";
  const decided = await ask("POST", "/v1/route", { caption: "folk" });
  if (!decided.ok) return "";
  const all = decided.data.candidates.map((one) => one.name);
  const needing = decided.data.candidates.filter((one) => name in one.composition).map((one) => one.name);
  if (!needing.length) return "The router does not use it.";
  return `The router chooses from ${all.length} compositions. Without it, it leaves out ${needing.join(" and ")}.`;
};

class AdapterShelf extends HTMLElement {
  connectedCallback() {
    this.addEventListener("click", this);
    // Gradio takes the search away with every change of the shelf, and puts its own count there
    this.changed = new MutationObserver(() => this.keepSearch());
    this.changed.observe(this, { subtree: true, childList: true, attributeFilter: ["data-count", "data-text"] });
    this.keepSearch();
  }

  disconnectedCallback() {
    this.removeEventListener("click", this);
    this.changed.disconnect();
  }

  get count() {
    return this.querySelector(".shelf-count");
  }

  keepSearch() {
    if (!this.count) return;
    const many = Number(this.count.dataset.count) >= MANY;
    const there = Boolean(this.search) && this.contains(this.search);
    if (many && !there) this.addSearch();
    else if (many) this.filter(query);
    else if (there) {
      this.search.closest("label").remove();
      this.filter("");
    } else if (query) this.filter("");
    this.changed.takeRecords(); // what was done here
  }

  addSearch() {
    this.search = make("input", { type: "search" });
    this.search.value = query;
    this.search.addEventListener("input", () => this.filter(this.search.value));
    this.prepend(make("label", { class: "shelf-search" }, "Search the shelf", this.search));
    this.filter(query);
  }

  filter(text) {
    query = text;
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    const cards = this.querySelectorAll("article.adapter");
    for (const card of cards) {
      card.hidden = !words.every((word) => card.dataset.text.includes(word));
      shown += card.hidden ? 0 : 1;
    }
    const all = `${cards.length} adapters`;
    const said = words.length ? `${shown} of ${all}` : all;
    if (this.count.textContent !== said) this.count.textContent = said;
  }

  show(card) {
    if (card.hidden) {
      if (this.search) this.search.value = "";
      this.filter("");
    }
    card.scrollIntoView({ block: "start" });
    card.focus({ preventScroll: true });
  }

  handleEvent(event) {
    const blend = event.target.closest("[data-blend]");
    if (blend) document.dispatchEvent(new CustomEvent("choirmaster:export-blend", { detail: { name: blend.dataset.blend } }));
    const remove = event.target.closest("[data-remove]");
    if (remove) this.askToRemove(remove);
  }

  askToRemove(button) {
    const name = button.dataset.remove;
    askFirst(button.closest("article").querySelector(".confirm"), button, {
      text: `Remove ${name} from the shelf? Its files are deleted. Songs that are being sung keep it.`,
      yes: `Remove ${name}`,
      more: () => routerUse(name),
      act: async () => {
        const answer = await ask("DELETE", `/v1/adapters/${encodeURIComponent(name)}`);
        if (!answer.ok && answer.status !== 404) return Object.values(answer.faults).flat().join("; ");
        window.choirmaster.tell("shelf");
        return "";
      },
    });
  }
}
customElements.define("adapter-shelf", AdapterShelf);

// Show the card of an adapter, once it is there.
window.choirmaster.openAdapter = (name, patience = PATIENCE) => {
  if (!name) return;
  const card = document.getElementById(`adapter-${name}`);
  const shelf = card && card.closest("adapter-shelf");
  if (shelf && card.offsetParent !== null) shelf.show(card);
  else if (card && card.hidden) shelf.show(card);
  else if (patience > 0) requestAnimationFrame(() => window.choirmaster.openAdapter(name, patience - 1));
};
