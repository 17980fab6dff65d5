"use strict";
// What every page that draws with Plotly shares: the report and the live page.
const figures = (() => {
  // "@name" and "@name/opacity" are custom properties of the style sheet, so light, dark and print share one figure.
  const colour = (token) => {
    const [name, opacity = "1"] = token.slice(1).split("/");
    const hex = getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
    const [r, g, b] = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
    return `rgba(${r}, ${g}, ${b}, ${opacity})`;
  };
  const parsed = (json) =>
    JSON.parse(json, (_, value) => (typeof value === "string" && /^@[a-z]+\d?(\/[.\d]+)?$/.test(value) ? colour(value) : value));
  return { colour, parsed };
})();
