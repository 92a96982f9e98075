// `<adapter-import>`: the form that sends an adapter to the server, with what is on its way, what was found, or what is
// wrong. The server decides; what is told before it has is a hint.
import { make } from "./elements.js";
import { clearFaults, markField, showFaults } from "./fault-fields.js";
import { sizeText, upload } from "./requests.js";

const PICKLES = /\.(bin|pt|pth|ckpt|pkl|pickle)$/i;
// What dropped files are taken for, by their names.
const KINDS = [
  ["config", /^adapter_config\.json$/i],
  ["card", /^card\.json$/i],
  ["weights", /\.(safetensors|bin|pt|pth|ckpt|pkl|pickle)$/i],
  ["config", /\.json$/i],
];
const NAME = /^[a-z0-9-]{1,64}$/;
const FILES = ["weights", "config", "card"];

const item = (list, name, value) => list.append(make("div", {}, make("dt", {}, name), make("dd", {}, value)));

class AdapterImport extends HTMLElement {
  connectedCallback() {
    this.form = this.querySelector("form");
    this.going = this.querySelector(".sending");
    this.cancelButton = this.querySelector("[data-cancel]");
    this.outcome = this.querySelector(".outcome");
    for (const name of ["submit", "input", "change"]) this.form.addEventListener(name, this);
    for (const name of ["dragenter", "dragover", "dragleave", "drop"]) this.addEventListener(name, this);
    this.cancelButton.addEventListener("click", this);
  }

  disconnectedCallback() {
    if (this.sending) this.sending.cancel();
  }

  handleEvent(event) {
    if (event.type === "submit") {
      event.preventDefault();
      this.send();
    } else if (event.type === "click") {
      if (this.sending) this.sending.cancel();
    } else if (event.type.startsWith("dr")) this.drag(event);
    else this.check(event.target, event.type);
  }

  drag(event) {
    if (![...event.dataTransfer.types].includes("Files")) return;
    event.preventDefault();
    this.classList.toggle("dropping", event.type === "dragenter" || event.type === "dragover");
    if (event.type === "drop") this.take(event.dataTransfer.files);
  }

  // Files that were dropped, each where its name says it belongs.
  take(files) {
    const odd = [];
    for (const file of files) {
      const found = KINDS.find(([, pattern]) => pattern.test(file.name));
      if (!found) {
        odd.push(file.name);
        continue;
      }
      const carried = new DataTransfer();
      carried.items.add(file);
      this.form.elements[found[0]].files = carried.files;
      this.check(this.form.elements[found[0]]);
    }
    if (odd.length) markField(this.form, "weights", `${odd.join(", ")} is no file of an adapter: drop a .safetensors file`);
  }

  // What can be told of a field before the server has seen it.
  check(input, type = "change") {
    const name = input.name;
    markField(this.form, name, name === "name" && type === "change" ? this.nameFault : "");
    const file = FILES.includes(name) ? input.files[0] : undefined;
    if (!file) return;
    const limit = Number(this.dataset.limit);
    const wrong = PICKLES.test(file.name)
      ? `${file.name} looks like a pickle, which can run any code when it is read: convert it to safetensors`
      : file.size > limit
        ? `${file.name} has ${sizeText(file.size)}, at most ${sizeText(limit)} are taken`
        : "";
    if (wrong) markField(this.form, name, wrong);
  }

  // A name that no adapter can have, told once it was typed.
  get nameFault() {
    const name = this.form.elements.name.value.trim();
    return !name || NAME.test(name) ? "" : `${name.slice(0, 80)} can be no name: use 1 to 64 of a-z, 0-9 and -`;
  }

  body() {
    const body = new FormData();
    for (const name of ["name", "description"]) {
      const text = this.form.elements[name].value.trim();
      if (text) body.append(name, text);
    }
    for (const name of FILES) {
      const [file] = this.form.elements[name].files;
      if (file) body.append(name, file);
    }
    return body;
  }

  async send() {
    if (this.sending) return;
    const lacking = {};
    if (!this.form.elements.name.value.trim()) lacking.name = ["Give it a name"];
    if (!this.form.elements.weights.files.length) lacking.weights = ["Choose the file of its weights"];
    if (Object.keys(lacking).length) {
      showFaults(this.form, lacking);
      return;
    }
    clearFaults(this.form);
    this.outcome.replaceChildren();
    this.sending = upload("/v1/adapters", this.body(), (share) => this.advance(share));
    this.wait(true);
    const answer = await this.sending.answer;
    this.sending = null;
    this.wait(false);
    if (answer === null) this.tell("Cancelled. Nothing was kept.");
    else if (!answer.ok) showFaults(this.form, { ...(this.nameFault && { name: [this.nameFault] }), ...answer.faults });
    else this.tellAdded(answer.data);
  }

  wait(going) {
    this.going.hidden = this.cancelButton.hidden = !going;
    this.form.querySelector("[type=submit]").disabled = going;
    if (going) this.advance(0);
  }

  advance(share) {
    const bar = this.going.querySelector("progress");
    const said = this.going.querySelector("p");
    if (share < 1) bar.value = share;
    else bar.removeAttribute("value"); // nobody knows how long checking takes
    const text = share < 1 ? "Sending…" : "Sent. The server checks it…";
    if (said.textContent !== text) said.textContent = text;
  }

  tell(text) {
    this.outcome.replaceChildren(make("p", {}, text));
  }

  // What was found in the file, and that it stands on the shelf now.
  tellAdded({ adapter, notes }) {
    this.tell(`${adapter.name} stands on the shelf now.`);
    const list = make("dl", { class: "facts" });
    const kind = /^(peft|diffusers|comfyui|lokr): uploaded$/.exec(adapter.source);
    if (kind) item(list, "Recognised as", { peft: "PEFT", diffusers: "diffusers", comfyui: "ComfyUI", lokr: "LoKr" }[kind[1]]);
    item(list, "Layers", `${adapter.layers.toLocaleString("en")}, ${adapter.parameters.toLocaleString("en")} parameters`);
    item(list, "Rank and alpha", `${adapter.rank}, ${adapter.alpha}`);
    item(list, "Loaded song model", adapter.fits ? "it fits" : `it was made for ${adapter.base.name}`);
    const told = make("ul", {}, ...notes.map((note) => make("li", {}, note)));
    const link = make("button", { type: "button", class: "button" }, "Show its card");
    link.addEventListener("click", () => window.choirmaster.openAdapter(adapter.name));
    this.outcome.append(list, told, link);
    this.form.reset();
    clearFaults(this.form);
    this.outcome.focus({ preventScroll: true });
    window.choirmaster.tell("shelf");
  }
}
customElements.define("adapter-import", AdapterImport);
