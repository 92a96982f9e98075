// One map in the page: words beside it, seconds and what is left out below it, a playhead over it, and what is under the
// pointer or the keyboard's cursor in words. Knows neither where maps come from nor who plays the sound.
import { drawFooting, paint, percent, prepare } from "./attention-draw.js";
import { make } from "./elements.js";

const MOST_LETTERS = 14;
const LABEL_EVERY = 13; // pixels between two labels
const [IDEAL, LEAST_ROW, MOST_ROW] = [460, 7, 20]; // pixels: a map's height where it can be had, and of a row
const MOST_PIXELS = 4000; // of a map's height, however many words there are
const TOLD_EVERY = 200; // milliseconds

export class Picture {
  // `seek(seconds)`: called where somebody presses the map; `now()`: the second that is playing, or null.
  constructor({ seek = () => {}, now = () => null } = {}) {
    Object.assign(this, { seek, now, drawn: null, width: 0, cell: null });
    this.element = make("div", { class: "am-picture" });
    this.scroll = make("div", { class: "am-scroll" });
    this.plane = make("div", { class: "am-plane" });
    this.canvas = make("canvas", { class: "am-map", role: "img", tabindex: "0" });
    this.playhead = make("i", { class: "am-playhead", "aria-hidden": "true" });
    this.mark = make("i", { class: "am-cell", "aria-hidden": "true" });
    this.footing = make("canvas", { class: "am-footing", "aria-hidden": "true" });
    this.told = make("p", { class: "am-told faint", role: "status", "aria-live": "polite" });
    this.playhead.hidden = this.mark.hidden = true;
    this.plane.append(this.canvas, this.playhead, this.mark);
    this.scroll.append(this.plane);
    this.element.append(this.scroll, this.footing, this.told);
    this.canvas.addEventListener("keydown", (event) => this.#press(event));
    this.canvas.addEventListener("click", (event) => this.#point(event, true));
    this.canvas.addEventListener("pointermove", (event) => this.#point(event, false));
    this.canvas.addEventListener("blur", () => this.#moveTo(null));
  }

  // `map`: values [bins, rows], rows with `text`, `line` and `word`, edges, colours, discarded or null, label, write.
  show(map) {
    this.drawn = map;
    this.element.classList.add("drawn");
    this.canvas.setAttribute("aria-label", map.label);
    this.draw();
  }

  draw() {
    const width = this.scroll.clientWidth;
    if (!this.drawn || width < 40) return;
    this.width = width;
    const look = lookOf(this.element);
    const { rows, edges, values, colours, discarded } = this.drawn;
    const measuring = this.footing.getContext("2d", { willReadFrequently: true });
    measuring.font = `12px ${look.font}`;
    const texts = rows.map((row) => cut(row.text));
    const widest = Math.max(0, ...texts.map((text) => measuring.measureText(text).width), measuring.measureText("left out").width);
    this.left = Math.ceil(Math.min(widest + 12, width * 0.34));
    this.bands = layOut(rows);
    const height = this.bands.at(-1)?.to ?? LEAST_ROW;
    const { context, ratio } = prepare(this.canvas, width, height);
    const box = { left: Math.round(this.left * ratio), top: 0, width: this.canvas.width - Math.round(this.left * ratio), height: this.canvas.height };
    const tops = this.bands.map(({ from, to }, at) => [[at, at], Math.round(from * ratio), Math.min(box.height, Math.round(to * ratio))]);
    paint(context, { values, rows: rows.length, edges, colours }, box, tops);
    this.plot = { ...box, tops };
    this.#label(context, texts, look);
    drawFooting(this.footing, { left: this.left, width: width - this.left, total: width, edges, discarded, look });
    this.follow();
    this.#moveTo(this.cell);
  }

  // Put the playhead where the sound is.
  follow() {
    const time = this.now();
    const shown = this.drawn !== null && time !== null && time > 0 && this.bands !== undefined;
    this.playhead.hidden = !shown;
    if (shown) this.playhead.style.transform = `translateX(${this.#across(time).toFixed(1)}px)`;
  }

  #label(context, texts, look) {
    context.font = `12px ${look.font}`;
    context.textAlign = "right";
    context.textBaseline = "middle";
    let free = -Infinity;
    this.bands.forEach(({ from, to }, at) => {
      const middle = (from + to) / 2;
      if (middle < free) return;
      free = middle + LABEL_EVERY;
      context.fillStyle = this.drawn.rows[at].word < 0 ? look.faint : look.ink;
      context.fillText(texts[at], this.left - 6, middle + 0.5, this.left - 8);
    });
  }

  #across(time) {
    const { edges } = this.drawn;
    const share = (time - edges[0]) / (edges.at(-1) - edges[0] || 1);
    return this.left + Math.max(0, Math.min(1, share)) * (this.width - this.left);
  }

  #binAt(time) {
    const { edges } = this.drawn;
    let bin = 0;
    while (bin < edges.length - 2 && edges[bin + 1] <= time) bin += 1;
    return bin;
  }

  #point(event, pressed) {
    if (!this.drawn || !this.bands) return;
    const box = this.canvas.getBoundingClientRect();
    const { edges } = this.drawn;
    const share = (event.clientX - box.left - this.left) / (this.width - this.left);
    if (share < 0) return;
    const time = edges[0] + Math.min(1, share) * (edges.at(-1) - edges[0]);
    const row = this.bands.findIndex(({ to }) => event.clientY - box.top < to);
    this.#tell({ bin: this.#binAt(time), row: row < 0 ? this.bands.length - 1 : row });
    if (pressed) {
      this.#moveTo(null);
      this.seek(time);
    }
  }

