// `<karaoke-line data-audio="#player audio">`: the line and the word that sound are marked, and a word that is pressed
// is played from. The words stand in the page already, with their times.
class KaraokeLine extends HTMLElement {
  connectedCallback() {
    this.addEventListener("click", this);
    for (const name of ["play", "seeked", "ended", "timeupdate"]) document.addEventListener(name, this, true);
  }

  disconnectedCallback() {
    for (const name of ["play", "seeked", "ended", "timeupdate"]) document.removeEventListener(name, this, true);
    cancelAnimationFrame(this.frame);
  }

  get audio() {
    return document.querySelector(this.dataset.audio);
  }

  handleEvent(event) {
    if (event.type === "click") this.press(event.target.closest(".kw"));
    else if (event.target === this.audio) this.follow();
  }

  press(word) {
    if (!word || !this.audio) return;
    this.audio.currentTime = Number(word.dataset.from);
    this.audio.play().catch(() => {}); // the browser may want to be asked first
  }

  follow() {
    cancelAnimationFrame(this.frame);
    const audio = this.audio;
    if (!audio || !this.isConnected) return;
    this.mark(audio.currentTime);
    if (!audio.paused) this.frame = requestAnimationFrame(() => this.follow());
  }

  // The line that began last stays until the next begins; a word ends when it ends.
  // Asked for each time: Gradio may put another song's in.
  mark(now) {
    const lines = [...this.querySelectorAll(".kl")];
    const began = lines.filter((line) => Number(line.dataset.from) <= now);
    const line = now > 0 ? began[began.length - 1] : undefined;
    for (const one of lines) one.classList.toggle("on", one === line);
    for (const word of this.querySelectorAll(".kw")) {
      const sounds = now > 0 && Number(word.dataset.from) <= now && now < Number(word.dataset.to);
      word.classList.toggle("on", sounds);
      word.classList.toggle("sung", now > 0 && Number(word.dataset.to) <= now);
    }
    if (line && line !== this.shown) {
      // within its own box alone: the page does not move
      const box = line.parentElement;
      box.scrollTop = line.offsetTop - box.offsetTop - (box.clientHeight - line.offsetHeight) / 2;
    }
    this.shown = line;
  }
}
customElements.define("karaoke-line", KaraokeLine);
