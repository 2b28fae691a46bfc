// What the pages do beyond being read: follow events, keys, copying, theme.
"use strict";

(() => {
  const say = (text) => { document.getElementById("said").textContent = text; };

  // Theme: a cookie, so that the server renders the right one at once.
  const theme = document.getElementById("theme");
  const dark = () => {
    const chosen = document.documentElement.dataset.theme;
    return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  };
  const switchTheme = () => {
    const next = dark() ? "light" : "dark";
    document.documentElement.dataset.theme = next;
    document.cookie = "eddy_theme=" + next + "; path=/; max-age=31536000; samesite=lax";
    say(next + " theme");
  };
  theme.hidden = false;
  theme.addEventListener("click", switchTheme);

  const keys = document.getElementById("keys");
  const help = document.getElementById("help");
  help.hidden = false;
  help.addEventListener("click", () => keys.showModal());

  // Copying. The clipboard needs a secure context, which loopback is; elsewhere
  // the text is selected, so that one more key copies it.
  const copy = async (text, pre) => {
    try {
      await navigator.clipboard.writeText(text);
      say("copied");
      return true;
    } catch {
      if (pre) getSelection().selectAllChildren(pre);
      say("select and copy");
      return false;
    }
  };
  const unhide = (root) => {
    for (const b of root.querySelectorAll("button.copy")) b.hidden = false;
  };
  unhide(document);
  document.addEventListener("click", async (e) => {
    const b = e.target.closest("button.copy");
    if (!b) return;
    const name = b.textContent;
    const pre = b.closest(".copyable")?.querySelector("pre");
    b.textContent = (await copy(b.dataset.copy, pre)) ? "Copied" : "Selected";
    setTimeout(() => { b.textContent = name; }, 1500);
  });

  // Keys.
  const rows = () => [...document.querySelectorAll("[data-row]")].filter((r) => r.getClientRects().length > 0);
  const move = (by) => {
    const all = rows();
    if (all.length === 0) return;
    const at = all.indexOf(document.activeElement);
    const next = at < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(Math.max(at + by, 0), all.length - 1);
    all[next].focus({ preventScroll: true });
    all[next].scrollIntoView({ block: "nearest" });
  };
  document.addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || e.target.closest("input, textarea, select")) return;
    if (keys.open && e.key !== "?") return;
    switch (e.key) {
      case "j": move(1); break;
      case "k": move(-1); break;
      case "t": switchTheme(); break;
      case "u": document.querySelector("[data-up]")?.click(); break;
      case "c": copy(location.href); break;
      case "?": keys.open ? keys.close() : keys.showModal(); break;
      default: return;
    }
    e.preventDefault();
  });

  // Live: on an event that concerns this page, fetch it again and put its main
  // part in place of the old one. At most one fetch at a time, and one a second.
  const live = document.getElementById("live");
  const main = document.getElementById("main");
  const mark = document.querySelector("[data-live]");
  if (!mark || !window.EventSource) { live.hidden = true; return; }

  const label = (state, text) => {
    live.dataset.state = state;
    live.lastElementChild.textContent = text;
    live.title = state === "on" ? "This page follows the analysis." : "Trying to reach the server.";
  };
  // What the reader opened and where the focus is, by place among its kind.
  const remember = () => ({
    open: [...main.querySelectorAll("details")].map((d) => d.open),
    focus: rows().indexOf(document.activeElement),
    href: document.activeElement?.getAttribute?.("href"),
    inside: main.contains(document.activeElement),
  });
  const restore = (was) => {
    main.querySelectorAll("details").forEach((d, k) => { if (was.open[k]) d.open = true; });
    if (!was.inside || was.focus < 0) return;
    const all = rows();
    (all.find((r) => r.getAttribute("href") === was.href) ?? all[was.focus])?.focus({ preventScroll: true });
  };
  let busy = false, again = false;
  const refresh = async () => {
    if (busy) { again = true; return; }
    busy = true;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
      if (answer.ok) {
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        const fresh = page.getElementById("main");
        // A reader who selects text keeps it until the next event.
        if (fresh && getSelection().isCollapsed && fresh.innerHTML !== main.innerHTML) {
          const was = remember();
          main.replaceChildren(...fresh.childNodes);
          unhide(main);
          restore(was);
          document.title = page.title;
        }
        main.dataset.refreshed = String(Number(main.dataset.refreshed ?? 0) + 1);
      }
    } catch { /* the stream will say when the server is back */ }
    setTimeout(() => {
      busy = false;
      if (again) { again = false; refresh(); }
    }, 1000);
  };

  const source = new EventSource("/api/v1/events");
  const beat = () => {
    live.dataset.beat = "";
    setTimeout(() => delete live.dataset.beat, 500);
  };
  source.addEventListener("ready", () => label("on", "live"));
  source.addEventListener("reset", () => { label("on", "live"); refresh(); });
  source.addEventListener("step", () => { beat(); if (mark.dataset.live === "front") refresh(); });
  for (const name of ["incident.opened", "incident.updated", "incident.resolved"]) {
    source.addEventListener(name, (e) => {
      const i = JSON.parse(e.data);
      if (name === "incident.opened") say("new incident: " + i.title);
      if (mark.dataset.live === "front" || mark.dataset.id === i.id) refresh();
    });
  }
  source.addEventListener("error", () => label("off", "reconnecting"));
  addEventListener("pagehide", () => source.close());
})();
