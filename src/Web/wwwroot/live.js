// Makes pages live. Every page works without this file: forms post, links lead.
//   data-live="runs points:ID"     this element is fetched again when such a subject changed, and morphed in place
//   data-from="URL"                where it is fetched from, if not from the page itself
//   data-swap="ID"                 on a form or its button: post in the background and morph element ID from the answer
//   data-preview="ID"              on a form: any change posts it with action=preview and morphs element ID
//   data-log="URL"                 a log: new lines are fetched from URL and appended
//   data-copy="ID"                 a button that copies the text of element ID
//   data-line="N" data-of="ID"     a link that chooses a line of the text field ID
(() => {
  "use strict";
  const root = document.documentElement;
  const sleep = ms => new Promise(done => setTimeout(done, ms));

  // ---- Morph: make one element equal to another while focus, scroll and open parts stay; in a refresh that nobody asked for, also
  // a form that somebody is filling in or that was answered with an error.
  const keep = new Set(["open", "data-follow"]);
  const isFilled = field => field.matches("select") ? [...field.options].some(option => option.selected !== option.defaultSelected)
        && (field.selectedIndex > 0 || [...field.options].some(option => option.defaultSelected))
    : field.matches("[type=checkbox], [type=radio]") ? field.checked !== field.defaultChecked
    : field.matches("input:not([type=hidden]), textarea") && field.value !== field.defaultValue;
  const isInUse = form => form.querySelector(".field-error") || form.querySelector("input:focus, select:focus, textarea:focus")
    || [...form.elements].some(isFilled);
  function morph(old, fresh, asked) {
    if (!asked && old.nodeName === "FORM" && fresh.nodeName === "FORM" && isInUse(old)) return;
    if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName || (old.id && fresh.id && old.id !== fresh.id)) {
        old.replaceWith(fresh.cloneNode(true)); return; }
    if (old.nodeType !== Node.ELEMENT_NODE) { if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue; return; }
    if (old.hasAttribute("data-log")) return;
    for (const { name } of [...old.attributes]) if (!keep.has(name) && !fresh.hasAttribute(name)) old.removeAttribute(name);
    for (const { name, value } of fresh.attributes) if (!keep.has(name) && old.getAttribute(name) !== value) old.setAttribute(name, value);
    if (old.matches("input, select, textarea")) {
      if (old === document.activeElement) return;
      if (old.type === "checkbox" || old.type === "radio") old.checked = fresh.checked; else if (old.type !== "file")
          old.value = fresh.value;
      if (!old.matches("select")) return;
    }
    const before = [...old.childNodes], after = [...fresh.childNodes];
    const byKey = new Map(before.filter(n => n.dataset?.key).map(n => [n.dataset.key, n]));
    after.forEach((node, at) => {
      const here = old.childNodes[at], mine = node.dataset?.key && byKey.get(node.dataset.key);
      if (mine && mine !== here) { old.insertBefore(mine, here ?? null); morph(mine, node, asked); }
      else if (here && !(node.dataset?.key && here.dataset?.key !== node.dataset.key)) morph(here, node, asked);
      else old.insertBefore(document.importNode(node, true), here ?? null);
    });
    while (old.childNodes.length > after.length) old.lastChild.remove();
  }

  const parse = async answer => new DOMParser().parseFromString(await answer.text(), "text/html");
  function swap(page, ids, asked) {
    for (const id of ids) {
      const old = document.getElementById(id), fresh = page.getElementById(id);
      if (old && fresh) morph(old, fresh, asked);
    }
    ages(); attach();
  }

  // ---- Live subjects
  let busy = false, again = false, lastHeard = Date.now(), source = null;
  const dirty = new Set();
  const note = document.querySelector(".live"), banner = document.getElementById("stale");

  async function refresh() {
    if (busy) { again = true; return; }
    busy = true;
    try {
      do {
        again = false;
        const ids = [...dirty]; dirty.clear();
        for (const [url, some] of Map.groupBy(ids, id => document.getElementById(id)?.dataset.from ?? location.href)) {
          const answer = await fetch(url, { headers: { "X-Fragment": some.join(" ") }, credentials: "same-origin" });
          if (answer.redirected) { location.reload(); return; }
          if (answer.ok) swap(await parse(answer), some, false);
        }
        for (const log of document.querySelectorAll("[data-log]")) await follow(log);
        await sleep(300); // at most about three refreshes a second
      } while (again || dirty.size);
    } catch (e) {
      if (!(e instanceof TypeError)) throw e; // the network is away: the event stream's reconnect asks again
    } finally { busy = false; }
  }

  function wants(element, topic, id) {
    return element.dataset.live.split(" ").some(word => {
      const [t, i] = word.split(":");
      return t === topic && (!i || !id || i === id);
    });
  }

  function changed(topic, id) {
    for (const element of document.querySelectorAll("[data-live]")) if (element.id && wants(element, topic, id)) dirty.add(element.id);
    if (dirty.size) refresh();
  }
  function everything() {
    for (const element of document.querySelectorAll("[data-live]")) if (element.id) dirty.add(element.id);
    refresh();
  }

  function show(state) {
    if (note) { note.dataset.state = state; note.textContent = state === "on" ? "Live" : state === "stale" ? "Reconnecting"
        : "Connecting"; }
    if (banner) banner.hidden = state !== "stale" || Date.now() - lastHeard < 30000;
  }
  function connect() {
    if (!document.querySelector("[data-live]")) { note?.remove(); return; }
    source = new EventSource("/api/v1/live");
    // Also at the first time: what happened between the page's making and the stream's opening was told to nobody.
    source.onopen = () => { lastHeard = Date.now(); show("on"); everything(); };
    source.onerror = () => show("stale");
    source.onmessage = message => {
      lastHeard = Date.now();
      const change = JSON.parse(message.data);
      if (change.topic) changed(change.topic, change.id);
    };
    addEventListener("pagehide", () => source.close());
    addEventListener("pageshow", event => { if (event.persisted) location.reload(); });
    setInterval(() => { if (source.readyState === EventSource.OPEN) lastHeard = Date.now(); else show("stale"); }, 5000);
    setInterval(everything, 15000); // events are hints; this is the truth
  }

  // ---- Log
  async function follow(log) {
    const answer = await fetch(log.dataset.log + (log.dataset.last ?? "-1"), { credentials: "same-origin" });
    if (!answer.ok) return;
    const page = await parse(answer), lines = page.querySelectorAll("li[data-seq]");
    if (!lines.length) return;
    const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 24;
    for (const line of lines) if (Number(line.dataset.seq) > Number(log.dataset.last ?? -1)) {
        log.append(document.importNode(line, true)); log.dataset.last = line.dataset.seq; }
    while (log.children.length > 2000) log.firstElementChild.remove();
    if (atEnd && document.getElementById("follow")?.checked !== false) log.scrollTop = log.scrollHeight;
  }

  // ---- Forms that answer in place
  let preview = null;
  async function post(form, submitter, ids, signal) {
    const body = new FormData(form, submitter ?? undefined);
    const answer = await fetch(form.action || location.href, { method: "POST", body, credentials: "same-origin", signal, headers: {
        "X-Fragment": ids.join(" ") } });
    if (answer.redirected) { location.href = answer.url; return; }
    swap(await parse(answer), ids, true);
  }
  document.addEventListener("submit", event => {
    const by = event.submitter, form = event.target, id = by?.dataset.swap;
    if (id) {
      event.preventDefault();
      by.setAttribute("aria-busy", "true");
      post(form, by, id.split(" ")).catch(() => form.submit()).finally(() => by.removeAttribute("aria-busy"));
      return;
    }
    if (form.method !== "post") return;
    if (form.dataset.sent) { event.preventDefault(); return; } // a second click sends nothing twice
    form.dataset.sent = "1";
    setTimeout(() => delete form.dataset.sent, 5000);
  });
  let waiting = 0;
  document.addEventListener("change", event => {
    const form = event.target.closest?.("form[data-preview]");
    if (!form || event.target.closest("[data-no-preview]")) return;
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      const button = form.querySelector("button[data-previews]");
      preview?.abort(); // a slow answer to what stood there before must not come last
      preview = new AbortController();
      post(form, button, form.dataset.preview.split(" "), preview.signal)
        .catch(error => { if (error.name !== "AbortError") console.warn(error); });
    }, 120);
  });

  // ---- Small things
  function choose(text, number) {   // a line of a text field
    const lines = text.value.split("\n"), from = lines.slice(0, number - 1).join("\n").length + (number > 1 ? 1 : 0);
    text.focus();
    text.setSelectionRange(from, from + (lines[number - 1] ?? "").length);
    text.scrollTop = Math.max(0, (number - 4) * text.scrollHeight / lines.length);
  }
  document.addEventListener("click", event => {
    const target = event.target.closest?.("[data-copy], [popovertarget], [data-close], [data-line]");
    if (!target) return;
    if (target.dataset.line) {
      event.preventDefault();
      choose(document.getElementById(target.dataset.of), Number(target.dataset.line));
    } else if (target.dataset.copy) {
      const text = document.getElementById(target.dataset.copy).textContent.trim(), word = target.textContent;
      const done = ok => { target.textContent = ok ? "Copied" : "Select it"; setTimeout(() => target.textContent = word, 1500); };
      if (navigator.clipboard) navigator.clipboard.writeText(text).then(() => done(true), () => done(false)); else done(false);
    } else if (target.hasAttribute("data-close")) {
      const dialog = target.closest("dialog");
      if (dialog?.open && !dialog.hasAttribute("popover")) { event.preventDefault(); dialog.close(); }
    } else {
      const dialog = document.getElementById(target.getAttribute("popovertarget"));
      if (dialog?.nodeName === "DIALOG") { // with the script, a real modal with its focus kept inside
        event.preventDefault();
        dialog.removeAttribute("popover");
        dialog.showModal();
      }
    }
  });
  document.addEventListener("change", event => {
    if (event.target.id === "debug-lines") document.querySelector(".log")?.classList.toggle("with-debug", event.target.checked);
  });

  const units = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  function ages() {
    for (const time of document.querySelectorAll("time[data-age]")) {
      const seconds = (Date.now() - new Date(time.dateTime)) / 1000, past = seconds >= 0, size = Math.abs(seconds);
      const [length, unit] = units.find(([l]) => size >= (l === 1 ? 0 : l * (l === 86400 ? 2 : 1))) ?? units[3];
      const text = size < 5 ? "just now" : `${Math.floor(size / length)} ${unit}`;
      time.textContent = size < 5 ? text : past ? `${text} ago` : `in ${text}`;
      if (!time.dataset.local) { time.dataset.local = "1"; time.title += ` · ${new Date(time.dateTime).toLocaleString()} local`; }
    }
  }
  function attach() {
    for (const form of document.querySelectorAll("form[data-auto]")) {
      if (form.dataset.attached) continue;
      form.dataset.attached = "1";
      for (const field of form.elements) field.addEventListener("change", () => form.requestSubmit()); // also those outside with form=""
    }
  }
  const clocks = () => { for (const clock of document.querySelectorAll("time[data-clock]"))
      clock.textContent = `${new Date().toISOString().slice(11, 16)} UTC`; };
  for (const log of document.querySelectorAll("[data-log]")) log.scrollTop = log.scrollHeight;
  ages(); attach(); connect();
  if (document.querySelector("time[data-clock]")) { clocks(); setInterval(clocks, 1000); }
  setInterval(ages, 10000);
  root.dataset.ready = "1";
})();
