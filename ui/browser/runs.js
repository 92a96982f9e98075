// `<run-progress data-address data-kind>`: a bar that follows a run of the server by itself, and tells the list that it
// stands in when the run has ended ("run-ended"), so that only then the list is drawn anew.
import { ask } from "./requests.js";
import "./sing-again.js";

const LOOK_EVERY = 1000; // milliseconds
const GOING = new Set(["queued", "running"]);

const sayTime = (seconds) => {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
};

// How far each kind of run is: its words, and the figures of its bar.
const KINDS = {
  evaluation: (run) => ({
    said: `${run.sung} of ${run.total} songs sung, ${run.heard} heard`
      + (run.seconds_left == null ? "" : `, about ${sayTime(run.seconds_left)} left`),
    done: run.heard,
    total: run.total,
  }),
  refit: (run) => ({
    said: `${run.stage || "Beginning"}${run.total ? `, ${run.done} of ${run.total}` : ""}`,
    done: run.done,
    total: run.total,
  }),
};

class RunProgress extends HTMLElement {
  connectedCallback() {
    this.timer = setInterval(() => this.look(), LOOK_EVERY);
  }

  disconnectedCallback() {
    clearInterval(this.timer);
  }

  async look() {
    const seen = this.offsetParent !== null && !document.hidden; // nobody asks for what nobody sees
    if (this.asking || !seen) return;
    this.asking = true;
    const { ok, status, data } = await ask("GET", this.dataset.address);
    if (ok) this.show(data);
    else if (status === 404) this.end(); // a server that restarts is told at the top of the page; this asks again
    this.asking = false;
  }

  show(run) {
    if (!GOING.has(run.state)) {
      this.end();
      return;
    }
    if (run.state === "queued") return;
    const { said, done, total } = KINDS[this.dataset.kind](run);
    const bar = this.querySelector("[role=progressbar]");
    this.querySelector(".said").textContent = said;
    bar.setAttribute("aria-valuenow", done);
    bar.setAttribute("aria-valuemax", total);
    bar.setAttribute("aria-valuetext", said);
    bar.firstElementChild.style.width = `${total ? (100 * done) / total : 0}%`;
  }

  end() {
    clearInterval(this.timer);
    this.dispatchEvent(new CustomEvent("run-ended", { bubbles: true }));
  }
}

customElements.define("run-progress", RunProgress);
