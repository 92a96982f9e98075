// How maps are shown: a few switches, one choice for all maps of the page, kept for the next song.
import { make } from "./elements.js";

const KEPT_AS = "choirmaster-attention";
const CHANGED = new EventTarget();

export const HINTS = {
  attention: "For every moment of the song, how the attention of the model was spread over the words. A song that follows its words looks like a stair from the top left to the bottom right.",
  sinks: "A sink soaks up attention without being sung: section tags such as [verse] and other marks, and a word that alone takes more than half of the attention on words. Hidden, they count as left out.",
  renormalise: "Each moment's attention on the words that are shown is made to sum to one, so that moments can be compared. What is left out is told beside it.",
  logarithmic: "Every step of the colours is a multiple, not a sum, so that weak attention is seen too; less than a thousandth of the top is black.",
  shared: "One scale of colours for all heads and steps, so that pictures can be compared. Off, every picture uses all colours.",
  discarded: "Share of all attention that this picture leaves out: on the style, the voice and hidden tokens.",
  step: "How often the noise had been refined into a song when this was seen. Attention at the first steps lays out the song.",
  heads: "Every layer of the model has several heads, and each looks for something else. Few of them follow the words.",
  colours: "What a colour stands for: the share of a moment's attention that a word got.",
  difference: "Attention in the first song minus that in the second, moment by moment. Red: the first looked more at that word; blue: the second.",
};

// The mark that explains a thing; `hints.js` shows its sentence.
export const hintMark = (term) => {
  const mark = make("span", { class: "hint", tabindex: "0", role: "note", "aria-label": HINTS[term], "data-hint": HINTS[term] });
  mark.textContent = "?";
  return mark;
};

const SWITCHES = [
  ["sinks", "Hide sink tokens"],
  ["renormalise", "Renormalise to the lyrics"],
  ["logarithmic", "Logarithmic colours"],
  ["shared", "One colour scale for all"],
];

const read = () => {
  try {
    return JSON.parse(window.localStorage.getItem(KEPT_AS)) || {};
  } catch {
    return {}; // a private window keeps nothing
  }
};

const current = { sinks: true, renormalise: true, logarithmic: false, shared: true };
for (const [name] of SWITCHES) {
  const kept = read()[name];
  if (typeof kept === "boolean") current[name] = kept;
}

export const settings = () => ({ ...current });

export const change = (name, value) => {
  if (current[name] === value) return;
  current[name] = value;
  try {
    window.localStorage.setItem(KEPT_AS, JSON.stringify(current));
  } catch {
    // It holds for this page alone.
  }
  CHANGED.dispatchEvent(new Event("change"));
};

// Call `heard` with every change, until `signal` aborts.
export const listen = (heard, signal) => CHANGED.addEventListener("change", heard, { signal });

// The switches; those named in `without` are left out.
export const makeSwitches = (signal, without = []) => {
  const group = make("div", { class: "am-switches", role: "group", "aria-label": "How attention is shown" });
  for (const [name, text] of SWITCHES.filter(([name]) => !without.includes(name))) {
    const label = make("label");
    const box = make("input", { type: "checkbox", name });
    box.checked = current[name];
    box.addEventListener("change", () => change(name, box.checked));
    listen(() => (box.checked = current[name]), signal);
    label.append(box, text);
    const both = make("span", { class: "am-switch" });
    both.append(label, hintMark(name));
    group.append(both);
  }
  return group;
};
