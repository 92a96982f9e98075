// What is typed in the Sing tab is kept by the browser's own tab, so that it survives a reload and a restart of the
// server. The server reads it when the page is loaded (`ui/draft.py`).
let values = null;
let begun = false;

const keep = () => {
  if (!begun || values === null) return;
  const song = new URL(window.location.href).searchParams.get("song") || "";
  try {
    sessionStorage.setItem("choirmaster-draft", JSON.stringify({ song, values }));
  } catch {
    // a browser that keeps nothing, or a tab that is full: a reload begins afresh
  }
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
