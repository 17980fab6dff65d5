"use strict";
// hotrow's additions to Locust's page. Every text that comes from a run is put into the page as text, never as HTML.
(() => {
  const POLL_MS = 1000;
  const base = new URL("./hotrow/", document.baseURI).href;
  const element = (name, parts = {}, ...children) => {
    const made = Object.assign(document.createElement(name), parts);
    made.append(...children);
    return made;
  };

  // The panel above Locust's tabs: why nothing started, what is being prepared, and what the last run found.
  const panel = element("section", { id: "hotrow-panel", hidden: true });
  panel.setAttribute("aria-label", "hotrow");
  panel.setAttribute("aria-live", "polite");
  let shown = "";
  let dismissed = "";

  const dismissable = (kind, key, title, ...parts) => {
    const close = element("button", { type: "button", textContent: "Close" });
    close.addEventListener("click", () => { dismissed = key; draw(JSON.parse(shown)); });
    return element("div", { className: `box ${kind}` },
      element("div", { className: "top" }, element("h2", { textContent: title }), close), ...parts);
  };
  const list = (lines) => element("ul", {}, ...lines);
  const line = (className, text) => element("li", { className, textContent: text });
  const KINDS = { met: "met", failed: "failed", "not measured": "failed", doubtful: "doubtful" };
  const folded = (title, lines) => element("details", {}, element("summary", { textContent: title }), list(lines.map((text) => line("", text))));
  const link = (run, file, title, download) => {
    const made = element("a", { href: `${base}runs/${encodeURIComponent(run)}/${encodeURIComponent(file)}${download ? "?download=1" : ""}`, textContent: title });
    if (!download) Object.assign(made, { target: "_blank", rel: "noopener" });
    return made;
  };

  const links = (run) => {
    const pictures = run.files.filter((file) => file.endsWith(".png"));
    const others = run.files.filter((file) => !file.endsWith(".png"));
    const nav = element("nav", {}, ...others.map((file) => link(run.name, file, file, false)));
    if (others.includes("report.html")) nav.append(link(run.name, "report.html", "Download report", true));
    nav.setAttribute("aria-label", "Files of the last run");
    if (pictures.length === 0) return [nav];
    const more = element("details", {}, element("summary", { textContent: `${pictures.length} pictures` }),
      element("nav", {}, ...pictures.map((file) => link(run.name, file, file, false))));
    return [nav, more];
  };

  const KIND_OF_CODE = { 0: "good", 4: "doubt" };
  const ended = (run) => {
    const parts = [element("p", { textContent: run.headline })];
    if ((run.violations || []).length) parts.push(list(run.violations.map((text) => line("failed", text))));
    if ((run.gates || []).length) parts.push(list(run.gates.map((gate) => line(KINDS[gate.verdict] || "", gate.text))));
    if ((run.sentences || []).length) parts.push(folded("More findings", run.sentences));
    if ((run.warnings || []).length) parts.push(folded(`Warnings (${run.warnings.length})`, run.warnings));
    return dismissable(KIND_OF_CODE[run.exit_code] || "bad", `run ${run.name}`, `Run ended: ${run.verdict}`, ...parts, ...links(run));
  };

  const noticed = (state) => {
    const key = `notices ${state.notices.join("\n")}`;
    const inTheForm = [...document.querySelectorAll("form .MuiAlert-message")].some((alert) => alert.textContent === state.notices.at(-1));
    if (state.notices.length === 0 || key === dismissed || inTheForm) return [];
    const title = { idle: "Not started, or ended early", running: "Not changed", preparing: "Note", ending: "Note" }[state.phase];
    return [dismissable("bad", key, title || "Note", list(state.notices.slice(-5).map((text) => line("", text))))];
  };

  const draw = (state) => {
    const boxes = noticed(state);
    if (state.phase === "preparing") boxes.push(element("div", { className: "box" }, element("h2", { textContent: `Preparing the run: ${state.step} …` })));
    if (state.phase === "ending") boxes.push(element("div", { className: "box" }, element("h2", { textContent: "The run is ending: its last cell is judged and the report is drawn …" })));
    if (state.phase === "idle" && state.last && `run ${state.last.name}` !== dismissed) boxes.push(ended(state.last));
    panel.replaceChildren(...boxes);
    panel.hidden = boxes.length === 0;
  };

  const place = () => {
    const main = document.querySelector("#root main");
    if (main && panel.nextElementSibling !== main) main.before(panel);
    const bright = (getComputedStyle(document.body).backgroundColor.match(/\d+/g) || [255]).map(Number)[0] > 127;
    panel.dataset.mode = bright ? "light" : "dark";
    for (const head of document.querySelectorAll("#root th")) {
      if (!head.textContent.endsWith("Fails")) continue;
      head.append(element("small", { textContent: " gave up or failed" }));
      head.title = "A row counts whole transactions with their retries. A conflict that a retry resolved is no failure.";
    }
  };

  const poll = async () => {
    try {
      if (!document.hidden) {
        const answer = await fetch(`${base}state`, { credentials: "same-origin", redirect: "error" });
        const text = answer.ok ? await answer.text() : shown;
        if (text !== shown) { shown = text; draw(JSON.parse(text)); }
        place();
      }
    } catch {
      // The server has ended, or the login has; Locust's page says so.
    }
    setTimeout(poll, POLL_MS);
  };

  document.addEventListener("DOMContentLoaded", poll);
})();
