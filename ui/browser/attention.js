// <attention-map data-song="ID" data-live="1" data-audio="#player audio">: the attention of one song, while it is sung
// and after. `data-src` instead of a song: any address of the same JSON.
import "./attention-compare.js";
import { oneSided } from "./attention-colours.js";
import { largest, mean, nameChoice } from "./attention-data.js";
import { drawBar, percent } from "./attention-draw.js";
import { AttentionElement } from "./attention-element.js";
import { addressOf, askAligned, askSong, follow, keptMaps, loadMaps, sentence } from "./attention-follow.js";
import { Heads } from "./attention-heads.js";
import { lookOf } from "./attention-picture.js";
import { hintMark, makeSwitches, settings } from "./attention-settings.js";
import { fillTable, summarise } from "./attention-words.js";
import { make } from "./elements.js";

class AttentionMap extends AttentionElement {
  static observedAttributes = ["data-song", "data-src", "data-live"];
  choice = "aligned";

  disconnectedCallback() {
    super.disconnectedCallback();
    this.heads.close();
  }

  get pictures() {
    return this.picture ? [this.picture] : [];
  }

  attributeChangedCallback(name, before, after) {
    if (!this.isConnected || !this.picture || before === after) return;
    // A song that is followed to its end needs not be told that it is done.
    if (name === "data-live" && after !== "1" && (this.maps || !this.over) && this.dataset.song === this.begunFor) return;
    queueMicrotask(() => this.isConnected && this.begin());
  }

  // What is drawn: [bins, rows] of the large map, what it leaves out, and the words of its rows.
  values() {
    if (!this.reduced) return null;
    const { values, discarded, bins, rows } = this.reduced;
    return { data: values, shape: [bins, rows], discarded, words: this.rows.map((row) => row.text), step: this.step };
  }

  // The pixels of the large map without its labels.
  pixels() {
    return this.readPixels(this.picture);
  }

  build(signal) {
    this.picture?.close();
    this.heads?.close();
    this.picture = this.newPicture();
    this.heads = new Heads((choice) => this.#choose(this.choice === choice ? "aligned" : choice));
    const title = make("h3");
    this.which = make("small");
    title.append("Attention", hintMark("attention"), this.which);
    this.said = make("p", { class: "am-said", role: "status" });
    this.left = make("p", { class: "am-left" });
    this.choices = make("select");
    this.choices.addEventListener("change", () => this.#choose(this.choices.value));
    const chosen = make("label", { class: "am-choice" });
    chosen.append("Shown ", this.choices);
    const choosing = make("span", { class: "am-switch" });
    choosing.append(chosen, hintMark("heads"));
    this.buildSteps((place) => this.#goTo(this.maps.steps[place]));
    this.bar = make("canvas", { class: "am-bar", role: "img" });
    const bar = make("div", { class: "am-colours" });
    bar.append(this.bar, hintMark("colours"));
    this.table = make("details", { class: "am-words" });
    this.table.append(make("summary", {}, "When each word was looked at most"), make("div"));
    this.table.addEventListener("toggle", () => this.#fillTable());
    this.body = make("div", { class: "am-body" });
    this.body.append(makeSwitches(signal), choosing, this.left, this.picture.element, bar, this.steps, this.heads.element, this.table);
    this.body.hidden = true;
    this.replaceChildren(title, this.said, this.body);
  }

  async fill(signal) {
    const { song, src, live } = this.dataset;
    Object.assign(this, { maps: null, reduced: null, step: 0, over: false, following: true, begunFor: song });
    this.body.hidden = true;
    this.which.textContent = "";
    if (!song && !src) return this.#say("");
    const known = keptMaps(addressOf(this.dataset));
    if (known) return this.#open(known);
    if (live === "1" && song) return this.#follow(song, signal);
    this.#say("Fetching the attention maps …");
    return this.#load(signal);
  }

  async #load(signal) {
    try {
      if (this.dataset.song && !this.dataset.src) {
        const { state, keeps } = await askSong(this.dataset.song, signal);
        if (keeps === "none") return this.#say("This song keeps no attention maps: it was asked for without them.");
        if (state === "failed" || state === "cancelled") return this.#say(`The song was ${state === "failed" ? "not sung to its end" : "cancelled"} and kept no maps.`);
        if (state !== "done") return this.#follow(this.dataset.song, signal);
      }
      this.#open(await loadMaps(addressOf(this.dataset), signal));
    } catch (error) {
      if (!signal.aborted) this.#say(sentence(error.message), true);
    }
  }

  #open(maps) {
    this.#say("");
    const step = this.step;
    Object.assign(this, { maps, over: true });
    this.step = maps.frames.has(step) && !this.following ? step : maps.steps.at(-1);
    if (maps.steps.length === 1) this.#say(`Only the map of step ${this.step} was kept, the last one.`);
    this.draw();
  }

  async #follow(song, signal) {
    this.#say("Waiting for the song to begin …");
    let keeps = "all";
    try {
      [{ keeps }, this.aligned] = await Promise.all([askSong(song, signal), askAligned(signal)]);
    } catch {
      if (signal.aborted) return;
    }
    if (keeps === "none") return this.#say("This song keeps no attention maps: it was asked for without them.");
    const told = {
      begun: (maps) => {
        maps.align(this.aligned || []);
        this.#say(keeps === "last" ? "Only the last step is watched: its map comes with it." : "Waiting for the first step …");
        if (!maps.words.length) this.#say("This song has no words that attention could be on.");
        this.maps = maps;
      },
      stepped: (step, steps, hasMap) => {
        this.which.textContent = `step ${step} of ${steps}`;
        if (!hasMap || !this.maps.words.length) return;
        if (keeps !== "last") this.#say(this.maps.limit ? `${sentence(this.maps.limit)} All that is kept is there once it is sung.` : "");
        if (this.following) this.step = step;
        this.draw();
      },
      decoding: () => this.#say("All steps are done; the sound is being made …"),
      ended: (kind, error) => this.#end(kind, error, signal),
    };
    follow(song, told, signal);
  }

  #end(kind, error, signal) {
    this.over = true;
    if (kind === "done") return this.#load(signal);
    const seen = this.maps?.frames.size ? " What was seen of it until then is below." : "";
    if (kind === "cancelled") this.#say(`The song was cancelled.${seen}`);
    else if (kind === "failed") this.#say(`The song failed. ${error ? sentence(error) : ""}${seen}`, true);
    else this.#say(`The server knows this song no more.${seen}`, true);
    this.draw();
    return undefined;
  }

