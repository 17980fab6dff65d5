"use strict";
// Shows our page in the panel of the Contention tab of Locust's page. Locust's own panel of this tab is empty.
(() => {
  const KEY = "contention";
  const TITLE = "Contention";
  const base = new URL(`./${KEY}/`, document.baseURI).href;
  let frame = null;

  const isChosen = () => {
    const tab = document.querySelector('[role="tab"][aria-selected="true"]');
    return tab !== null && tab.textContent.trim() === TITLE;
  };

  const fit = () => {
    const page = frame.contentDocument;
    if (!page || !page.body) return;
    new ResizeObserver(() => { frame.style.height = `${Math.ceil(page.body.getBoundingClientRect().height)}px`; }).observe(page.body);
  };

  const make = () => {
    frame = document.createElement("iframe");
    frame.title = "Contention: conflicts, retries and latency over time";
    frame.id = "hotrow-contention";
    frame.src = base;
    Object.assign(frame.style, { display: "block", width: "100%", maxWidth: "1536px", margin: "0 auto", height: "80vh", border: "0", padding: "0 12px", boxSizing: "border-box" });
    frame.addEventListener("load", fit);
  };

  // Locust's <main> outlives its tabs; our frame is its last child, so it stays loaded while other tabs are shown.
  const place = () => {
    const chosen = isChosen();
    const main = document.querySelector("#root main");
    if (chosen && frame === null) make();
    if (frame === null || main === null) return;
    if (frame.parentNode !== main) main.append(frame);
    const display = chosen ? "block" : "none";
    if (frame.style.display !== display) frame.style.display = display;
  };

  new MutationObserver(place).observe(document.getElementById("root"), {
    subtree: true, childList: true, attributes: true, attributeFilter: ["aria-selected"],
  });
  place();
})();
