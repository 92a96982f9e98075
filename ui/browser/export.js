// `<adapter-export>`: the form that asks for an export. How large it will be is told while it is filled in. The text of
// the composition is what counts; sliders and numbers write it, and follow it.
import "./exports.js";
import { format, parse } from "./composition.js";
import { make } from "./elements.js";
import { clearFaults, showFaults } from "./fault-fields.js";
import { ask, sizeText } from "./requests.js";

// Milliseconds of quiet before the size is asked for.
const QUIET = 250;
const NUMBERS = ["rank", "density", "seed"];
const SLIDER = { min: -1, max: 2, step: 0.05 };
// Which choices matter when.
const MATTERS = {
  density: (form) => form.merge.value !== "concat",
  seed: (form) => form.merge.value === "dare-ties",
};

class AdapterExport extends HTMLElement {
  connectedCallback() {
    this.form = this.querySelector("form");
    this.rows = this.querySelector(".rows");
    this.estimate = this.querySelector(".estimate");
    this.adding = this.querySelector("#export-add");
    this.text = this.form.elements.composition;
    this.named = []; // adapters that can be exported
    for (const name of ["submit", "input", "change", "click"]) this.form.addEventListener(name, this);
    this.blend = (event) => this.take(event.detail.name);
    this.changed = () => this.list();
    document.addEventListener("choirmaster:export-blend", this.blend);
    document.addEventListener("choirmaster:shelf", this.changed);
    // Asked for once somebody looks: most visitors never do.
    this.sight = new IntersectionObserver((found) => found.some((one) => one.isIntersecting) && this.list());
    this.sight.observe(this);
    this.fit();
    this.look();
  }

  disconnectedCallback() {
    document.removeEventListener("choirmaster:export-blend", this.blend);
    document.removeEventListener("choirmaster:shelf", this.changed);
    this.sight.disconnect();
    clearTimeout(this.waiting);
    if (this.asking) this.asking.abort();
  }

  handleEvent(event) {
    const { type, target } = event;
    if (type === "submit") {
      event.preventDefault();
      this.send();
    } else if (type === "click") {
      if (target.closest("[data-add]") && this.adding.value) this.put(this.adding.value, 1);
      const out = target.closest("[data-out]");
      if (out) this.put(out.dataset.out, null);
    } else if (target.dataset.weigh) {
      if (type === "input" && target.value !== "" && Number.isFinite(Number(target.value))) this.put(target.dataset.weigh, Number(target.value), target);
    } else if (target !== this.adding && type === "input") {
      if (target === this.text) this.follow();
      this.fit();
      this.look();
    }
  }

  // The adapters that there are; who is in the blend stays in it.
  async list() {
    const answer = await ask("GET", "/v1/adapters");
    if (!answer.ok) return;
    this.named = answer.data.adapters.filter((one) => one.fits).map((one) => one.name);
    this.offer();
  }

  offer() {
    const weights = parse(this.text.value) || new Map();
    const free = this.named.filter((name) => !weights.has(name));
    this.adding.replaceChildren(...free.map((name) => make("option", { value: name }, name)));
    const shut = free.length === 0;
    this.adding.disabled = this.querySelector("[data-add]").disabled = shut;
    if (shut) this.adding.append(make("option", { value: "" }, this.named.length ? "all are in the blend" : "the shelf is empty"));
  }

  // Somebody wants this adapter in the blend.
  take(name) {
    const weights = parse(this.text.value) || new Map();
    if (!weights.has(name)) this.put(name, 1);
    this.scrollIntoView({ block: "start" });
    const slider = this.rows.querySelector(`[data-weigh="${CSS.escape(name)}"]`);
    if (slider) slider.focus({ preventScroll: true });
  }

  // Give an adapter a weight, or none with null; `by` is the input that did it.
  put(name, weight, by = null) {
    const weights = parse(this.text.value) || new Map();
    if (weight === null) weights.delete(name);
    else weights.set(name, weight);
    this.text.value = format(weights);
    clearFaults(this.form, "composition");
    this.follow(by);
    if (weight === null) this.adding.focus();
    this.look();
  }

  // Rows as the text says; where it cannot be read they stay, and the server will say what is wrong.
  follow(by = null) {
    const weights = parse(this.text.value);
    if (weights === null) return;
    for (const row of [...this.rows.children]) if (!weights.has(row.dataset.name)) row.remove();
    for (const [name, weight] of weights) {
      const row = this.row(name);
      for (const input of row.querySelectorAll("input")) if (input !== by) input.value = weight;
    }
    this.offer();
  }