  // Not written anew where it is the same, for then it would be read out at every step.
  #say(text, alarming = false) {
    if (this.said.textContent !== text) this.said.textContent = text;
    this.said.setAttribute("role", alarming ? "alert" : "status");
  }

  #choose(choice) {
    this.choice = choice;
    this.draw();
  }

  #goTo(step) {
    this.step = step;
    this.following = step === this.maps.steps.at(-1);
    this.draw();
  }

  paint() {
    if (!this.maps?.frames.size || !this.maps.words.length) return;
    const { maps, choice } = this;
    if (!maps.frames.has(this.step)) this.step = maps.steps.at(-1);
    this.body.hidden = false;
    const { sinks, renormalise, logarithmic, shared } = settings();
    const { rows, hidden } = maps.shown(choice, sinks);
    const heads = maps.chosen(choice);
    const reduced = maps.reduce(this.step, heads, rows, renormalise);
    Object.assign(this, { reduced, rows, hidden });
    const top = shared ? maps.peak(rows, renormalise) : 0;
    const coloursFor = (values) => oneSided(shared ? top : largest(values), logarithmic);
    const colours = coloursFor(reduced.values);
    const left = mean(reduced.discarded);
    const name = nameChoice(maps, choice);
    this.which.textContent = `step ${this.step} of ${maps.total}, ${name}`;
    const label = summarise({ name, step: this.step, total: maps.total, rows, left, renormalise, reduced, edges: maps.edges });
    this.picture.show({ ...reduced, rows, edges: maps.edges, colours, label, write: percent });
    const told = hidden.length ? `, and the sink ${hidden.map((text) => `“${text}”`).join(", ")}` : "";
    const number = make("b", {}, percent(left));
    this.left.replaceChildren("Left out: ", number, " of all attention", hintMark("discarded"), told);
    this.#offer();
    const width = Math.min(420, this.picture.width - 30);
    drawBar(this.bar, { width: Math.max(120, width), colours, look: lookOf(this), write: percent });
    this.bar.setAttribute("aria-label", `Colours from ${colours.logarithmic ? "a thousandth of the top" : "0 %"} to ${percent(colours.most)}${renormalise ? " of the attention on the words shown" : " of all attention"}`);
    this.heads.show({ maps, step: this.step, rows, renormalise, choice, coloursFor });
    this.#fillTable();
    this.dispatchEvent(new CustomEvent("attention-drawn", { detail: { step: this.step } }));
  }

  #offer() {
    const { maps } = this;
    const names = [...(maps.aligned.length ? ["aligned"] : []), ...(maps.aligned.length < maps.heads.length ? ["all"] : []), ...maps.heads.map(String)];
    if ([...this.choices.options].map((option) => option.value).join(" ") !== names.join(" ")) {
      this.choices.replaceChildren(...names.map((name) => new Option(nameChoice(maps, name), name)));
    }
    this.choices.value = names.includes(this.choice) ? this.choice : names[0];
    const { steps } = maps;
    this.steps.hidden = !this.over || steps.length < 2;
    this.showStep(this.step, steps, maps.total);
  }

  #fillTable() {
    if (this.table.open && this.reduced) fillTable(this.table.lastChild, this.reduced, this.rows, this.maps.edges);
  }
}

customElements.define("attention-map", AttentionMap);
