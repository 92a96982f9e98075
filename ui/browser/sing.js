// What the Sing tab does without the server.
import { write } from "./fields.js";

window.choirmaster.rememberSong = (id) => {
  const narrow = window.matchMedia("(max-width: 768px)").matches; // there the song stands below the form
  const known = new URL(window.location.href).searchParams.get("song");
  if (narrow && id && known !== id) document.getElementById("song").scrollIntoView();
  window.choirmaster.remember({ song: id });
  window.choirmaster.keepDraft?.();
};
for (const name of ["pointerdown", "focusin"]) {
  document.addEventListener(
    name,
    (event) => {
      if (event.target.matches && event.target.matches(".number input")) event.target.inputMode = "decimal";
    },
    true,
  );
}

// A section is put on a line of its own, where the cursor is.
const insert = (section) => {
  const lyrics = document.querySelector("#lyrics textarea");
  if (!lyrics) return;
  const before = lyrics.value.slice(0, lyrics.selectionStart);
  const after = lyrics.value.slice(lyrics.selectionEnd);
  const put = `${before && !before.endsWith("\n") ? "\n" : ""}${section}${after.startsWith("\n") ? "" : "\n"}`;
  write(lyrics, before + put + after);
  lyrics.focus();
  const at = before.length + put.length + (after.startsWith("\n") ? 1 : 0);
  lyrics.setSelectionRange(at, at);
};

document.addEventListener("click", (event) => {
  const within = (selector) => event.target.closest && event.target.closest(selector);
  const section = within("[data-insert]");
  if (section) insert(section.dataset.insert);
  // Said before the server knows of it: the song ends with its next step.
  const said = within("#cancel:not([disabled])") && document.querySelector("#status .going p");
  if (said) said.textContent = "Cancelling…";
});

// The maps were followed while the song was sung; once there is something to hear they are read whole.
document.addEventListener(
  "loadedmetadata",
  (event) => {
    if (!event.target.matches || !event.target.matches("#player audio")) return;
    for (const map of document.querySelectorAll('#maps attention-map[data-live="1"]')) {
      if (event.target.src.includes(map.dataset.song)) map.dataset.live = "0";
    }
  },
  true,
);

// An open list of Gradio's takes the focus when it is left by Tab, and then it is gone, and the focus with it.
document.addEventListener(
  "keydown",
  (event) => {
    if (event.key !== "Tab" || !event.target.matches || !event.target.matches("input[role=combobox]")) return;
    for (const list of document.querySelectorAll(".options, .option-list")) list.tabIndex = -1;
  },
  true,
);
