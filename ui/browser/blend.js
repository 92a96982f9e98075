// `<blend-sliders data-text="#composition">`: a slider and a number for each adapter, in step with the same as text.
import { write } from "./fields.js";

const BLENDED = /^\s*([a-z0-9-]{1,64})\s*(?:=\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)\s*)?$/;

// The parts of a composition as text: those that name an adapter with a weight, and all others as they were typed.
const read = (text) => {
  const weights = new Map();
  const others = [];
  for (const part of text.split(",").filter((one) => one.trim())) {
    const found = BLENDED.exec(part);
    if (found && found[1] !== "base" && !weights.has(found[1])) weights.set(found[1], found[2] === undefined ? 1 : Number(found[2]));
    else others.push(part.trim());
  }
  return { weights, others };
};

const shorten = (weight) => String(Number(weight.toFixed(4)));

class BlendSliders extends HTMLElement {
  connectedCallback() {
    this.heard = (event) => this.show(event.detail.text || "");
    document.addEventListener("choirmaster:blend", this.heard);
    this.addEventListener("input", this);
    // Gradio may make a row another adapter's, and leaves the values that stand in it
    this.changed = new MutationObserver(() => this.text && this.show(this.text.value));
    this.changed.observe(this, { subtree: true, childList: true, attributeFilter: ["data-name"] });
    // the text may be mounted after this is
    this.frame = requestAnimationFrame(() => this.text && this.show(this.text.value));
  }

  disconnectedCallback() {
    document.removeEventListener("choirmaster:blend", this.heard);
    this.removeEventListener("input", this);
    this.changed.disconnect();
    cancelAnimationFrame(this.frame);
  }

  get text() {
    return document.querySelector(`${this.dataset.text} :is(input, textarea)`);
  }

  // Somebody moved a slider or typed a number: the text follows.
  handleEvent(event) {
    const { name } = event.target.dataset;
    if (!name || !this.text) return;
    event.stopPropagation(); // it is no input of Gradio's
    const weight = Number(event.target.value);
    if (event.target.value === "" || !Number.isFinite(weight)) return;
    const { weights, others } = read(this.text.value);
    if (weight === 0) weights.delete(name);
    else weights.set(name, weight);
    this.set(name, weight, event.target);
    write(this.text, [...[...weights].map(([one, own]) => `${one}=${shorten(own)}`), ...others].join(","));
  }

  // The text was changed: sliders and numbers follow.
  show(text) {
    const { weights } = read(text);
    for (const slider of this.querySelectorAll("input[type=range]")) {
      this.set(slider.dataset.name, weights.get(slider.dataset.name) ?? 0);
    }
  }

  set(name, weight, source = null) {
    for (const input of this.querySelectorAll(`input[data-name="${CSS.escape(name)}"]`)) {
      // what is being typed is not typed over
      if (input !== source && !(input === document.activeElement && input.value !== "" && Number(input.value) === weight)) {
        input.value = shorten(weight);
      }
      if (input.type === "range") input.setAttribute("aria-valuetext", shorten(weight));
    }
  }
}
customElements.define("blend-sliders", BlendSliders);
