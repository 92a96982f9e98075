// What the Sing tab does without the server.
window.choirmaster.rememberSong = (id) => {
  const narrow = window.matchMedia("(max-width: 768px)").matches; // there the song stands below the form
  const known = new URL(window.location.href).searchParams.get("song");
  if (narrow && id && known !== id) document.getElementById("song").scrollIntoView();
  window.choirmaster.remember({ song: id });
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
