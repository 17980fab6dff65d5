"use strict";
// The charts of the report: drawn as they come into view, the rest when the browser has time.
(() => {
  const root = document.documentElement;
  const charts = [...document.querySelectorAll(".chart")].map((node) => ({
    node,
    off: new Set(),
    version: 0,
    panels: [...node.querySelectorAll(".panel")].map((panel) => ({
      panel,
      div: panel.querySelector(".plot"),
      json: panel.querySelector("script").textContent,
    })),
  }));

  let started = false;

  // Of a trace whose points belong to several lines (the rings of a front), the points of lines that are off are left out.
  const without = (trace, off) => {
    if (!trace.customdata) return { ...trace, visible: !off.has(trace.legendgroup) };
    const kept = trace.customdata.map((line, at) => [line, at]).filter(([line]) => !off.has(line)).map(([, at]) => at);
    return { ...trace, x: kept.map((at) => trace.x[at]), y: kept.map((at) => trace.y[at]), customdata: kept.map((at) => trace.customdata[at]) };
  };

  const ends = (trace) => {
    const { array = [], arrayminus = [] } = trace.error_y || {};
    return trace.y.flatMap((y, at) => (y === null ? [] : [y - (arrayminus[at] || 0), y, y + (array[at] || 0)]));
  };

  // If lines are off, an axis fits what is left of all panels, which share it. It never shows more than it did.
  const fit = (axis, values) => {
    const log = axis.type === "log";
    const present = values.filter((value) => value !== null && (!log || value > 0)).map((value) => (log ? Math.log10(value) : value));
    if (!present.length) return;
    const [first, last] = axis.range;
    const [low, high] = [Math.min(...present), Math.max(...present)];
    const [before, after] = log ? [0.09, 0.09] : first < 0 ? [0.6, 0.6] : [low - first, 0.08 * (high - first)];
    axis.range = [Math.max(first, low - before), Math.min(last, high + after || last)];
    const place = (tick) => (log ? Math.log10(tick) : tick);
    const seen = axis.tickvals.filter((tick) => place(tick) >= axis.range[0] && place(tick) <= axis.range[1]);
    if (seen.length < 3 && first >= 0) Object.assign(axis, { tickmode: "auto", nticks: 6 });
  };

  const refit = (all) => {
    const traces = all.flatMap(({ data }) => data).filter((trace) => trace.visible !== false);
    if (!traces.every((trace) => trace.type === "scatter")) return;
    all.forEach(({ layout }) => {
      fit(layout.xaxis, traces.flatMap((trace) => trace.x));
      fit(layout.yaxis, traces.flatMap(ends));
    });
  };

  const figuresOf = (chart, width) => {
    const all = chart.panels.map(({ json }) => figures.parsed(json));
    all.forEach((one) => { one.data = one.data.map((trace) => without(trace, chart.off)); });
    if (chart.off.size) refit(all);
    all.forEach(({ layout }) => {
      layout.font.family = getComputedStyle(document.body).fontFamily;
      layout.hoverlabel.font.family = layout.font.family;
      const many = chart.panels.length > 1;
      if (width) Object.assign(layout, many ? { width: width / 2 - 8, height: layout.height > 270 ? layout.height : 210 } : { width, height: 300 });
      else layout.autosize = true;
    });
    return all;
  };

  const show = ({ panel, div }, { data, layout }) => {
    panel.hidden = data.every((trace) => trace.visible === false || (trace.customdata && !trace.x.length));
    Plotly.react(div, data, layout, { displayModeBar: false, responsive: layout.autosize === true });
  };

  const drawAll = (width) => charts.forEach((chart) => {
    chart.version += 1;
    figuresOf(chart, width).forEach((figure, index) => show(chart.panels[index], figure));
    chart.node.ariaBusy = "false";
  });

  // A panel takes tens of milliseconds, or more on a busy machine, so the page answers between any two.
  const idle = window.requestIdleCallback || ((then) => setTimeout(then, 20));
  const tasks = [];
  let running = false;
  const step = () => {
    running = tasks.length > 0;
    if (!running) return;
    tasks.shift()();
    idle(step, { timeout: 200 });
  };
  const draw = (chart, { first }) => {
    const version = (chart.version += 1);
    chart.node.ariaBusy = "true";
    let all = null;
    const ours = chart.panels.map((panel, index) => () => {
      if (chart.version !== version) return;
      all = all || figuresOf(chart);
      show(panel, all[index]);
      if (index === chart.panels.length - 1) chart.node.ariaBusy = "false";
    });
    first ? tasks.unshift(...ours) : tasks.push(...ours);
    if (!running) {
      running = true;
      idle(step, { timeout: 200 });
    }
  };
  const isSeen = ({ node }) => node.getBoundingClientRect().bottom > 0 && node.getBoundingClientRect().top < innerHeight;
  const redraw = () => {
    charts.filter((chart) => !isSeen(chart)).forEach((chart) => draw(chart, { first: false }));
    charts.filter(isSeen).reverse().forEach((chart) => draw(chart, { first: true }));
  };

  // A press on a name in any key removes that line from every chart, or puts it back.
  const buttons = [...document.querySelectorAll(".key button")];
  const press = (name) => {
    const shown = buttons.find((button) => button.dataset.line === name).getAttribute("aria-pressed") === "true";
    buttons.filter((button) => button.dataset.line === name).forEach((button) => button.setAttribute("aria-pressed", String(!shown)));
    charts.forEach((chart) => { shown ? chart.off.add(name) : chart.off.delete(name); });
    if (started) redraw();
  };
  buttons.forEach((button) => button.addEventListener("click", () => press(button.dataset.line)));

  // A chart that comes into view before its turn is drawn next.
  const seen = new IntersectionObserver((entries) => {
    entries.filter(({ isIntersecting }) => isIntersecting).forEach(({ target }) => {
      seen.unobserve(target);
      const chart = charts.find(({ node }) => node === target);
      if (chart.node.ariaBusy === "true") draw(chart, { first: true });
    });
  }, { rootMargin: "300px" });

  // Plotly takes seconds to read on a busy machine. It is inert text until the page can be read and used.
  const start = () => {
    if (started) return;
    started = true;
    document.head.append(Object.assign(document.createElement("script"), { textContent: document.querySelector("#plotly").textContent }));
    charts.forEach((chart) => {
      draw(chart, { first: false });
      seen.observe(chart.node);
    });
  };
  addEventListener("load", () => setTimeout(start));

  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { if (started) redraw(); });
  let closed = [];
  addEventListener("beforeprint", () => {
    start();
    root.dataset.theme = "light";
    closed = [...document.querySelectorAll("details.terms:not([open])")];
    closed.forEach((details) => { details.open = true; });
    drawAll(680);
  });
  addEventListener("afterprint", () => {
    delete root.dataset.theme;
    closed.forEach((details) => { details.open = false; });
    drawAll();
  });
})();