  #press(event) {
    if (!this.drawn || event.ctrlKey || event.metaKey || event.altKey) return;
    const { edges, rows } = this.drawn;
    const step = event.shiftKey ? 10 : 1;
    const time = this.now();
    const from = this.cell || { bin: time ? this.#binAt(time + 1e-3) : 0, row: 0 };
    const last = edges.length - 2;
    const moves = {
      ArrowLeft: { bin: Math.max(0, from.bin - step) },
      ArrowRight: { bin: Math.min(last, from.bin + step) },
      Home: { bin: 0 },
      End: { bin: last },
      ArrowUp: { row: Math.max(0, from.row - 1) },
      ArrowDown: { row: Math.min(rows.length - 1, from.row + 1) },
    };
    const move = moves[event.key];
    if (!move) return;
    event.preventDefault();
    this.#moveTo({ ...from, ...move });
    this.#tell(this.cell);
    if ("bin" in move) this.seek(edges[this.cell.bin]);
  }

  #moveTo(cell) {
    this.cell = cell && this.drawn && cell.row < this.drawn.rows.length && cell.bin < this.drawn.edges.length - 1 ? cell : null;
    this.mark.hidden = this.cell === null;
    if (this.cell === null) return;
    const [from, to] = [this.drawn.edges[cell.bin], this.drawn.edges[cell.bin + 1]].map((time) => this.#across(time));
    const band = this.bands[cell.row];
    this.mark.style.transform = `translate(${from.toFixed(1)}px, ${band.from}px)`;
    this.mark.style.width = `${Math.max(3, to - from)}px`;
    this.mark.style.height = `${band.to - band.from}px`;
    if (band.from < this.scroll.scrollTop) this.scroll.scrollTop = band.from;
    else if (band.to > this.scroll.scrollTop + this.scroll.clientHeight) this.scroll.scrollTop = band.to - this.scroll.clientHeight;
  }

  // Say what is there, not more often than anybody can read.
  #tell({ bin, row }) {
    const { rows, values, edges, discarded, write } = this.drawn;
    const left = discarded ? `; ${percent(discarded[bin])} left out there` : "";
    this.saying = `“${rows[row].text}” at ${edges[bin].toFixed(2)} s: ${write(values[bin * rows.length + row])}${left}`;
    const wait = TOLD_EVERY - (performance.now() - (this.saidAt || 0));
    clearTimeout(this.telling);
    this.telling = setTimeout(() => {
      this.saidAt = performance.now();
      this.told.textContent = this.saying;
    }, Math.max(0, wait));
  }

  close() {
    clearTimeout(this.telling);
  }
}

// Where each row is, from the top; a gap between lines.
const layOut = (rows) => {
  const fit = Math.max(LEAST_ROW, Math.min(MOST_ROW, Math.floor(IDEAL / Math.max(1, rows.length))));
  const tall = Math.min(fit, Math.max(3, MOST_PIXELS / Math.max(1, rows.length)));
  const gap = tall >= 10 ? 3 : 2;
  let top = 0;
  return rows.map((row, at) => {
    if (at > 0 && row.line !== rows[at - 1].line) top += gap;
    const band = { from: top, to: top + tall };
    top += tall;
    return band;
  });
};

const cut = (text) => (text.length <= MOST_LETTERS ? text : `${text.slice(0, MOST_LETTERS - 1)}…`);

// The page's colours and letters, for canvases.
export const lookOf = (element) => {
  const style = getComputedStyle(element);
  const colour = (name) => style.getPropertyValue(`--${name}`).trim() || "#808080";
  return {
    ink: colour("ink"), faint: colour("faint"), line: colour("line"), chip: colour("chip"), note: colour("note"),
    font: style.fontFamily, dark: document.body.classList.contains("dark"),
  };
};

// Call `changed` whenever an element is of another width, or the page of another scheme, until `signal` aborts.
export const watchLook = (element, changed, signal) => {
  let width = 0;
  const size = new ResizeObserver(() => {
    if (element.clientWidth === width) return;
    width = element.clientWidth;
    changed();
  });
  const scheme = new MutationObserver(changed);
  size.observe(element);
  scheme.observe(document.body, { attributes: true, attributeFilter: ["class"] });
  signal.addEventListener("abort", () => {
    size.disconnect();
    scheme.disconnect();
  });
};
