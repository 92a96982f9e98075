// Deleting songs and bringing them back: a bar for each deletion, with a button that undoes it for as long as the server
// keeps the songs. Bars survive a reload of the page.

import { make } from "./elements.js";
import { ask } from "./requests.js";
import { session } from "./storage.js";

const KEPT = "choirmaster-deleted";
const AT_ONCE = 4;

// The answer to a request, as { ok, status, told }; status 0 where there was none.
const call = async (method, address) => {
  const { ok, status, data } = await ask(method, address);
  return { ok, status, told: status ? data : { detail: "the server does not answer: try again in a moment" } };
};

// Call `work` for every one, some at a time; what it gave, in order.
const forAll = async (all, work) => {
  const [found, left] = [[], [...all.entries()]];
  const next = async () => {
    while (left.length) {
      const [at, one] = left.shift();
      found[at] = await work(one);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, next));
  return found;
};

const name = (songs) => (songs.length === 1 ? `“${songs[0].title}”` : `${songs.length} songs`);

export class Bars {
  constructor(page) {
    this.page = page;
    this.place = page.querySelector(".bars");
    this.timers = new Set();
    for (const { songs, until } of this.stored()) this.offer(songs, until);
  }

  close() {
    this.timers.forEach(clearTimeout);
  }

  // Delete what some entries show, or cancel it where it is not sung yet.
  async remove(entries) {
    const songs = entries.map((entry) => ({ id: entry.dataset.key, title: entry.dataset.title }));
    entries.forEach((entry) => this.lock(entry, true));
    this.complain([]);
    const busy = songs.length > 1 ? this.show(`Deleting ${name(songs)}…`) : null;
    const answers = await forAll(songs, ({ id }) => call("DELETE", `/v1/songs/${id}`));
    busy?.remove();
    const [deleted, faults, other] = [[], [], []];
    let seconds = Infinity;
    answers.forEach(({ ok, status, told }, at) => {
      if (!ok && status !== 404) {
        faults.push(`“${songs[at].title}” is still there: ${told.detail || `the server answered ${status}`}`);
        this.lock(entries[at], false);
        return;
      }
      entries[at].querySelector("audio")?.pause();
      entries[at].remove();
      if (told.kept_for > 0) {
        deleted.push(songs[at]);
        seconds = Math.min(seconds, told.kept_for);
      } else if (told.state === "cancelled" || told.state === "cancelling") {
        other.push(`Cancelled “${songs[at].title}”.`);
      } else if (told.state === "deleted" || status === 404) {
        other.push(`“${songs[at].title}” is gone for good.`);
      }
    });
    if (other.length) this.dismissable(this.show(other.join(" ")));
    const bar = deleted.length ? this.offer(deleted, Date.now() + 1000 * seconds) : null;
    this.complain(faults);
    (bar?.querySelector(".undo") || this.page.querySelector(".count")).focus();
    this.page.ask();
  }

  // A bar that brings songs back.
  offer(songs, until) {
    const bar = this.show(`Deleted ${name(songs)}.`);
    bar.songs = songs;
    bar.until = until;
    const undo = this.button("Undo", `Undo: bring back ${name(songs)}`, "undo primary");
    bar.append(undo);
    undo.addEventListener("click", () => this.undo(bar));
    this.dismissable(bar);
    const timer = setTimeout(() => this.drop(bar), Math.max(0, until - Date.now()));
    this.timers.add(timer);
    this.store();
    return bar;
  }

  async undo(bar) {
    const songs = bar.songs;
    for (const button of bar.querySelectorAll("button")) button.disabled = true;
    const answers = await forAll(songs, ({ id }) => call("POST", `/v1/songs/${id}/restore`));
    const [faults, left] = [[], []];
    answers.forEach(({ ok, status, told }, at) => {
      if (ok) return;
      if (status !== 404) left.push(songs[at]);
      faults.push(`“${songs[at].title}” was not brought back: ${told.detail || `the server answered ${status}`}`);
    });
    const back = songs.find((_, at) => answers[at].ok);
    const until = bar.until;
    this.drop(bar);
    if (left.length) this.offer(left, until);
    this.complain(faults);
    this.page.after.push(() => {
      const link = back && this.page.querySelector(`.list [data-key="${back.id}"] h3 a`);
      (link || this.page.querySelector(".count")).focus();
    });
    this.page.ask();
  }

  show(text) {
    const bar = make("div", { class: "undo-bar" }, make("span", {}, text));
    this.place.prepend(bar);
    return bar;
  }

  dismissable(bar) {
    const close = this.button("×", `Hide: ${bar.firstChild.textContent}`, "dismiss");
    close.addEventListener("click", () => {
      this.drop(bar);
      (this.place.querySelector("button") || this.page.querySelector(".count")).focus();
    });
    bar.append(close);
  }

  button(text, label, kind) {
    return make("button", { type: "button", class: `button ${kind}`, "aria-label": label }, text);
  }

  drop(bar) {
    const focused = bar.contains(document.activeElement);
    bar.remove();
    if (focused) this.page.querySelector(".count").focus();
    this.store();
  }

  lock(entry, busy) {
    for (const button of entry.querySelectorAll("button.remove, .pick input")) button.disabled = busy;
  }

  complain(faults) {
    this.page.querySelector(".told").replaceChildren(...faults.map((fault) => make("span", { class: "fault" }, fault)));
  }

  store() {
    const bars = [...this.place.children].filter((bar) => bar.songs).reverse();
    session.set(KEPT, JSON.stringify(bars.map(({ songs, until }) => ({ songs, until }))));
  }

  stored() {
    try {
      return JSON.parse(session.get(KEPT) || "[]").filter(({ until }) => until > Date.now());
    } catch {
      return [];
    }
  }
}
