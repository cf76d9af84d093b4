// The point-in-time track: a press on a bar, a step or an arrow key moves the chosen moment without a new page.
//   data-track="FROM-TO,…"   on the form: what can be restored, in seconds since 1970
//   data-begin, data-length  where the bars begin and how many seconds they show
//   data-near                on a bar: it shows so many seconds around the chosen moment
(() => {
  "use strict";
  const form = document.getElementById("track");
  if (!form) return;
  const begin = +form.dataset.begin, length = +form.dataset.length;
  const stretches = form.dataset.track.split(",").map(part => part.split("-").map(Number));
  const field = form.querySelector("#moment"), verdict = form.querySelector("#track-verdict"), go = form.querySelector("#track-go");
  const look = document.getElementById("track-look");
  const text = at => new Date(at * 1000).toISOString().slice(0, 19).replace("T", " ");
  const read = () => {
    const typed = field.value.trim();
    return Math.floor(Date.parse(typed.replace(" ", "T") + (/(Z|[+-]\d\d:?\d\d)$/.test(typed) ? "" : "Z")) / 1000);
  };
  let chosen = read();

  function show(keepsText) {
    const at = chosen - begin, isInside = stretches.some(([from, to]) => from <= chosen && chosen <= to);
    for (const line of form.querySelectorAll("[data-chosen]")) { line.setAttribute("x1", at); line.setAttribute("x2", at); }
    for (const bar of form.querySelectorAll("svg[data-near]"))
      bar.setAttribute("viewBox", `${at - bar.dataset.near / 2} 0 ${bar.dataset.near} 10`);
    if (!keepsText) field.value = text(chosen);
    const [first, last] = [stretches[0][0], stretches[stretches.length - 1][1]];
    verdict.textContent = isInside ? "This moment can be restored."
      : chosen > last ? `This is later than what is stored, which reaches to ${text(last)} UTC.`
      : chosen < first ? `This is before the end of the oldest base backup, ${text(first)} UTC.` : "This lies in a gap of the log.";
    verdict.className = isInside ? "quiet" : "field-error";
    go.hidden = !isInside;
    go.querySelector("[data-words]").textContent = `${text(chosen)} UTC`;
    const url = new URL(go.href);
    url.searchParams.set("at", text(chosen));
    go.href = url.pathname + url.search;
    if (!look) return;
    look.disabled = !isInside;
    document.getElementById("look-at").value = text(chosen);
  }

  const move = to => { chosen = Math.floor(to); show(false); };
  for (const bar of form.querySelectorAll("svg.strip")) {
    const pick = event => {
      const box = bar.getBoundingClientRect(), [from, , width] = bar.getAttribute("viewBox").split(" ").map(Number);
      move(begin + from + (event.clientX - box.left) / box.width * width);
    };
    bar.addEventListener("pointerdown", event => { bar.setPointerCapture(event.pointerId); if (!bar.dataset.near) pick(event); });
    bar.addEventListener("pointermove", event => { if (event.buttons && !bar.dataset.near) pick(event); });
    bar.addEventListener("pointerup", event => { if (bar.dataset.near) pick(event); });
  }
  form.addEventListener("click", event => {
    const button = event.target.closest("button[name=step]");
    if (!button) return;
    event.preventDefault();
    move(chosen + Number(button.value));
  });
  form.addEventListener("submit", event => event.preventDefault());
  field.addEventListener("input", () => { const at = read(); if (!Number.isNaN(at)) { chosen = at; show(true); } });
  field.addEventListener("keydown", event => {
    const step = { ArrowUp: 1, ArrowDown: -1, PageUp: 60, PageDown: -60 }[event.key];
    if (step) { event.preventDefault(); move(chosen + step * (event.shiftKey ? 60 : 1)); }
    else if (event.key === "Enter") { event.preventDefault(); if (!go.hidden) go.focus(); }
  });
  form.addEventListener("keydown", event => {
    if (event.target === field) return;
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step) { event.preventDefault(); move(chosen + step * (event.shiftKey ? 60 : 1)); }
  });
})();
