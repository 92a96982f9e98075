// What the elements that show attention have in common: they are built, filled and drawn again when something changes,
// follow the sound, and leave nothing behind. Knows no maps.
//
// An element has `pictures`, and `build(signal)`, which makes its parts with `this.body` among them; `fill(signal)`, which
// fetches what is shown; and `paint()`. The signals abort when that is done anew, or the element is gone.
import { Picture, watchLook } from "./attention-picture.js";
import { hintMark, listen } from "./attention-settings.js";
import { Sound } from "./attention-sound.js";
import { make } from "./elements.js";

export class AttentionElement extends HTMLElement {
  body = null;

  connectedCallback() {
    this.body = null; // what was built before it was taken out hears nothing any more
    this.ending = new AbortController();
    const { signal } = this.ending;
    this.sound = new Sound(() => this.dataset.audio, () => this.pictures.forEach((picture) => picture.follow()), signal);
    this.begin();
    listen(() => this.draw(), signal);
    watchLook(this, () => this.draw(), signal);
    // Gradio takes away what it did not make, when it makes this element another song's
    this.robbed = new MutationObserver(() => this.isConnected && !this.contains(this.body) && this.begin());
    this.robbed.observe(this, { childList: true });
  }

  disconnectedCallback() {
    this.robbed.disconnect();
    for (const work of [this.building, this.loading, this.ending]) work.abort();
    cancelAnimationFrame(this.drawing);
    this.pictures.forEach((picture) => picture.close());
  }

  // Show what the element's attributes say by now.
  begin() {
    if (!this.contains(this.body)) {
      this.building?.abort();
      this.building = new AbortController();
      this.build(this.building.signal);
    }
    this.loading?.abort();
    this.loading = new AbortController();
    return this.fill(this.loading.signal);
  }

  draw() {
    cancelAnimationFrame(this.drawing);
    this.drawing = requestAnimationFrame(() => this.paint());
  }

  newPicture() {
    return new Picture({ seek: (time) => this.sound.seek(time), now: () => this.sound.now() });
  }

  // A slider of steps in `this.steps`; `moved(place)`: called with the place among the steps that are there.
  buildSteps(moved) {
    this.slider = make("input", { type: "range", min: "0", value: "0" });
    this.slider.addEventListener("input", () => moved(Number(this.slider.value)));
    this.stepped = make("output");
    this.steps = make("div", { class: "am-steps" }, make("label", {}, "Step ", this.slider, this.stepped), hintMark("step"));
  }

  showStep(step, steps, total) {
    this.slider.max = String(steps.length - 1);
    this.slider.value = String(steps.indexOf(step));
    this.stepped.textContent = `${step} of ${total}`;
    this.slider.setAttribute("aria-valuetext", `step ${step} of ${total}`);
  }

  // The pixels of a picture without its labels: { data, width, height }.
  readPixels({ plot, canvas }) {
    return plot ? canvas.getContext("2d").getImageData(plot.left, plot.top, plot.width, plot.height) : null;
  }
}
