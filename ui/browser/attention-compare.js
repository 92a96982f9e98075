// <attention-compare data-songs='[{"song": ID, "title": "..."}, {"src": URL, "title": "..."}]' data-audio="#a audio">: maps
// side by side on one scale of colours, and the difference of two of them.
import { oneSided, twoSided } from "./attention-colours.js";
import { largest, mean, nameChoice, whyApart } from "./attention-data.js";
import { drawBar, percent } from "./attention-draw.js";
import { AttentionElement } from "./attention-element.js";
import { addressOf, askSong, loadMaps, sentence } from "./attention-follow.js";
import { lookOf } from "./attention-picture.js";
import { hintMark, makeSwitches, settings } from "./attention-settings.js";
import { summarise } from "./attention-words.js";
import { make } from "./elements.js";

const LOOK_EVERY = 1500; // milliseconds between two looks at a song that is not done
const signed = (value) => percent(value, true);

class AttentionCompare extends AttentionElement {
  static observedAttributes = ["data-songs"];
  panels = [];

  attributeChangedCallback(name, before, after) {
    if (this.isConnected && this.body && before !== after) queueMicrotask(() => this.isConnected && this.begin());
  }

  // What is drawn of one song, [bins, rows].
  values(at) {
    const panel = this.panels[at];
    return panel?.reduced ? { data: panel.reduced.values, shape: [panel.reduced.bins, panel.reduced.rows], discarded: panel.reduced.discarded, step: panel.step } : null;
  }

  // What is drawn of the difference, [bins, rows]; null where there is none.
  difference() {
    return this.apart ? { data: this.apart.values, shape: [this.apart.bins, this.apart.rows] } : null;
  }

  // Pixels of one song's map, or of the difference, without labels.
  pixels(at = -1) {
    return this.readPixels(at < 0 ? this.between : this.panels[at].picture);
  }

  get pictures() {
    return [...this.panels.map(({ picture }) => picture), ...(this.between ? [this.between] : [])];
  }

