// The player that belongs to a map: found by a CSS selector whenever it is needed, since it may come later or be another.
const calm = window.matchMedia("(prefers-reduced-motion: reduce)");
const HEARD = ["play", "playing", "seeking", "seeked", "timeupdate", "pause", "ended", "emptied"];

export class Sound {
  // `moved()`: called whenever the playhead is somewhere else, until `signal` aborts.
  constructor(selector, moved, signal) {
    Object.assign(this, { selector, moved, signal, latest: null, running: false });
    for (const name of HEARD) {
      document.addEventListener(name, (event) => this.#hear(event), { capture: true, signal });
    }
  }

  get element() {
    if (this.latest && this.latest.isConnected && this.#isOurs(this.latest)) return this.latest;
    return this.selector() ? find(this.selector()) : null;
  }

  // The second that is heard, or null.
  now() {
    const { element } = this;
    return element ? element.currentTime : null;
  }

  seek(time) {
    const { element } = this;
    if (!element) return;
    element.currentTime = Math.max(0, time);
    this.moved();
  }

  #isOurs(element) {
    try {
      return Boolean(this.selector()) && element.matches(this.selector());
    } catch {
      return false; // no selector at all
    }
  }

  #hear(event) {
    if (!(event.target instanceof HTMLMediaElement) || !this.#isOurs(event.target)) return;
    this.latest = event.target;
    this.moved();
    if (!calm.matches && !this.running && !event.target.paused) this.#run();
  }

  #run() {
    this.running = true;
    requestAnimationFrame(() => {
      this.running = false;
      const { element } = this;
      if (this.signal.aborted || !element) return;
      this.moved();
      if (!element.paused) this.#run();
    });
  }
}

const find = (selector) => {
  try {
    return document.querySelector(selector);
  } catch {
    return null;
  }
};
