// The cursor that runs through the plan while the song plays, and a press on the plan that moves the song there.
const follow = (audio) => {
  const now = audio.currentTime;
  for (const strip of document.querySelectorAll("svg.strip")) {
    const [from, to, long] = [strip.dataset.from, strip.dataset.to, strip.dataset.long].map(Number);
    const inside = now >= from && now <= to && now > 0;
    const cursor = strip.querySelector(".cursor");
    cursor.classList.toggle("on", inside);
    const x = `${(100 * (now - from)) / long}%`;
    if (inside) {
      cursor.setAttribute("x1", x);
      cursor.setAttribute("x2", x);
    }
    for (const note of strip.querySelectorAll(".note")) {
      note.classList.toggle("on", inside && now >= Number(note.dataset.from) && now < Number(note.dataset.to));
    }
  }
  if (!audio.paused && audio.isConnected) requestAnimationFrame(() => follow(audio));
};
const ours = (event) => event.target.closest && event.target.closest("#player audio");
for (const name of ["play", "seeked", "ended"]) {
  document.addEventListener(name, (event) => ours(event) && follow(event.target), true);
}
document.addEventListener("click", (event) => {
  const strip = event.target.closest && event.target.closest("svg.strip");
  const audio = document.querySelector("#player audio");
  if (!strip || !audio) return;
  const box = strip.getBoundingClientRect();
  const into = ((event.clientX - box.left) / box.width) * Number(strip.dataset.long);
  audio.currentTime = Math.min(Number(strip.dataset.to), Number(strip.dataset.from) + into);
});