  row(name) {
    const known = [...this.rows.children].find((row) => row.dataset.name === name);
    if (known) return known;
    const most = this.dataset.most;
    const row = make("div", { class: "blend-row", "data-name": name });
    const number = { type: "number", min: -most, max: most, step: "any", "data-weigh": name, "aria-label": `Weight of ${name}` };
    row.append(
      make("span", { class: "blend-name" }, name),
      make("input", { type: "range", ...SLIDER, "data-weigh": name, "aria-label": `Weight of ${name}, slider` }),
      make("input", number),
      make("button", { type: "button", class: "button", "data-out": name, "aria-label": `Leave out ${name}` }, "×"),
    );
    this.rows.append(row);
    return row;
  }

  get whole() {
    return !this.dataset.loras.split(" ").includes(this.form.elements.format.value);
  }

  // Shows the choices that matter for what is asked for.
  fit() {
    const elements = this.form.elements;
    for (const [name, matters] of Object.entries({ ...MATTERS, shard_size: () => this.whole })) {
      this.form.querySelector(`[data-field="${name}"]`).hidden = !matters(elements);
    }
  }

  // The request, as the fields say; empty ones are left out, and so are those that do not matter.
  request() {
    const { composition, format: kind, merge, dtype, shard_size: shard } = this.form.elements;
    const asked = { composition: composition.value.trim(), format: kind.value, merge: merge.value };
    for (const name of NUMBERS) {
      const { value } = this.form.elements[name];
      if (value !== "" && (!MATTERS[name] || MATTERS[name](this.form.elements))) asked[name] = Number(value);
    }
    if (dtype.value) asked.dtype = dtype.value;
    if (this.whole && shard.value.trim()) asked.shard_size = shard.value.trim();
    return asked;
  }

  // What would be refused anyway, which is not worth asking about while somebody types.
  get unready() {
    const weights = parse(this.text.value);
    if (weights === null) return "The text is no composition yet.";
    if (weights.size === 0 && !this.whole) return "Add an adapter to see how large the file will be.";
    const wrong = NUMBERS.map((name) => this.form.elements[name]).find((input) => !input.validity.valid);
    return wrong ? `${wrong.closest(".field").querySelector("label").textContent} cannot be ${wrong.value || "that"}.` : "";
  }

  look() {
    clearTimeout(this.waiting);
    if (this.asking) this.asking.abort();
    const unready = this.unready;
    this.estimate.toggleAttribute("data-stale", !unready);
    if (unready) this.say(unready);
    else this.waiting = setTimeout(() => this.measure(), QUIET);
  }

  async measure() {
    this.asking = new AbortController();
    try {
      const answer = await ask("POST", "/v1/exports/estimate", this.request(), this.asking.signal);
      this.estimate.removeAttribute("data-stale");
      if (answer.ok) {
        clearFaults(this.form);
        this.saySize(answer.data);
      } else {
        showFaults(this.form, answer.faults, false);
        this.say("");
      }
    } catch (error) {
      if (error.name !== "AbortError") throw error; // another question is under way
    }
  }

  say(text) {
    this.estimate.textContent = text;
  }

  saySize({ size, files, rank }) {
    const about = make("span", { class: "hinted", tabindex: "0", "data-hint": this.dataset.sizeHint }, `about ${sizeText(size)}`);
    about.append(make("span", { class: "sr" }, ` (${this.dataset.sizeHint})`));
    const parts = [files > 1 ? `${files} files of weights` : "", rank === null ? "" : `rank ${rank}`].filter(Boolean);
    this.estimate.replaceChildren("The download will have ", about, parts.length ? `, ${parts.join(", ")}.` : ".");
  }

  async send() {
    const button = this.form.querySelector("[type=submit]");
    if (button.disabled) return;
    button.disabled = true;
    const answer = await ask("POST", "/v1/exports", this.request());
    button.disabled = false;
    if (!answer.ok) {
      showFaults(this.form, answer.faults);
      return;
    }
    clearFaults(this.form);
    document.dispatchEvent(new CustomEvent("choirmaster:export-asked", { detail: answer.data }));
  }
}
customElements.define("adapter-export", AdapterExport);
