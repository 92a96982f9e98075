// What is typed in the Sing tab is kept by the browser's own tab, so that it survives a reload and a restart of the
// server. The server reads it when the page is loaded (`ui/draft.py`).
import { session } from "./storage.js";

let values = null;
let begun = false;

const keep = () => {
  if (!begun || values === null) return;
  const song = new URL(window.location.href).searchParams.get("song") || "";
  session.set("choirmaster-draft", JSON.stringify({ song, values }));
};

window.choirmaster.keepDraft = (given) => {
  values = given || values;
  keep();
};
// Before the page has filled in what it found, its empty fields are nobody's draft.
window.choirmaster.listen("draft", () => {
  begun = true;
  keep();
});