  #select(changed) {
    const select = make("select");
    select.addEventListener("change", changed);
    return select;
  }

  #labelled(text, control, term) {
    const label = make("label");
    label.append(text, control);
    const both = make("span", { class: "am-switch" });
    both.append(label, ...(term ? [hintMark(term)] : []));
    return both;
  }

  #bar(term) {
    const bar = make("div", { class: "am-colours" });
    bar.append(make("canvas", { class: "am-bar", role: "img" }), hintMark(term));
    return bar;
  }

  build(signal) {
    this.between?.close();
    const title = make("h3");
    title.append("Attention side by side", hintMark("attention"));
    this.said = make("p", { class: "am-said", role: "status" });
    this.body = make("div", { class: "am-body" });
    this.choices = this.#select(() => this.draw());
    this.buildSteps((place) => {
      this.wanted = this.allSteps[place];
      this.draw();
    });
    this.bar = this.#bar("colours");
    this.grid = make("div", { class: "am-panels" });
    this.pair = [this.#select(() => this.draw()), this.#select(() => this.draw())];
    this.between = this.newPicture();
    this.betweenBar = this.#bar("difference");
    this.betweenSaid = make("p", { class: "am-left" });
    this.apartPart = make("section", { class: "am-apart", "aria-label": "Difference of two songs" });
    const apartTitle = make("h4", {}, "Difference");
    const pairing = make("div", { class: "am-pair" });
    pairing.append(this.#labelled("First ", this.pair[0]), this.#labelled("minus ", this.pair[1], "difference"));
    this.apartPart.append(apartTitle, pairing, this.betweenSaid, this.between.element, this.betweenBar);
    this.body.append(makeSwitches(signal, ["shared"]), this.#labelled("Shown ", this.choices, "heads"), this.steps, this.grid, this.bar, this.apartPart);
    this.replaceChildren(title, this.said, this.body);
  }

  fill(signal) {
    this.panels.forEach(({ picture }) => picture.close());
    this.wanted = null;
    this.panels = this.#songs().map((song, at) => {
      const title = song.title || `Song ${at + 1}`;
      const panel = { song, title, maps: null, picture: this.newPicture(), element: make("section", { class: "am-panel", "aria-label": title }) };
      panel.name = make("h4", {}, title);
      panel.said = make("p", { class: "am-said", role: "status" });
      panel.left = make("p", { class: "am-left" });
      panel.said.textContent = "Fetching the attention maps …";
      panel.element.append(panel.name, panel.said, panel.left, panel.picture.element);
      this.#load(panel, signal);
      return panel;
    });
    this.grid.replaceChildren(...this.panels.map(({ element }) => element));
    for (const [place, select] of this.pair.entries()) {
      select.replaceChildren(...this.panels.map(({ title }, at) => new Option(title, String(at))));
      select.value = String(Math.min(place, this.panels.length - 1));
    }
    this.draw();
  }

  #songs() {
    try {
      const found = JSON.parse(this.dataset.songs || "[]");
      return Array.isArray(found) ? found.filter((song) => song && (song.song || song.src)) : [];
    } catch {
      return [];
    }
  }

  async #load(panel, signal) {
    try {
      panel.maps = await this.#fetch(panel, signal);
      panel.said.textContent = panel.maps ? "" : panel.said.textContent;
    } catch (error) {
      if (signal.aborted) return;
      panel.said.textContent = sentence(error.message);
    }
    if (!signal.aborted) this.draw();
  }

  async #fetch(panel, signal) {
    const { song, src } = panel.song;
    while (!src) {
      const { state, keeps } = await askSong(song, signal);
      if (keeps === "none") panel.said.textContent = "This song keeps no attention maps: it was asked for without them.";
      else if (state === "failed" || state === "cancelled") panel.said.textContent = `The song ${state === "failed" ? "failed" : "was cancelled"} and kept no maps.`;
      else if (state !== "done") panel.said.textContent = "Not sung yet: its map comes with the song.";
      if (keeps === "none" || state === "failed" || state === "cancelled") return null;
      if (state === "done") break;
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY));
      if (signal.aborted) return null;
    }
    return loadMaps(addressOf(panel.song), signal);
  }

  paint() {
    const there = this.panels.filter(({ maps }) => maps);
    for (const part of [this.bar, this.apartPart, this.steps, this.choices.closest(".am-switch")]) part.hidden = there.length === 0;
    if (!there.length) return;
    const { sinks, renormalise, logarithmic } = settings();
    this.#offer(there);
    const choice = this.choices.value;
    this.#shareRows(there, choice, sinks);
    const top = Math.max(0, ...there.map(({ maps, rows }) => maps.peak(rows, renormalise, maps.chosen(choice))));
    const colours = oneSided(top, logarithmic);
    for (const panel of there) this.#paintPanel(panel, choice, colours, renormalise);
    this.#paintBar(this.bar, colours, percent, `Colours from ${logarithmic ? "a thousandth of the top" : "0 %"} to ${percent(colours.most)}, the same for all songs`);
    this.#paintDifference(choice);
    this.dispatchEvent(new CustomEvent("attention-drawn", { detail: { step: this.wanted } }));
  }

  // A word that is a sink in one song is left out of all that have the same words.
  #shareRows(there, choice, sinks) {
    const hidden = new Map();
    for (const panel of there) {
      panel.rows = panel.maps.shown(choice, sinks).rows;
      const words = String(panel.maps.words);
      const gone = panel.maps.rows.filter((row) => sinks && row.word >= 0 && !panel.rows.includes(row));
      hidden.set(words, [...(hidden.get(words) || []), ...gone.map((row) => row.word)]);
    }
    for (const panel of there) panel.rows = panel.rows.filter((row) => row.word < 0 || !hidden.get(String(panel.maps.words)).includes(row.word));
  }

  #paintPanel(panel, choice, colours, renormalise) {
    const { maps, rows, picture } = panel;
    panel.step = maps.steps.filter((step) => step <= this.wanted).at(-1) ?? maps.steps[0];
    panel.reduced = maps.reduce(panel.step, maps.chosen(choice), rows, renormalise);
    const left = mean(panel.reduced.discarded);
    const name = nameChoice(maps, choice);
    const label = `${panel.title}. ${summarise({ name, step: panel.step, total: maps.total, rows, left, renormalise, reduced: panel.reduced, edges: maps.edges })}`;
    panel.left.replaceChildren("Left out: ", make("b", {}, percent(left)), hintMark("discarded"), panel.step === this.wanted ? "" : ` · step ${panel.step}`);
    picture.show({ ...panel.reduced, rows, edges: maps.edges, colours, label, write: percent });
  }

  #paintBar(bar, colours, write, label) {
    const [canvas] = bar.children;
    drawBar(canvas, { width: Math.max(120, Math.min(420, this.clientWidth - 30)), colours, look: lookOf(this), write });
    canvas.setAttribute("aria-label", label);
  }

  #paintDifference(choice) {
    const [first, second] = this.pair.map((select) => this.panels[Number(select.value)]);
    this.apart = null;
    const why = this.#whyNot(first, second);
    for (const part of [this.between.element, this.betweenBar]) part.hidden = Boolean(why);
    this.apartPart.hidden = this.panels.length < 2;
    if (why || this.apartPart.hidden) {
      this.betweenSaid.textContent = why;
      return;
    }
    const values = first.reduced.values.map((value, at) => value - second.reduced.values[at]);
    this.apart = { ...first.reduced, values };
    const most = Math.max(largest(values), largest(values.map((value) => -value)));
    const colours = twoSided(most, lookOf(this).dark);
    const name = nameChoice(first.maps, choice);
    const label = `${first.title} minus ${second.title}, ${name}, step ${first.step}: at most ${percent(most)} apart. Arrow keys move through time and words.`;
    this.betweenSaid.textContent = `${first.title} minus ${second.title}, step ${first.step}. Red: ${first.title} looked more; blue: ${second.title} did. They are at most ${percent(most)} apart.`;
    this.between.show({ ...this.apart, rows: first.rows, edges: first.maps.edges, discarded: null, colours, label, write: signed });
    this.#paintBar(this.betweenBar, colours, signed, `Colours from ${signed(-most)}, blue, over zero to ${signed(most)}, red`);
  }

  #whyNot(first, second) {
    if (!first || !second) return "";
    if (first === second) return "Choose two different songs.";
    const missing = [first, second].find(({ maps }) => !maps);
    if (missing) return `${missing.title} has no map to take a difference of.`;
    const why = whyApart(first.maps, second.maps);
    if (why) return `${first.title} and ${second.title} cannot be subtracted: ${why}.`;
    if (first.step !== second.step) return `${first.title} and ${second.title} kept no map of the same step here: choose another step.`;
    return "";
  }

  #offer(there) {
    const [{ maps }] = there;
    const names = [...(maps.aligned.length ? ["aligned"] : []), "all", ...maps.heads.map(String)].filter((name) => there.every((panel) => panel.maps.has(name)));
    const before = this.choices.value;
    this.choices.replaceChildren(...names.map((name) => new Option(nameChoice(maps, name), name)));
    this.choices.value = names.includes(before) ? before : names[0];
    this.allSteps = [...new Set(there.flatMap((panel) => panel.maps.steps))].sort((one, other) => one - other);
    if (!this.allSteps.includes(this.wanted)) this.wanted = this.allSteps.at(-1);
    this.steps.hidden = this.allSteps.length < 2;
    this.showStep(this.wanted, this.allSteps, Math.max(...there.map((panel) => panel.maps.total)));
  }
}

customElements.define("attention-compare", AttentionCompare);
