// `<export-list>`: exports that wait, run, are done or have failed; followed while any is going.
import { askFirst } from "./ask-first.js";
import { format } from "./composition.js";
import { make } from "./elements.js";
import { ageText, ask, sizeText } from "./requests.js";

// Milliseconds between two looks while an export goes on, and while the server does not answer.
const SOON = 400;
const LATER = 3000;
const GOING = ["queued", "running"];

const percent = (share) => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;

class ExportList extends HTMLElement {
  connectedCallback() {
    this.said = make("p", { class: "faint", role: "status" });
    this.list = make("ul", { class: "exports", "aria-label": "Exports" });
    this.append(this.said, this.list);
    this.states = new Map();
    this.asked = () => this.look();
    document.addEventListener("choirmaster:export-asked", this.asked);
    this.addEventListener("click", this);
    this.sight = new IntersectionObserver((found) => found.some((one) => one.isIntersecting) && this.look());
    this.sight.observe(this);
  }

  disconnectedCallback() {
    document.removeEventListener("choirmaster:export-asked", this.asked);
    this.removeEventListener("click", this);
    this.sight.disconnect();
    clearTimeout(this.waiting);
    this.replaceChildren();
  }

  async look() {
    clearTimeout(this.waiting);
    const answer = await ask("GET", "/v1/exports");
    if (!this.isConnected) return;
    clearTimeout(this.waiting); // another look may have begun meanwhile
    const { exports: found } = answer.data;
    if (answer.ok) this.show(found);
    else this.said.textContent = "The server does not answer. This goes on by itself when it is back.";
    const going = answer.ok ? found.some((one) => GOING.includes(one.state)) : this.list.querySelector("progress") !== null;
    if (going) this.waiting = setTimeout(() => this.look(), answer.ok ? SOON : LATER);
  }

  show(found) {
    const there = new Set(found.map((one) => one.id));
    for (const row of [...this.list.children]) if (!there.has(row.dataset.id)) row.remove();
    this.said.textContent = found.length ? "" : "There are no exports yet.";
    found.forEach((one, place) => {
      let row = [...this.list.children].find((known) => known.dataset.id === one.id);
      if (!row) {
        row = make("li", { "data-id": one.id });
        this.list.insertBefore(row, this.list.children[place] || null);
      }
      if (row.dataset.state !== one.state) this.fill(row, one);
      const bar = row.querySelector("progress");
      if (bar && one.progress > 0) bar.value = one.progress;
      row.querySelector("time").textContent = ageText(one.created);
    });
  }

  // Everything of an export that changes with its state.
  fill(row, one) {
    const { request } = one;
    const name = format(new Map(Object.entries(request.composition))) || "base";
    const kind = document.querySelector(`adapter-export input[name=format][value="${CSS.escape(request.format)}"] + span b`);
    const options = [request.rank ? `rank ${request.rank}` : "", request.dtype || "", request.merge === "concat" ? "" : request.merge];
    const head = make("p", { class: "export-head" });
    const facts = make("span", { class: "faint" }, options.filter(Boolean).map((said) => `${said} · `).join(""));
    facts.append(make("time", { datetime: one.created }));
    head.append(make("b", {}, name), make("span", { class: "chip" }, kind ? kind.textContent : request.format), facts);
    const buttons = make("div", { class: "actions" });
    const parts = [head];
    const title = `${name} as ${request.format}`;
    if (GOING.includes(one.state)) {
      parts.push(
        make("progress", { max: 1, "aria-label": `Export of ${title}` }),
        make("p", { class: "faint", role: "status" }, one.state === "queued" ? "Waiting for its turn…" : "Being made…"),
      );
      buttons.append(make("button", { type: "button", class: "button", "data-stop": one.id, "aria-label": `Cancel ${title}` }, "Cancel"));
    } else {
      if (one.file) {
        const link = make("a", { class: "button", href: `/v1/exports/${one.id}/file`, download: one.file.name }, `Download (${sizeText(one.file.size)})`);
        link.setAttribute("aria-label", `Download ${title}, ${sizeText(one.file.size)}`);
        buttons.append(link);
      }
      if (one.error) parts.push(make("p", { class: "fault", role: "alert" }, `It failed: ${one.error}`));
      buttons.append(make("button", { type: "button", class: "button", "data-clear": one.id, "aria-label": `Remove ${title}` }, "Remove"));
    }
    if (one.loss) parts.push(this.lossOf(one.loss));
    for (const note of one.notes) parts.push(make("p", { class: "faint" }, note));
    row.replaceChildren(...parts, buttons, make("p", { class: "fault", role: "alert", hidden: "" }), make("div", { class: "confirm", hidden: "" }));
    row.dataset.state = one.state;
    row.dataset.title = title;
  }

  lossOf({ rank, overall, worst, worst_layer: layer }) {
    const hint = this.dataset.lossHint;
    const size = make("span", { class: "hinted", tabindex: "0", "data-hint": hint }, percent(overall));
    size.append(make("span", { class: "sr" }, ` (${hint})`));
    const said = make("p", { class: "loss" });
    said.append(`Compressing to rank ${rank} lost `, size, ` of the change in all, and ${percent(worst)} in the worst layer, ${layer}.`);
    return said;
  }

  async handleEvent(event) {
    const stop = event.target.closest("[data-stop]");
    if (stop) {
      stop.disabled = true;
      const wrong = await this.remove(stop.dataset.stop);
      const place = stop.isConnected && stop.closest("li").querySelector(".fault[hidden]");
      if (wrong && place) {
        place.textContent = wrong;
        place.hidden = false;
        stop.disabled = false;
      }
    }
    const clear = event.target.closest("[data-clear]");
    if (!clear) return;
    const row = clear.closest("li");
    askFirst(row.querySelector(".confirm"), clear, {
      text: `Remove the export ${row.dataset.title}? Its file is deleted.`,
      yes: "Remove it",
      act: () => this.remove(clear.dataset.clear),
    });
  }

  // Cancel or remove an export; what went wrong, if anything did.
  async remove(id) {
    const answer = await ask("DELETE", `/v1/exports/${id}`);
    if (!answer.ok && answer.status !== 404) return Object.values(answer.faults).flat().join("; ");
    await this.look();
    return "";
  }
}
customElements.define("export-list", ExportList);
