// A list of entries with keys, made to agree with fresh ones. What is the same stays the same element: a player in it
// goes on, and so do focus and what is ticked.

const isPlaying = (entry) => [...entry.querySelectorAll("audio")].some((audio) => !audio.paused && !audio.ended);
const FOCUSABLE = "a[href], button, summary, input, audio";

// What the moments are by the clock of this browser; their text is UTC, as all over the page.
const tellTimes = (entry) => {
  for (const time of entry.querySelectorAll("time")) {
    const at = new Date(time.dateTime);
    if (!Number.isNaN(at.getTime())) time.title = at.toString();
  }
};

// Take over from a fresh entry what has changed, but the player and the tick.
const refresh = (entry, fresh) => {
  if (entry.dataset.stamp === fresh.dataset.stamp) return;
  const focus = [...entry.querySelectorAll(FOCUSABLE)].indexOf(document.activeElement);
  const opened = entry.querySelector("details[open]") !== null;
  const sound = (one) => one.querySelector("audio")?.getAttribute("src");
  for (const part of fresh.children) {
    const old = entry.querySelector(`:scope > .${part.classList[0]}`);
    if (part.matches(".sound") && sound(entry) === sound(fresh)) continue;
    if (part.matches(".pick") && (old.firstChild === null) === (part.firstChild === null)) continue;
    old.innerHTML = part.innerHTML;
  }
  Object.assign(entry.dataset, fresh.dataset);
  entry.className = fresh.className;
  tellTimes(entry);
  if (opened) entry.querySelector("details")?.setAttribute("open", "");
  if (focus >= 0) entry.querySelectorAll(FOCUSABLE)[focus]?.focus();
};

// `mild`: nobody asked for other songs, so that one that plays stays even where it is no more of this page.
export const patch = (list, fresh, mild) => {
  const there = new Map([...list.children].map((entry) => [entry.dataset.key, entry]));
  const wanted = new Set(fresh.map((entry) => entry.dataset.key));
  for (const [key, entry] of there) if (!wanted.has(key) && !(mild && isPlaying(entry))) entry.remove();
  let at = list.firstElementChild;
  for (const one of fresh) {
    const entry = there.get(one.dataset.key);
    if (entry === undefined) {
      tellTimes(one);
      list.insertBefore(one, at);
      continue;
    }
    refresh(entry, one);
    if (entry === at) at = at.nextElementSibling;
    else list.insertBefore(entry, at);
  }
};
