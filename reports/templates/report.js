"use strict";
(() => {
  const root = document.documentElement;
  const charts = [...document.querySelectorAll(".chart")].map((node) => ({
    node,
    off: new Set(),
    panels: [...node.querySelectorAll(".panel")].map((panel) => ({
      panel,
      div: panel.querySelector(".plot"),
      json: panel.querySelector("script").textContent,
    })),
  }));

  // If some lines are off, the vertical axis fits the others. The panels of a chart share one scale.
  const fitted = (figures, log) => {
    const traces = figures.flatMap((figure) => figure.data.filter((trace) => trace.visible !== false));
    const ys = traces.flatMap((trace) => trace.y).filter((y) => y !== null && (!log || y > 0));
    if (!ys.length) return null;
    const [low, high] = [Math.min(...ys), Math.max(...ys)];
    return log ? [Math.log10(low / 1.25), Math.log10(high * 1.25)] : [0, high * 1.1 || 1];
  };

  const draw = (chart, width) => {
    const figures = chart.panels.map(({ json }) => figures.parsed(json));
    figures.forEach((figure) => figure.data.forEach((trace) => { trace.visible = !chart.off.has(trace.legendgroup); }));
    const log = figures[0].layout.yaxis.type === "log";
    const range = chart.off.size ? fitted(figures, log) : null;
    figures.forEach((figure, index) => { chart.panels[index].panel.hidden = figure.data.every((trace) => !trace.visible); });
    figures.forEach(({ data, layout }, index) => {
      layout.font.family = getComputedStyle(document.body).fontFamily;
      layout.hoverlabel.font.family = layout.font.family;
      if (range) Object.assign(layout.yaxis, { range }, log ? {} : { tickmode: "auto", nticks: 6 });
      const many = chart.panels.length > 1;
      if (width) Object.assign(layout, many ? { width: width / 2 - 8, height: 210 } : { width, height: 300 });
      else layout.autosize = true;
      Plotly.react(chart.panels[index].div, data, layout, { displayModeBar: false, responsive: !width });
    });
  };
  const drawAll = (width) => charts.forEach((chart) => draw(chart, width));

  // A press on a name in any key removes that line from every chart, or puts it back.
  const buttons = [...document.querySelectorAll(".key button")];
  const press = (name) => {
    const shown = buttons.find((button) => button.dataset.line === name).getAttribute("aria-pressed") === "true";
    buttons.filter((button) => button.dataset.line === name).forEach((button) => button.setAttribute("aria-pressed", String(!shown)));
    charts.forEach((chart) => { shown ? chart.off.add(name) : chart.off.delete(name); draw(chart); });
  };
  buttons.forEach((button) => button.addEventListener("click", () => press(button.dataset.line)));

  // Absent values stay last in both sort orders.
  const compare = (a, b) => (a !== "" && b !== "" && !isNaN(a) && !isNaN(b) ? a - b : a.localeCompare(b));
  const sort = (head, column) => {
    const up = head.getAttribute("aria-sort") !== "ascending";
    const body = head.closest("table").tBodies[0];
    const value = (row) => row.cells[column].dataset.value;
    const rows = [...body.rows].sort((a, b) => (value(a) === "") - (value(b) === "") || (up ? 1 : -1) * compare(value(a), value(b)));
    [...head.parentNode.cells].forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    body.append(...rows);
  };
  document.querySelectorAll("thead th button").forEach((button) => {
    const head = button.parentNode;
    button.addEventListener("click", () => sort(head, head.cellIndex));
  });

  if (innerWidth < 600) document.querySelector(".terms").open = false; // charts first on a phone

  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawAll());
  addEventListener("beforeprint", () => {
    root.dataset.theme = "light";
    document.querySelectorAll("details").forEach((details) => { details.open = true; });
    drawAll(680);
  });
  addEventListener("afterprint", () => { delete root.dataset.theme; drawAll(); });
  drawAll();
})();
