// Past songs: filters, pages, and a list of which only what changed is touched. Entries come from the server as HTML
// (`ui/history_list.py`); what is asked for and what came back are told by Gradio's own component around all this.
import { patch } from "./history-list.js";
import { Bars } from "./history-bars.js";

// Milliseconds: between two looks at whether there is something new, after the last key, and until an answer is given up.
const LOOK_EVERY = 1500;
const TYPING = 250;
const PATIENCE = 15000;
const FILTERS = ["text", "adapter", "from_wer", "to_wer", "judged", "state", "compared", "since", "until"];

// A day as the moment at which it begins, UTC as all times on the page are; `later`: days after it.
const dayToTime = (day, later = 0) => {
  const begins = new Date(`${day}T00:00Z`);
  begins.setUTCDate(begins.getUTCDate() + later);
  return Number.isNaN(begins.getTime()) ? day : begins.toISOString();
};

class PastSongs extends HTMLElement {
  connectedCallback() {
    this.form = this.querySelector("form");
    this.list = this.querySelector(".list");
    this.page = 1;
    this.asked = 0; // of the latest question
    this.answered = 0; // of the latest answer
    this.seen = "";
    this.since = 0; // when the question was asked that waits for an answer
    this.after = []; // what is to be done once the list is up to date
    this.bars = new Bars(this);
    this.leaving = new AbortController();
    const heard = { signal: this.leaving.signal };
    this.form.addEventListener("input", () => this.change(TYPING), heard);
    this.form.addEventListener("submit", (event) => (event.preventDefault(), this.change(0)), heard);
    this.form.addEventListener("reset", () => setTimeout(() => this.change(0)), heard);
    this.addEventListener("click", (event) => this.press(event), heard);
    this.addEventListener("change", (event) => this.pick(event), heard);
    this.addEventListener("ready", () => this.look(), heard);
    this.fill(Object.fromEntries(new URL(window.location.href).searchParams));
    window.choirmaster.listen("history", (data) => FILTERS.some((name) => name in data) && this.filter(data));
    this.timer = setInterval(() => this.look(), LOOK_EVERY);
    this.sight = new IntersectionObserver(() => this.look()); // when the tab is opened
    this.sight.observe(this);
  }

  disconnectedCallback() {
    clearInterval(this.timer);
    clearTimeout(this.typing);
    this.sight.disconnect();
    this.leaving.abort();
    this.bars.close();
  }

  fill(values) {
    for (const name of FILTERS) {
      const field = this.form.elements[name];
      const value = values[name] || "";
      if (name === "adapter" && value) this.offerAdapters([value]);
      field.value = value;
      if (field.selectedIndex === -1) field.value = "";
    }
    this.page = Math.max(1, Math.floor(Number(values.part)) || 1);
  }

  filter(values) {
    this.fill(values);
    this.ask();
  }

  change(wait) {
    clearTimeout(this.typing);
    this.typing = setTimeout(() => {
      this.page = 1;
      this.ask();
    }, wait);
  }

  turn(by) {
    this.page += by;
    this.ask();
    this.after.push(() => {
      this.list.scrollIntoView({ block: "nearest" });
      this.querySelector(".count").focus();
    });
  }

  // Ask for what the filters say, unconditionally.
  ask() {
    this.seen = ""; // so that the question is repeated should its answer be lost
    this.remember();
    this.tell({});
  }

  // Ask whether there is something new, as long as somebody looks at it.
  look() {
    if (!this.checkVisibility() || document.hidden || Date.now() - this.since < PATIENCE) return;
    if (this.seen) this.tell({ seen: this.seen });
    else this.ask();
  }

  tell(more) {
    if (!this.send) return; // given by Gradio's component once that is there (`ui/tabs/history.py`)
    const wish = Object.fromEntries(FILTERS.map((name) => [name, this.form.elements[name].value]));
    if (wish.since) wish.since = dayToTime(wish.since);
    if (wish.until) wish.until = dayToTime(wish.until, 1);
    this.asked += 1;
    if (!more.seen) {
      this.since = Date.now();
      this.list.setAttribute("aria-busy", "true");
    }
    this.send({ ...wish, ...more, page: this.page, asked: this.asked });
  }

  remember() {
    if (!this.checkVisibility()) return;
    const values = Object.fromEntries(FILTERS.map((name) => [name, this.form.elements[name].value]));
    window.choirmaster.remember({ ...values, part: this.page > 1 ? String(this.page) : "" }); // Gradio has a use of its own for "page"
  }

  // An answer is there: `about` as in `ui/tabs/history.py`.
  take(about) {
    if (about.asked < this.answered) return; // overtaken by a later one
    const mild = about.asked !== this.asked || this.since === 0;
    this.answered = about.asked;
    if (about.asked === this.asked) {
      this.since = 0;
      this.list.removeAttribute("aria-busy");
    }
    this.seen = about.seen;
    this.showFaults(about.faults || {});
    if (about.faults) return;
    this.page = about.page;
    this.offerAdapters(about.adapters);
    const fresh = document.createElement("template");
    fresh.innerHTML = about.entries;
    patch(this.list, [...fresh.content.children], mild);
    this.list.start = about.first;
    this.showCount(about);
    this.showNothing(about);
    this.showUnreadable(about.unreadable);
    this.showPicked();
    if (about.asked === this.asked) for (const next of this.after.splice(0)) next();
  }

