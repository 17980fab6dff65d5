// The live page. Every text that comes from the run is put into the page as text, never as HTML.
(() => {
  const POLL_MS = 2000, IDLE_MS = 3000;
  const MARGIN = { l: 58, r: 14, t: 8, b: 26 };
  const HEIGHT = 210;
  const MOST_MARKS = 60;
  const root = document.documentElement;
  const $ = (id) => document.getElementById(id);
  const element = (name, parts = {}, ...children) => {
    const made = Object.assign(document.createElement(name), parts);
    made.append(...children);
    return made;
  };

  // Numbers are written as in the report.
  const ABSENT = "–";
  const plain = (value) => {
    if (value === Math.round(value)) return value.toLocaleString("en-US");
    const rounded = Number(value.toPrecision(3));
    const decimals = Math.max(0, Math.min(6, 2 - Math.floor(Math.log10(Math.abs(rounded)))));
    return value.toLocaleString("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
  };
  const written = (write) => (value) => (value === null || value === undefined ? ABSENT : write(value));
  const number = written(plain);
  const share = written((value) => {
    if (value > 0 && value < 0.0001) return "<0.01 %";
    if (value >= 0.9995 && value < 1) return ">99.9 %";
    return value === 0 || value === 1 ? `${100 * value} %` : `${(100 * value).toFixed(value >= 0.01 ? 1 : 2)} %`;
  });
  const perSecond = written((value) => `${plain(value)}/s`);
  const milliseconds = written((value) => (value >= 1000 ? `${plain(value / 1000)} s` : `${plain(value)} ms`));
  const duration = (seconds) => {
    const whole = Math.ceil(seconds);
    return whole < 120 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
  };

  const CHARTS = [
    { name: "conflicts", title: "Conflict rate", subtitle: "Conflicts per attempt.", write: share, most: 1,
      lines: [{ key: "conflict_rate", name: "conflict rate", colour: "c7" }], model: "conflict_rate" },
    { name: "throughput", title: "Attempts and goodput", subtitle: "Per second. The shaded part is waste: attempts that did not commit.", write: perSecond, waste: true,
      lines: [{ key: "attempts_per_s", name: "attempts", colour: "c1", dash: "dot" }, { key: "goodput_per_s", name: "goodput", colour: "c3" }], model: "goodput_per_s" },
    { name: "retries", title: "Retries", subtitle: "Retries per finished transaction.", write: number,
      lines: [{ key: "retry_rate", name: "retries", colour: "c6" }] },
    { name: "give-ups", title: "Give-ups", subtitle: "Transactions given up, as a share of the finished ones.", write: share, most: 1,
      lines: [{ key: "give_up_rate", name: "give-ups", colour: "c7" }] },
    { name: "latency", title: "Latency", subtitle: "Committed transactions, from when they were due, and all attempts.", write: milliseconds, log: true,
      lines: [
        { key: "latency_ms_p50", name: "p50", colour: "c1" }, { key: "latency_ms_p99", name: "p99", colour: "c7" },
        { key: "attempt_ms_p50", name: "attempts p50", colour: "c1", dash: "dot" }, { key: "attempt_ms_p99", name: "attempts p99", colour: "c7", dash: "dot" },
      ] },
    { name: "fairness", title: "Fairness", subtitle: "Jain's index of the users' commits in the last 10 s: 1 if all committed equally many.", write: number, most: 1, least: 1,
      lines: [{ key: "jain", name: "fairness", colour: "c3" }] },
  ];

  let shown = null; // the last answer
  let points = [];
  let column = {};
  let marked = null; // the second at which the crosshair stands
  let openOnly = false;
  let paused = false;
  let watching = true;

  const sign = ({ colour, dash }) => {
    const box = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    const line = document.createElementNS("http://www.w3.org/2000/svg", "path");
    Object.entries({ viewBox: "0 0 22 10", width: 22, height: 10, "aria-hidden": "true" }).forEach(([name, value]) => box.setAttribute(name, value));
    Object.entries({ d: "M1 5h20", "stroke-width": 2.4, stroke: `var(--${colour})`, "stroke-dasharray": { dot: "2 3", dash: "6 4" }[dash] || "none" }).forEach(([name, value]) => line.setAttribute(name, value));
    box.append(line);
    return box;
  };

  const build = (chart) => {
    chart.cells = {};
    const cell = (line, kind) => {
      const made = element("td", { className: kind });
      chart.cells[`${line.key} ${kind}`] = made;
      made.dataset.figure = line.key;
      made.dataset.of = kind;
      return made;
    };
    const kinds = ["recent", "whole", ...(chart.model ? ["model"] : []), "at"];
    const names = { recent: "last 10 s", whole: "whole cell", model: "model", at: "" };
    const heads = kinds.map((kind) => element("th", { scope: "col", className: kind, textContent: names[kind] }));
    if (chart.model) heads[kinds.indexOf("model")].prepend(sign({ colour: "ink", dash: "dash" }), " ");
    chart.atHead = heads[heads.length - 1];
    const rows = chart.lines.map((line) => element("tr", {}, element("th", { scope: "row" }, sign(line), line.name), ...kinds.map((kind) => cell(line, kind))));
    const table = element("table", { className: "figures" }, element("thead", {}, element("tr", {}, element("th"), ...heads)), element("tbody", {}, ...rows));
    chart.cross = element("div", { className: "cross", hidden: true });
    chart.div = element("div");
    chart.plot = element("div", { className: "plot" }, chart.div, chart.cross);
    chart.node = element("figure", { className: "card chart", id: chart.name }, element("h2", { textContent: chart.title }), element("p", { className: "subtitle", textContent: chart.subtitle }), table, chart.plot);
    chart.node.style.marginInline = "0";
    $("charts").append(chart.node);
    chart.plot.addEventListener("pointermove", (event) => markAt(secondAt(chart, event.clientX)));
    chart.plot.addEventListener("pointerleave", () => markAt(null));
    seen.observe(chart.plot);
  };

  const buildKeys = () => {
    const list = element("ol", { className: "bars", id: "hottest" });
    $("charts").append(element("section", { className: "card keys" }, element("h2", { textContent: "Hottest keys" }),
      element("p", { className: "subtitle", textContent: "Share of the conflicts: of the whole cell (thick bar, number) and of the last 10 s (thin bar). An attempt counts under the hottest key of its write set." }), list));
  };

  // Only charts in view are drawn.
  const seen = new IntersectionObserver((entries) => {
    entries.forEach(({ target, isIntersecting }) => {
      const chart = CHARTS.find(({ plot }) => plot === target);
      chart.inView = isIntersecting;
      if (isIntersecting && chart.stale) draw(chart);
    });
  });

  const range = () => {
    const last = points.length ? points[points.length - 1][0] : 0;
    const cells = shown.cells;
    const first = openOnly && cells.length ? cells[cells.length - 1].opened : Math.min(0, ...cells.map(({ opened }) => opened));
    return [first, Math.max(last, first + 10)];
  };

  const ticks = ([low, high], width) => {
    const steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 86400];
    const step = steps.find((one) => (high - low) / one <= Math.max(2, width / 90)) || 86400;
    const values = [];
    for (let at = Math.ceil(low / step) * step; at <= high; at += step) values.push(at);
    return { tickvals: values, ticktext: values.map((at) => (high > 300 ? `${Math.floor(at / 60)}:${String(at % 60).padStart(2, "0")}` : `${at} s`)) };
  };

  // A line is broken where the cell changes.
  const series = (key) => {
    const x = [], y = [];
    points.forEach((point, index) => {
      if (index && points[index - 1][1] !== point[1]) { x.push(point[0]); y.push(null); }
      x.push(point[0]);
      y.push(point[column[key]]);
    });
    return { x, y };
  };

  const waste = () => {
    const x = [], y = [];
    for (let first = 0; first < points.length;) {
      let end = first;
      while (end < points.length && points[end][1] === points[first][1]) end += 1;
      const part = points.slice(first, end);
      x.push(...part.map((point) => point[0]), ...part.map((point) => point[0]).reverse(), null);
      y.push(...part.map((point) => point[column.attempts_per_s]), ...part.map((point) => point[column.goodput_per_s]).reverse(), null);
      first = end;
    }
    return { type: "scatter", mode: "lines", x, y, fill: "toself", fillcolor: "@c7/0.18", line: { width: 0 } };
  };

  const expected = (name, end) => {
    const x = [], y = [];
    shown.cells.forEach(({ begun, closed, expected: of }) => {
      if (begun === null || of[name] === null || of[name] === undefined) return;
      x.push(begun, closed === null ? end : closed, null);
      y.push(of[name], of[name], null);
    });
    return { type: "scatter", mode: "lines", x, y, line: { color: "@ink", width: 1.5, dash: "6px,4px" } };
  };

  // Each cell begins at a line; its warm-up is shaded.
  const marks = (end) => shown.cells.slice(-MOST_MARKS).flatMap(({ opened, begun }) => [
    { type: "line", xref: "x", yref: "paper", x0: opened, x1: opened, y0: 0, y1: 1, line: { color: "@muted/0.7", width: 1 } },
    { type: "rect", xref: "x", yref: "paper", x0: opened, x1: begun === null ? Math.max(end, opened) : begun, y0: 0, y1: 1, fillcolor: "@muted/0.12", line: { width: 0 }, layer: "below" },
  ]);
  const names = (within) => {
    const some = shown.cells.filter(({ opened }) => opened >= within[0]);
    const gap = Math.ceil(some.length / 8);
    return shown.cells.length < 2 ? [] : some.filter((_, index) => index % gap === 0).map(({ cell, opened }) => (
      { text: `cell ${cell + 1}`, x: opened, y: 1, xref: "x", yref: "paper", xanchor: "left", yanchor: "top", showarrow: false, font: { size: 11, color: "@muted" } }));
  };

  const upright = (chart, traces, within) => {
    if (chart.log) return { type: "log", autorange: true, tickvals: [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5], ticktext: [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5].map(milliseconds) };
    const values = traces.flatMap(({ x, y }) => y.filter((value, index) => value !== null && x[index] >= within[0]));
    const top = Math.max(chart.least || 0, ...values.map((value) => value * 1.12)) || (chart.most ? 0.1 : 1);
    return { range: [0, chart.most ? Math.min(top, chart.most * 1.04) : top], nticks: 5, tickformat: chart.write === share ? ".3~%" : ",~r" };
  };

  const draw = (chart) => {
    chart.stale = !chart.inView;
    if (!chart.inView || !shown || !shown.cells) return;
    const width = chart.plot.clientWidth;
    const within = range();
    const lines = chart.lines.map(({ key, colour, dash }) => ({ type: "scatter", mode: "lines", ...series(key), line: { color: `@${colour}`, width: 2.2, dash: dash === "dot" ? "2px,3px" : "solid" } }));
    const traces = [...(chart.waste ? [waste()] : []), ...lines, ...(chart.model ? [expected(chart.model, within[1])] : [])];
    const layout = {
      width, height: HEIGHT, margin: MARGIN, showlegend: false, hovermode: false, shapes: marks(within[1]), annotations: names(within),
      paper_bgcolor: "@paper/0", plot_bgcolor: "@paper/0", font: { color: "@muted", size: 12, family: getComputedStyle(document.body).fontFamily },
      xaxis: { range: within, ...ticks(within, width), showgrid: false, zeroline: false, linecolor: "@grid", fixedrange: true },
      yaxis: { ...upright(chart, traces, within), gridcolor: "@grid", zeroline: false, fixedrange: true },
    };
    const figure = figures.parsed(JSON.stringify({ data: traces, layout }));
    Plotly.react(chart.div, figure.data, figure.layout, { staticPlot: true, displayModeBar: false });
    chart.plot.setAttribute("role", "img");
    chart.plot.setAttribute("aria-label", `${chart.title} over time`);
  };

  const secondAt = (chart, clientX) => {
    const box = chart.plot.getBoundingClientRect();
    const [low, high] = range();
    return low + ((clientX - box.left - MARGIN.l) / (box.width - MARGIN.l - MARGIN.r)) * (high - low);
  };
  const nearest = (second) => points.reduce((best, point, index) => (Math.abs(point[0] - second) < Math.abs(points[best][0] - second) ? index : best), 0);

  // One crosshair over all charts, at the nearest point.
  const markAt = (second) => {
    marked = second === null || !points.length ? null : points[nearest(second)][0];
    showMark();
  };
  const showMark = () => {
    const point = marked === null || !points.length ? null : points[nearest(marked)];
    const [low, high] = shown && shown.cells ? range() : [0, 1];
    root.classList.toggle("marked", point !== null);
    CHARTS.forEach((chart) => {
      const inside = chart.plot.clientWidth - MARGIN.l - MARGIN.r;
      const at = point === null ? -1 : (point[0] - low) / (high - low);
      chart.cross.hidden = at < 0 || at > 1;
      chart.cross.style.left = `${MARGIN.l + at * inside}px`;
      chart.atHead.textContent = point === null ? "" : `at ${duration(point[0])}`;
      chart.lines.forEach(({ key }) => { chart.cells[`${key} at`].textContent = point === null ? "" : chart.write(point[column[key]]); });
    });
  };

  const fill = (target, value, write) => {
    target.textContent = write(value);
    target.dataset.value = value === null || value === undefined ? "" : value;
  };
  const showFigures = () => CHARTS.forEach((chart) => chart.lines.forEach(({ key }) => {
    fill(chart.cells[`${key} recent`], shown.recent[key], chart.write);
    fill(chart.cells[`${key} whole`], shown.whole[key], chart.write);
    if (chart.model) fill(chart.cells[`${key} model`], chart.model === key ? shown.expected[key] : null, chart.model === key ? chart.write : () => "");
  }));

  const showKeys = () => {
    const most = Math.max(...shown.keys.flatMap(({ whole, recent }) => [whole, recent || 0]), 1e-9);
    const bar = (of, value) => { const made = element("div", { className: `bar ${of}` }); made.style.width = `${(100 * value) / most}%`; return made; };
    const items = shown.keys.map(({ name, conflicts, whole, recent }) => element("li", {}, element("b", { textContent: name }),
      element("div", { className: "track" }, bar("whole", whole), bar("recent", recent || 0)),
      element("span", { className: "value", textContent: `${share(whole)} (${plain(conflicts)})` })));
    $("hottest").replaceChildren(...(items.length ? items : [element("li", {}, element("span", { textContent: "No conflict yet." }))]));
  };

  const STATES = { none: "No run yet: start one in Locust's form", connecting: "The run begins", "warm-up": "warm-up", measured: "measuring", closing: "closing the cell", ended: "The run has ended" };
  const headline = () => {
    if (!shown.facts) return STATES[shown.state];
    if (shown.state === "ended") return "Run ended: figures of its last cell";
    const cell = shown.facts.find(([name]) => name === "cell");
    const left = shown.left.cell === null ? "" : `, ${duration(shown.left.cell)} left`;
    const more = shown.left.run !== null && shown.left.run > shown.left.cell + 1 ? `; about ${duration(shown.left.run)} until the run ends` : "";
    return `Cell ${cell[1]}: ${STATES[shown.state]}${left}${more}`;
  };

  const show = () => {
    $("run").textContent = shown.run || "no run yet";
    $("state").textContent = headline();
    ["controls", "facts", "charts"].forEach((id) => { $(id).hidden = !shown.facts; });
    notice(remark());
    if (!shown.facts) return;
    $("facts").replaceChildren(...shown.facts.map(([name, value]) => element("div", {}, element("dt", { textContent: name }), element("dd", { textContent: value }))));
    showFigures();
    showKeys();
    CHARTS.forEach(draw);
    showMark();
  };
  const remark = () => (shown.errors || shown.unknown ? `${plain(shown.errors)} transactions of this cell failed with an error, ${plain(shown.unknown)} have an unknown outcome: see the Failures tab.` : "");
  const notice = (text) => {
    $("notice").textContent = text;
    $("notice").hidden = !text;
  };

  const take = (answer) => {
    if (shown && answer.run !== shown.run) { points = []; marked = null; }
    if (answer.points) {
      points.length = Math.min(points.length, answer.first);
      points.push(...answer.points);
      column = Object.fromEntries(answer.columns.map((name, index) => [name, index + 2]));
    }
    shown = answer;
    root.dataset.state = answer.state;
    show();
  };

  const isHidden = () => document.hidden || !watching;
  const poll = async () => {
    let wait = POLL_MS;
    try {
      if (!paused && !isHidden()) {
        const known = shown && shown.run ? `?since=${points.length}&epoch=${shown.epoch}&run=${encodeURIComponent(shown.run)}` : "";
        const answer = await fetch(`./data${known}`, { redirect: "error", headers: { Accept: "application/json" } });
        if (!answer.ok) throw new Error(answer.statusText);
        take(await answer.json());
        if (["none", "ended"].includes(shown.state)) wait = IDLE_MS;
      } else wait = 250;
    } catch (_) {
      notice("No answer from the load process: it has ended, or you must log in again.");
      wait = IDLE_MS;
    }
    setTimeout(poll, wait);
  };

  const isDark = () => {
    let chosen = null;
    try { chosen = localStorage.theme; } catch (_) { /* a browser without storage */ }
    return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  };
  const recolour = () => {
    const mode = isDark() ? "dark" : "light";
    if (root.dataset.theme === mode) return;
    root.dataset.theme = mode;
    if (shown && shown.facts) CHARTS.forEach(draw);
  };

  const toggle = (button, on) => button.setAttribute("aria-pressed", String(on));
  $("pause").addEventListener("click", () => { paused = !paused; toggle($("pause"), paused); $("pause").textContent = paused ? "Go on" : "Pause"; });
  $("range").addEventListener("click", () => { openOnly = !openOnly; toggle($("range"), openOnly); CHARTS.forEach(draw); showMark(); });
  $("charts").addEventListener("keydown", (event) => {
    if (event.key === "Escape") return markAt(null);
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step || !points.length) return;
    event.preventDefault();
    const now = marked === null ? (step > 0 ? -1 : points.length) : nearest(marked);
    markAt(points[Math.max(0, Math.min(points.length - 1, now + step))][0]);
  });
  addEventListener("storage", recolour);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", recolour);
  let width = innerWidth;
  addEventListener("resize", () => { if (innerWidth !== width) { width = innerWidth; CHARTS.forEach(draw); showMark(); } });
  root.classList.toggle("framed", window.parent !== window);
  new IntersectionObserver((entries) => { watching = entries[entries.length - 1].isIntersecting; }).observe(document.querySelector("main"));

  CHARTS.forEach(build);
  buildKeys();
  recolour();
  poll();
})();
