// A small picture of every head, as a button that shows it large.
import { paint } from "./attention-draw.js";
import { make } from "./elements.js";

const AT_ONCE = 16; // small pictures drawn before the page gets its turn
const [ACROSS, DOWN] = [96, 56]; // pixels of a small picture
const MANY = 32; // heads that are not shown unasked
const MOST_COLUMNS = 8;

// What is shown, in words. `some`: not all of it follows the words.
const nameHeads = ({ heads, watched }, some) => {
  const one = heads.length === 1;
  if (some && heads.length < watched) return `${heads.length} of the ${watched} heads that were watched`;
  if (some) return one ? "The head that was watched" : `All ${heads.length} heads that were watched`;
  return one ? "The head that follows the words" : `The ${heads.length} heads that follow the words`;
};

export class Heads {
  // `pick(choice)`: called with "layer,head".
  constructor(pick) {
    Object.assign(this, { pick, maps: null, names: "", drawing: 0, wanted: null });
    this.element = make("details", { class: "am-heads" });
    this.summary = make("summary");
    this.grid = make("div", { class: "am-grid", role: "group", "aria-label": "Heads" });
    this.note = make("p", { class: "faint" });
    this.element.append(this.summary, this.grid, this.note);
    this.element.addEventListener("toggle", () => this.element.open && this.wanted && this.show(this.wanted));
  }

  // `view`: maps, step, rows, renormalise, choice, and `coloursFor(values)`.
  show(view) {
    this.wanted = view;
    const { maps, choice } = view;
    const names = maps.heads.map(String);
    if (names.join(" ") !== this.names) this.#lay(maps, names);
    const shown = new Set(maps.chosen(choice));
    this.buttons.forEach((button, at) => {
      button.setAttribute("aria-pressed", String(names[at] === choice));
      button.classList.toggle("in", shown.has(at));
    });
    cancelAnimationFrame(this.drawing);
    if (this.element.open) this.#draw(view, 0);
  }

  #lay(maps, names) {
    this.names = names.join(" ");
    const aligned = new Set(maps.aligned);
    this.buttons = maps.heads.map(([layer, head], at) => {
      const button = make("button", { class: "am-head", type: "button", "aria-pressed": "false" });
      const canvas = make("canvas", { "aria-hidden": "true", width: ACROSS, height: DOWN });
      const name = make("span");
      name.textContent = `layer\u00a0${layer} head\u00a0${head}`;
      button.append(canvas, name);
      if (aligned.has(at)) {
        button.classList.add("aligned");
        const said = make("span", { class: "sr" });
        said.textContent = ", follows the words";
        name.append(said);
      }
      button.addEventListener("click", () => this.pick(names[at]));
      return button;
    });
    this.grid.replaceChildren(...this.buttons);
    const layers = new Set(maps.heads.map(([layer]) => layer)).size;
    const whole = maps.heads.length % layers === 0 && maps.heads.length / layers;
    const columns = whole > 1 && whole <= MOST_COLUMNS && maps.heads.length > whole ? whole : 0;
    this.grid.style.gridTemplateColumns = columns ? `repeat(${columns}, minmax(0, 130px))` : "";
    this.element.open = maps.heads.length <= MANY;
    const all = maps.aligned.length < maps.heads.length;
    this.summary.textContent = nameHeads(maps, all);
    this.note.textContent = all || maps.limit
      ? "Press a head to see it large, again to go back. Framed: heads that follow the words."
      : "Press a head to see it large, again to go back. Only these were watched: to see the others, choose “All heads” in the form, below “Tempo, melody, guidance, attention”, and sing again.";
  }

  // Some at once, so that hundreds of heads do not hold up the page.
  #draw(view, from) {
    const { maps, step, rows, renormalise, coloursFor } = view;
    const until = Math.min(this.buttons.length, from + AT_ONCE);
    for (let at = from; at < until; at++) {
      const { values } = maps.reduce(step, [at], rows, renormalise);
      const context = this.buttons[at].firstChild.getContext("2d", { willReadFrequently: true });
      const box = { left: 0, top: 0, width: ACROSS, height: DOWN };
      paint(context, { values, rows: rows.length, edges: maps.edges, colours: coloursFor(values) }, box);
    }
    if (until < this.buttons.length) this.drawing = requestAnimationFrame(() => this.#draw(view, until));
  }

  close() {
    cancelAnimationFrame(this.drawing);
  }
}
