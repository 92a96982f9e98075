// `<sing-again data-request data-compositions data-measured>`: sings a measured song once more, from the same seed, and
// shows it where it was asked for; or asks for a comparison of the same prompt and goes there.

import { make } from "./elements.js";
import { ask } from "./requests.js";
import { hearSong } from "./streams.js";

const post = async (address, body) => {
  const { ok, status, data } = await ask("POST", address, body);
  if (!status) throw new Error("the server does not answer: try again when it is back");
  if (!ok) throw new Error(data.detail || `the server answered ${status}`);
  return data;
};

const percent = (share) => `${(100 * share).toFixed(1)} %`;

class SingAgain extends HTMLElement {
  static observedAttributes = ["data-request"];

  // Gradio makes this element another song's: what was sung for the one before is no business of it.
  attributeChangedCallback(name, before, after) {
    if (before === null || before === after) return;
    this.unfollow();
    this.line = null;
    this.place?.replaceChildren();
    for (const button of this.querySelectorAll("button")) button.disabled = false;
  }

  connectedCallback() {
    this.pressed = (event) => {
      const button = event.target.closest("button");
      if (!button) return;
      if (button.matches("[data-sing]")) this.ask(button, () => this.sing());
      else if (button.matches("[data-compare]")) this.ask(button, () => this.compare());
    };
    this.addEventListener("click", this.pressed);
  }

  disconnectedCallback() {
    this.removeEventListener("click", this.pressed);
    this.unfollow();
  }

  unfollow() {
    this.leave?.();
    this.leave = null;
    this.ended?.();
    this.ended = null;
  }

  get place() { return this.querySelector(".sung-again"); }

  say(text, kind = "said") {
    this.line ??= make("p", { role: "status" });
    if (!this.line.isConnected) this.place.prepend(this.line);
    this.line.className = kind;
    this.line.textContent = text;
  }

  // What is wrong stands beside the buttons, which can be pressed again.
  async ask(button, begin) {
    const asked = this.dataset.request;
    button.disabled = true;
    try {
      await begin();
    } catch (error) {
      if (this.dataset.request !== asked) return;
      this.say(error.message, "fault");
    }
    if (this.dataset.request === asked) button.disabled = false;
  }

  async compare() {
    const { composition, ...asked } = JSON.parse(this.dataset.request);
    const compositions = JSON.parse(this.dataset.compositions);
    const { id } = await post("/v1/compare", { ...asked, compositions });
    window.choirmaster.go("compare", { comparison: id });
  }

  async sing() {
    this.unfollow();
    const asked = this.dataset.request;
    const { id } = await post("/v1/songs", JSON.parse(asked));
    if (!this.isConnected || this.dataset.request !== asked) return;
    this.line = null;
    this.place.replaceChildren();
    this.say("Waiting to be sung…", "working");
    const map = make("attention-map");
    Object.assign(map.dataset, { song: id, live: "1", audio: `#again-${id}` });
    this.place.append(map);
    await new Promise((ended) => {
      this.ended = ended;
      this.follow(id, map);
    });
  }

  follow(id, map) {
    const end = (text, kind) => {
      this.unfollow();
      this.say(text, kind);
    };
    const heard = {
      step: (told) => this.say(`Singing, step ${told.step} of ${told.steps}`, "working"),
      decoding: () => this.say("Making sound of it…", "working"),
      failed: (told) => end(told.error || told.reason || "the song failed", "fault"),
      cancelled: () => end("Cancelled.", "said"),
      done: () => {
        this.say("Sung. The judge is listening…", "working");
        map.dataset.live = "0";
        if (!this.querySelector(".again-player")) map.before(this.player(id));
        this.ended?.(); // what the judge makes of it comes by itself
      },
      judged: (verdict) => end(...this.read(verdict)),
      lost: () => end("The server does not tell more of it.", "fault"),
    };
    this.leave = hearSong(id, (kind, told) => heard[kind]?.(told));
  }

  player(id) {
    const audio = make("audio", { id: `again-${id}`, controls: true, src: `/v1/songs/${id}/audio` });
    audio.setAttribute("aria-label", "The song as it is sung now");
    const link = make("a", { class: "button", href: `/?song=${id}` }, "Open it in Sing");
    Object.assign(link.dataset, { go: "sing", song: id });
    return make("div", { class: "again-player" }, audio, link);
  }

  read(verdict) {
    if (verdict.state !== "judged") return [`Sung. ${verdict.reason || "Nobody listened"}.`, "said"];
    const measured = percent(Number(this.dataset.measured));
    return [`Sung now: ${percent(verdict.wer)} of the words wrong; measured: ${measured}.`, "said"];
  }
}

customElements.define("sing-again", SingAgain);