  showFaults(faults) {
    for (const name of FILTERS) {
      const told = this.querySelector(`#past-${name}-fault`);
      if (told.textContent !== (faults[name] || "")) told.textContent = faults[name] || "";
      told.hidden = !faults[name];
      if (faults[name]) this.form.elements[name].setAttribute("aria-invalid", "true");
      else this.form.elements[name].removeAttribute("aria-invalid");
    }
    if (Object.keys(faults).length) this.say(".count", "The filters cannot be used as they are");
  }

  showCount({ total, every, filtered, page, pages }) {
    const songs = (count) => (count === 1 ? "1 song" : `${count.toLocaleString("en")} songs`);
    const fits = total === 1 ? "fits" : "fit";
    const of = total <= every ? `${total.toLocaleString("en")} of ${songs(every)} ${fits}` : songs(total);
    this.say(".count", filtered ? of : songs(total));
    this.querySelector(".pages").hidden = pages === 1;
    this.say(".page", `Page ${page} of ${pages}`);
    this.querySelector(".newer").disabled = page <= 1;
    this.querySelector(".older").disabled = page >= pages;
  }

  showNothing({ total, filtered }) {
    const place = this.querySelector(".nothing");
    const wanted = total ? "" : filtered ? "none" : "empty";
    if (place.dataset.shown === wanted) return;
    place.dataset.shown = wanted;
    const said = {
      "": "",
      none: '<p>No song is like that.</p><p><button type="button" class="button clear">Clear filters</button></p>',
      empty: '<p>No songs yet.</p><p>Every song that is sung is kept here. <a class="button" href="/" data-go="sing">Sing one</a></p>',
    };
    place.innerHTML = said[wanted] && `<div class="empty">${said[wanted]}</div>`;
  }

  showUnreadable(ids) {
    const place = this.querySelector(".unreadable");
    if (place.dataset.shown === ids.join()) return;
    place.dataset.shown = ids.join();
    // Ids are hexadecimal digits.
    const items = ids.map(
      (id) => `<li data-key="${id}" data-title="Folder ${id}"><code>${id}</code>
        <button type="button" class="button remove" aria-label="Delete folder ${id}">Delete</button></li>`,
    );
    const many = ids.length === 1 ? "One folder holds a song" : `${ids.length} folders hold songs`;
    place.innerHTML = ids.length
      ? `<section class="note-box"><p><strong>Damaged.</strong> ${many} that cannot be read.</p><ul>${items.join("")}</ul></section>`
      : "";
  }

  showPicked() {
    const boxes = [...this.list.querySelectorAll(".pick input")];
    const picked = boxes.filter((box) => box.checked).length;
    const [all, button] = [this.querySelector(".all"), this.querySelector(".remove-picked")];
    all.checked = picked > 0 && picked === boxes.length;
    all.indeterminate = picked > 0 && picked < boxes.length;
    all.disabled = !boxes.length;
    button.disabled = !picked;
    button.textContent = picked ? `Delete ${picked} selected` : "Delete selected";
  }

  offerAdapters(names) {
    const field = this.form.elements.adapter;
    const there = new Set([...field.options].map((option) => option.value));
    for (const name of names) if (!there.has(name)) field.add(new Option(name, name));
  }

  press(event) {
    const within = (selector) => event.target.closest(selector);
    const entry = within("[data-key]");
    if (within(".remove") && entry) this.bars.remove([entry]);
    else if (within(".remove-picked")) this.bars.remove(this.pickedEntries());
    else if (within(".clear")) this.form.reset();
    else if (within(".newer")) this.turn(-1);
    else if (within(".older")) this.turn(1);
  }

  pick({ target }) {
    if (target.matches(".all")) {
      for (const box of this.list.querySelectorAll(".pick input")) box.checked = target.checked;
    }
    if (target.matches(".all, .pick input")) this.showPicked();
  }

  pickedEntries() {
    return [...this.list.children].filter((entry) => entry.querySelector(".pick input:checked"));
  }

  say(selector, text) {
    const place = this.querySelector(selector);
    if (place.textContent !== text) place.textContent = text;
  }
}

// An answer, whether Gradio puts a new element there or changes the one that is.
class PastAnswer extends HTMLElement {
  static observedAttributes = ["data-about"];

  attributeChangedCallback(name, before, told) {
    const page = document.querySelector("past-songs");
    if (page && page.take && told) page.take(JSON.parse(told));
  }
}

customElements.define("past-songs", PastSongs);
customElements.define("past-answer", PastAnswer);
