// Players beside each other: one at a time, equally loud, and from one to the next at the same moment.

const players = () => [...document.querySelectorAll("#compared .compared-card audio")];
const levelOf = (audio) => {
  const level = audio.closest(".compared-card").querySelector("song-level");
  return level ? Number(level.dataset.volume) : 1;
};

// How loud all of them are, as set with any of the players; a song's own level comes on top of that.
let master = 1;
let setting = false;
const setVolumes = () => {
  setting = true;
  for (const audio of players()) audio.volume = Math.max(0, Math.min(1, master * levelOf(audio)));
  setting = false;
};
customElements.define(
  "song-level",
  class extends HTMLElement {
    connectedCallback() {
      setVolumes();
    }
  },
);

// The player that plays, or played last.
let current = null;
const compared = (event) => event.target.closest && event.target.closest("#compared .compared-card");

const mark = () => {
  for (const card of document.querySelectorAll("#compared .compared-card")) {
    const audio = card.querySelector("audio");
    card.classList.toggle("playing", audio !== null && audio === current && !audio.paused);
  }
};
document.addEventListener(
  "play",
  (event) => {
    if (!compared(event)) return;
    current = event.target;
    setVolumes();
    mark();
  },
  true,
);
for (const name of ["pause", "ended"]) document.addEventListener(name, (event) => compared(event) && mark(), true);
document.addEventListener("loadedmetadata", (event) => compared(event) && setVolumes(), true);
document.addEventListener(
  "volumechange",
  (event) => {
    const audio = event.target;
    if (setting || !compared(event) || Math.abs(audio.volume - Math.min(1, master * levelOf(audio))) < 0.005) return;
    master = Math.min(1, audio.volume / levelOf(audio));
    setVolumes();
  },
  true,
);

// Play another song from the moment at which the one before is.
const switchTo = (audio) => {
  const before = current && current.isConnected ? current : null;
  if (before && before !== audio) {
    const at = before.ended ? 0 : before.currentTime;
    before.pause();
    audio.currentTime = Number.isFinite(audio.duration) ? Math.min(at, audio.duration) : at;
  }
  current = audio;
  audio.play().catch(() => {}); // a song that cannot be played says so itself
};

document.addEventListener("click", (event) => {
  const within = (selector) => event.target.closest && event.target.closest(selector);
  const button = within("#compared [data-switch]");
  if (button) switchTo(button.closest(".compared-card").querySelector("audio"));
  const act = within("#compared [data-compare]");
  if (!act || act.disabled) return;
  act.disabled = true; // until the answer is there
  act.setAttribute("aria-busy", "true");
  window.choirmaster.tell("compare-act", { ...act.dataset });
});
window.choirmaster.compareAnswered = () => {
  for (const act of document.querySelectorAll("#compared [data-compare][aria-busy]")) {
    act.disabled = false;
    act.removeAttribute("aria-busy");
  }
};

// Keys 1 to 8 while the focus is among the songs, or was there before what had it was replaced.
let lastWithin = false;
document.addEventListener("focusin", (event) => {
  lastWithin = Boolean(event.target.closest && event.target.closest("#compared"));
});
document.addEventListener("pointerdown", (event) => {
  lastWithin = Boolean(event.target.closest && event.target.closest("#compared"));
});
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || !/^[1-8]$/.test(event.key)) return;
  const target = event.target;
  const inside = target.closest && target.closest("#compared");
  if (!inside && !(target === document.body && lastWithin)) return;
  if (target.matches("input:not([type=checkbox], [type=radio]), textarea, select")) return;
  const audio = players()[Number(event.key) - 1];
  if (!audio) return;
  event.preventDefault();
  switchTo(audio);
});

// The comparison of the address; a new one is brought into sight.
window.choirmaster.rememberComparison = (id, mode) => {
  const known = new URL(window.location.href).searchParams.get("comparison");
  if (id && known !== id) document.getElementById("compared").scrollIntoView();
  window.choirmaster.remember({ comparison: id, blind: id && mode === "blind" ? "1" : "" });
};

// After somebody pressed Sing all: to the first field that is wrong, if there is one.
window.choirmaster.compareFault = () =>
  requestAnimationFrame(() => {
    const fault = document.querySelector("#compare-form .fault");
    const input = fault && document.querySelector(`#${fault.closest("[data-for]").dataset.for} :is(input, textarea)`);
    if (input) input.focus();
  });
